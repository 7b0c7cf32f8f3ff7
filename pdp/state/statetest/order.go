package statetest

import (
	"errors"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// Order carries out an order about the session that [Entry] begins, in a turn of
// its own.
func Order(t *testing.T, s state.Store, key pdp.PartitionKey, kind pdp.SessionOrderKind, label string) error {
	t.Helper()
	held := acquire(t, s, key)
	defer held.Release()
	e, err := held.State().Order(&pdp.SessionOrder{Kind: kind, Session: "s", Label: label, Reason: "test", Actor: "tester"}, time.Now().UnixNano())
	if err != nil {
		return err
	}
	return held.Commit(t.Context(), e)
}

// orders gives each order once, and again where it no longer fits: what an
// operator ordered counts from the next turn on, and is in the journal.
func orders(t *testing.T, s Store) {
	key := Key(1)
	if err := Order(t, s, key, pdp.CloseSession, ""); !errors.Is(err, pdp.ErrNoSuchSession) {
		t.Errorf("a session that is not there: %v", err)
	}
	held := acquire(t, s, key)
	e := Entry(held.State(), "x")
	e.Effects.Labels, e.Effects.Quarantine = []string{"secret"}, true
	must(t, held.Commit(t.Context(), e))
	held.Release()
	for _, c := range []struct {
		kind  pdp.SessionOrderKind
		label string
		again error
		done  func(*state.Session) bool
	}{
		{pdp.ClearLabel, "secret", pdp.ErrNoSuchLabel, func(s *state.Session) bool { return len(s.Labels) == 0 }},
		{pdp.ReleaseSession, "", pdp.ErrNotQuarantined, func(s *state.Session) bool { return !s.Quarantined }},
		{pdp.CloseSession, "", pdp.ErrSessionEnded, func(s *state.Session) bool { return s.Closed }},
	} {
		must(t, Order(t, s, key, c.kind, c.label))
		held := acquire(t, s, key)
		if session := held.State().Sessions["s"]; !c.done(session) {
			t.Errorf("%s: the next turn sees %+v", c.kind, session)
		}
		held.Release()
		if err := Order(t, s, key, c.kind, c.label); !errors.Is(err, c.again) {
			t.Errorf("%s once more: %v, want %v", c.kind, err, c.again)
		}
	}
	var kinds []pdp.SessionOrderKind
	must(t, s.Entries(t.Context(), 0, func(_ state.Position, e *state.Entry) error {
		if e.Ordering != nil {
			kinds = append(kinds, e.Ordering.Order.Kind)
		}
		return nil
	}))
	if len(kinds) != 3 || kinds[0] != pdp.ClearLabel || kinds[1] != pdp.ReleaseSession || kinds[2] != pdp.CloseSession {
		t.Errorf("the journal has %v", kinds)
	}
}
