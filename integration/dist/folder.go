package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A folder is what is released.
type folder string

// add writes the archive of a binary, what is in it, and its part of the image.
func (f folder) add(ctx context.Context, source string, b *binary) error {
	texts, err := documents(ctx, source, b)
	if err != nil {
		return err
	}
	archive, err := download(b, texts)
	if err != nil {
		return err
	}
	inside, err := inventory(b)
	if err != nil {
		return err
	}
	if err := f.write(b.name()+".tar.gz", archive); err != nil {
		return err
	}
	if err := f.write(b.name()+".cdx.json", inside); err != nil {
		return err
	}
	return f.addImage(source, b, texts)
}

// documents are what is handed on with a binary.
func documents(ctx context.Context, source string, b *binary) ([]entry, error) {
	others, err := notices(ctx, source, b)
	if err != nil {
		return nil, err
	}
	texts := []entry{{name: "NOTICES", mode: 0o644, body: others}}
	for _, name := range []string{"LICENSE", "README.md"} {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return nil, err
		}
		texts = append(texts, entry{name: name, mode: 0o644, body: text})
	}
	return texts, nil
}

// within returns entries as those of a folder.
func within(folder string, entries []entry) []entry {
	inside := []entry{{name: folder, mode: 0o755}}
	for _, e := range entries {
		e.name = folder + e.name
		inside = append(inside, e)
	}
	return inside
}

// download is what somebody downloads: one folder with the binary and what belongs
// to it.
func download(b *binary, texts []entry) ([]byte, error) {
	program := entry{name: "remit", mode: 0o755, body: b.bytes}
	archive, err := pack(b.at, within(b.name()+"/", append(texts, program))...)
	if err != nil {
		return nil, err
	}
	return compress(archive)
}

func (f folder) write(name string, content []byte) error {
	path := filepath.Join(string(f), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// sums writes the digest of every file, in the form that sha256sum -c reads.
func (f folder) sums() error {
	var lines strings.Builder
	err := fs.WalkDir(os.DirFS(string(f)), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(string(f), name))
		fmt.Fprintf(&lines, "%x  %s\n", sha256.Sum256(content), name)
		return err
	})
	if err != nil {
		return err
	}
	return f.write("SHA256SUMS", []byte(lines.String()))
}
