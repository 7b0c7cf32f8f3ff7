package bundles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Source is where bundles come from. Safe for use by one goroutine at a time.
type Source interface {
	// Fetch returns what the source holds now: all of one state of it, never
	// half of one and half of the next. It returns nil where that is still
	// what the snapshot with this mark was of; "" is no snapshot's mark. An
	// error says what the operator can do; it holds no secret.
	Fetch(ctx context.Context, mark string) (*Snapshot, error)
	// String names the source in logs and in the state directory, without any
	// secret.
	String() string
}

// Snapshot is the files of a bundle at one moment. Immutable.
type Snapshot struct {
	// Name is what the files are called after in errors.
	Name string
	// Version is the source's own name of this content ("git:COMMIT"); ""
	// where it has none.
	Version string
	// Mark tells this state of the source from others, for [Source.Fetch].
	Mark  string
	Files []File // by path
}

// File is one file of a bundle.
type File struct {
	Path string // slash-separated, from the bundle's root
	Text []byte
}

// limits of a bundle: a mistake must not fill the memory.
type limits struct {
	file  int64 // bytes of one file
	all   int64 // bytes of all files
	files int
}

var inForce = limits{file: 64 << 20, all: 256 << 20, files: 100_000}

// Gathering collects the files of a bundle within its limits.
type Gathering struct {
	name  string
	most  limits
	files []File
}

// NewGathering returns an empty gathering; name is what its files are called
// after in errors.
func NewGathering(name string) *Gathering { return &Gathering{name: name, most: inForce} }

// Wanted reports whether a bundle reads the file at a path: what is hidden, and
// what is neither policy nor data, is left alone.
func Wanted(file string) bool {
	if Hidden(file) {
		return false
	}
	return path.Ext(file) == ".rego" || file == manifest || slices.Contains([]string{"data.json", "data.yaml", "data.yml"}, path.Base(file))
}

const manifest = ".manifest"

// Hidden reports whether a bundle leaves a path alone because the file, or a
// folder it lies in, begins with a dot.
func Hidden(file string) bool {
	return file != manifest && file != "." && (strings.HasPrefix(file, ".") || strings.Contains(file, "/."))
}

// Add takes the file at a path, which must be [Wanted], if it and all files
// before it are within the limits.
func (g *Gathering) Add(file string, size int64, text io.Reader) error {
	name := path.Join(g.name, file)
	if g.most.files--; g.most.files < 0 {
		return fmt.Errorf("%s holds too many files", g.name)
	}
	if size > g.most.file {
		return fmt.Errorf("%s: it has %d bytes; at most %d are read", name, size, g.most.file)
	}
	// The size is what somebody said: what is read counts.
	read, err := io.ReadAll(io.LimitReader(text, g.most.file+1))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(read)) > g.most.file {
		return fmt.Errorf("%s: it has more than %d bytes", name, g.most.file)
	}
	if g.most.all -= int64(len(read)); g.most.all < 0 {
		return fmt.Errorf("%s is too large: %s and the files before it hold more bytes than a bundle may", g.name, file)
	}
	g.files = append(g.files, File{file, read})
	return nil
}

// Snapshot returns the files gathered so far, in the order of their paths.
func (g *Gathering) Snapshot() *Snapshot {
	slices.SortFunc(g.files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return &Snapshot{Name: g.name, Files: g.files}
}

// walk adds the files of fsys. Links are followed as far as fsys does.
func (g *Gathering) walk(fsys fs.FS) error {
	return visit(fsys, g.name, ".", nil, func(file string, info fs.FileInfo) error {
		opened, err := fsys.Open(file)
		if err != nil {
			return fmt.Errorf("%s: %w", path.Join(g.name, file), err)
		}
		defer opened.Close()
		return g.Add(file, info.Size(), opened)
	})
}

// visit shows the wanted files in and below a folder. name is what the bundle
// is called after in errors; above are the folders that this one lies in.
func visit(fsys fs.FS, name, dir string, above []fs.FileInfo, show func(file string, info fs.FileInfo) error) error {
	here, err := fs.Stat(fsys, dir)
	if err != nil {
		return fmt.Errorf("read the bundle %s: %w", name, err)
	}
	if slices.ContainsFunc(above, func(f fs.FileInfo) bool { return os.SameFile(f, here) }) {
		return fmt.Errorf("%s is a symbolic link to a folder above it: remove it", path.Join(name, dir))
	}
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return fmt.Errorf("read the bundle %s: %w", name, err)
	}
	for _, entry := range entries {
		file := path.Join(dir, entry.Name())
		if Hidden(file) {
			continue
		}
		info, err := fs.Stat(fsys, file)
		switch {
		case err != nil && entry.Type()&fs.ModeSymlink != 0:
			// Also one that nothing wants: policy could silently be missing.
			return fmt.Errorf("%s is a symbolic link out of the bundle's folder, or to nothing (%w): put what it points to into the folder, and let links be relative", path.Join(name, file), cause(err))
		case err != nil:
			return fmt.Errorf("%s: %w", path.Join(name, file), err)
		case info.IsDir():
			err = visit(fsys, name, file, append(above[:len(above):len(above)], here), show)
		case !Wanted(file):
		case !info.Mode().IsRegular():
			err = fmt.Errorf("%s is not a regular file", path.Join(name, file))
		default:
			err = show(file, info)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cause is an error without the path, which is said already.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
