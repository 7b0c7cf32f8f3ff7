package state_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// usual is what a policy does with an action that is neither rare nor new.
func usual(i int) question {
	q := question{path: fmt.Sprint("/", i%40), tool: fmt.Sprint("tool", i%20)}
	q.verdict = pdp.Verdict{
		Effect:  pdp.Allow,
		Charges: []pdp.Charge{{Budget: "life", N: 1}, {Budget: "window", N: 1}},
		Remember: []pdp.Memo{
			{Fact: "last", Key: []value.Value{value.Int(int64(i % 8))}, On: pdp.OnDone},
			{Fact: "ring", Key: []value.Value{value.Int(int64(i % 8))}, On: pdp.OnAllowed},
		},
	}
	return q
}

func generous() *pdp.Declarations {
	d := standard()
	for _, b := range d.Budgets {
		b.Limit = 1 << 30
	}
	return d
}

// Invariant 11: a turn costs the same at action 10 and at action 10,000. Read
// is all that a policy can read; what is settled is settled.
func TestCostDoesNotGrowWithHistory(t *testing.T) {
	r := newRoom(t, plan{declared: generous(), segment: 16 << 20})
	i := 0
	play := func() {
		d, _ := r.ask(usual(i))
		r.settle(d.ID, pdp.OutcomeDone)
		r.wait(100 * time.Millisecond)
		i++
	}
	read := func() {
		c := r.newCase(usual(i))
		turn, err := r.history.Begin(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		defer turn.Release()
		s := turn.View(c)
		for _, v := range []value.Value{s.Session, s.Activity, s.Memory, s.Budgets} {
			value.AppendJSON(nil, v)
		}
	}
	for i < 200 { // every path, tool, key and window has been met
		play()
	}
	allocations, reading, size := testing.AllocsPerRun(100, play), testing.AllocsPerRun(100, read), len(r.partition())
	for i < 10_000 {
		play()
	}
	if later := testing.AllocsPerRun(100, play); later > allocations*1.1+1 {
		t.Errorf("a turn allocates %v times at action 10,000, %v at action 200", later, allocations)
	}
	if later := testing.AllocsPerRun(100, read); later > reading*1.1+1 {
		t.Errorf("reading allocates %v times at action 10,000, %v at action 200", later, reading)
	}
	if later := len(r.partition()); float64(later) > float64(size)*1.25 {
		t.Errorf("the partition is %d bytes at action 10,000, %d at action 200", later, size)
	}
}

// A session of 8 actions is at most 1 KB.
func TestASmallSessionIsSmall(t *testing.T) {
	r := newRoom(t, plan{declared: &pdp.Declarations{Budgets: map[string]*pdp.Budget{"life": standard().Budgets["life"]}}}).claim("s0")
	r.allowed()
	before := len(r.partition())
	r.claim("s")
	for i := range 8 {
		d, _ := r.ask(question{path: fmt.Sprint("/", i%3), verdict: charges("life", 1)})
		r.settle(d.ID, pdp.OutcomeDone)
	}
	if size := len(r.partition()) - before; size > 1024 {
		t.Errorf("a session of 8 actions takes %d bytes", size)
	}
}

// Whatever one agent does in a session, with names as long as it likes, what is
// remembered of it is at most 0.5 MB.
func TestStateIsBounded(t *testing.T) {
	r := newRoom(t, plan{declared: generous(), segment: 64 << 20}).claim("s")
	long := strings.Repeat("long", 1000)
	most := 0
	for i := range 3000 {
		q := usual(i)
		name := fmt.Sprint(long, i)
		q.path, q.tool = "/"+name, name
		q.target = pdp.Target{ID: name, System: fmt.Sprint("system", i), Resource: name}
		q.verdict.Labels = []string{fmt.Sprint("label", i)}
		q.verdict.Remember[0].Key[0] = value.Str(name)
		q.verdict.Remember[0].Values = []value.Value{value.Str(name)}
		r.agent.Credential.Fingerprint = fmt.Sprintf("%022d", i)
		d, _ := r.ask(q)
		if d.Effect != pdp.Allow {
			t.Fatalf("denied: %+v", d.Reasons)
		}
		if i%2 == 0 {
			r.ask(question{path: q.path, tool: name, target: q.target, verdict: pdp.Verdict{}})
		}
		r.settle(d.ID, pdp.OutcomeDone)
		if i%100 == 99 {
			most = max(most, len(r.partition()))
		}
	}
	if most > 32<<10 {
		t.Errorf("the partition grew to %d bytes", most)
	}
	t.Logf("at most %d bytes", most)
}

// What is in flight is bounded too: beyond it an allow is refused, with when to
// try again, and nothing that was charged or noted is forgotten.
func TestFlightsAreBounded(t *testing.T) {
	r := newRoom(t, plan{declared: generous(), segment: 16 << 20})
	first, _ := r.ask(usual(0))
	refused := pdp.Decision{}
	n := int64(1)
	for ; n < 5000; n++ {
		if refused, _ = r.ask(usual(int(n))); refused.Effect != pdp.Allow {
			break
		}
	}
	if n != 4096 || refused.Class != pdp.Unavailable || refused.Reasons[0].Code != pdp.CodeStateFull || refused.Retry == 0 {
		t.Fatalf("after %d in flight: %+v", n, refused)
	}
	r.wait(r.settings.OutcomeTimeout + 1) // they are unknown now, and make room
	if d, _ := r.ask(usual(0)); d.Effect != pdp.Allow {
		t.Fatalf("denied: %+v", d.Reasons)
	}
	if got := r.budget("life"); got != [2]int64{0, n + 1} {
		t.Errorf("lo, hi = %v, want 0, %d", got, n+1)
	}
	partition, err := r.ids.Partition(first.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.history.Resume(t.Context(), r.declared, partition, first.ID); err == nil {
		t.Error("the oldest is still waited for")
	}
}
