package localstore

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// recovered is what a directory holds: partitions, and where to write on.
type recovered struct {
	shelf *shelf
	begin state.Position // where the snapshot stands; 0 where there is none
	// revocations are those of the snapshot, revoking the entries after it.
	revocations *state.Revocations
	revoking    []*state.Entry
	reached     state.Position // how far the journal reached after the snapshot
	sealer      sealer         // stands at the end of the journal
	notes       []string       // what an operator should know
}

// fold replays the journal over the newest good snapshot. It changes nothing
// on disk.
func fold(dir, keyName string, list []segmentFile, limit int) (*recovered, error) {
	r := &recovered{shelf: newShelf(limit)}
	begin, err := r.loadSnapshot(dir, keyName, limit)
	if err != nil {
		return nil, err
	}
	first, err := readHorizon(dir)
	if err != nil {
		return nil, err
	}
	if uint64(begin) < first.first {
		return nil, fmt.Errorf("%s holds the journal from position %d on, and no good snapshot reaches that far: %w", dir, first.first, ErrCorrupt)
	}
	r.begin = begin
	r.sealer.chain = first.chain
	for _, file := range list {
		next, end, err := file.read(0, func(at state.Position, kind uint8, payload []byte) error {
			r.sealer.chain = r.sealer.chain.next(at, kind, payload)
			if kind != kindEntry || at < begin {
				return nil
			}
			return r.replay(at, payload)
		})
		if err != nil {
			return nil, err
		}
		if end != atEnd {
			return r, file.endsAt(next)
		}
	}
	return r, nil
}

// loadSnapshot takes the newest snapshot that is good, and returns the position
// to replay from.
func (r *recovered) loadSnapshot(dir, keyName string, limit int) (state.Position, error) {
	paths, err := snapshotPaths(dir)
	if err != nil {
		return 0, err
	}
	for _, path := range paths {
		shelf := newShelf(limit)
		s, err := readSnapshot(path, keyName, shelf.put)
		if errors.Is(err, ErrCorrupt) {
			r.notes = append(r.notes, err.Error()+"; the journal is replayed from further back instead")
			continue
		}
		if err != nil {
			return 0, err
		}
		shelf.lostCounts.Store(s.lostCounts)
		shelf.lostMarks.Store(s.lostMarks)
		r.shelf, r.reached, r.revocations = shelf, s.reached, s.revocations
		return s.begin, nil
	}
	return 0, nil
}

// endsBefore refuses a journal that ends before the snapshot was taken: what
// would be written at the same positions again would never be replayed.
func (r *recovered) endsBefore(current *segment) error {
	end := state.Position(0)
	if current != nil {
		end = state.Position(current.first) + state.Position(current.tail.Load())
	}
	if r.reached > end {
		return fmt.Errorf("a snapshot reaches position %d, the journal ends at %d: its end is gone: %w", r.reached, end, ErrCorrupt)
	}
	return nil
}

// replay applies one entry, unless the snapshot holds it already.
func (r *recovered) replay(at state.Position, payload []byte) error {
	e, err := state.DecodeEntry(string(payload))
	if err != nil {
		return unread(at, err)
	}
	if e.Revoking != nil {
		r.revoking = append(r.revoking, e)
	}
	if e.Partition == (pdp.PartitionKey{}) {
		return nil
	}
	slot, err := r.shelf.take(context.Background(), e.Partition, anybody)
	if err != nil {
		return fmt.Errorf("at position %d: %w: %w", at, err, ErrCorrupt)
	}
	defer r.shelf.give(e.Partition, slot)
	switch {
	case slot.partition.Seq > 0 && at <= slot.at:
		return nil
	case e.Seq == 1: // the first entry, or the first after it was forgotten
		slot.partition = state.NewPartition(e.Partition)
	case e.Seq != slot.partition.Seq+1:
		return fmt.Errorf("at position %d: an entry of partition %s is missing before number %d: %w", at, e.Partition, e.Seq, ErrCorrupt)
	}
	slot.partition.Apply(e)
	slot.at = at
	return nil
}

// unread says that an entry whose checksum is good cannot be read: it is of
// another version, or nobody's.
func unread(at state.Position, err error) error {
	if errors.Is(err, state.ErrFormat) {
		return fmt.Errorf("at position %d: %w", at, err)
	}
	return fmt.Errorf("at position %d: %w: %w", at, err, ErrCorrupt)
}

// settleTail makes the end of the journal ready to be written on: what was
// reserved and never accepted becomes void, segments made ahead are removed.
// current is nil where there is no journal yet.
func settleTail(dir, keyName string) (list []segmentFile, current *segment, err error) {
	if list, err = segments(dir, keyName); err != nil {
		return nil, nil, err
	}
	for i, file := range list {
		f, m, err := file.open(true)
		if err != nil {
			return nil, nil, err
		}
		at, end, err := voidPending(m)
		if err != nil {
			return nil, nil, errors.Join(inFile(file.path, err), m.unmap(), f.Close())
		}
		if end == atEnd {
			if err := errors.Join(m.unmap(), f.Close()); err != nil {
				return nil, nil, err
			}
			continue
		}
		if err := nothingIn(list[i+1:]); err != nil {
			return nil, nil, errors.Join(err, m.unmap(), f.Close())
		}
		for _, ahead := range list[i+1:] {
			if err := os.Remove(ahead.path); err != nil {
				return nil, nil, errors.Join(err, m.unmap(), f.Close())
			}
		}
		current = &segment{mapping: m, file: f, first: file.first}
		current.tail.Store(at)
		return list[:i+1], current, nil
	}
	if n := len(list); n > 0 {
		return nil, nil, list[n-1].goesOn()
	}
	return list, nil, nil
}

// voidPending turns entries that were reserved and not accepted into accepted
// entries that say nothing, so that the chain of seals can step over them.
func voidPending(m mapping) (int64, scanEnd, error) {
	from := int64(segmentHead)
	for {
		at, end, err := scan(m, from, func(int64, uint8, []byte) error { return nil })
		if err != nil || end != atPending {
			return at, end, err
		}
		length := wordLength(m.load(at))
		clear(m.bytes[at+8 : at+space(length)])
		s := segment{mapping: m}
		s.fill(at, kindVoid, make([]byte, length))
		from = at
	}
}
