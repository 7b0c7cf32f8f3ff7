package state_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/statetest"
)

// tryOrder carries out an order about a session of the agent's partition.
func (r *room) tryOrder(kind pdp.SessionOrderKind, session, label string) error {
	r.t.Helper()
	held, err := r.faulty.Acquire(context.Background(), r.keys.Partition(r.agent.Root()))
	if err != nil {
		r.t.Fatal(err)
	}
	defer held.Release()
	e, err := held.State().Order(&pdp.SessionOrder{Kind: kind, Session: session, Label: label, Reason: "looked at", Actor: "ada"}, r.now().UnixNano())
	if err != nil {
		return err
	}
	return held.Commit(context.Background(), e)
}

// order is an order that must be carried out. The clock goes on after it: what
// comes at the same nanosecond is not later.
func (r *room) order(kind pdp.SessionOrderKind, session, label string) {
	r.t.Helper()
	if err := r.tryOrder(kind, session, label); err != nil {
		r.t.Fatal(err)
	}
	r.wait(1)
}

// everywhere checks something now, after a restart, and after the journal was
// replayed from its beginning.
func (r *room) everywhere(check func(when string)) {
	r.t.Helper()
	check("at once")
	r.close()
	r.open()
	check("after a restart")
	r.close()
	r.forgetSnapshots()
	r.open()
	check("replayed")
}

// A session that an operator closed takes no more actions. One that a claim
// names stays closed under that name; an agent's own gives way to one that must
// be admitted, and nothing is shed by it.
func TestAnOperatorClosesASession(t *testing.T) {
	t.Run("a claim's", func(t *testing.T) {
		r := newRoom(t, plan{}).claim("s")
		first := r.act(charges("life", 1))
		r.order(pdp.CloseSession, first.Session, "")
		r.everywhere(func(when string) { r.expectCode(pdp.CodeSessionEnded, when) })
		for _, wait := range []time.Duration{time.Hour, 9 * time.Hour, 30 * 24 * time.Hour} {
			r.wait(wait)
			r.expectCode(pdp.CodeSessionEnded, "the same claim after "+wait.String())
		}
		r.settle(first.ID, pdp.OutcomeDone) // what was allowed still settles
		if code := r.claim("other").denied(); code != "" {
			t.Errorf("another session: %s", code)
		}
	})
	t.Run("the agent's own", func(t *testing.T) {
		r := newRoom(t, plan{})
		first := r.act(labelling("secret")).Session
		r.order(pdp.CloseSession, first, "")
		r.everywhere(func(when string) {
			s := r.view(question{})
			if s.Refusal != nil || s.Open {
				t.Errorf("%s: no new admission: %v, open %v", when, s.Refusal, s.Open)
			}
			r.expect(s.Session, map[string]any{"new": true, "actions": 0, "after_revocation": false})
			r.expectLabel(when, "secret", true, false)
		})
		if r.session() == first {
			t.Error("the closed session goes on")
		}
	})
	t.Run("the agent's own, in quarantine", func(t *testing.T) {
		r := newRoom(t, plan{})
		first := r.act(pdp.Verdict{Effect: pdp.Allow, Session: pdp.Directive{Quarantine: true}}).Session
		r.order(pdp.CloseSession, first, "")
		r.everywhere(func(when string) {
			r.expectCode(pdp.CodeSessionEnded, when+": being closed is no way out of quarantine")
		})
		r.wait(8 * time.Hour)
		r.expectCode("", "past its maximum age")
	})
	t.Run("the agent's own, revoked", func(t *testing.T) {
		r := newRoom(t, plan{})
		first := r.session()
		r.revoke(pdp.RevokedSession, first, 0)
		r.order(pdp.CloseSession, first, "")
		r.expect(r.view(question{}).Session, map[string]any{"new": true, "after_revocation": true})
	})
}

// A session that nothing was done in for longer than labels carry was there
// until it was closed: its labels are carried from then on.
func TestClosingShedsNoLabel(t *testing.T) {
	settings := state.Defaults
	settings.MaxAge = 48 * time.Hour
	r := newRoom(t, plan{settings: settings}).claim("s")
	first := r.act(labelling("secret")).Session
	r.wait(30 * time.Hour)
	r.order(pdp.CloseSession, first, "")
	r.claim("next").expectLabel("asked before the session begins", "secret", true, false)
	r.allowed()
	r.expectLabel("in the new session", "secret", true, false)
}

// The same where the agent ends it itself.
func TestEndingItsSessionShedsNoLabel(t *testing.T) {
	p := state.NewPartition(statetest.Key(1))
	first := statetest.Entry(p, "first")
	p.Apply(first)
	e := statetest.Entry(p, "end")
	e.At = first.At + int64(30*time.Hour)
	e.Effects = &state.Effects{Question: pdp.AboutEnding, Agent: first.Effects.Agent, Session: "s", Action: state.Acted{Effect: pdp.Allow}, Close: true}
	p.Apply(e)
	if agent := p.Agents[first.Effects.Agent]; !p.Sessions["s"].Closed || agent.LastSeen != e.At {
		t.Errorf("closed %v, there until %s after it began", p.Sessions["s"].Closed, time.Duration(agent.LastSeen-first.At))
	}
}

// A released session goes on with its history, its limits and its labels; it is
// not idle because it had to wait, and the row of denials that led to the
// quarantine does not lead to it again.
func TestAnOperatorReleasesASession(t *testing.T) {
	for _, claim := range []string{"", "s"} {
		t.Run(fmt.Sprintf("%q", claim), func(t *testing.T) {
			r := newRoom(t, plan{}).claim(claim)
			first := r.act(labelling("secret")).Session
			r.act(pdp.Verdict{Session: pdp.Directive{Quarantine: true}})
			for range 3 {
				r.expectCode(pdp.CodeQuarantined, "before")
			}
			r.wait(2 * time.Hour) // more than the idle time
			r.order(pdp.ReleaseSession, first, "")
			r.everywhere(func(when string) {
				r.expect(r.view(question{}).Session, map[string]any{"id": `"` + first + `"`, "state": `"open"`, "idle_seconds": 0,
					"expires_in_seconds": 6*3600 - 1, "actions": 5, "denied": 4, "consecutive_denied": 0})
				r.expect(r.view(question{}).Activity, map[string]any{"denied": 4, "consecutive_denied": 0})
				r.expectLabel(when, "secret", true, false)
			})
			if got := r.session(); got != first {
				t.Errorf("session %s after %s", got, first)
			}
			r.wait(6 * time.Hour)
			if err := r.tryOrder(pdp.ReleaseSession, first, ""); !errors.Is(err, pdp.ErrSessionEnded) {
				t.Errorf("past its age: %v", err)
			}
		})
	}
}

// An order about a session that is not as the order takes it to be changes and
// records nothing.
func TestOrdersThatDoNotFit(t *testing.T) {
	r := newRoom(t, plan{}).claim("s")
	id := r.act(labelling("secret")).Session
	r.claim("closed")
	closed := r.act(pdp.Verdict{Effect: pdp.Allow, Session: pdp.Directive{Close: true}}).Session
	r.claim("over")
	over := r.session()
	r.wait(9 * time.Hour)
	r.claim("s2")
	open := r.session()
	before := string(r.partition())
	for _, c := range []struct {
		kind           pdp.SessionOrderKind
		session, label string
		want           error
	}{
		{pdp.CloseSession, "s_none", "", pdp.ErrNoSuchSession},
		{pdp.ReleaseSession, "s_none", "", pdp.ErrNoSuchSession},
		{pdp.ClearLabel, "s_none", "secret", pdp.ErrNoSuchSession},
		{pdp.CloseSession, closed, "", pdp.ErrSessionEnded},
		{pdp.CloseSession, over, "", pdp.ErrSessionEnded},
		{pdp.ReleaseSession, closed, "", pdp.ErrSessionEnded},
		{pdp.ReleaseSession, open, "", pdp.ErrNotQuarantined},
		{pdp.ClearLabel, open, "pii", pdp.ErrNoSuchLabel},
		{pdp.ClearLabel, id, "pii", pdp.ErrNoSuchLabel},
	} {
		if err := r.tryOrder(c.kind, c.session, c.label); !errors.Is(err, c.want) {
			t.Errorf("%s %s %s: %v, want %v", c.kind, c.session, c.label, err, c.want)
		}
	}
	if string(r.partition()) != before {
		t.Error("an order that was refused changed something")
	}
}

// An order takes its turn like every decision: behind it in the journal nothing
// is allowed in the session that it closed, however many ask at the same time.
func TestAnOrderTakesItsTurn(t *testing.T) {
	r := newRoom(t, plan{}).claim("s")
	id := r.session()
	closed := make(chan struct{})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for {
				select {
				case <-closed:
					if d := r.act(pdp.Verdict{Effect: pdp.Allow}); d.Effect == pdp.Allow {
						t.Error("allowed after the acknowledgement")
					}
					return
				default:
					r.act(pdp.Verdict{Effect: pdp.Allow})
				}
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	r.order(pdp.CloseSession, id, "")
	close(closed)
	wait.Wait()
	behind, denials := false, 0
	err := r.store.Entries(t.Context(), 0, func(at state.Position, e *state.Entry) error {
		switch {
		case e.Ordering != nil:
			behind = true
			if o := e.Ordering; !strings.HasPrefix(o.ID, "o_") || o.Order.Reason != "looked at" || o.Order.Actor != "ada" || o.Order.Session != id {
				t.Errorf("the order does not say what, who and why: %+v", o)
			}
		case behind && e.Record.Effect == pdp.Allow:
			t.Errorf("at %d an allow stands behind the order", at)
		case behind:
			denials++
		}
		return nil
	})
	if err != nil || denials < 8 {
		t.Errorf("%d denials behind the order, want one of each who asked: %v", denials, err)
	}
}
