// Package state is what remit remembers: partitions with their sessions, facts,
// budgets, labels and actions in flight; the contract of the stores that keep
// them; and [History], which gives the decision point its turns on them.
//
// State is the fold of a journal: [Partition.Apply] is the only function that
// changes a partition, and it does so from an [Entry] alone. Deciding reads a
// partition and makes an entry; a store accepts the entry and applies it.
// Nothing is ever undone: what waits for an outcome is kept apart from what is
// settled, and read as an interval (DESIGN 5.2).
package state

import (
	"context"
	"errors"
	"fmt"

	"github.com/remit-pdp/remit/pdp"
)

// Store keeps partitions and the journal they are the fold of. statetest is
// the suite that every store passes.
//
// Contract. Commits of one partition are linearizable: a turn sees every
// commit that was accepted before it began, on any replica. Accepted means
// that the entry survives the death of the process; what else it survives is
// the store's documented durability. An entry is accepted whole or not at all.
// Turns on different partitions do not wait for each other. As the last step of
// accepting an entry, in Held.Commit and in Append, a store asks
// [Revocations.Check] and accepts nothing where it has an error. All methods
// are safe for concurrent use.
type Store interface {
	// Acquire waits, in order of arrival, for the turn on a partition. It
	// returns ctx's error when ctx ends first, and [ErrUnavailable] when the
	// store cannot serve. A partition that nothing is remembered of is empty,
	// not an error.
	Acquire(ctx context.Context, key pdp.PartitionKey) (Held, error)
	// Append accepts an entry that belongs to no partition: the record of a
	// decision about nobody, the activation of a generation.
	Append(ctx context.Context, e *Entry) error
	// Revoke accepts an entry of the kind [Revoked] or [Lifted]: it survives
	// the loss of power whatever the store's durability. Once Revoke has
	// returned nil, no allow is accepted that a point in force covers, on any
	// replica, and none stands behind the entry in the journal (invariant 4).
	// It returns what [Revocations.CanTake] says; after any other error the
	// point may or may not count, and more may be denied than before, never
	// less.
	Revoke(ctx context.Context, e *Entry) error
	// Revocations returns the points in force, and perhaps one that is being
	// revoked now.
	Revocations() *Revocations
	// Partitions visits every partition, one at a time and each in a turn of
	// its own, until visit returns an error, which is returned. What visit gets
	// must not be kept or changed.
	Partitions(ctx context.Context, visit func(*Partition) error) error
}

// Held is an exclusive turn on one partition. It belongs to one goroutine.
type Held interface {
	// State returns the partition as of every accepted commit. It is only to
	// be read, and only until Release.
	State() *Partition
	// Commit accepts an entry of this partition and applies it to State. ctx
	// bounds the wait for a store that cannot write at once; an error means that
	// the entry was not accepted and State did not change.
	Commit(ctx context.Context, e *Entry) error
	// Release ends the turn. It may be called more than once.
	Release()
}

// Log reads a journal back, oldest entry first.
type Log interface {
	// Entries visits the entries after position from (0 is the beginning), in
	// the order they were accepted, until visit returns an error, which is
	// returned. Entries of one partition are in the order of their commits.
	Entries(ctx context.Context, from Position, visit func(Position, *Entry) error) error
}

// Position is a place in a journal: larger is later. Positions are not
// contiguous, and they stay the same for the life of a journal.
type Position uint64

// The ways a store says no.
var (
	// ErrUnavailable: the store cannot accept entries now (full disk, stuck
	// writer, closing). Decisions that need it are denied.
	ErrUnavailable = errors.New("the store cannot accept entries")
	// ErrBehind: the export of the journal is so far behind that nothing more may be
	// allowed. Everything else is accepted, the denial included.
	ErrBehind = fmt.Errorf("%w: the decision log is not exported", ErrUnavailable)
	// ErrLocked: another process uses the state directory.
	ErrLocked = errors.New("the state directory is in use by another process")
)

// VisitSession visits the session with an id, open or not, with its partition,
// under the rules of [Store.Partitions]. The error wraps [pdp.ErrNoSuchSession]
// where no partition has it.
func VisitSession(ctx context.Context, store Store, id string, visit func(*Partition, *Session)) error {
	found := errors.New("found")
	err := store.Partitions(ctx, func(p *Partition) error {
		s := p.Sessions[id]
		if s == nil {
			return nil
		}
		visit(p, s)
		return found
	})
	switch {
	case errors.Is(err, found):
		return nil
	case err != nil:
		return fmt.Errorf("look for session %s: %w", id, err)
	default:
		return fmt.Errorf("session %s: %w", id, pdp.ErrNoSuchSession)
	}
}
