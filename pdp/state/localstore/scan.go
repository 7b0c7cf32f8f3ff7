package localstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/remit-pdp/remit/pdp/state"
)

// How a scan of a segment ended.
type scanEnd uint8

const (
	atTail    scanEnd = iota // nothing has been written here yet
	atPending                // an entry is reserved and not accepted
	atEnd                    // nothing more comes in this segment
)

// scan visits the entries of a segment from an offset on, and returns where and
// how it ended. Everything it hands out is a slice of the mapping.
func scan(m mapping, from int64, visit func(offset int64, kind uint8, payload []byte) error) (int64, scanEnd, error) {
	at := from
	for at+entryHead <= int64(len(m.bytes)) {
		w := m.load(at)
		if w == 0 {
			return at, atTail, nil
		}
		length := wordLength(w)
		if length > maxPayload || at+space(length) > int64(len(m.bytes)) {
			return at, atTail, corrupt(at, "the length of an entry is impossible")
		}
		if kind := wordKind(w); w == makeWord(reserved, kind, int(length)) && kind >= kindEntry && kind <= kindEnd {
			return at, atPending, nil
		}
		payload := m.bytes[at+entryHead : at+entryHead+length : at+entryHead+length]
		if w != makeWord(accepted, wordKind(w), int(length)) || binary.LittleEndian.Uint32(m.bytes[at+8:]) != checksum(wordKind(w), payload) ||
			!zero(m.bytes[at+12:at+entryHead]) || !zero(m.bytes[at+entryHead+length:at+space(length)]) {
			return at, atTail, corrupt(at, "the checksum of an entry does not match")
		}
		if wordKind(w) == kindEnd {
			return at, atEnd, nil
		}
		if err := visit(at, wordKind(w), payload); err != nil {
			return at, atTail, err
		}
		at += space(length)
	}
	return at, atEnd, nil
}

var zeros [4096]byte

func zero(b []byte) bool {
	for len(b) > len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}
	return bytes.Equal(b, zeros[:len(b)])
}

// ErrCorrupt says that a journal or a snapshot is not what was written.
var ErrCorrupt = errors.New("corrupt")

func corrupt(offset int64, what string) error {
	return fmt.Errorf("at byte %d: %s: %w", offset, what, ErrCorrupt)
}

// segmentFile is a segment on disk.
type segmentFile struct {
	path string
	header
	size int64
}

// segments lists the segments of a journal, oldest first. A gap between two, or
// before the first, is an error.
func segments(dir, keyName string) (list []segmentFile, err error) {
	return segmentsFrom(dir, keyName, 0)
}

// segmentsFrom lists those that a position on is in: a reader that is nearly at the
// end need not look at all of them.
func segmentsFrom(dir, keyName string, from state.Position) (list []segmentFile, err error) {
	for range 3 { // one may be removed meanwhile: see [Store.remove]
		var h horizon
		if h, err = readHorizon(dir); err != nil {
			return nil, err
		}
		if list, err = h.segments(dir, keyName, segmentName(uint64(from))); err == nil {
			return list, nil
		}
	}
	return nil, err
}

func (h horizon) segments(dir, keyName, from string) (list []segmentFile, err error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	for i, path := range paths {
		if filepath.Base(path) < segmentName(h.first) {
			continue // on its way out
		}
		if i+1 < len(paths) && filepath.Base(paths[i+1]) <= from {
			continue
		}
		s, err := statSegment(path)
		if err != nil {
			return nil, err
		}
		if s.keyName != keyName {
			return nil, fmt.Errorf("%s was made with other keys (%s) than these (%s): put back the seed file that belongs to the folder", path, s.keyName, keyName)
		}
		if len(list) == 0 && s.first != h.first && filepath.Base(path) > from {
			return nil, fmt.Errorf("%s is not the first segment: %w", path, ErrCorrupt)
		}
		if n := len(list); n > 0 && list[n-1].first+uint64(list[n-1].size) != s.first {
			return nil, fmt.Errorf("a segment is missing between %s and %s: %w", list[n-1].path, path, ErrCorrupt)
		}
		list = append(list, s)
	}
	return list, nil
}

func statSegment(path string) (segmentFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return segmentFile{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return segmentFile{}, err
	}
	head := make([]byte, segmentHead)
	if _, err := f.ReadAt(head, 0); err != nil {
		return segmentFile{}, fmt.Errorf("%s: read its header: %w", path, err)
	}
	if otherFormat(string(head), magic) {
		return segmentFile{}, inFile(path, formatError(string(head), magic))
	}
	h, ok := readHeader(head)
	if !ok || !zero(head[36:]) || filepath.Base(path) != segmentName(h.first) {
		return segmentFile{}, fmt.Errorf("%s: its header is not that of a segment: %w", path, ErrCorrupt)
	}
	return segmentFile{path: path, header: h, size: info.Size()}, nil
}

// goesOn says that the segment that must come behind this one is not there: a
// segment is ended only when the next one is.
func (s segmentFile) goesOn() error {
	return fmt.Errorf("the journal goes on behind %s, and there is no %s: %w", s.path, segmentName(s.first+uint64(s.size)), ErrCorrupt)
}

// open maps the segment, for reading unless it is to be written on.
func (s segmentFile) open(writable bool) (*os.File, mapping, error) {
	flag := os.O_RDONLY
	if writable {
		flag = os.O_RDWR
	}
	f, err := os.OpenFile(s.path, flag, 0)
	if err != nil {
		return nil, mapping{}, err
	}
	m, err := mapFile(f, s.size, writable)
	if err != nil {
		return nil, mapping{}, errors.Join(err, f.Close())
	}
	return f, m, nil
}

// endsAt checks that nothing comes behind the end of the segment's entries:
// space is taken from the front on, so whatever stood there was cut out.
func (s segmentFile) endsAt(end state.Position) error {
	f, m, err := s.open(false)
	if err != nil {
		return err
	}
	defer f.Close()
	defer m.unmap()
	at := int64(uint64(end) - s.first)
	if !zero(m.bytes[at:]) && m.load(at) == 0 { // a writer may just have gone on
		return inFile(s.path, corrupt(at, "there is something behind the end"))
	}
	return nil
}

// read visits the entries of the segment from a position on.
func (s segmentFile) read(from state.Position, visit func(state.Position, uint8, []byte) error) (next state.Position, end scanEnd, err error) {
	f, m, err := s.open(false)
	if err != nil {
		return from, atTail, err
	}
	defer f.Close()
	defer m.unmap()
	next, end, err = readMapped(m, s.first, from, visit)
	if errors.Is(err, ErrCorrupt) {
		err = fmt.Errorf("%s: %w", s.path, err)
	}
	return next, end, err
}

// readMapped visits the entries of the segment whose first byte has position first
// from a position on.
func readMapped(m mapping, first uint64, from state.Position, visit func(state.Position, uint8, []byte) error) (next state.Position, end scanEnd, err error) {
	offset := int64(segmentHead)
	if uint64(from) > first+segmentHead {
		offset = int64(uint64(from) - first)
	}
	at, end, err := scan(m, offset, func(offset int64, kind uint8, payload []byte) error {
		return visit(state.Position(first)+state.Position(offset), kind, payload)
	})
	return state.Position(first) + state.Position(at), end, err
}

// wordAt is the word of the entry at a position.
func (s segmentFile) wordAt(at state.Position) (uint64, error) {
	f, m, err := s.open(false)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	defer m.unmap()
	return m.load(int64(uint64(at) - s.first)), nil
}
