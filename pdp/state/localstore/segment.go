package localstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// segment is one file of the journal that is being written.
type segment struct {
	mapping
	file  *os.File
	first uint64 // position of the file's first byte
	tail  atomic.Int64
	// writers counts who may be touching the mapping; it is unmapped when the
	// segment is retired and nobody is.
	writers atomic.Int64
	retired atomic.Bool
	closing sync.Once
	// syncer serves those who wait for the disk, in rounds.
	syncer rounds
}

func segmentName(first uint64) string { return fmt.Sprintf("%016x.journal", first) }

// createSegment makes a segment whose first byte has position first. The whole
// of it is allocated: no later write to it can fail for want of space.
func createSegment(dir string, first uint64, size int64, keyName string) (s *segment, err error) {
	// The temporary name keeps a segment that was only half made from being
	// taken for one.
	temporary := filepath.Join(dir, "next.tmp")
	f, err := os.OpenFile(temporary, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(temporary))
		}
	}()
	if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
		return nil, fmt.Errorf("allocate %d bytes for the journal in %s: %w", size, dir, err)
	}
	head := make([]byte, segmentHead)
	putHeader(head, keyName, first)
	if _, err := f.WriteAt(head, 0); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	m, err := mapFile(f, size, true)
	if err != nil {
		return nil, err
	}
	s = &segment{mapping: m, file: f, first: first}
	s.tail.Store(segmentHead)
	if err := os.Rename(temporary, filepath.Join(dir, segmentName(first))); err != nil {
		return nil, errors.Join(err, m.unmap())
	}
	return s, syncDir(dir)
}

// enter announces a writer; it reports false where the segment is retired.
func (s *segment) enter() bool {
	s.writers.Add(1)
	if s.retired.Load() {
		s.leave()
		return false
	}
	return true
}

func (s *segment) leave() {
	if s.writers.Add(-1) == 0 && s.retired.Load() {
		s.shut()
	}
}

// retire ends the segment: it is closed when the last writer has left.
func (s *segment) retire() {
	s.retired.Store(true)
	if s.writers.Load() == 0 {
		s.shut()
	}
}

// shut lets go of the mapping, not in the time of whoever was the last to leave.
func (s *segment) shut() {
	s.closing.Do(func() {
		go func() {
			s.unmapInPieces()
			s.file.Close() // nothing is lost by an error here: the pages are the kernel's
		}()
	})
}

// append takes space at the tail and writes an entry to it. It reports false
// where the entry does not fit.
func (s *segment) append(kind uint8, payload []byte) (offset int64, fits bool) {
	need := space(int64(len(payload)))
	for {
		at := s.tail.Load()
		if at+need+entryHead > int64(len(s.bytes)) { // room for the end stays
			return 0, false
		}
		if s.swap(at, 0, makeWord(reserved, kind, len(payload))) {
			s.tail.CompareAndSwap(at, at+need)
			s.fill(at, kind, payload)
			return at, true
		}
		taken := s.load(at)
		if wordKind(taken) == kindEnd {
			return 0, false
		}
		s.tail.CompareAndSwap(at, at+space(wordLength(taken)))
	}
}

// fill writes what was reserved at offset, and last that it is accepted.
func (s *segment) fill(offset int64, kind uint8, payload []byte) {
	binary.LittleEndian.PutUint32(s.bytes[offset+8:], checksum(kind, payload))
	copy(s.bytes[offset+entryHead:], payload)
	s.store(offset, makeWord(accepted, kind, len(payload)))
}

// end marks that nothing more comes in this segment: whoever finds it full
// does so, and the first one wins.
func (s *segment) end() {
	for {
		at := s.tail.Load()
		w := s.load(at)
		if w == 0 && s.swap(at, 0, makeWord(reserved, kindEnd, 0)) {
			s.fill(at, kindEnd, nil)
			return
		}
		if w = s.load(at); wordKind(w) == kindEnd {
			return
		}
		s.tail.CompareAndSwap(at, at+space(wordLength(w)))
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
