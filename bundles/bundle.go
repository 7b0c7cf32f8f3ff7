// Package bundles reads bundles: folders with Rego modules and data files, in
// OPA's layout (the folder of a data.json or data.yaml is the data's path), so
// that the stock `opa` reads the same.
//
// It is strict: a member that is there twice, in one file or in two, is an
// error that names both places.
package bundles

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp/value"
)

// Bundle is everything decisions are made with that comes from outside the
// configuration. Immutable.
type Bundle struct {
	// Revision is that of the manifest, else a digest of the content.
	Revision string
	Modules  []Module
	Data     value.Value // an object
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

// limits of a bundle: a mistake must not fill the memory.
type limits struct {
	file  int64 // bytes of one file
	all   int64 // bytes of all files
	files int
}

// LoadDir reads the bundle in a folder.
func LoadDir(dir string) (*Bundle, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("read the bundle: %s is not a folder", dir)
	}
	return Load(os.DirFS(dir), dir)
}

// Load reads the bundle in fsys; name is what its files are called after in
// errors.
func Load(fsys fs.FS, name string) (*Bundle, error) {
	return load(fsys, name, limits{file: 64 << 20, all: 256 << 20, files: 100_000})
}

func load(fsys fs.FS, name string, most limits) (*Bundle, error) {
	b := &Bundle{Data: value.Obj()}
	sum := sha256.New()
	var problems []error
	err := fs.WalkDir(fsys, ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case file != "." && strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".manifest":
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		case entry.Type()&fs.ModeSymlink != 0:
			// Also one to a folder: policy would silently be missing.
			return fmt.Errorf("%s is a symbolic link: a bundle holds no links, put what it points to there", path.Join(name, file))
		case !wanted(file):
			return nil
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is not a regular file", path.Join(name, file))
		}
		if most.files--; most.files < 0 {
			return fmt.Errorf("%s holds too many files", name)
		}
		text, err := readFile(fsys, file, most.file)
		if err != nil {
			return fmt.Errorf("%s: %w", path.Join(name, file), err)
		}
		if most.all -= int64(len(text)); most.all < 0 {
			return fmt.Errorf("%s is too large: %s and the files before it hold more bytes than a bundle may", name, file)
		}
		if !strings.HasSuffix(file, "_test.rego") {
			fmt.Fprintf(sum, "%d %s\n%d\n%s", len(file), file, len(text), text)
		}
		problems = append(problems, b.take(path.Join(name, file), file, text))
		return nil
	})
	if err := errors.Join(append(problems, err)...); err != nil {
		return nil, err
	}
	if len(b.Modules) == 0 {
		return nil, fmt.Errorf("%s holds no policy (*.rego)", name)
	}
	if b.Revision == "" {
		b.Revision = "sha256:" + hex.EncodeToString(sum.Sum(nil)[:8])
	}
	return b, nil
}

func wanted(file string) bool {
	return path.Ext(file) == ".rego" || slices.Contains([]string{"data.json", "data.yaml", "data.yml"}, path.Base(file)) || file == ".manifest"
}

func readFile(fsys fs.FS, file string, most int64) ([]byte, error) {
	info, err := fs.Stat(fsys, file)
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, fmt.Errorf("it has %d bytes; at most %d are read", info.Size(), most)
	}
	return fs.ReadFile(fsys, file)
}

// take makes one file part of the bundle.
func (b *Bundle) take(name, file string, text []byte) error {
	switch {
	case file == ".manifest":
		manifest, err := value.ParseJSON(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		revision := manifest.Get("revision")
		if manifest.Kind() != value.Map || revision.Defined() && revision.Kind() != value.String {
			return fmt.Errorf("%s: it must hold an object whose revision is a string", name)
		}
		b.Revision = revision.Text()
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
