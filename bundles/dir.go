package bundles

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Dir is a folder as a source. A link in it is followed as long as it stays
// within the folder, so that the links Kubernetes mounts a ConfigMap with are
// read; the folder itself may be a link that is swapped.
//
// Files that are changed one after the other are read when nothing has changed
// for [quiet]: whoever needs a change of several files to be one swaps a link,
// or uses a tarball or git.
type Dir string

// quiet is how long a folder must have stayed as it is.
const quiet = 100 * time.Millisecond

// attempts is how often a folder is read in the hope that it is at rest.
const attempts = 50

// racy is the age below which a file could be changed without its time
// changing: file systems keep times in steps.
const racy = 2 * time.Second

// unsure is the mark of a folder that was changed just before it was read.
const unsure = "unsure"

// String implements [Source].
func (d Dir) String() string { return "dir " + string(d) }

// Fetch implements [Source].
func (d Dir) Fetch(ctx context.Context, mark string) (*Snapshot, error) {
	before, err := d.survey()
	if err == nil && before.mark != "" && before.mark == mark {
		return nil, nil
	}
	wait := mark != ""
	for range attempts {
		if wait && pause(ctx, quiet) != nil {
			break
		}
		wait = true
		snapshot, readErr := d.read()
		after, surveyErr := d.survey()
		now := errors.Join(readErr, surveyErr)
		switch {
		case now == nil && err == nil && after.seen == before.seen:
			snapshot.Mark = cmp.Or(after.mark, unsure)
			return snapshot, nil
		case now != nil && err != nil && after.seen == before.seen:
			return nil, cmp.Or(readErr, surveyErr) // and not because a file was replaced just then
		}
		before, err = after, now
	}
	return nil, fmt.Errorf("%s was never at rest while it was to be read: write the bundle elsewhere and swap a link to it", string(d))
}

func (d Dir) read() (*Snapshot, error) {
	root, err := d.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	g := NewGathering(string(d))
	if err := g.walk(root.FS()); err != nil {
		return nil, err
	}
	return g.Snapshot(), nil
}

// open opens the folder such that no link in it leads out of it.
func (d Dir) open() (*os.Root, error) {
	info, err := os.Stat(string(d))
	if err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("read the bundle: %s is not a folder", string(d))
	}
	return os.OpenRoot(string(d))
}

// survey is a folder as it looks from outside its files.
type survey struct {
	seen string // a digest of what all files are called and which they are
	mark string // the same; "" while a change could go unnoticed
}

func (d Dir) survey() (survey, error) {
	root, err := d.open()
	if err != nil {
		return survey{}, err
	}
	defer root.Close()
	sum, newest := sha256.New(), time.Time{}
	err = visit(root.FS(), string(d), ".", nil, func(file string, info fs.FileInfo) error {
		fmt.Fprintf(sum, "%s\n%d %d %d\n", file, inode(info), info.Size(), info.ModTime().UnixNano())
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
		return nil
	})
	s := survey{seen: hex.EncodeToString(sum.Sum(nil))}
	if time.Since(newest) > racy {
		s.mark = s.seen
	}
	return s, err
}

// inode tells a file from the one a link led to before.
func inode(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Ino)
	}
	return 0
}

// pause waits for d; it returns an error when ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
