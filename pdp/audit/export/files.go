package export

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

// FileSettings say how the decision log is kept in files.
type FileSettings struct {
	Dir      string // nobody else's
	MaxBytes int64  // of one file; a batch more at most
	// MaxAge is how long one file is written to; 0 is no bound.
	MaxAge time.Duration
	// Keep and KeepAge are how many closed files are kept and for how long; 0 is no
	// bound.
	Keep    int
	KeepAge time.Duration
	Gzip    bool // closed files
	Now     func() time.Time
}

// Files is a [Sink]: JSON lines in files that are written one after the other. The
// name of a file says when it was begun, and they sort in that order. What was
// accepted is on the disk.
type Files struct {
	settings FileSettings
	file     *os.File // being written; nil where none is
	begun    time.Time
	size     int64
}

// OpenFiles goes on with the files in a folder, which is made where there is none.
// It touches no file before it is given something: until then another process may
// be writing there.
func OpenFiles(s FileSettings) (*Files, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, err
	}
	return &Files{settings: s}, nil
}

// Accept implements [Sink].
func (f *Files) Accept(_ context.Context, events [][]byte) error {
	lines := append(bytes.Join(events, []byte{'\n'}), '\n')
	if err := f.ready(int64(len(lines))); err != nil {
		return err
	}
	_, err := f.file.Write(lines)
	if err = errors.Join(err, f.file.Sync()); err != nil {
		return f.takeBack(err)
	}
	f.size += int64(len(lines))
	return nil
}

// takeBack cuts off what was written of a batch that was not accepted, so that it
// does not stand there twice, and leaves the file for one that is opened anew.
func (f *Files) takeBack(cause error) error {
	err := errors.Join(cause, f.file.Truncate(f.size), f.file.Close())
	f.file = nil
	return err
}

// Idle implements [Sink]: files grow old while nothing happens, too.
func (f *Files) Idle(context.Context) error {
	if f.file == nil {
		if err := f.resume(); err != nil {
			return err
		}
	}
	if f.file != nil && f.size > 0 && f.old() {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	return f.prune()
}

// Close implements [Sink].
func (f *Files) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

func (f *Files) old() bool {
	return f.settings.MaxAge > 0 && f.settings.Now().Sub(f.begun) >= f.settings.MaxAge
}

// ready makes f.file one that n more bytes may be written to.
func (f *Files) ready(n int64) error {
	if f.file != nil && f.gone() {
		if err := f.file.Close(); err != nil {
			return err
		}
		f.file = nil
	}
	if f.file == nil {
		if err := f.resume(); err != nil {
			return err
		}
	}
	if f.file != nil && f.size > 0 && (f.size+n > f.settings.MaxBytes || f.old()) {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	if f.file == nil {
		return f.begin()
	}
	return nil
}

// gone reports whether somebody took the file away: what is written to it then,
// nobody ever reads.
func (f *Files) gone() bool {
	ours, err := f.file.Stat()
	if err != nil {
		return true
	}
	there, err := os.Stat(f.file.Name())
	return err != nil || !os.SameFile(ours, there)
}

// begin begins the next file.
func (f *Files) begin() error {
	begun, err := f.nextName()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(f.settings.Dir, fileName(begun)), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	f.file, f.begun, f.size = file, begun, 0
	return syncDir(f.settings.Dir)
}

// resume goes on with the newest file that is not closed, where there is one: what
// a crash left of a line is cut off, and what it kept from being compressed is.
func (f *Files) resume() error {
	open, err := f.tidy()
	if err != nil || open == "" {
		return err
	}
	path := filepath.Join(f.settings.Dir, open)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	size, err := wholeLines(file)
	if err == nil {
		err = file.Truncate(size)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f.file, f.size = file, size
	f.begun, _ = begunAt(open) // tidy named it
	return nil
}

// wholeLines is the length of a file without what follows its last line break.
func wholeLines(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	part := make([]byte, 64<<10)
	for end := info.Size(); end > 0; {
		begin := max(0, end-int64(len(part)))
		n, err := file.ReadAt(part[:end-begin], begin)
		if err != nil && err != io.EOF {
			return 0, err
		}
		if at := bytes.LastIndexByte(part[:n], '\n'); at >= 0 {
			return begin + int64(at) + 1, nil
		}
		end = begin
	}
	return 0, nil
}
