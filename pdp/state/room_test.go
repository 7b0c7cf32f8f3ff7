package state_test

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
	"github.com/remit-pdp/remit/pdp/state/localstore"
	"github.com/remit-pdp/remit/pdp/state/statetest"
	"github.com/remit-pdp/remit/pdp/value"
)

// A plan is what a room is made with; the zero plan is the usual.
type plan struct {
	settings state.Settings
	declared *pdp.Declarations
	observe  pdp.Observe
	segment  int64 // bytes
}

// A room is a history over a real store, driven turn by turn: no reader,
// verifier or policy stands between a test and the state.
type room struct {
	t       testing.TB
	dir     string
	store   *localstore.Store
	faulty  *statetest.Faulty
	history *state.History
	keys    *pdp.Keys
	ids     *pdp.IDs
	clock   atomic.Int64
	plan
	gen string

	mu    sync.Mutex
	agent pdp.Agent
	// admission is what the policy says of a session that would begin.
	admission pdp.Admission
}

// facts and budgets that tests share. Keys are clear, to be told apart.
func standard() *pdp.Declarations {
	lookup := map[string][][]string{"here": {{"request", "path"}}}
	return &pdp.Declarations{
		Facts: map[string]*pdp.Fact{
			"last": {Name: "last", Kind: pdp.FactLast, Scope: pdp.PerSession, TTL: time.Hour, Keys: 8, Clear: true, Lookup: lookup},
			"ring": {Name: "ring", Kind: pdp.FactRing, Scope: pdp.PerAgent, TTL: time.Hour, Keys: 8, Ring: 4, Clear: true, Lookup: lookup},
			"hash": {Name: "hash", Kind: pdp.FactLast, Scope: pdp.PerPartition, TTL: time.Hour, Keys: 8, Lookup: lookup},
		},
		Budgets: map[string]*pdp.Budget{
			"life":   {Name: "life", Scope: pdp.PerSession, Limit: 10},
			"kept":   {Name: "kept", Scope: pdp.PerAgent, Limit: 10, KeepOnFailure: true},
			"window": {Name: "window", Scope: pdp.PerPartition, Limit: 10, Window: 16 * time.Minute},
		},
	}
}

func newRoom(t testing.TB, p plan) *room {
	t.Helper()
	made := &room{t: t, dir: t.TempDir(), plan: p, gen: "g1",
		agent: pdp.Agent{ID: "agent", Issuer: "idp"}, admission: pdp.Admission{Admit: true}}
	if made.settings == (state.Settings{}) {
		made.settings = state.Defaults
	}
	if made.declared == nil {
		made.declared = standard()
	}
	if made.segment == 0 {
		made.segment = 4 << 20
	}
	made.clock.Store(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	seed, err := localstore.LoadOrCreateSeed(made.dir)
	if err != nil {
		t.Fatal(err)
	}
	if made.keys, err = pdp.NewKeys(seed); err != nil {
		t.Fatal(err)
	}
	made.ids = pdp.NewIDs(made.keys)
	made.open()
	t.Cleanup(func() { made.close() })
	return made
}

func (r *room) open() {
	r.t.Helper()
	var err error
	r.store, err = localstore.Open(r.dir, localstore.Options{Keys: r.keys, SegmentBytes: r.segment, Warn: func(err error) { r.t.Error(err) }})
	if err != nil {
		r.t.Fatal(err)
	}
	r.faulty = statetest.NewFaulty(r.store)
	r.history = state.New(r.faulty, r.keys, r.settings, r.now)
}

func (r *room) close() {
	r.t.Helper()
	if err := errors.Join(r.history.Close(), r.store.Close()); err != nil {
		r.t.Error(err)
	}
}

func (r *room) now() time.Time          { return time.Unix(0, r.clock.Load()) }
func (r *room) wait(d time.Duration)    { r.clock.Add(int64(d)) }
func (r *room) claim(name string) *room { r.agent.SessionClaim = name; return r }

// A question is one case, and what became of it.
type question struct {
	path     string
	target   pdp.Target
	envelope pdp.Envelope
	digest   byte
	verdict  pdp.Verdict
	tool     string
}

func (r *room) newCase(q question) *pdp.Case {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.path == "" {
		q.path = "/x"
	}
	if q.target.ID == "" {
		q.target = pdp.Target{ID: "api " + q.path, System: "api", Resource: q.path, Known: true, Sensitivity: pdp.Internal}
	}
	env := q.envelope
	c := &pdp.Case{
		Now: r.now(), Envelope: &env, Agent: r.agent,
		Generation: &pdp.Generation{ID: r.gen, Declared: r.declared, Observe: r.observe},
		Request:    pdp.Request{Method: "GET", Path: q.path, Host: "api", Digest: [32]byte{q.digest}},
		Action:     pdp.Action{Operation: pdp.Read, Tool: q.tool, Target: q.target, Digest: [32]byte{q.digest}},
	}
	if r.agent.Known() {
		c.Partition = r.keys.Partition(r.agent.Root())
	}
	return c
}

// decide does with a history what the decision point does.
func (r *room) decide(ctx context.Context, q question) (pdp.Decision, *pdp.Case, error) {
	c := r.newCase(q)
	turn, err := r.history.Begin(ctx, c)
	if err != nil {
		return pdp.Decision{}, c, err
	}
	defer turn.Release()
	if c.Snapshot = turn.View(c); c.Snapshot.Recorded != nil {
		return *c.Snapshot.Recorded, c, nil
	}
	if c.Refusal = c.Snapshot.Refusal; c.Refusal == nil && c.Snapshot.Kept && !c.Snapshot.Open {
		if r.admission.Admit {
			admission := r.admission
			c.Admission = &admission
			c.Snapshot = turn.View(c)
			c.Refusal = c.Snapshot.Refusal
		} else {
			c.Refusal = pdp.Refuse(pdp.OutOfScope, pdp.CodeNotAdmitted, "not admitted", "")
		}
	}
	d := pdp.Decision{ID: r.ids.New(c.Partition), Digest: c.Request.Digest, Generation: r.gen}
	if c.Refusal != nil {
		d.Class, d.Reasons = c.Refusal.Class, []pdp.Reason{c.Refusal.Reason}
	} else {
		c.Verdict = q.verdict
		d.Effect = q.verdict.Effect
	}
	d, err = turn.Commit(ctx, c, d)
	return d, c, err
}

// ask is a decision that must not fail.
func (r *room) ask(q question) (pdp.Decision, *pdp.Case) {
	r.t.Helper()
	d, c, err := r.decide(context.Background(), q)
	if err != nil {
		r.t.Fatal(err)
	}
	return d, c
}

func (r *room) act(v pdp.Verdict) pdp.Decision {
	r.t.Helper()
	d, _ := r.ask(question{verdict: v})
	return d
}

// allowed is an allow without effects that must be one.
func (r *room) allowed() pdp.Decision {
	r.t.Helper()
	d := r.act(pdp.Verdict{Effect: pdp.Allow})
	if d.Effect != pdp.Allow {
		r.t.Fatalf("denied: %+v", d.Reasons)
	}
	return d
}

// denied is the code that an allow was denied with; "" where it was not.
func (r *room) denied() string {
	r.t.Helper()
	if d := r.act(pdp.Verdict{Effect: pdp.Allow}); d.Effect != pdp.Allow {
		return d.Reasons[0].Code
	}
	return ""
}

func (r *room) settle(id string, s pdp.OutcomeState, effects ...pdp.Effects) {
	r.t.Helper()
	partition, err := r.ids.Partition(id)
	if err != nil {
		r.t.Fatal(err)
	}
	settlement, err := r.history.Resume(context.Background(), r.declared, partition, id)
	if err != nil {
		r.t.Fatal(err)
	}
	defer settlement.Release()
	var fx pdp.Effects
	if len(effects) > 0 {
		fx = effects[0]
	}
	if err := settlement.Commit(context.Background(), pdp.Outcome{DecisionID: id, State: s, Source: "test"}, fx); err != nil {
		r.t.Fatal(err)
	}
}

// view is what a policy would see now, without a commit.
func (r *room) view(q question) pdp.Snapshot {
	r.t.Helper()
	c := r.newCase(q)
	turn, err := r.history.Begin(context.Background(), c)
	if err != nil {
		r.t.Fatal(err)
	}
	defer turn.Release()
	s := turn.View(c)
	// What is read on demand must be read before the turn ends.
	for _, v := range []*value.Value{&s.Session, &s.Activity, &s.Memory, &s.Budgets} {
		text := value.AppendJSON(nil, *v)
		if *v, err = value.DecodeJSON(text); err != nil {
			r.t.Fatalf("%v: %s", err, text)
		}
	}
	return s
}

// budget is lo and hi of a budget.
func (r *room) budget(name string) [2]int64 {
	r.t.Helper()
	b := r.view(question{}).Budgets.Get(name)
	return [2]int64{whole(r.t, b.Get("lo")), whole(r.t, b.Get("hi"))}
}

func whole(t testing.TB, v value.Value) int64 {
	t.Helper()
	n, ok := v.Int()
	if !ok {
		t.Fatalf("%s is not a whole number", value.AppendJSON(nil, v))
	}
	return n
}

// partition is the encoding of the agent's partition.
func (r *room) partition() []byte {
	r.t.Helper()
	held, err := r.store.Acquire(context.Background(), r.keys.Partition(r.agent.Root()))
	if err != nil {
		r.t.Fatal(err)
	}
	defer held.Release()
	return held.State().AppendBinary(nil)
}

func charges(budget string, n int64) pdp.Verdict {
	return pdp.Verdict{Effect: pdp.Allow, Charges: []pdp.Charge{{Budget: budget, N: n}}}
}

// remembering is an allow that notes the fact under a path.
func remembering(fact, path string, on pdp.When) question {
	return question{path: path, verdict: pdp.Verdict{Effect: pdp.Allow,
		Remember: []pdp.Memo{{Fact: fact, Key: []value.Value{value.Str(path)}, On: on}}}}
}

func (r *room) cell(fact, path string) value.Value {
	r.t.Helper()
	return r.view(question{path: path}).Memory.Path(fact, "here")
}

func (r *room) expect(v value.Value, want map[string]any) {
	r.t.Helper()
	for name, w := range want {
		if got := string(value.AppendJSON(nil, v.Get(name))); got != fmt.Sprint(w) {
			r.t.Errorf("%s is %s, want %v", name, got, w)
		}
	}
}
