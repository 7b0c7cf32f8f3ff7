package localstore

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// Reader reads a state directory without opening it: beside a process that
// has it open, or when none has. It sees accepted entries only. It implements
// [state.Log].
type Reader struct {
	dir  string
	keys *pdp.Keys
}

var _ state.Log = (*Reader)(nil)

// NewReader returns a reader of the state directory dir.
func NewReader(dir string) (*Reader, error) {
	seed, err := LoadSeed(dir)
	if err != nil {
		return nil, fmt.Errorf("%s is not a state directory: %w", dir, err)
	}
	keys, err := pdp.NewKeys(seed)
	if err != nil {
		return nil, err
	}
	return &Reader{dir, keys}, nil
}

// Entries implements [state.Log].
func (r *Reader) Entries(ctx context.Context, from state.Position, visit func(state.Position, *state.Entry) error) error {
	_, err := readEntries(ctx, r.dir, r.keys.Name(), from, after(from, visit))
	return err
}

// after leaves out the entry at position from itself, where reading begins.
func after(from state.Position, visit func(state.Position, *state.Entry) error) func(state.Position, *state.Entry) error {
	return func(at state.Position, e *state.Entry) error {
		if at == from {
			return nil
		}
		return visit(at, e)
	}
}

// Follow visits the entries after a position, and then those that are accepted
// later, until ctx ends or visit returns an error.
func (r *Reader) Follow(ctx context.Context, from state.Position, visit func(state.Position, *state.Entry) error) error {
	visit = after(from, visit)
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		next, err := readEntries(ctx, r.dir, r.keys.Name(), from, visit)
		if err != nil {
			return err
		}
		from = next
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// Verify checks the journal against its seals. See [Verify].
func (r *Reader) Verify() (Report, error) {
	return Verify(r.dir, r.keys.Name(), r.keys.Seal().Public().(ed25519.PublicKey))
}

// Partitions visits the partitions as the snapshot and the journal have them
// now, in the order of their keys.
func (r *Reader) Partitions(ctx context.Context, visit func(*state.Partition) error) error {
	list, err := segments(r.dir, r.keys.Name())
	if err != nil {
		return err
	}
	folded, err := fold(r.dir, r.keys.Name(), list, anybody)
	if err != nil {
		return err
	}
	return folded.shelf.partitions(ctx, visit)
}

// Revocations returns the points that the snapshot and the journal have now.
func (r *Reader) Revocations() (*state.Revocations, error) {
	list, err := segments(r.dir, r.keys.Name())
	if err != nil {
		return nil, err
	}
	folded, err := fold(r.dir, r.keys.Name(), list, anybody)
	if err != nil {
		return nil, err
	}
	return folded.revocations.With(folded.revoking...), nil
}

// readEntries visits the accepted entries from a position on and returns the
// position to go on from.
func readEntries(ctx context.Context, dir, keyName string, from state.Position, visit func(state.Position, *state.Entry) error) (state.Position, error) {
	list, err := segmentsFrom(dir, keyName, from)
	if err != nil {
		return from, err
	}
	for _, file := range list {
		if uint64(from) >= file.first+uint64(file.size) {
			continue
		}
		next, end, err := file.read(from, func(at state.Position, kind uint8, payload []byte) error {
			if kind != kindEntry {
				return ctx.Err()
			}
			e, err := state.DecodeEntry(string(payload))
			if err != nil {
				return unread(at, err)
			}
			return errors.Join(ctx.Err(), visit(at, e))
		})
		if errors.Is(err, fs.ErrNotExist) { // it was removed meanwhile, and what it held is gone
			return readEntries(ctx, dir, keyName, from, visit)
		}
		if err != nil {
			return from, err
		}
		if from = next; end != atEnd {
			break
		}
		from = state.Position(file.first) + state.Position(file.size)
	}
	return from, nil
}
