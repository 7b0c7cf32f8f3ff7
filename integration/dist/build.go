package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

// remit runs on Linux: its store and its operators' socket use what only Linux has.
const goos = "linux"

// environment is what decides about the bytes besides source and Go command. It is
// set here, so that nobody's own settings do.
var environment = []string{
	"CGO_ENABLED=0", // static: runs in an image that has nothing else
	"GOOS=" + goos,
	"GOAMD64=v1",
	"GOARM64=v8.0",
	"GOFLAGS=-mod=readonly",
	"GOEXPERIMENT=",
	"GOFIPS140=off",
	"GOWORK=off",
}

// A binary is what was built for one processor, and what it says of itself.
type binary struct {
	arch     string
	bytes    []byte
	info     *buildinfo.BuildInfo
	settings map[string]string // of info
	at       time.Time         // when the commit was made
}

// build compiles remit in a clone.
func build(ctx context.Context, source, file, arch string) (*binary, error) {
	env := append(append(os.Environ(), environment...), "GOARCH="+arch)
	if _, err := output(ctx, source, env, "go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", file, "./cmd/remit"); err != nil {
		return nil, err
	}
	read, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return inspect(arch, read)
}

// inspect reads what a binary says of itself, and refuses one that does not say
// which commit it is of.
func inspect(arch string, content []byte) (*binary, error) {
	info, err := buildinfo.Read(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	b := &binary{arch: arch, bytes: content, info: info, settings: make(map[string]string)}
	for _, s := range info.Settings {
		b.settings[s.Key] = s.Value
	}
	if b.settings["vcs.modified"] != "false" || !strings.HasPrefix(b.version(), "v") {
		return nil, fmt.Errorf("the Go command recorded version %q and commit %q: build with one that records them (1.24 or later)", b.version(), b.commit())
	}
	b.at, err = time.Parse(time.RFC3339, b.settings["vcs.time"])
	return b, err
}

// version is the commit's tag; between tags what the Go command makes of the tag
// before, the commit and its time.
func (b *binary) version() string { return b.info.Main.Version }

func (b *binary) commit() string { return b.settings["vcs.revision"] }

// modules are those that are linked in, each as what it was replaced by.
func (b *binary) modules() (modules []*debug.Module) {
	for _, m := range b.info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		modules = append(modules, m)
	}
	return modules
}

// name is what files of this binary are called, without what they end in.
func (b *binary) name() string {
	return strings.Join([]string{"remit", b.version(), goos, b.arch}, "_")
}
