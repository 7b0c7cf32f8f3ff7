package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// archive keeps every file of a journal beyond its time: remit removes what it
// need not keep, and what is compared with it is all of it. Both are one file on
// the disk (a hard link).
type archive struct{ dir, data string }

func newArchive(dir, data string) (*archive, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	return &archive{dir, data}, os.Link(filepath.Join(data, "seed"), filepath.Join(dir, "seed"))
}

// keep links the files that are there and not kept yet. The last one may be made
// ahead, and anew after a kill: it is kept when all is over.
func (a *archive) keep(all bool) error {
	paths, err := filepath.Glob(filepath.Join(a.data, "*.journal"))
	if err != nil || len(paths) == 0 {
		return err
	}
	slices.Sort(paths)
	if !all {
		paths = paths[:len(paths)-1]
	}
	for _, path := range paths {
		err := os.Link(path, filepath.Join(a.dir, filepath.Base(path)))
		if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// onDisk is how many bytes the files of a folder have.
func onDisk(dir string) (n int64, err error) {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		// What is removed meanwhile has none.
		if info, gone := entry.Info(); gone == nil {
			n += info.Size()
		}
	}
	return n, err
}
