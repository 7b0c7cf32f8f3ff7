package sessions_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/sessions"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
	"github.com/remit-pdp/remit/pdp/state/statetest"
)

func newStore(t *testing.T) *statetest.Faulty {
	t.Helper()
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	store, err := localstore.Open(t.TempDir(), localstore.Options{Keys: keys, SegmentBytes: 1 << 20, Warn: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return statetest.NewFaulty(store)
}

// commit commits an action in the session of a partition, changed as a test
// needs it.
func commit(t *testing.T, store state.Store, n int, change func(*state.Effects)) {
	t.Helper()
	held, err := store.Acquire(t.Context(), statetest.Key(n))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	e := statetest.Entry(held.State(), "x")
	change(e.Effects)
	if err := held.Commit(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// named begins a session of this name in partition 1.
func named(id string, shared bool, then func(*state.Effects)) func(*state.Effects) {
	return func(fx *state.Effects) {
		fx.Open = &state.Opening{ID: id, Ref: state.Ref{By: state.ByClaim, Name: id}, Shared: shared, Task: `{}`, Expires: time.Now().Add(time.Hour).UnixNano()}
		if fx.Session = id; shared {
			fx.Open.Ref = state.Ref{By: state.ByAgent}
		}
		if then != nil {
			then(fx)
		}
	}
}

// entries is how many entries partition 1 has.
func entries(t *testing.T, store state.Store) uint64 {
	t.Helper()
	held, err := store.Acquire(t.Context(), statetest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	return held.State().Seq
}

func secret(fx *state.Effects)     { fx.Labels = []string{"secret"} }
func quarantine(fx *state.Effects) { fx.Quarantine = true }
func closing(fx *state.Effects)    { fx.Close = true }

func order(kind pdp.SessionOrderKind, session, label string) pdp.SessionOrder {
	return pdp.SessionOrder{Kind: kind, Session: session, Label: label, Reason: "looked at", Actor: "ada"}
}

// Each order is found, carried out, and acknowledged with what counts now.
func TestOrders(t *testing.T) {
	for name, c := range map[string]struct {
		before []func(*state.Effects)
		order  pdp.SessionOrder
		done   func(*state.Session) bool
		check  func(pdp.SessionAcknowledgement) bool
	}{
		"a token's session is closed": {[]func(*state.Effects){named("s1", false, nil)}, order(pdp.CloseSession, "s1", ""),
			func(s *state.Session) bool { return s.Closed },
			func(a pdp.SessionAcknowledgement) bool { return !a.OwnSession && a.RefusedUntil.IsZero() }},
		"an agent's own is closed": {[]func(*state.Effects){named("s1", true, nil)}, order(pdp.CloseSession, "s1", ""),
			func(s *state.Session) bool { return s.Closed },
			func(a pdp.SessionAcknowledgement) bool { return a.OwnSession && a.RefusedUntil.IsZero() }},
		"an agent's own is closed in quarantine": {[]func(*state.Effects){named("s1", true, quarantine)}, order(pdp.CloseSession, "s1", ""),
			func(s *state.Session) bool { return s.Closed },
			func(a pdp.SessionAcknowledgement) bool {
				return a.OwnSession && a.RefusedUntil.After(time.Now().Add(59*time.Minute))
			}},
		"a quarantine is released": {[]func(*state.Effects){named("s1", false, quarantine)}, order(pdp.ReleaseSession, "s1", ""),
			func(s *state.Session) bool { return !s.Quarantined },
			func(a pdp.SessionAcknowledgement) bool { return !a.OwnSession }},
		"a label is cleared": {[]func(*state.Effects){named("s1", false, secret)}, order(pdp.ClearLabel, "s1", "secret"),
			func(s *state.Session) bool { return len(s.Labels) == 0 },
			func(a pdp.SessionAcknowledgement) bool { return len(a.KeptBy) == 0 && !a.Carried }},
		"a label is cleared that another session has": {[]func(*state.Effects){named("s1", false, secret), named("s2", false, secret)}, order(pdp.ClearLabel, "s1", "secret"),
			func(s *state.Session) bool { return len(s.Labels) == 0 },
			func(a pdp.SessionAcknowledgement) bool { return slices.Equal(a.KeptBy, []string{"s2"}) && a.Carried }},
	} {
		t.Run(name, func(t *testing.T) {
			store := newStore(t)
			commit(t, store, 2, func(*state.Effects) {}) // another partition
			for _, change := range c.before {
				commit(t, store, 1, change)
			}
			a, err := sessions.New(store, time.Now).Order(t.Context(), c.order)
			if err != nil || a.Order != c.order || !strings.HasPrefix(a.ID, "o_") || time.Since(a.At) > time.Minute || !c.check(a) {
				t.Errorf("acknowledged: %+v, %v", a, err)
			}
			err = state.VisitSession(t.Context(), store, c.order.Session, func(_ *state.Partition, s *state.Session) {
				if !c.done(s) {
					t.Errorf("the session is %+v", s)
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// What does not fit the session is said so, and records nothing.
func TestOrdersThatDoNotFit(t *testing.T) {
	store := newStore(t)
	commit(t, store, 1, named("open", false, nil))
	commit(t, store, 1, named("ended", false, closing))
	k := sessions.New(store, time.Now)
	for _, c := range []struct {
		order pdp.SessionOrder
		want  error
	}{
		{order(pdp.CloseSession, "none", ""), pdp.ErrNoSuchSession},
		{order(pdp.ReleaseSession, "none", ""), pdp.ErrNoSuchSession},
		{order(pdp.ClearLabel, "none", "secret"), pdp.ErrNoSuchSession},
		{order(pdp.CloseSession, "ended", ""), pdp.ErrSessionEnded},
		{order(pdp.ReleaseSession, "ended", ""), pdp.ErrSessionEnded},
		{order(pdp.ReleaseSession, "open", ""), pdp.ErrNotQuarantined},
		{order(pdp.ClearLabel, "open", "secret"), pdp.ErrNoSuchLabel},
	} {
		a, err := k.Order(t.Context(), c.order)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.order.Session) || !a.At.IsZero() {
			t.Errorf("%+v: %+v, %v, want %v", c.order, a, err, c.want)
		}
	}
	if n := entries(t, store); n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
}

// Each of these is a mistake that would do something else than was meant, or put
// into the journal what must not be there.
func TestOrdersThatAreRefused(t *testing.T) {
	store := newStore(t)
	commit(t, store, 1, named("s1", false, secret))
	k := sessions.New(store, time.Now)
	for name, c := range map[string]struct {
		change func(*pdp.SessionOrder)
		want   string
	}{
		"no kind":                   {func(o *pdp.SessionOrder) { o.Kind = "" }, "nothing that can be ordered"},
		"a kind that is none":       {func(o *pdp.SessionOrder) { o.Kind = "end" }, "nothing that can be ordered"},
		"no session":                {func(o *pdp.SessionOrder) { o.Session = "" }, "which session"},
		"no label":                  {func(o *pdp.SessionOrder) { o.Label = "" }, "which label"},
		"a label of all":            {func(o *pdp.SessionOrder) { o.Kind = pdp.CloseSession }, "is named"},
		"no reason":                 {func(o *pdp.SessionOrder) { o.Reason = "" }, "no reason"},
		"nobody":                    {func(o *pdp.SessionOrder) { o.Actor = "" }, "nobody"},
		"a session of two lines":    {func(o *pdp.SessionOrder) { o.Session = "s\nt" }, "printable"},
		"a label with an escape":    {func(o *pdp.SessionOrder) { o.Label = "x\x1b[31m" }, "printable"},
		"a label that is no text":   {func(o *pdp.SessionOrder) { o.Label = "\xff" }, "printable"},
		"a reason without end":      {func(o *pdp.SessionOrder) { o.Reason = strings.Repeat("x", 1025) }, "1024"},
		"a session's name too long": {func(o *pdp.SessionOrder) { o.Session = strings.Repeat("x", 513) }, "512"},
	} {
		o := order(pdp.ClearLabel, "s1", "secret")
		c.change(&o)
		if _, err := k.Order(t.Context(), o); !errors.Is(err, pdp.ErrBadOrder) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if n := entries(t, store); n != 1 {
		t.Errorf("%d entries, want 1", n)
	}
}

// What cannot be written is not acknowledged, and leaves no turn behind.
func TestAFailingStoreAcknowledgesNothing(t *testing.T) {
	store := newStore(t)
	commit(t, store, 1, named("s1", false, nil))
	k := sessions.New(store, time.Now)
	for _, fails := range []statetest.Op{statetest.OnAcquire, statetest.OnCommit} {
		store.Fail(func(op statetest.Op, _ int) error {
			if op == fails {
				return state.ErrUnavailable
			}
			return nil
		})
		if a, err := k.Order(t.Context(), order(pdp.CloseSession, "s1", "")); !errors.Is(err, state.ErrUnavailable) || !a.At.IsZero() {
			t.Errorf("%s: %+v, %v", fails, a, err)
		}
	}
	store.Fail(nil)
	if _, err := k.Order(t.Context(), order(pdp.CloseSession, "s1", "")); err != nil {
		t.Errorf("given again: %v", err)
	}
}

// The turn of an action that is under way comes first; an order that is not
// waited for any more does not count.
func TestAnOrderWaitsForItsTurn(t *testing.T) {
	store := newStore(t)
	commit(t, store, 1, named("s1", false, nil))
	k := sessions.New(store, time.Now)
	held, err := store.Acquire(t.Context(), statetest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := k.Order(short, order(pdp.CloseSession, "s1", "")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("in the middle of a decision: %v", err)
	}
	if held.State().Sessions["s1"].Closed {
		t.Error("it was closed in the middle of a decision")
	}
	acknowledged := make(chan error, 1)
	go func() {
		_, err := k.Order(t.Context(), order(pdp.CloseSession, "s1", ""))
		acknowledged <- err
	}()
	held.Release()
	if err := <-acknowledged; err != nil {
		t.Error(err)
	}
	if n := entries(t, store); n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
}
