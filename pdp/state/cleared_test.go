package state_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// begin begins a session of a claim, or goes on with it, and returns its id.
func (r *room) begin(claim string, labels ...string) string {
	r.t.Helper()
	r.wait(time.Second)
	return r.claim(claim).act(labelling(labels...)).Session
}

// expectLabels checks which sessions, by their claims, have a label.
func (r *room) expectLabels(when, label string, want map[string]bool) {
	r.t.Helper()
	for claim, has := range want {
		r.claim(claim).expectLabel(when+", session "+claim, label, has, false)
	}
}

// keptBy is who keeps a label that was cleared off a session, and whether the
// agent carries it.
func (r *room) keptBy(session, label string) (ids []string, carried bool) {
	r.t.Helper()
	held, err := r.store.Acquire(context.Background(), r.keys.Partition(r.agent.Root()))
	if err != nil {
		r.t.Fatal(err)
	}
	defer held.Release()
	return held.State().KeptBy(session, label), held.State().Carried(session, label)
}

// A label that an operator clears is off the session, off every session that it
// had only reached, and off those that begin later; its other labels stay.
func TestAClearedLabelIsOff(t *testing.T) {
	r := newRoom(t, plan{})
	r.begin("reached")
	id := r.begin("s", "secret", "pii")
	r.order(pdp.ClearLabel, id, "secret")
	r.everywhere(func(when string) {
		r.expectLabels(when, "secret", map[string]bool{"s": false, "reached": false, "later": false, "": false})
		r.expectLabels(when, "pii", map[string]bool{"s": true, "reached": true, "later": true, "": true})
	})
	if ids, carried := r.keptBy(id, "secret"); len(ids) > 0 || carried {
		t.Errorf("kept by %v, carried %v", ids, carried)
	}
	r.begin("later")
	r.wait(30 * time.Hour)
	r.claim("much later").expectLabel("it is no past label either", "secret", false, false)
}

// Another session that picked the label up itself keeps it, and the agent
// carries it from there: clearing one session sheds nothing that came in
// elsewhere. On the session that was looked at it does not come back.
func TestAnotherSessionKeepsWhatItPickedUp(t *testing.T) {
	for _, over := range []bool{false, true} {
		t.Run(fmt.Sprintf("which is over: %v", over), func(t *testing.T) {
			r := newRoom(t, plan{})
			other := r.begin("other", "secret")
			if over {
				r.act(pdp.Verdict{Effect: pdp.Allow, Session: pdp.Directive{Close: true}})
			}
			r.begin("reached")
			id := r.begin("s", "secret")
			r.order(pdp.ClearLabel, id, "secret")
			r.everywhere(func(when string) {
				r.expectLabels(when, "secret", map[string]bool{"s": false, "other": true, "reached": true, "later": true})
			})
			if ids, carried := r.keptBy(id, "secret"); !slices.Equal(ids, []string{other}) || !carried {
				t.Errorf("kept by %v, carried %v, want %s", ids, carried, other)
			}
			r.order(pdp.ClearLabel, other, "secret") // also off one that is over
			r.expectLabels("cleared off both", "secret", map[string]bool{"s": false, "other": false, "reached": false, "later": false})
		})
	}
}

// What comes in after a label was cleared is no less a label: in the session, by
// an outcome of what was in flight, or in another session of the agent.
func TestAClearedLabelComesInAgain(t *testing.T) {
	for name, again := range map[string]func(r *room, flight string){
		"in the session":     func(r *room, _ string) { r.begin("s", "secret") },
		"by an outcome":      func(r *room, id string) { r.settle(id, pdp.OutcomeDone, pdp.Effects{Labels: []string{"secret"}}) },
		"in another session": func(r *room, _ string) { r.begin("other", "secret") },
		"in a new session":   func(r *room, _ string) { r.begin("new", "secret") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t, plan{})
			r.begin("other", "secret")
			id := r.begin("s", "secret")
			flight := r.allowed().ID
			r.order(pdp.ClearLabel, id, "secret")
			r.expectLabels("cleared", "secret", map[string]bool{"s": false})
			again(r, flight)
			r.everywhere(func(when string) { r.expectLabels(when, "secret", map[string]bool{"s": true}) })
			r.order(pdp.ClearLabel, id, "secret")
			r.expectLabels("cleared once more", "secret", map[string]bool{"s": false})
		})
	}
}

// A label that reached the session from one that is not remembered any more is
// cleared like its own.
func TestACarriedLabelIsCleared(t *testing.T) {
	r := newRoom(t, plan{}).claim("")
	r.settle(r.act(labelling("secret")).ID, pdp.OutcomeDone)
	r.wait(time.Hour) // the agent's own session is over, and gives way
	id := r.session()
	r.expectLabel("carried", "secret", true, false)
	r.order(pdp.ClearLabel, id, "secret")
	r.everywhere(func(when string) { r.expectLabels(when, "secret", map[string]bool{"": false, "another": false}) })
}

// A session that was admitted alone never had what its agent carried before:
// clearing its own label leaves that to the others.
func TestClearingASessionAlone(t *testing.T) {
	r := newRoom(t, plan{}).claim("")
	r.settle(r.act(labelling("secret")).ID, pdp.OutcomeDone)
	r.wait(time.Hour)
	r.allowed() // the one that picked it up is forgotten
	r.admission.InheritNone = true
	id := r.begin("alone", "secret")
	r.admission.InheritNone = false
	r.order(pdp.ClearLabel, id, "secret")
	r.everywhere(func(when string) {
		r.expectLabels(when, "secret", map[string]bool{"alone": false, "": true, "later": true})
	})
	if ids, carried := r.keptBy(id, "secret"); len(ids) > 0 || !carried {
		t.Errorf("kept by %v, carried %v", ids, carried)
	}
	r.begin("other", "secret")
	r.expectLabels("picked up elsewhere since", "secret", map[string]bool{"alone": true})
}

// A session with more labels than are kept by name may have picked any label up
// itself.
func TestASessionWithTooManyLabelsKeepsAny(t *testing.T) {
	r := newRoom(t, plan{})
	id := r.begin("s", "secret")
	for i := range 65 {
		r.begin("full", fmt.Sprintf("l%d", i))
	}
	full := r.begin("full", "secret")
	r.order(pdp.ClearLabel, id, "secret")
	r.expectLabels("cleared", "secret", map[string]bool{"s": false, "later": true})
	if ids, _ := r.keptBy(id, "secret"); !slices.Equal(ids, []string{full}) {
		t.Errorf("kept by %v, want %s", ids, full)
	}
}

// What is remembered of clearing does not grow with it: no more than there are
// labels that the agent still carries.
func TestWhatWasClearedIsBounded(t *testing.T) {
	r := newRoom(t, plan{})
	id, other := r.begin("s"), r.begin("other")
	for round := range 3 {
		for i := range 60 {
			label := fmt.Sprintf("l%d-%d", round, i)
			r.begin("other", label)
			r.order(pdp.ClearLabel, id, label)
		}
		for i := range 60 {
			r.order(pdp.ClearLabel, other, fmt.Sprintf("l%d-%d", round, i))
		}
	}
	r.begin("other", "last")
	r.order(pdp.ClearLabel, id, "last")
	held, err := r.store.Acquire(t.Context(), r.keys.Partition(r.agent.Root()))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	if cleared := held.State().Sessions[id].Cleared; len(cleared) != 1 || cleared[0].Label != "last" {
		t.Errorf("%d labels are remembered as cleared", len(cleared))
	}
}

// Nobody but an operator takes a label off: a repeated order finds none, and one
// about another agent's session changes nothing of this one's.
func TestClearingIsOfOneAgent(t *testing.T) {
	r := newRoom(t, plan{})
	r.agent.Chain = []pdp.Principal{{ID: "ada"}}
	id := r.begin("s", "secret")
	r.agent.ID = "other"
	others := r.begin("s", "secret")
	r.order(pdp.ClearLabel, others, "secret")
	if err := r.tryOrder(pdp.ClearLabel, others, "secret"); !errors.Is(err, pdp.ErrNoSuchLabel) {
		t.Errorf("once more: %v", err)
	}
	r.agent.ID = "agent"
	r.expectLabels("the other agent's", "secret", map[string]bool{"s": true, "later": true})
	if ids, _ := r.keptBy(id, "secret"); len(ids) > 0 {
		t.Errorf("kept by %v", ids)
	}
}
