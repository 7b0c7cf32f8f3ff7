package state_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/value"
)

func labelling(names ...string) pdp.Verdict { return pdp.Verdict{Effect: pdp.Allow, Labels: names} }

// labelled reports which of the two places has a label.
func (r *room) labelled(name string) (session, past bool) {
	r.t.Helper()
	s := r.view(question{})
	return s.Session.Path("labels", name).Defined(), s.Activity.Path("past_labels", name).Defined()
}

func (r *room) expectLabel(when, name string, session, past bool) {
	r.t.Helper()
	if s, p := r.labelled(name); s != session || p != past {
		r.t.Errorf("%s: in the session %v, past %v; want %v, %v", when, s, p, session, past)
	}
}

func TestLabelsSpread(t *testing.T) {
	r := newRoom(t, plan{})
	r.claim("before").allowed()
	r.wait(time.Minute)
	r.claim("one").act(labelling("secret"))
	r.expectLabel("its own session", "secret", true, false)
	r.claim("before").expectLabel("a session open before", "secret", true, false)
	r.claim("after").expectLabel("a session that would begin", "secret", true, false)
	r.allowed()
	r.expectLabel("a session begun after", "secret", true, false)
	r.claim("").expectLabel("the agent's own", "secret", true, false)
	r.agent = pdp.Agent{ID: "other", Issuer: "idp", Chain: []pdp.Principal{{ID: "agent", Issuer: "idp"}}}
	r.expectLabel("another agent of the person", "secret", false, false)
}

// A label that the target adds, and one that an outcome brings, are labels like
// any other, and say where they come from.
func TestLabelsFromTargetAndOutcome(t *testing.T) {
	r := newRoom(t, plan{}).claim("s")
	d, _ := r.ask(question{verdict: pdp.Verdict{Effect: pdp.Allow}, target: pdp.Target{ID: "t", System: "mail", Adds: []string{"untrusted-content"}}})
	r.settle(d.ID, pdp.OutcomeDone, pdp.Effects{Labels: []string{"pii"}})
	labels := r.view(question{}).Session.Get("labels")
	r.expect(labels.Get("untrusted-content"), map[string]any{"source": `"mail"`, "action": 1})
	r.expect(labels.Get("pii"), map[string]any{"source": `"outcome"`, "action": 2})
	r.claim("other").expectLabel("another session", "pii", true, false)
}

// Labels do not end by age inside a session; they reach what begins within the
// carry time of the last one, and are past labels later.
func TestLabelsCarry(t *testing.T) {
	for _, c := range []struct {
		after         time.Duration
		session, past bool
	}{
		{24 * time.Hour, true, false}, // at exactly the carry time
		{24*time.Hour + 1, false, true},
		{10 * 24 * time.Hour, false, true},
	} {
		r := newRoom(t, plan{})
		r.act(labelling("secret"))
		r.wait(29 * time.Minute)
		r.allowed() // of its last action, not of the label
		r.wait(c.after)
		r.expectLabel(fmt.Sprint("asked before the session begins, after ", c.after), "secret", c.session, c.past)
		r.allowed()
		r.expectLabel(fmt.Sprint("in the new session, after ", c.after), "secret", c.session, c.past)
		r.wait(25 * time.Minute)
		r.allowed()
		r.expectLabel(fmt.Sprint("later in it, after ", c.after), "secret", c.session, c.past)
	}
}

// A session that lasts longer than labels carry takes none of them with it when
// it ends: who waited in it has shed nothing.
func TestLabelsCarryFromTheEndOfASession(t *testing.T) {
	settings := state.Defaults
	settings.MaxAge, settings.Carry = 48*time.Hour, 24*time.Hour
	for _, c := range []struct {
		after         time.Duration
		session, past bool
	}{{time.Nanosecond, true, false}, {24 * time.Hour, true, false}, {24*time.Hour + 1, false, true}} {
		r := newRoom(t, plan{settings: settings}).claim("s")
		r.act(labelling("secret"))
		r.wait(48*time.Hour + c.after)
		r.claim("other").expectLabel(fmt.Sprint("asked before the session begins, after ", c.after), "secret", c.session, c.past)
		r.allowed()
		r.expectLabel(fmt.Sprint("in the new session, after ", c.after), "secret", c.session, c.past)
	}
}

func TestLabelsDoNotAgeInASession(t *testing.T) {
	settings := state.Defaults
	settings.MaxAge, settings.Carry = 100*24*time.Hour, time.Hour
	r := newRoom(t, plan{settings: settings}).claim("s")
	r.act(labelling("secret"))
	r.wait(50 * 24 * time.Hour)
	r.expectLabel("after 50 days", "secret", true, false)
	r.claim("other").expectLabel("beside a session that is open", "secret", true, false)
}

// A session that was admitted alone sheds what came before it, and nothing that
// comes after: neither a new label nor an old one that comes in again.
func TestInheritNone(t *testing.T) {
	r := newRoom(t, plan{}).claim("one")
	r.act(labelling("old"))
	r.wait(time.Second)
	r.admission.InheritNone = true
	r.claim("alone").allowed()
	r.admission.InheritNone = false
	r.expectLabel("in the session alone", "old", false, false)
	r.claim("third").expectLabel("in a session begun meanwhile", "old", true, false)
	r.wait(time.Second)
	r.claim("one").act(labelling("new"))
	r.claim("alone").expectLabel("after another session got it", "new", true, false)
	r.claim("one").act(labelling("old"))
	r.claim("alone").expectLabel("after another session got it again", "old", true, false)
}

// Labels beyond the bound are one label that says so, past ones too, and the
// same ones on every replay.
func TestTooManyLabels(t *testing.T) {
	r := newRoom(t, plan{})
	for round := range 3 {
		for i := range 30 {
			r.act(labelling(fmt.Sprintf("l%d-%d", round, i)))
		}
		r.expectLabel(fmt.Sprint("after ", 30*(round+1)), state.LabelOverflow, round == 2, false)
	}
	r.wait(10 * 24 * time.Hour)
	r.allowed()
	r.expectLabel("past", state.LabelOverflow, false, true)
	for i := range 64 {
		r.act(labelling(fmt.Sprintf("m%d", i)))
	}
	r.wait(10 * 24 * time.Hour)
	r.allowed()
	before := string(r.partition())
	for range 5 {
		r.close()
		r.forgetSnapshots()
		r.open()
		if string(r.partition()) != before {
			t.Fatal("replaying gives another state")
		}
	}
	n := 0
	r.view(question{}).Activity.Get("past_labels").Range(func(string, value.Value) bool { n++; return true })
	if n > 65 {
		t.Errorf("%d past labels", n)
	}
}

// Denied actions leave no label, whatever their verdict says.
func TestDenialsLeaveNoLabel(t *testing.T) {
	r := newRoom(t, plan{})
	for _, effect := range []pdp.Effect{pdp.Deny, pdp.Challenge} {
		r.ask(question{verdict: pdp.Verdict{Effect: effect, Labels: []string{"x"}}, target: pdp.Target{ID: "t", Adds: []string{"x"}}})
	}
	v := charges("life", 11)
	v.Labels = []string{"x"}
	r.act(v)
	r.expectLabel("after denials", "x", false, false)
}
