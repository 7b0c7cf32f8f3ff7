package export

import (
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The name of a file is "decisions-20260131T094500.000000000Z.jsonl", with ".gz"
// behind it once it is compressed.
const (
	filePrefix   = "decisions-"
	fileSuffix   = ".jsonl"
	gzipSuffix   = ".gz"
	halfSuffix   = ".tmp" // being compressed
	fileNameTime = "20060102T150405.000000000Z"
)

func fileName(begun time.Time) string {
	return filePrefix + begun.UTC().Format(fileNameTime) + fileSuffix
}

// begunAt reads the name of a file; it reports false for what is none of ours.
func begunAt(name string) (time.Time, bool) {
	name = strings.TrimSuffix(name, gzipSuffix)
	begun, err := time.Parse(filePrefix+fileNameTime+fileSuffix, name)
	return begun, err == nil && fileName(begun) == name
}

// names lists the files, oldest first.
func (f *Files) names() (names []string, err error) {
	entries, err := os.ReadDir(f.settings.Dir) // sorted
	for _, entry := range entries {
		if _, ours := begunAt(entry.Name()); ours {
			names = append(names, entry.Name())
		}
	}
	return names, err
}

// nextName is when the next file is begun: now, or after the newest there is where
// the clock was set back.
func (f *Files) nextName() (time.Time, error) {
	names, err := f.names()
	begun := f.settings.Now().UTC()
	if len(names) > 0 {
		if newest, _ := begunAt(names[len(names)-1]); !begun.After(newest) {
			begun = newest.Add(1)
		}
	}
	return begun, err
}

// rotate closes the file that is being written. What it holds is on the disk.
func (f *Files) rotate() error {
	path := f.file.Name()
	err := errors.Join(f.file.Sync(), f.file.Close())
	if f.file = nil; err != nil {
		return err
	}
	// It must not be taken for one that is being written: only the newest is.
	if err := f.begin(); err != nil {
		return err
	}
	if f.settings.Gzip {
		if err := compress(path); err != nil {
			return err
		}
	}
	return f.prune()
}

// tidy finishes what a crash interrupted, and returns the file that is being
// written: the newest, unless it is compressed. "" where there is none.
func (f *Files) tidy() (open string, err error) {
	half, err := filepath.Glob(filepath.Join(f.settings.Dir, filePrefix+"*"+gzipSuffix+halfSuffix))
	if err != nil {
		return "", err
	}
	for _, path := range half {
		if err := os.Remove(path); err != nil {
			return "", err
		}
	}
	names, err := f.names()
	if err != nil {
		return "", err
	}
	for i, name := range names {
		path := filepath.Join(f.settings.Dir, name)
		switch {
		case strings.HasSuffix(name, gzipSuffix):
		case slices.Contains(names, name+gzipSuffix):
			err = os.Remove(path) // compressed already
		case i == len(names)-1:
			open = name
		case f.settings.Gzip:
			err = compress(path)
		}
		if err != nil {
			return "", err
		}
	}
	return open, nil
}

// compress puts a compressed file in the place of a closed one. One of both is
// there, whole, at any moment.
func compress(path string) error {
	half := path + gzipSuffix + halfSuffix
	if err := compressTo(half, path); err != nil {
		return errors.Join(err, os.Remove(half))
	}
	dir := filepath.Dir(path)
	if err := errors.Join(os.Rename(half, path+gzipSuffix), syncDir(dir)); err != nil {
		return err
	}
	return errors.Join(os.Remove(path), syncDir(dir))
}

func compressTo(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := gzip.NewWriter(out)
	_, err = io.Copy(w, in)
	return errors.Join(err, w.Close(), out.Sync(), out.Close())
}

// prune removes the closed files that are too many or too old.
func (f *Files) prune() error {
	if f.settings.Keep == 0 && f.settings.KeepAge == 0 {
		return nil
	}
	names, err := f.names()
	if err != nil {
		return err
	}
	closed := slices.DeleteFunc(names, func(name string) bool { return f.file != nil && name == filepath.Base(f.file.Name()) })
	for i, name := range closed {
		path := filepath.Join(f.settings.Dir, name)
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // somebody else was faster
		}
		if err != nil {
			return err
		}
		tooMany := f.settings.Keep > 0 && len(closed)-i > f.settings.Keep
		tooOld := f.settings.KeepAge > 0 && f.settings.Now().Sub(info.ModTime()) > f.settings.KeepAge
		if tooMany || tooOld {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}
