package state_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

func check(id string, digest byte, trusted bool) question {
	return question{digest: digest, verdict: charges("life", 1), envelope: pdp.Envelope{
		Proxy: "envoy", HTTPID: id, Sent: time.Unix(1_800_000_000, 7), TrustID: trusted}}
}

// Invariant 10, with everything an answer has: a repeated check gets it again.
func TestTheRecordedAnswerIsWhole(t *testing.T) {
	r := newRoom(t, plan{})
	q := check("7", 1, true)
	turn := func() (pdp.Decision, pdp.Snapshot) {
		c := r.newCase(q)
		turn, err := r.history.Begin(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		defer turn.Release()
		s := turn.View(c)
		if s.Recorded != nil {
			return *s.Recorded, s
		}
		c.Verdict, c.Admission = q.verdict, &pdp.Admission{Admit: true}
		d, err := turn.Commit(context.Background(), c, pdp.Decision{
			ID: r.ids.New(c.Partition), Effect: pdp.Allow, Digest: c.Request.Digest, Generation: "g1",
			Reasons: []pdp.Reason{{Code: "a", Message: "b", Controls: []string{"ASI02"}}},
			Response: pdp.Response{Headers: pdp.Headers{{Name: "x-a", Value: "1"}}, ResponseHeaders: pdp.Headers{{Name: "x-b", Value: "2"}},
				RemoveHeaders: []string{"x-c"}, SetQuery: pdp.Headers{{Name: "q", Value: "3"}}, RemoveQuery: []string{"r"}},
			Metadata: value.Obj(value.M("m", value.Int(1))),
		})
		if err != nil {
			t.Fatal(err)
		}
		return d, s
	}
	first, _ := turn()
	again, s := turn()
	if s.Recorded == nil {
		t.Fatal("the check was not recognised")
	}
	text := func(d pdp.Decision) string {
		metadata := string(value.AppendJSON(nil, d.Metadata))
		d.Metadata = value.Nothing
		return strings.Join([]string{d.ID, d.Effect.String(), d.Session, d.Generation, string(d.Digest[:]), metadata,
			d.Reasons[0].Code, d.Reasons[0].Message, d.Reasons[0].Controls[0],
			d.Response.Headers[0].Value, d.Response.ResponseHeaders[0].Value, d.Response.RemoveHeaders[0],
			d.Response.SetQuery[0].Value, d.Response.RemoveQuery[0]}, "|")
	}
	if text(first) != text(again) {
		t.Errorf("first %s\nagain %s", text(first), text(again))
	}
}

// Invariant 10 under concurrency: one check asked many times at once is one
// action with one charge.
func TestOneCheckManyTimesIsOneAction(t *testing.T) {
	r := newRoom(t, plan{})
	var wait sync.WaitGroup
	var mu sync.Mutex
	ids := make(map[string]int)
	for range 32 {
		wait.Go(func() {
			d, _, err := r.decide(t.Context(), check("7", 1, true))
			if err != nil || d.Effect != pdp.Allow {
				t.Errorf("%+v %v", d, err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[d.ID]++
		})
	}
	wait.Wait()
	if got := r.budget("life"); len(ids) != 1 || got != [2]int64{0, 1} {
		t.Errorf("%d actions, lo, hi = %v", len(ids), got)
	}
}

func TestWhatMakesACheckTheSame(t *testing.T) {
	same := check("7", 1, true)
	for name, c := range map[string]struct {
		change func(*question)
		code   string // of the refusal; "" is a new action
	}{
		"another digest": {func(q *question) { q.digest = 2 }, pdp.CodeRepeatedCheck},
		"another id":     {func(q *question) { q.envelope.HTTPID = "8" }, ""},
		"another proxy":  {func(q *question) { q.envelope.Proxy = "other" }, ""},
		"another time":   {func(q *question) { q.envelope.Sent = q.envelope.Sent.Add(1) }, ""},
		"no id":          {func(q *question) { q.envelope.HTTPID = "" }, ""},
		"a caller's id":  {func(q *question) { q.envelope.TrustID = false }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t, plan{})
			first, _ := r.ask(same)
			q := same
			c.change(&q)
			d, _ := r.ask(q)
			switch {
			case c.code == "" && (d.ID == first.ID || d.Effect != pdp.Allow):
				t.Errorf("it was taken for the same: %+v", d)
			case c.code != "" && (d.Effect == pdp.Allow || d.Reasons[0].Code != c.code):
				t.Errorf("got %+v, want %s", d, c.code)
			}
		})
	}
}

// After its settlement, whatever it was, a check is a new action; one that is
// long unknown is still the same.
func TestACheckEndsWithItsSettlement(t *testing.T) {
	for _, s := range []pdp.OutcomeState{pdp.OutcomeDone, pdp.OutcomeFailed, pdp.OutcomeUnknown} {
		r := newRoom(t, plan{})
		first, _ := r.ask(check("7", 1, true))
		r.wait(10 * time.Minute)
		if again, _ := r.ask(check("7", 1, true)); again.ID != first.ID {
			t.Error("an action that is not settled began again")
		}
		r.settle(first.ID, s)
		if again, _ := r.ask(check("7", 1, true)); again.ID == first.ID {
			t.Errorf("after %s it was not a new action", s)
		}
		if other, _ := r.ask(check("7", 2, true)); other.Effect == pdp.Allow {
			t.Errorf("after %s the new action may be changed", s)
		}
	}
}

// An answer that is too long to keep is not made up: the repeated check waits.
func TestATooLongAnswerIsPending(t *testing.T) {
	r := newRoom(t, plan{})
	c := r.newCase(check("7", 1, true))
	turn, err := r.history.Begin(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	c.Admission = &pdp.Admission{Admit: true}
	d := pdp.Decision{ID: r.ids.New(c.Partition), Effect: pdp.Allow, Digest: c.Request.Digest}
	d.Response.Headers = pdp.Headers{{Name: "x", Value: strings.Repeat("x", 5000)}}
	if _, err := turn.Commit(t.Context(), c, d); err != nil {
		t.Fatal(err)
	}
	turn.Release()
	if d, _ := r.ask(check("7", 1, true)); d.Effect == pdp.Allow || d.Class != pdp.Pending {
		t.Errorf("got %+v", d)
	}
}

// A check without a key in flight beside one with a key, over a restart.
func TestChecksSurviveARestart(t *testing.T) {
	r := newRoom(t, plan{})
	r.ask(check("6", 1, false)) // no key: nothing is kept to recognise it by
	r.close()
	r.open()
	first, _ := r.ask(check("7", 1, true))
	r.close()
	r.open()
	if again, _ := r.ask(check("7", 1, true)); again.ID != first.ID {
		t.Error("the check in flight was forgotten")
	}
	r.settle(first.ID, pdp.OutcomeDone)
	partition, err := r.ids.Partition(first.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.history.Resume(t.Context(), r.declared, partition, first.ID); !errors.Is(err, pdp.ErrNotInFlight) {
		t.Errorf("settled twice: %v", err)
	}
}
