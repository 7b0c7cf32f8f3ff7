package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
)

// licence is what a module calls the texts that go with it.
var licence = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

// notices are the licences of everything that is linked into a binary: most of
// them ask to be handed on with it.
func notices(ctx context.Context, source string, b *binary) ([]byte, error) {
	goroot, err := output(ctx, source, nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := addNotices(&out, "Go "+b.info.GoVersion, goroot); err != nil {
		return nil, err
	}
	args := []string{"mod", "download", "-json"}
	for _, m := range b.modules() {
		args = append(args, m.Path+"@"+m.Version)
	}
	modules, err := output(ctx, source, nil, "go", args...)
	if err != nil {
		return nil, err
	}
	for list := json.NewDecoder(bytes.NewReader([]byte(modules))); ; {
		var m struct{ Path, Version, Dir string }
		if err := list.Decode(&m); errors.Is(err, io.EOF) {
			return out.Bytes(), nil
		} else if err != nil {
			return nil, err
		}
		if err := addNotices(&out, m.Path+" "+m.Version, m.Dir); err != nil {
			return nil, err
		}
	}
}

// addNotices adds the texts in a folder. None at all is an error: then nobody may
// hand on what it is about.
func addNotices(out *bytes.Buffer, about, dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	before := out.Len()
	for _, f := range files {
		if !f.Type().IsRegular() || !licence.MatchString(f.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "==== %s: %s\n\n%s\n\n", about, f.Name(), bytes.TrimSpace(text))
	}
	if out.Len() == before {
		return fmt.Errorf("%s has no licence in its folder: do without it, or say in notices.go where the licence is", about)
	}
	return nil
}
