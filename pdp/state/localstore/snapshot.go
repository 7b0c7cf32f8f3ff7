package localstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"

	"github.com/remit-pdp/remit/pdp/state"
)

// A snapshot is the partitions as of their latest entries, so that less of the
// journal has to be read at the start:
//
//	magic, key name (16), begin (8), reached (8), count (8)
//	the revocations: length (8), encoding
//	for each partition: position of its latest entry (8), length (8), encoding
//	CRC-32C of everything before (4)
//
// begin is where the journal stood before the first partition was written:
// replaying goes on there, and leaves out what a partition already holds.
// reached is how far the journal reached afterwards.
type snapshot struct {
	path           string
	begin, reached state.Position
	revocations    *state.Revocations
	partitions     []kept
}

type kept struct {
	at        state.Position
	partition *state.Partition
}

const snapshotMagic = "remit-s2"

var errNoSnapshot = errors.New("no snapshot")

func snapshotName(begin state.Position) string { return fmt.Sprintf("%016x.snapshot", uint64(begin)) }

// writeSnapshot writes a snapshot in one step: it is there whole or not at all.
func writeSnapshot(dir, keyName string, s snapshot) error {
	b := append(make([]byte, 0, 1<<16), snapshotMagic...)
	b = append(b, keyName...)
	for _, n := range []uint64{uint64(s.begin), uint64(s.reached), uint64(len(s.partitions))} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = appendSized(b, s.revocations.AppendBinary)
	for _, k := range s.partitions {
		b = binary.BigEndian.AppendUint64(b, uint64(k.at))
		b = appendSized(b, k.partition.AppendBinary)
	}
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	path := filepath.Join(dir, snapshotName(s.begin))
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		return errors.Join(err, f.Close(), os.Remove(path+".tmp"))
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path+".tmp"))
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return errors.Join(syncDir(dir), dropSnapshots(dir))
}

// appendSized appends what encode appends, with its length in front.
func appendSized(b []byte, encode func([]byte) []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, 0)
	begin := len(b)
	b = encode(b)
	binary.BigEndian.PutUint64(b[begin-8:], uint64(len(b)-begin))
	return b
}

// cutSized returns what [appendSized] appended, and what follows it.
func cutSized(b []byte) (item, rest []byte, ok bool) {
	if len(b) < 8 {
		return nil, nil, false
	}
	length, b := binary.BigEndian.Uint64(b), b[8:]
	if uint64(len(b)) < length {
		return nil, nil, false
	}
	return b[:length], b[length:], true
}

// dropSnapshots keeps the two newest.
func dropSnapshots(dir string) error {
	paths, err := snapshotPaths(dir)
	if err != nil || len(paths) <= 2 {
		return err
	}
	var errs []error
	for _, path := range paths[2:] {
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}

// snapshotPaths lists the snapshots, newest first.
func snapshotPaths(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.snapshot"))
	slices.Sort(paths)
	slices.Reverse(paths)
	return paths, err
}

// newestSnapshot reads the newest snapshot; errNoSnapshot where there is none.
func newestSnapshot(dir, keyName string) (*snapshot, error) {
	paths, err := snapshotPaths(dir)
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, errNoSnapshot
	}
	return readSnapshot(paths[0], keyName)
}

func readSnapshot(path, keyName string) (*snapshot, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	bad := func(what string) error { return fmt.Errorf("%s: %s: %w", path, what, ErrCorrupt) }
	const head = len(snapshotMagic) + 16 + 24
	if len(b) < head+4 || string(b[:8]) != snapshotMagic {
		return nil, bad("it is not a snapshot")
	}
	body := b[:len(b)-4]
	if binary.BigEndian.Uint32(b[len(body):]) != crc32.Checksum(body, castagnoli) {
		return nil, bad("its checksum does not match")
	}
	if string(b[8:24]) != keyName {
		return nil, fmt.Errorf("%s was made with other keys: put back the seed file that belongs to the folder", path)
	}
	s := &snapshot{path: path, begin: state.Position(binary.BigEndian.Uint64(b[24:])), reached: state.Position(binary.BigEndian.Uint64(b[32:]))}
	item, rest, ok := cutSized(body[head:])
	if !ok {
		return nil, bad("it ends too early")
	}
	if s.revocations, err = state.DecodeRevocations(item); err != nil {
		return nil, bad(err.Error())
	}
	for range binary.BigEndian.Uint64(b[40:]) {
		if len(rest) < 8 {
			return nil, bad("it ends too early")
		}
		at := binary.BigEndian.Uint64(rest)
		if item, rest, ok = cutSized(rest[8:]); !ok {
			return nil, bad("it ends too early")
		}
		p, err := state.DecodePartition(string(item))
		if err != nil {
			return nil, bad(err.Error())
		}
		s.partitions = append(s.partitions, kept{state.Position(at), p})
	}
	return s, nil
}
