package localstore

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"slices"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// readSnapshot reads a snapshot and hands out its partitions, which count only
// where it returns no error.
func readSnapshot(path, keyName string, put func(pdp.PartitionKey, state.Position, rest, string)) (*snapshot, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := &snapshotReader{in: bufio.NewReaderSize(f, partBytes), sum: crc32.New(castagnoli)}
	s, err := r.read(keyName, put)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s.path = path
	return s, nil
}

// A snapshotReader reads from in and sums up what it reads. After the first
// error it reads zeros.
type snapshotReader struct {
	in   *bufio.Reader
	sum  hash.Hash32
	room []byte
	err  error
}

func damaged(what string) error { return fmt.Errorf("%s: %w", what, ErrCorrupt) }

// bytes returns the next n bytes, until the next call.
func (r *snapshotReader) bytes(n int) []byte {
	r.room = slices.Grow(r.room[:0], n)[:n]
	clear(r.room)
	if r.err != nil {
		return r.room
	}
	if _, err := io.ReadFull(r.in, r.room); err != nil {
		r.err = err
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			r.err = damaged("it ends too early")
		}
		clear(r.room)
	}
	r.sum.Write(r.room)
	return r.room
}

// sized returns what [appendSized] appended.
func (r *snapshotReader) sized() []byte {
	n := binary.BigEndian.Uint32(r.bytes(4))
	if n > maxEncoding {
		r.err = damaged("a length is impossible")
		n = 0
	}
	return r.bytes(int(n))
}

// maxEncoding is more than any partition takes.
const maxEncoding = 1 << 28

func (r *snapshotReader) read(keyName string, put func(pdp.PartitionKey, state.Position, rest, string)) (*snapshot, error) {
	head := string(r.bytes(len(snapshotMagic) + 16))
	switch {
	case r.err != nil:
		return nil, r.err
	case otherFormat(head, snapshotMagic):
		return nil, formatError(head, snapshotMagic)
	case head[:len(snapshotMagic)] != snapshotMagic:
		return nil, damaged("it is not a snapshot")
	}
	s := &snapshot{begin: state.Position(binary.BigEndian.Uint64(r.bytes(8)))}
	points := slices.Clone(r.sized())
	for r.bytes(1)[0] == 1 {
		key := pdp.PartitionKey(r.bytes(len(pdp.PartitionKey{})))
		at := state.Position(binary.BigEndian.Uint64(r.bytes(8)))
		resting := readRest(r.bytes(restBytes))
		put(key, at, resting, string(r.sized()))
		s.count++
	}
	s.reached = state.Position(binary.BigEndian.Uint64(r.bytes(8)))
	s.lostCounts = int64(binary.BigEndian.Uint64(r.bytes(8)))
	s.lostMarks = int64(binary.BigEndian.Uint64(r.bytes(8)))
	if n := binary.BigEndian.Uint32(r.bytes(4)); r.err == nil && n != s.count {
		r.err = damaged("partitions are missing")
	}
	want := r.sum.Sum32()
	if got := binary.BigEndian.Uint32(r.bytes(4)); r.err == nil && got != want {
		r.err = damaged("its checksum does not match")
	}
	if _, err := r.in.ReadByte(); r.err == nil && err != io.EOF {
		r.err = damaged("it goes on behind its end")
	}
	if r.err != nil {
		return nil, r.err
	}
	if head[len(snapshotMagic):] != keyName {
		return nil, errors.New("it was made with other keys: put back the seed file that belongs to the folder")
	}
	var err error
	if s.revocations, err = state.DecodeRevocations(points); err != nil {
		return nil, damaged(err.Error())
	}
	return s, nil
}
