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

// Revocation returns the entry that revokes something until it is lifted.
func Revocation(kind pdp.RevocationKind, subject string) *state.Entry {
	now := time.Now()
	return &state.Entry{Kind: state.Revoked, At: now.UnixNano(), Revoking: &pdp.Revocation{
		ID: "r_" + string(kind) + subject, Kind: kind, Subject: subject, Reason: "test", Actor: "tester", At: now,
	}}
}

// Lift returns the entry that takes a revocation back.
func Lift(e *state.Entry) *state.Entry {
	return &state.Entry{Kind: state.Lifted, At: time.Now().UnixNano(), Revoking: e.Revoking}
}

func nobody(id string, effect pdp.Effect) *state.Entry {
	return &state.Entry{Kind: state.Decided, At: time.Now().UnixNano(), Record: &state.Record{ID: id, Effect: effect, System: "api", Count: 1}}
}

func revoked(err error) bool {
	var revoked *state.RevokedError
	return errors.As(err, &revoked)
}

func revokes(t *testing.T, s Store) {
	ctx := t.Context()
	must(t, Commit(ctx, s, Key(1), "before"))
	must(t, s.Revoke(ctx, Revocation(pdp.RevokedAgent, "somebody else")))
	must(t, Commit(ctx, s, Key(1), "not covered"))
	must(t, s.Revoke(ctx, Revocation(pdp.RevokedAgent, "agent")))
	held := acquire(t, s, Key(1))
	e := Entry(held.State(), "after")
	if err := held.Commit(ctx, e); !revoked(err) {
		t.Errorf("an allow of a revoked agent: %v", err)
	}
	if seq := held.State().Seq; seq != 2 {
		t.Errorf("what was refused changed the state: it is at %d", seq)
	}
	// The same turn goes on, with the denial in the allow's place.
	e = Entry(held.State(), "denied")
	e.Record.Effect, e.Effects.Action.Effect, e.Effects.Charges = pdp.Deny, pdp.Deny, nil
	if err := held.Commit(ctx, e); err != nil {
		t.Errorf("a denial of a revoked agent: %v", err)
	}
	held.Release()
	must(t, s.Append(ctx, nobody("1", pdp.Allow)))
	must(t, s.Revoke(ctx, Revocation(pdp.RevokedTarget, "api")))
	if err := s.Append(ctx, nobody("2", pdp.Allow)); !revoked(err) {
		t.Errorf("an allow of nobody to a revoked target: %v", err)
	}
	must(t, s.Append(ctx, nobody("3", pdp.Deny)))
	if n := len(s.Revocations().All(time.Now())); n != 3 {
		t.Errorf("%d revocations, want 3", n)
	}
}

// revokesBesideCommits revokes in the middle of many commits in many
// partitions, again and again: by the journal and by the clock, no allow comes
// after.
func revokesBesideCommits(t *testing.T, s Store) {
	const writers, rounds = 8, 20
	var acknowledged atomic.Pointer[string] // the agent revoked last
	var wait sync.WaitGroup
	for round := range rounds {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		agent := fmt.Sprint("agent", round)
		var refused atomic.Int64
		for w := range writers {
			wait.Go(func() {
				for i := 0; refused.Load() < writers && ctx.Err() == nil; i++ {
					began := acknowledged.Load()
					err := commitAs(ctx, s, Key(w), agent, fmt.Sprint(agent, w, i))
					switch {
					case err == nil && began != nil && *began == agent:
						t.Errorf("an allow of %s was accepted that began after the acknowledgement", agent)
						refused.Add(writers)
					case revoked(err):
						refused.Add(1)
						return
					case err != nil:
						t.Error(err)
						return
					}
				}
			})
		}
		time.Sleep(time.Duration(round%4) * time.Millisecond)
		must(t, s.Revoke(ctx, Revocation(pdp.RevokedAgent, agent)))
		acknowledged.Store(&agent)
		wait.Wait()
		cancel()
	}
	gone, allowed := make(map[string]bool), 0
	must(t, s.Entries(t.Context(), 0, func(at state.Position, e *state.Entry) error {
		if e.Revoking != nil {
			gone[e.Revoking.Subject] = true
			return nil
		}
		if allowed++; gone[e.Record.Agent.ID] {
			t.Errorf("at %d an allow of %s stands behind its revocation", at, e.Record.Agent.ID)
		}
		return nil
	}))
	if len(gone) != rounds || allowed == 0 {
		t.Errorf("%d revocations and %d allows are in the journal", len(gone), allowed)
	}
}

func commitAs(ctx context.Context, s Store, key pdp.PartitionKey, agent, id string) error {
	held, err := s.Acquire(ctx, key)
	if err != nil {
		return err
	}
	defer held.Release()
	e := Entry(held.State(), id)
	e.Record.Agent.ID, e.Effects.Agent.ID = agent, agent
	return held.Commit(ctx, e)
}

func lifts(t *testing.T, s Store) {
	ctx := t.Context()
	e := Revocation(pdp.RevokedEverything, "")
	if err := s.Revoke(ctx, Lift(e)); !errors.Is(err, pdp.ErrNotRevoked) {
		t.Errorf("lifting what is not revoked: %v", err)
	}
	must(t, s.Revoke(ctx, e))
	if err := Commit(ctx, s, Key(1), "x"); !revoked(err) {
		t.Errorf("everything is revoked: %v", err)
	}
	must(t, s.Revoke(ctx, Lift(e)))
	must(t, Commit(ctx, s, Key(1), "x"))
	if n := len(s.Revocations().All(time.Now())); n != 0 {
		t.Errorf("%d revocations, want none", n)
	}
}

// refusesToRevoke gives no time: what cannot be accepted is not acknowledged,
// and what was before stays.
func refusesToRevoke(t *testing.T, s Store) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	faulty := NewFaulty(s)
	faulty.Fail(func(op Op, _ int) error {
		if op == OnRevoke {
			return state.ErrUnavailable
		}
		return nil
	})
	e := Revocation(pdp.RevokedAgent, "agent")
	if err := faulty.Revoke(over, e); !errors.Is(err, state.ErrUnavailable) {
		t.Errorf("a store that fails acknowledged: %v", err)
	}
	must(t, Commit(t.Context(), faulty, Key(1), "x"))
	faulty.Fail(nil)
	must(t, faulty.Revoke(t.Context(), e))
	if err := Commit(t.Context(), faulty, Key(1), "x"); !revoked(err) {
		t.Errorf("after a revocation that was given again: %v", err)
	}
}
