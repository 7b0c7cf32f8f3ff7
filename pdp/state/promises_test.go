package state_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
	"github.com/remit-pdp/remit/pdp/value"
)

// A desk is a decision point over a real store, whose policy a test scripts
// and whose clock it moves. Requests name their action in the path.
type desk struct {
	t       *testing.T
	point   *pdp.Point
	reader  *localstore.Reader
	mu      sync.Mutex
	clock   time.Time
	agent   pdp.Agent
	verdict func(input value.Value) pdp.Verdict
	effects pdp.Effects
	// admission is what the policy says of a session that would begin.
	admission pdp.Admission
	// saw is the input of the latest decision.
	saw value.Value
}

var declared = &pdp.Declarations{
	Facts: map[string]*pdp.Fact{
		"seen": {Name: "seen", Kind: pdp.FactLast, Scope: pdp.PerSession, TTL: time.Hour, Keys: 2,
			Lookup: map[string][][]string{"here": {{"request", "path"}}}},
		"calls": {Name: "calls", Kind: pdp.FactRing, Scope: pdp.PerAgent, TTL: time.Hour, Keys: 4, Ring: 3,
			Lookup: map[string][][]string{"all": {}}},
	},
	Budgets: map[string]*pdp.Budget{
		"some": {Name: "some", Scope: pdp.PerSession, Limit: 10},
		"kept": {Name: "kept", Scope: pdp.PerSession, Limit: 10, KeepOnFailure: true},
	},
}

func newDesk(t *testing.T, change ...func(*localstore.Options)) *desk {
	t.Helper()
	dir := t.TempDir()
	seed, err := localstore.LoadOrCreateSeed(dir)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pdp.NewKeys(seed)
	if err != nil {
		t.Fatal(err)
	}
	options := localstore.Options{Keys: keys, SegmentBytes: 1 << 20, Warn: func(err error) { t.Error(err) }}
	for _, c := range change {
		c(&options)
	}
	store, err := localstore.Open(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, clock: time.Unix(1_800_000_000, 0), agent: pdp.Agent{ID: "agent", Issuer: "idp", Kind: "jwt", SessionClaim: "s1"}}
	d.verdict = func(value.Value) pdp.Verdict { return pdp.Verdict{Effect: pdp.Allow} }
	d.admission = pdp.Admission{Admit: true, Task: pdp.NoTask}
	history := state.New(store, keys, state.Defaults, d.now)
	t.Cleanup(func() {
		if err := errors.Join(history.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	d.point = pdp.NewPoint(history, keys, d.now, func(cause any, stack []byte) { t.Errorf("panic: %v\n%s", cause, stack) })
	d.point.Activate(&pdp.Generation{ID: "g", Reader: d, Verifier: d, Catalog: d, Policy: d, Declared: declared})
	if d.reader, err = localstore.NewReader(dir); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clock
}

func (d *desk) wait(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clock = d.clock.Add(by)
}

func (d *desk) Read(e *pdp.Envelope) (pdp.Request, error) {
	return pdp.Request{Method: e.Method, Path: e.Path, Host: "api", Digest: [32]byte{byte(len(e.Path))}}, nil
}
func (d *desk) Verify(context.Context, *pdp.Envelope) (pdp.Agent, error) { return d.agent, nil }
func (d *desk) Find(q *pdp.Request) pdp.Action {
	return pdp.Action{Operation: pdp.Read, Digest: q.Digest, Target: pdp.Target{ID: q.Path, System: "api", Known: true, Sensitivity: pdp.Internal}}
}
func (d *desk) Admit(context.Context, value.Value) (pdp.Admission, error) {
	return d.admission, nil
}
func (d *desk) Decide(_ context.Context, input value.Value) (pdp.Verdict, error) {
	copied, err := value.DecodeJSON(value.AppendJSON(nil, input))
	d.mu.Lock()
	d.saw = copied
	d.mu.Unlock()
	if err != nil {
		d.t.Error(err, string(value.AppendJSON(nil, input)))
	}
	return d.verdict(input), err
}
func (d *desk) Settle(context.Context, value.Value) (pdp.Effects, error) { return d.effects, nil }

func (d *desk) ask(path string) pdp.Decision {
	return d.point.Decide(context.Background(), &pdp.Envelope{Method: "GET", Path: path})
}

func (d *desk) settle(id string, s pdp.OutcomeState) error {
	return d.point.Settle(context.Background(), pdp.Outcome{DecisionID: id, State: s, Source: "test", At: d.now()})
}

// budget reads lo and hi of a budget as a policy sees them next.
func (d *desk) budget(name string) [2]int64 {
	d.t.Helper()
	before := d.verdict
	defer func() { d.verdict = before }()
	d.verdict = func(value.Value) pdp.Verdict { return pdp.Verdict{} }
	d.ask("/look")
	lo, _ := d.saw.Path("budgets", name, "lo").Int()
	hi, _ := d.saw.Path("budgets", name, "hi").Int()
	return [2]int64{lo, hi}
}

func charging(name string, n int64) func(value.Value) pdp.Verdict {
	return func(value.Value) pdp.Verdict {
		return pdp.Verdict{Effect: pdp.Allow, Charges: []pdp.Charge{{Budget: name, N: n}}}
	}
}

// Invariant 3: of N concurrent requests exactly min(K, N) are allowed.
func TestConcurrentChargesNeverExceedTheBudget(t *testing.T) {
	d := newDesk(t)
	d.verdict = charging("some", 1)
	var wait sync.WaitGroup
	var mu sync.Mutex
	allowed := 0
	for range 64 {
		wait.Go(func() {
			if got := d.ask("/x"); got.Effect == pdp.Allow {
				mu.Lock()
				allowed++
				mu.Unlock()
			} else if got.Class != pdp.BudgetSpent {
				t.Errorf("denied as %v %v", got.Class, got.Reasons)
			}
		})
	}
	wait.Wait()
	if allowed != 10 {
		t.Errorf("%d of 64 were allowed, want 10", allowed)
	}
}

// Nothing is undone: a charge is in hi from the allow on, and its outcome says
// what becomes of it.
func TestOutcomesDecideAboutCharges(t *testing.T) {
	for _, c := range []struct {
		budget string
		state  pdp.OutcomeState
		want   [2]int64
	}{
		{"some", pdp.OutcomeDone, [2]int64{3, 3}},
		{"some", pdp.OutcomeFailed, [2]int64{0, 0}},
		{"kept", pdp.OutcomeFailed, [2]int64{3, 3}},
		{"some", "", [2]int64{0, 3}}, // nothing was ever heard
	} {
		t.Run(fmt.Sprintf("%s %s", c.budget, c.state), func(t *testing.T) {
			d := newDesk(t)
			d.verdict = charging(c.budget, 3)
			allow := d.ask("/x")
			if got := d.budget(c.budget); got != [2]int64{0, 3} {
				t.Errorf("in flight: lo, hi = %v, want 0, 3", got)
			}
			if c.state != "" {
				if err := d.settle(allow.ID, c.state); err != nil {
					t.Fatal(err)
				}
				if err := d.settle(allow.ID, pdp.OutcomeDone); !errors.Is(err, pdp.ErrNotInFlight) {
					t.Errorf("a second outcome: %v", err)
				}
			}
			d.wait(2 * time.Minute)
			if got := d.budget(c.budget); got != c.want {
				t.Errorf("lo, hi = %v, want %v", got, c.want)
			}
		})
	}
}

// Invariant 13: a denied action spends no budget.
func TestDenialsSpendNothing(t *testing.T) {
	d := newDesk(t)
	d.verdict = func(value.Value) pdp.Verdict {
		return pdp.Verdict{Effect: pdp.Deny, Charges: []pdp.Charge{{Budget: "some", N: 3}}, Labels: []string{"x"}}
	}
	d.ask("/x")
	if got := d.budget("some"); got != [2]int64{0, 0} {
		t.Errorf("lo, hi = %v after a denial", got)
	}
	if d.saw.Path("session", "labels", "x").Defined() {
		t.Error("a denial left a label")
	}
	d.verdict = charging("some", 11)
	if got := d.ask("/x"); got.Effect == pdp.Allow {
		t.Error("a charge of more than the limit was allowed")
	}
	if got := d.budget("some"); got != [2]int64{0, 0} {
		t.Errorf("lo, hi = %v after a denial by the budget", got)
	}
}

// Invariant 10: the same check while in flight gets the recorded answer, the
// same id with another digest is denied, and after settlement it is a new action.
func TestRepeatedChecks(t *testing.T) {
	d := newDesk(t)
	d.verdict = charging("some", 1)
	check := func(path, id string, trusted bool) pdp.Decision {
		return d.point.Decide(context.Background(), &pdp.Envelope{
			Method: "GET", Path: path, Proxy: "envoy", HTTPID: id, Sent: time.Unix(1_800_000_000, 0), TrustID: trusted})
	}
	first := check("/x", "7", true)
	if again := check("/x", "7", true); again.ID != first.ID || again.Effect != pdp.Allow {
		t.Errorf("the same check got another answer: %+v", again)
	}
	if got := d.budget("some"); got != [2]int64{0, 1} {
		t.Errorf("lo, hi = %v, want one charge", got)
	}
	if other := check("/xyz", "7", true); other.Effect == pdp.Allow || other.Reasons[0].Code != pdp.CodeRepeatedCheck {
		t.Errorf("the same id with another action: %+v", other)
	}
	if err := d.settle(first.ID, pdp.OutcomeDone); err != nil {
		t.Fatal(err)
	}
	if later := check("/x", "7", true); later.ID == first.ID {
		t.Error("after its settlement a check is a new action")
	}
	a, b := check("/x", "8", false), check("/x", "8", false)
	if a.ID == b.ID {
		t.Error("an id that the caller chose made two requests one action")
	}
}

func cell(d *desk, fact, lookup string) value.Value { return d.saw.Path("memory", fact, lookup) }

// Invariant 12: what was evicted is visible, and so is what nobody knows the
// end of.
func TestWhatIsLostIsVisible(t *testing.T) {
	d := newDesk(t)
	remembering := func(on pdp.When) func(value.Value) pdp.Verdict {
		return func(in value.Value) pdp.Verdict {
			return pdp.Verdict{Effect: pdp.Allow, Remember: []pdp.Memo{{Fact: "seen", Key: []value.Value{in.Path("request", "path")}, On: on}}}
		}
	}
	d.verdict = remembering(pdp.OnAllowed)
	for _, path := range []string{"/a", "/b", "/c"} { // keys: 2
		d.ask(path)
		d.wait(time.Second)
	}
	d.verdict = func(value.Value) pdp.Verdict { return pdp.Verdict{} }
	d.ask("/a")
	if lost, _ := cell(d, "seen", "here").Get("lost_until_ns").Int(); lost == 0 {
		t.Error("the evicted key reads as one that never was")
	}
	d.ask("/c")
	if settled, _ := cell(d, "seen", "here").Get("settled").Bool(); !settled {
		t.Error("the kept key is gone")
	}

	d.verdict = remembering(pdp.OnDone)
	allow := d.ask("/c-done")
	d.verdict = func(value.Value) pdp.Verdict { return pdp.Verdict{} }
	d.ask("/c-done")
	if pending, _ := cell(d, "seen", "here").Get("pending").Int(); pending != 1 {
		t.Error("what waits for its outcome is not pending")
	}
	d.wait(2 * time.Minute)
	d.ask("/c-done")
	if unknown, _ := cell(d, "seen", "here").Get("unknown").Int(); unknown != 1 {
		t.Error("what never settled is not unknown")
	}
	if err := d.settle(allow.ID, pdp.OutcomeFailed); err != nil {
		t.Fatal(err)
	}
	d.ask("/c-done")
	if c := cell(d, "seen", "here"); c.Get("settled").Defined() {
		if settled, _ := c.Get("settled").Bool(); settled {
			t.Error("a failed action left the fact")
		}
	}
}

// A ring is exact up to its size, then an interval.
func TestRings(t *testing.T) {
	d := newDesk(t)
	d.verdict = func(value.Value) pdp.Verdict {
		return pdp.Verdict{Effect: pdp.Allow, Remember: []pdp.Memo{{Fact: "calls", Values: []value.Value{value.Int(2)}, On: pdp.OnAllowed}}}
	}
	for range 5 {
		d.ask("/x")
		d.wait(time.Second)
	}
	d.ask("/x")
	ring := cell(d, "calls", "all")
	if n := ring.Get("entries").Len(); n != 3 {
		t.Errorf("%d entries, want 3", n)
	}
	if n, _ := ring.Path("residue", "count").Int(); n != 2 {
		t.Errorf("the residue counts %d, want 2", n)
	}
	if n, _ := ring.Path("residue", "sum").Int(); n != 4 {
		t.Errorf("the residue sums to %d, want 4", n)
	}
}

// Labels reach the agent's other sessions, and a new session does not shed
// them; nor does an ended session begin anew under its old name.
func TestLabelsAndSessions(t *testing.T) {
	d := newDesk(t)
	d.agent.SessionClaim = "s0"
	d.ask("/x")
	d.wait(time.Second)
	d.agent.SessionClaim = "s1"
	d.verdict = func(value.Value) pdp.Verdict { return pdp.Verdict{Effect: pdp.Allow, Labels: []string{"secret"}} }
	d.ask("/x")
	d.agent.SessionClaim = "s0"
	d.verdict = func(value.Value) pdp.Verdict { return pdp.Verdict{Effect: pdp.Allow} }
	d.ask("/x")
	if !d.saw.Path("session", "labels", "secret").Defined() {
		t.Error("the label did not reach a session that was open already")
	}
	d.verdict = func(value.Value) pdp.Verdict { return pdp.Verdict{Effect: pdp.Allow} }
	d.agent.SessionClaim = "s2"
	d.ask("/x")
	if !d.saw.Path("session", "labels", "secret").Defined() {
		t.Error("another session shed the label")
	}
	d.verdict = func(value.Value) pdp.Verdict {
		return pdp.Verdict{Effect: pdp.Allow, Session: pdp.Directive{Close: true}}
	}
	d.ask("/x")
	if again := d.ask("/x"); again.Effect == pdp.Allow || again.Class != pdp.Revoked {
		t.Errorf("a closed session went on: %+v", again)
	}
	d.wait(9 * time.Hour)
	if again := d.ask("/x"); again.Effect == pdp.Allow || again.Reasons[0].Code != pdp.CodeSessionEnded {
		t.Errorf("a session past its maximum age began anew under its name: %+v", again)
	}
}

// Invariant 8: every decision has one record, of nobody's too, and the journal
// verifies.
func TestEveryDecisionIsRecordedOnce(t *testing.T) {
	d := newDesk(t)
	want := make(map[string]pdp.Effect)
	for i := range 20 {
		effect := pdp.Effect(i % 3)
		d.verdict = func(value.Value) pdp.Verdict { return pdp.Verdict{Effect: effect} }
		if i == 10 {
			d.agent = pdp.Agent{}
		}
		answered := d.ask("/x")
		want[answered.ID] = answered.Effect
	}
	records := make(map[string]int)
	err := d.reader.Entries(context.Background(), 0, func(_ state.Position, e *state.Entry) error {
		if e.Record != nil {
			records[e.Record.ID]++
			if e.Record.Effect != want[e.Record.ID] {
				t.Errorf("decision %s was %v, and its record says %v", e.Record.ID, want[e.Record.ID], e.Record.Effect)
			}
			if (e.Record.Agent.ID != "") != (e.Effects != nil) {
				t.Errorf("decision %s: effects and record are not one entry", e.Record.ID)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for id := range want {
		if records[id] != 1 {
			t.Errorf("decision %s has %d records", id, records[id])
		}
	}
	if _, err := d.reader.Verify(); err != nil {
		t.Error(err)
	}
}

// An allow that comes too late for its caller is not committed.
func TestALateAllowIsADenialWithoutCharges(t *testing.T) {
	d := newDesk(t)
	ctx, cancel := context.WithCancel(context.Background())
	d.verdict = func(in value.Value) pdp.Verdict {
		cancel()
		return charging("some", 1)(in)
	}
	if got := d.point.Decide(ctx, &pdp.Envelope{Method: "GET", Path: "/x"}); got.Effect == pdp.Allow || got.Reasons[0].Code != pdp.CodeDeadline {
		t.Errorf("got %+v", got)
	}
	if got := d.budget("some"); got != [2]int64{0, 0} {
		t.Errorf("lo, hi = %v", got)
	}
}
