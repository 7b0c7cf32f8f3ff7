package localstore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Inspection is what can be seen of a state directory from outside, whether a
// process has it open or not.
type Inspection struct {
	Mode  fs.FileMode // of the directory
	Owner int         // the user's number
	// Held says that a process has the directory open; Holder is its number, as
	// it wrote it down itself.
	Held   bool
	Holder string
	// Segments is how many files the journal has, Segment the size of the newest in
	// bytes; 0 before the first.
	Segments int
	Segment  int64
	Free     uint64 // bytes that are left on the disk for who is not root
}

// Inspect looks at a state directory. It makes and changes nothing; the error
// wraps [fs.ErrNotExist] where there is none.
func Inspect(dir string) (Inspection, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return Inspection{}, err
	}
	seen := Inspection{Mode: info.Mode(), Owner: -1}
	if of, ok := info.Sys().(*syscall.Stat_t); ok {
		seen.Owner = int(of.Uid)
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return seen, err
	}
	seen.Free = disk.Bavail * uint64(disk.Bsize)
	paths, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil {
		return seen, err
	}
	if seen.Segments = len(paths); len(paths) > 0 {
		newest, err := os.Stat(paths[len(paths)-1]) // Glob sorts, and the names are positions
		if err != nil {
			return seen, err
		}
		seen.Segment = newest.Size()
	}
	seen.Held, seen.Holder, err = holder(dir)
	return seen, err
}

// holder says which process has a directory open. It asks for the lock that a
// store takes, shared and for an instant: who holds it is not disturbed.
func holder(dir string) (held bool, process string, err error) {
	f, err := os.Open(filepath.Join(dir, "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, "", nil
	}
	if err != nil {
		return false, "", err
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if err == nil {
		return false, "", unix.Flock(int(f.Fd()), unix.LOCK_UN)
	}
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return false, "", err
	}
	number := make([]byte, 32)
	n, _ := f.ReadAt(number, 0)
	return true, strings.TrimSpace(string(number[:n])), nil
}
