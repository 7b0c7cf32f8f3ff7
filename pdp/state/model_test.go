package state_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// The model remembers every event of a history for ever. What the state, with
// its bounds, says of any window must never contradict it: what it says surely
// happened did, and what it says cannot have happened did not.

type event struct {
	at      int64
	key     string
	number  int64
	on      pdp.When
	id      string
	settled pdp.OutcomeState // "" while nothing was heard, or nothing is awaited
}

// truth is how often, and with what sum, the events of a key stand within a
// window: for certain, and when everything not heard of stands too.
func truth(events []event, key string, now, window int64) (sure, possible [2]float64) {
	for _, e := range events {
		if e.key != key || now-e.at > window {
			continue
		}
		stands, may := true, true
		switch {
		case e.on == pdp.OnAllowed:
		case e.settled == "" || e.settled == pdp.OutcomeUnknown:
			stands = false
		default:
			stands = (e.on == pdp.OnDone) == (e.settled == pdp.OutcomeDone)
			may = stands
		}
		if stands {
			sure[0], sure[1] = sure[0]+1, sure[1]+float64(e.number)
		}
		if may {
			possible[0], possible[1] = possible[0]+1, possible[1]+float64(e.number)
		}
	}
	return sure, possible
}

// reading is what the policy library makes of a cell (policies/remit/history.rego):
// count and sum that are certain, and count and sum at most.
func reading(t *testing.T, cell value.Value, now, window int64) (lo, hi [2]float64) {
	start := now - window
	whole := func(names ...string) int64 { return whole(t, cell.Path(names...)) }
	lost, from := whole("lost_until_ns"), whole("complete_from_ns")
	incomplete := (lost > 0 && lost >= start) || (from > 0 && from > start) || window > whole("ttl_ns")
	if cell.Get("kind").Text() == "last" {
		settled, _ := cell.Get("settled").Bool()
		if settled && whole("settled_at_ns") >= start {
			lo[0] = 1
		}
		hi = lo
		if whole("pending")+whole("unknown") > 0 && whole("latest_at_ns") >= start {
			hi[0] = 1
		}
	} else {
		for _, e := range cell.Get("entries").Items() {
			if at, _ := e.Get("at_ns").Int(); at >= start {
				n, _ := e.Get("value").Int()
				hi[0], hi[1] = hi[0]+1, hi[1]+float64(n)
				if e.Get("state").Text() == "settled" {
					lo[0], lo[1] = lo[0]+1, lo[1]+float64(n)
				}
			}
		}
		if whole("residue", "latest_at_ns") >= start {
			hi[0] += float64(whole("residue", "count"))
			hi[1] += float64(whole("residue", "sum"))
		}
	}
	if incomplete {
		hi = [2]float64{math.Inf(1), math.Inf(1)}
	}
	return lo, hi
}

// Random histories of one fact and one budget, whatever kind, bounds, keys and
// outcomes: lo ≤ truth ≤ hi, at every moment, for every window.
func TestNeverContradictsTheModel(t *testing.T) {
	r := newRoom(t, plan{segment: 16 << 20})
	for _, kind := range []pdp.FactKind{pdp.FactLast, pdp.FactRing} {
		for seed := range uint64(12) {
			t.Run(fmt.Sprint(kind, seed), func(t *testing.T) {
				r.t = t
				r.agent = pdp.Agent{ID: t.Name()} // another partition
				contradict(t, r, kind, rand.New(rand.NewPCG(seed, uint64(len(kind)))))
			})
		}
	}
}

type history struct {
	*room
	kind    pdp.FactKind
	random  *rand.Rand
	window  time.Duration // of the budget
	facts   []event
	charges []event
	open    []string
	told    int // readings that were not "anything is possible"
}

func contradict(t *testing.T, r *room, kind pdp.FactKind, random *rand.Rand) {
	h := &history{room: r, kind: kind, random: random, window: time.Duration(random.IntN(3)) * 10 * time.Minute}
	r.declared = &pdp.Declarations{
		Facts: map[string]*pdp.Fact{"f": {Name: "f", Kind: kind, Scope: pdp.PerPartition, TTL: 30 * time.Minute,
			Keys: 2 + random.IntN(4), Ring: 1 + random.IntN(6), Lookup: map[string][][]string{"here": {{"request", "path"}}}}},
		Budgets: map[string]*pdp.Budget{"b": {Name: "b", Scope: pdp.PerPartition, Limit: 1 << 30, Window: h.window, KeepOnFailure: random.IntN(2) == 0}},
	}
	for range 250 {
		switch h.random.IntN(4) {
		case 0:
			r.wait(time.Duration(random.Int64N(int64(3 * time.Minute))))
		case 1:
			h.hear()
		default:
			h.note()
		}
		h.check(t)
	}
	if h.told < 100 {
		t.Errorf("%d readings said anything: the bounds hide everything", h.told)
	}
}

func (h *history) note() {
	key := fmt.Sprint("/", h.random.IntN(5))
	on := []pdp.When{pdp.OnAllowed, pdp.OnDone, pdp.OnFailed}[h.random.IntN(3)]
	n, charged := h.random.Int64N(5), 1+h.random.Int64N(4)
	q := remembering("f", key, on)
	q.verdict.Remember[0].Values = []value.Value{value.Int(n)}
	q.verdict.Charges = []pdp.Charge{{Budget: "b", N: charged}}
	d, _ := h.ask(q)
	if d.Effect != pdp.Allow {
		h.t.Fatalf("denied: %+v", d.Reasons)
	}
	h.facts = append(h.facts, event{at: h.now().UnixNano(), key: key, number: n, on: on, id: d.ID})
	on = pdp.OnDone
	if h.declared.Budgets["b"].KeepOnFailure {
		on = "either"
	}
	h.charges = append(h.charges, event{at: h.now().UnixNano(), number: charged, on: on, id: d.ID})
	h.open = append(h.open, d.ID)
}

// hear settles an action in flight, not always the oldest.
func (h *history) hear() {
	if len(h.open) == 0 {
		return
	}
	i := h.random.IntN(len(h.open))
	id := h.open[i]
	h.open = append(h.open[:i], h.open[i+1:]...)
	partition, err := h.ids.Partition(id)
	if err != nil {
		h.t.Fatal(err)
	}
	s, err := h.history.Resume(h.t.Context(), h.declared, partition, id)
	if err != nil {
		return // it was given up on
	}
	s.Release()
	outcome := []pdp.OutcomeState{pdp.OutcomeDone, pdp.OutcomeDone, pdp.OutcomeFailed, pdp.OutcomeUnknown}[h.random.IntN(4)]
	h.settle(id, outcome)
	for _, events := range [][]event{h.facts, h.charges} {
		for i := range events {
			if events[i].id == id {
				events[i].settled = outcome
				if events[i].on == "either" && outcome != pdp.OutcomeUnknown {
					events[i].settled = pdp.OutcomeDone
					events[i].on = pdp.OnDone
				}
			}
		}
	}
}

func (h *history) check(t *testing.T) {
	t.Helper()
	now := h.now().UnixNano()
	key := fmt.Sprint("/", h.random.IntN(5))
	s := h.view(question{path: key})
	cell := s.Memory.Path("f", "here")
	for _, w := range []time.Duration{0, time.Second, time.Minute, 10 * time.Minute, 30 * time.Minute} {
		window := int64(w)
		if events := h.facts; h.random.IntN(2) == 0 && len(events) > 0 { // exactly at the age of an event
			window = min(now-events[h.random.IntN(len(events))].at, int64(30*time.Minute))
		}
		lo, hi := reading(t, cell, now, window)
		sure, possible := truth(h.facts, key, now, window)
		if h.kind == pdp.FactLast { // it says whether, not how often
			sure, possible = [2]float64{min(sure[0], 1)}, [2]float64{min(possible[0], 1)}
		}
		for i, what := range []string{"count", "sum"} {
			if lo[i] > sure[i] || possible[i] > hi[i] {
				t.Fatalf("%s of %s within %v: read %v to %v, surely %v, possibly %v\n%s",
					what, key, time.Duration(window), lo[i], hi[i], sure[i], possible[i], value.AppendJSON(nil, cell))
			}
		}
		if !math.IsInf(hi[0], 1) {
			h.told++
		}
	}
	window := int64(h.window)
	if window == 0 {
		window = math.MaxInt64
	}
	sure, possible := truth(h.charges, "", now, window)
	lo, hi := whole(t, s.Budgets.Path("b", "lo")), whole(t, s.Budgets.Path("b", "hi"))
	if float64(lo) > sure[1] || possible[1] > float64(hi) {
		t.Fatalf("the budget: read %d to %d, surely %v, possibly %v", lo, hi, sure[1], possible[1])
	}
}
