package statetest

import (
	"context"
	"sync"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// Op names what a store is asked for.
type Op string

// The operations that can be made to fail.
const (
	OnAcquire Op = "acquire"
	OnCommit  Op = "commit" // the entry is not accepted
	OnAppend  Op = "append" // the entry is not accepted
	OnRevoke  Op = "revoke" // the entry is not accepted, and the point does not count
)

// Faulty is a store whose operations fail when Fail says so; every other goes
// to the store inside. A failed commit leaves the state as it was, as the
// contract of [state.Held] says.
type Faulty struct {
	state.Store
	mu   sync.Mutex
	fail func(op Op, nth int) error
	seen map[Op]int
}

// NewFaulty returns s with a way to make it fail.
func NewFaulty(s state.Store) *Faulty { return &Faulty{Store: s, seen: make(map[Op]int)} }

// Fail makes operations fail from now on: with the error that fail returns for
// the nth call (from 1) of an operation, not at all where it returns nil. A nil
// fail ends all failing.
func (f *Faulty) Fail(fail func(op Op, nth int) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
	clear(f.seen)
}

func (f *Faulty) check(op Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[op]++
	if f.fail == nil {
		return nil
	}
	return f.fail(op, f.seen[op])
}

// Acquire implements [state.Store].
func (f *Faulty) Acquire(ctx context.Context, key pdp.PartitionKey) (state.Held, error) {
	if err := f.check(OnAcquire); err != nil {
		return nil, err
	}
	held, err := f.Store.Acquire(ctx, key)
	if err != nil {
		return nil, err
	}
	return &faultyHeld{held, f}, nil
}

// Append implements [state.Store].
func (f *Faulty) Append(ctx context.Context, e *state.Entry) error {
	if err := f.check(OnAppend); err != nil {
		return err
	}
	return f.Store.Append(ctx, e)
}

// Revoke implements [state.Store].
func (f *Faulty) Revoke(ctx context.Context, e *state.Entry) error {
	if err := f.check(OnRevoke); err != nil {
		return err
	}
	return f.Store.Revoke(ctx, e)
}

type faultyHeld struct {
	state.Held
	store *Faulty
}

func (h *faultyHeld) Commit(ctx context.Context, e *state.Entry) error {
	if err := h.store.check(OnCommit); err != nil {
		return err
	}
	return h.Held.Commit(ctx, e)
}
