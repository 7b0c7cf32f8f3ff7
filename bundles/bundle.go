// Package bundles reads bundles: folders with Rego modules and data files, in
// OPA's layout (the folder of a data.json or data.yaml is the data's path), so
// that the stock `opa` reads the same.
//
// It is strict: a member that is there twice, in one file or in two, is an
// error that names both places.
package bundles

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp/value"
)

// Bundle is everything decisions are made with that comes from outside the
// configuration. Immutable.
type Bundle struct {
	// Revision is the source's version of the content (a commit), else the
	// manifest's revision, else Digest.
	Revision string
	// Digest names the content that is served: sha256, its first 8 bytes.
	Digest  string
	Modules []Module
	Data    value.Value // an object
	// Tests are the modules whose names end in _test.rego: they are not
	// served.
	Tests []Module

	files []dataFile
}

// Module is one Rego file.
type Module struct {
	Path string // as an operator names it
	Text []byte
}

// LoadDir reads the bundle in a folder.
func LoadDir(dir string) (*Bundle, error) {
	snapshot, err := Dir(dir).Fetch(context.Background(), "")
	if err != nil {
		return nil, err
	}
	return Parse(snapshot)
}

// Load reads the bundle in fsys; name is what its files are called after in
// errors.
func Load(fsys fs.FS, name string) (*Bundle, error) { return load(fsys, name, inForce) }

func load(fsys fs.FS, name string, most limits) (*Bundle, error) {
	g := &Gathering{name: name, most: most}
	if err := g.walk(fsys); err != nil {
		return nil, err
	}
	return Parse(g.Snapshot())
}

// Parse makes a bundle of the files of a source. It reports everything that is
// wrong with them at once, each with file and line.
func Parse(s *Snapshot) (*Bundle, error) {
	b := &Bundle{Data: value.Obj()}
	sum := sha256.New()
	var problems []error
	for _, f := range s.Files {
		if !strings.HasSuffix(f.Path, "_test.rego") {
			fmt.Fprintf(sum, "%d %s\n%d\n%s", len(f.Path), f.Path, len(f.Text), f.Text)
		}
		problems = append(problems, b.take(path.Join(s.Name, f.Path), f.Path, f.Text))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if len(b.Modules) == 0 {
		return nil, fmt.Errorf("%s holds no policy (*.rego)", s.Name)
	}
	b.Digest = "sha256:" + hex.EncodeToString(sum.Sum(nil)[:8])
	switch {
	case s.Version != "":
		b.Revision = s.Version
	case b.Revision == "":
		b.Revision = b.Digest
	}
	return b, nil
}

// take makes one file part of the bundle.
func (b *Bundle) take(name, file string, text []byte) error {
	switch {
	case file == ".manifest":
		revision, err := readManifest(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		b.Revision = revision
		return nil
	case strings.HasSuffix(file, "_test.rego"):
		b.Tests = append(b.Tests, Module{name, text})
		return nil
	case path.Ext(file) == ".rego":
		b.Modules = append(b.Modules, Module{name, text})
		return nil
	}
	parsed, err := parseData(name, file, text)
	if err != nil {
		return err
	}
	return b.merge(parsed)
}

// merge adds a file's data. Objects are merged; anything else may be there
// once.
func (b *Bundle) merge(f dataFile) error {
	whole := f.data
	for _, name := range slices.Backward(f.root) {
		whole = value.Obj(value.M(name, whole))
	}
	merged, conflict := mergeValues(b.Data, whole, nil)
	if conflict != nil {
		first, line := b.Locate(conflict...)
		second, _ := f.find(conflict[min(len(f.root), len(conflict)):])
		return fmt.Errorf("%s:%d: data.%s is in %s:%d already", f.name, second, strings.Join(conflict, "."), first, line)
	}
	b.Data, b.files = merged, append(b.files, f)
	return nil
}

func mergeValues(a, b value.Value, at []string) (merged value.Value, conflict []string) {
	if !a.Defined() {
		return b, nil
	}
	if a.Kind() != value.Map || b.Kind() != value.Map {
		return a, at
	}
	var members []value.Member
	a.Range(func(name string, v value.Value) bool {
		members = append(members, value.M(name, v))
		return true
	})
	b.Range(func(name string, v value.Value) bool {
		both, c := mergeValues(a.Get(name), v, append(at[:len(at):len(at)], name))
		if c != nil {
			conflict = c
			return false
		}
		members = append(members, value.M(name, both))
		return true
	})
	return value.Obj(members...), conflict
}
