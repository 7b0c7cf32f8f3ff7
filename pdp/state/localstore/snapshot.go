package localstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// A snapshot is the partitions as of their latest entries, so that less of the
// journal has to be read at the start:
//
//	magic, key name (16), begin (8)
//	the revocations: length (4), encoding
//	for each partition: 1 (1), key (16), position of its latest entry (8), rest (9), length (4), encoding
//	0 (1), reached (8), lost counts and marks (8, 8), count (4)
//	CRC-32C of everything before (4)
//
// begin is where the journal stood before the first partition was written:
// replaying goes on there, and leaves out what a partition already holds.
// reached is how far the journal reached afterwards. It is written as the
// partitions are visited: no more of it than a part is in memory at a time.
type snapshot struct {
	path           string
	begin, reached state.Position
	revocations    *state.Revocations
	count          uint32 // of partitions
	lostCounts     int64  // see forgetting
	lostMarks      int64
}

// snapshotMagic ends with the format: see [magic].
const snapshotMagic = "remit-s3"

var errNoSnapshot = errors.New("no snapshot")

func snapshotName(begin state.Position) string { return fmt.Sprintf("%016x.snapshot", uint64(begin)) }

// Snapshot writes every partition to disk, one turn at a time, so that the
// next start replays less.
func (s *Store) Snapshot(ctx context.Context) error { return s.takeSnapshot(ctx, nil) }

func (s *Store) takeSnapshot(ctx context.Context, p *pdp.Pace) error {
	s.snapshot.Lock()
	defer s.snapshot.Unlock()
	defer s.shelf.floor.Store(math.MaxUint64)
	snap, err := s.beginSnapshot(ctx)
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, snapshotName(snap.begin))
	w, err := createSnapshot(path+".tmp", s.journal.keyName, &snap)
	if err != nil {
		return err
	}
	err = s.shelf.each(ctx, p, w.partition)
	if err == nil {
		snap.reached = s.journal.position()
		snap.lostCounts, snap.lostMarks = s.shelf.lostCounts.Load(), s.shelf.lostMarks.Load()
		err = errors.Join(s.journal.syncNow(), w.end(&snap))
	}
	// It is there whole or not at all.
	if err = errors.Join(err, w.file.Close()); err != nil {
		return errors.Join(err, os.Remove(path+".tmp"))
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	s.snapshotAt.Store(uint64(snap.begin))
	return errors.Join(syncDir(s.dir), dropSnapshots(s.dir))
}

// beginSnapshot takes the revocations and the position that goes with them:
// no revocation that stands before it is missing.
func (s *Store) beginSnapshot(ctx context.Context) (snapshot, error) {
	if err := s.authority.hold(ctx); err != nil {
		return snapshot{}, err
	}
	defer s.authority.release()
	// Nothing may leave the shelf until it is known what must stay.
	s.shelf.floor.Store(0)
	begin := s.journal.position()
	s.shelf.floor.Store(uint64(begin))
	return snapshot{begin: begin, revocations: s.authority.accepted}, nil
}

// A snapshotWriter writes in parts: nobody's turn waits for the disk.
type snapshotWriter struct {
	file  *os.File
	sum   hash.Hash32
	part  []byte
	count uint32
}

// partBytes is how much is written at a time.
const partBytes = 1 << 20

func createSnapshot(path, keyName string, s *snapshot) (*snapshotWriter, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	w := &snapshotWriter{file: f, sum: crc32.New(castagnoli)}
	w.part = append(w.part, snapshotMagic...)
	w.part = append(w.part, keyName...)
	w.part = binary.BigEndian.AppendUint64(w.part, uint64(s.begin))
	w.part = appendSized(w.part, s.revocations.AppendBinary)
	return w, nil
}

// partition appends a partition to the part, and writes the part before where
// it is long enough.
func (w *snapshotWriter) partition(v visited) error {
	w.count++
	w.part = append(append(w.part, 1), v.key[:]...)
	w.part = binary.BigEndian.AppendUint64(w.part, uint64(v.at))
	if v.partition != nil {
		v.rest = restOf(v.partition)
	}
	w.part = v.rest.append(w.part)
	if v.partition != nil {
		w.part = appendSized(w.part, v.partition.AppendBinary)
		return nil // in somebody's turn: the next one that sleeps writes
	}
	w.part = appendSized(w.part, func(b []byte) []byte { return append(b, v.asleep...) })
	if len(w.part) < partBytes {
		return nil
	}
	return w.flush()
}

func (w *snapshotWriter) flush() error {
	w.sum.Write(w.part)
	_, err := w.file.Write(w.part)
	w.part = w.part[:0]
	return err
}

func (w *snapshotWriter) end(s *snapshot) error {
	w.part = append(w.part, 0)
	w.part = binary.BigEndian.AppendUint64(w.part, uint64(s.reached))
	w.part = binary.BigEndian.AppendUint64(w.part, uint64(s.lostCounts))
	w.part = binary.BigEndian.AppendUint64(w.part, uint64(s.lostMarks))
	w.part = binary.BigEndian.AppendUint32(w.part, w.count)
	if err := w.flush(); err != nil {
		return err
	}
	w.part = binary.BigEndian.AppendUint32(w.part, w.sum.Sum32())
	return errors.Join(w.flush(), w.file.Sync())
}

// appendSized appends what encode appends, with its length in front.
func appendSized(b []byte, encode func([]byte) []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, 0)
	begin := len(b)
	b = encode(b)
	binary.BigEndian.PutUint32(b[begin-4:], uint32(len(b)-begin))
	return b
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

// dropUnfinished removes the snapshots that a kill left half written: each would
// take its space for ever.
func dropUnfinished(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.snapshot.tmp"))
	for _, path := range paths {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// snapshotPaths lists the snapshots, newest first.
func snapshotPaths(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.snapshot"))
	slices.Sort(paths)
	slices.Reverse(paths)
	return paths, err
}

// newestSnapshot reads the newest snapshot, its partitions left out;
// errNoSnapshot where there is none.
func newestSnapshot(dir, keyName string) (*snapshot, error) {
	paths, err := snapshotPaths(dir)
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, errNoSnapshot
	}
	return readSnapshot(paths[0], keyName, putNothing)
}

// putNothing leaves the partitions of a snapshot out.
func putNothing(pdp.PartitionKey, state.Position, rest, string) {}
