// Package statetest is the suite that every store of package state passes, and
// [Faulty], a store that fails when a test says so.
package statetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// A Store is what the suite asks for.
type Store interface {
	state.Store
	state.Log
}

// Run holds stores to the contract of [state.Store] and [state.Log]. open
// returns a store that is empty, and ends it with the test.
func Run(t *testing.T, open func(t *testing.T) Store) {
	t.Run("an empty partition is no error", func(t *testing.T) { empty(t, open(t)) })
	t.Run("a turn sees every commit before it", func(t *testing.T) { sees(t, open(t)) })
	t.Run("commits of a partition are linearizable", func(t *testing.T) { linearizable(t, open(t)) })
	t.Run("partitions do not wait for each other", func(t *testing.T) { independent(t, open(t)) })
	t.Run("a turn is waited for in order of arrival", func(t *testing.T) { ordered(t, open(t)) })
	t.Run("waiting ends with the context", func(t *testing.T) { deadline(t, open(t)) })
	t.Run("a turn ends once", func(t *testing.T) { release(t, open(t)) })
	t.Run("every partition is visited", func(t *testing.T) { visits(t, open(t)) })
	t.Run("the journal has everything in order", func(t *testing.T) { journal(t, open(t)) })
	t.Run("what is ordered counts from the next turn on", func(t *testing.T) { orders(t, open(t)) })
	t.Run("what is revoked is not accepted", func(t *testing.T) { revokes(t, open(t)) })
	t.Run("no allow is accepted after a revocation", func(t *testing.T) { revokesBesideCommits(t, open(t)) })
	t.Run("a revocation can be lifted", func(t *testing.T) { lifts(t, open(t)) })
	t.Run("a revocation that is not accepted does not count", func(t *testing.T) { refusesToRevoke(t, open(t)) })
}

// Key returns the key of the n-th partition of a test; never that of nobody.
func Key(n int) pdp.PartitionKey {
	return pdp.PartitionKey{byte(n), byte(n >> 8), 15: 1}
}

// Entry returns the next entry of a partition: a decision with the effects of
// an allow, in a session that the first entry begins.
func Entry(p *state.Partition, id string) *state.Entry {
	at := time.Now().UnixNano()
	e := &state.Entry{
		Kind: state.Decided, At: max(at, p.Last), Partition: p.Key, Seq: p.Seq + 1,
		Record: &state.Record{ID: id, Effect: pdp.Allow, Agent: pdp.Principal{ID: "agent"}, Session: "s", System: "api", Count: 1},
		Effects: &state.Effects{
			Root: pdp.Principal{ID: "root"}, Agent: pdp.Principal{ID: "agent"}, Session: "s",
			Action:  state.Acted{Effect: pdp.Allow, System: "api"},
			Charges: []state.Charge{{Budget: "b", Scope: pdp.PerSession, N: 1}},
		},
	}
	if p.Seq == 0 {
		e.Effects.Open = &state.Opening{ID: "s", Ref: state.Ref{By: state.ByAgent}, Task: `{}`, Expires: at + int64(time.Hour)}
	}
	return e
}

// Commit commits one entry with this id in a turn of its own.
func Commit(ctx context.Context, s state.Store, key pdp.PartitionKey, id string) error {
	held, err := s.Acquire(ctx, key)
	if err != nil {
		return err
	}
	defer held.Release()
	return held.Commit(ctx, Entry(held.State(), id))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func acquire(t *testing.T, s state.Store, key pdp.PartitionKey) state.Held {
	t.Helper()
	held, err := s.Acquire(t.Context(), key)
	must(t, err)
	return held
}

func empty(t *testing.T, s Store) {
	held := acquire(t, s, Key(1))
	defer held.Release()
	if p := held.State(); p == nil || p.Key != Key(1) || p.Seq != 0 || len(p.Sessions) != 0 {
		t.Errorf("got %+v", p)
	}
}

func sees(t *testing.T, s Store) {
	for i := range 20 {
		must(t, Commit(t.Context(), s, Key(1), fmt.Sprint(i)))
		held := acquire(t, s, Key(1))
		if got := held.State().Seq; got != uint64(i+1) {
			t.Errorf("after %d commits a turn sees %d", i+1, got)
		}
		held.Release()
	}
	held := acquire(t, s, Key(1))
	defer held.Release()
	if session := held.State().Sessions["s"]; session == nil || session.Activity.Actions != 20 {
		t.Errorf("the effects were not applied: %+v", session)
	}
}

// linearizable counts: what each turn read must be what all turns before it
// wrote, and turns that did not overlap must be in the order of their clock.
func linearizable(t *testing.T, s Store) {
	const writers, each = 16, 40
	type turn struct {
		began, ended time.Time
		seq          uint64
	}
	var mu sync.Mutex
	turns := make(map[uint64]turn)
	var wait sync.WaitGroup
	for w := range writers {
		wait.Go(func() {
			for i := range each {
				began := time.Now()
				held, err := s.Acquire(t.Context(), Key(1))
				if err != nil {
					t.Error(err)
					return
				}
				seq := held.State().Seq + 1
				err = held.Commit(t.Context(), Entry(held.State(), fmt.Sprint(w, i)))
				if err != nil || held.State().Seq != seq {
					t.Errorf("commit %d: %v, then the state is at %d", seq, err, held.State().Seq)
				}
				held.Release()
				mu.Lock()
				if _, twice := turns[seq]; twice {
					t.Errorf("two commits are number %d", seq)
				}
				turns[seq] = turn{began, time.Now(), seq}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if len(turns) != writers*each {
		t.Fatalf("%d numbers for %d commits", len(turns), writers*each)
	}
	var latest time.Time // beginning of any turn up to here
	for seq := uint64(1); seq <= writers*each; seq++ {
		if turns[seq].ended.Before(latest) {
			t.Fatalf("commit %d had ended before an earlier one began", seq)
		}
		if turns[seq].began.After(latest) {
			latest = turns[seq].began
		}
	}
}

func independent(t *testing.T, s Store) {
	held := acquire(t, s, Key(1))
	defer held.Release()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for n := 2; n < 300; n++ {
		if err := Commit(ctx, s, Key(n), "x"); err != nil {
			t.Fatalf("partition %d waited for another one: %v", n, err)
		}
	}
}

func ordered(t *testing.T, s Store) {
	held := acquire(t, s, Key(1))
	got := make(chan int, 8)
	for i := range cap(got) {
		arrived := make(chan struct{})
		go func() {
			close(arrived)
			next, err := s.Acquire(t.Context(), Key(1))
			if err != nil {
				t.Error(err)
				return
			}
			got <- i
			next.Release()
		}()
		<-arrived
		time.Sleep(20 * time.Millisecond) // until it stands in the queue
	}
	held.Release()
	for want := range cap(got) {
		if i := <-got; i != want {
			t.Errorf("number %d had the turn of number %d", i, want)
		}
	}
}

// deadline lets many give up in the queue: they get their context's error, and
// those who stay get their turn.
func deadline(t *testing.T, s Store) {
	held := acquire(t, s, Key(1))
	var patient, impatient sync.WaitGroup
	var served atomic.Int64
	for i := range 32 {
		if i%2 == 0 {
			patient.Go(func() {
				if err := Commit(t.Context(), s, Key(1), fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
				served.Add(1)
			})
			continue
		}
		impatient.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if _, err := s.Acquire(ctx, Key(1)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the deadline's error", err)
			}
		})
	}
	impatient.Wait()
	if n := served.Load(); n != 0 {
		t.Errorf("%d had a turn beside the one that was held", n)
	}
	held.Release()
	patient.Wait()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Acquire(ended, Key(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that had ended: %v", err)
	}
	last := acquire(t, s, Key(1))
	defer last.Release()
	if got := last.State().Seq; got != 16 {
		t.Errorf("%d commits, want 16", got)
	}
}

func release(t *testing.T, s Store) {
	held := acquire(t, s, Key(1))
	entry := Entry(held.State(), "late")
	held.Release()
	next := acquire(t, s, Key(1))
	held.Release() // it must not end the turn of another
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Acquire(ctx, Key(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("releasing twice gave the turn away: %v", err)
	}
	if err := held.Commit(t.Context(), entry); err == nil {
		t.Error("a turn that was over committed")
	}
	if got := next.State().Seq; got != 0 {
		t.Errorf("the state is at %d", got)
	}
	next.Release()
}

func visits(t *testing.T, s Store) {
	want := make(map[pdp.PartitionKey]uint64)
	for n := range 40 {
		for range n%3 + 1 {
			must(t, Commit(t.Context(), s, Key(n), "x"))
			want[Key(n)]++
		}
	}
	acquire(t, s, Key(50)).Release() // nothing is remembered of it
	must(t, s.Partitions(t.Context(), func(p *state.Partition) error {
		if p.Seq != 0 && p.Seq != want[p.Key] {
			t.Errorf("partition %s is at %d, want %d", p.Key, p.Seq, want[p.Key])
		}
		delete(want, p.Key)
		return nil
	}))
	if len(want) > 0 {
		t.Errorf("%d partitions were not visited", len(want))
	}
	stop := errors.New("stop")
	if err := s.Partitions(t.Context(), func(*state.Partition) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the visit's error became %v", err)
	}
	acquire(t, s, Key(1)).Release() // the visit left no turn behind
}

func journal(t *testing.T, s Store) {
	ctx := t.Context()
	for i := range 30 {
		must(t, Commit(ctx, s, Key(i%3), fmt.Sprint(i)))
	}
	must(t, s.Append(ctx, &state.Entry{Kind: state.Decided, Record: &state.Record{ID: "nobody", Count: 1}}))
	seqs := make(map[pdp.PartitionKey]uint64)
	var at []state.Position
	var ids []string
	must(t, s.Entries(ctx, 0, func(p state.Position, e *state.Entry) error {
		at, ids = append(at, p), append(ids, e.Record.ID)
		if e.Partition == (pdp.PartitionKey{}) {
			return nil
		}
		if seqs[e.Partition]++; e.Seq != seqs[e.Partition] {
			t.Errorf("entry %d of a partition is number %d", seqs[e.Partition], e.Seq)
		}
		return nil
	}))
	if len(ids) != 31 || ids[30] != "nobody" {
		t.Fatalf("the journal has %v", ids)
	}
	for i := range at {
		if i > 0 && at[i] <= at[i-1] {
			t.Errorf("position %d comes after position %d", at[i], at[i-1])
		}
		n := 0
		must(t, s.Entries(ctx, at[i], func(p state.Position, e *state.Entry) error {
			if n++; e.Record.ID != ids[i+n] || p != at[i+n] {
				t.Errorf("%d after entry %d there is %s at %d", n, i, e.Record.ID, p)
			}
			return nil
		}))
		if n != len(at)-1-i {
			t.Errorf("%d entries after entry %d, want %d", n, i, len(at)-1-i)
		}
	}
}
