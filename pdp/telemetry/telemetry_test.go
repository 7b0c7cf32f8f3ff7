package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/value"
)

// A fake is every seam at once; what it answers is what it was given.
type fake struct {
	decision pdp.Decision
	err      error
}

func (f *fake) Decide(context.Context, *pdp.Envelope) pdp.Decision {
	return f.decision
}
func (f *fake) Admit(context.Context, *pdp.Envelope, value.Value) pdp.Decision { return f.decision }
func (f *fake) End(context.Context, *pdp.Envelope) pdp.Decision                { return f.decision }
func (f *fake) Own(context.Context, *pdp.Envelope) (pdp.Decision, value.Value) {
	return f.decision, value.Nothing
}
func (f *fake) Suppose(context.Context, *pdp.Envelope, *pdp.Envelope) pdp.Decision {
	return f.decision
}
func (f *fake) Read(*pdp.Envelope) (pdp.Request, error) {
	return pdp.Request{}, f.err
}
func (f *fake) Verify(context.Context, *pdp.Envelope) (pdp.Agent, error) {
	return pdp.Agent{ID: "agent"}, f.err
}
func (f *fake) Find(*pdp.Request) pdp.Action                       { return pdp.Action{} }
func (f *fake) Begin(context.Context, *pdp.Case) (pdp.Turn, error) { return f, f.err }
func (f *fake) View(*pdp.Case) pdp.Snapshot                        { return pdp.Snapshot{Open: true, Kept: true} }
func (f *fake) Commit(_ context.Context, _ *pdp.Case, d pdp.Decision) (pdp.Decision, error) {
	return d, f.err
}
func (f *fake) Release() {}
func (f *fake) Resume(context.Context, *pdp.Declarations, pdp.PartitionKey, string) (pdp.Settlement, error) {
	return settlement{}, f.err
}

type settlement struct{}

func (settlement) Input(pdp.Outcome) value.Value                          { return value.Nothing }
func (settlement) Commit(context.Context, pdp.Outcome, pdp.Effects) error { return nil }
func (settlement) Release()                                               {}

type fakePolicy struct{ err error }

func (f *fakePolicy) Admit(context.Context, value.Value) (pdp.Admission, error) {
	return pdp.Admission{}, f.err
}
func (f *fakePolicy) Decide(context.Context, value.Value) (pdp.Verdict, error) {
	return pdp.Verdict{Effect: pdp.Allow}, f.err
}
func (f *fakePolicy) Settle(context.Context, value.Value) (pdp.Effects, error) {
	return pdp.Effects{}, f.err
}

type fakeStore struct{ err error }

func (f *fakeStore) Acquire(context.Context, pdp.PartitionKey) (state.Held, error) { return f, f.err }
func (f *fakeStore) Append(context.Context, *state.Entry) error                    { return f.err }
func (f *fakeStore) Revoke(context.Context, *state.Entry) error                    { return f.err }
func (f *fakeStore) Revocations() *state.Revocations                               { return nil }
func (f *fakeStore) Partitions(context.Context, func(*state.Partition) error) error {
	return f.err
}
func (f *fakeStore) State() *state.Partition                    { return nil }
func (f *fakeStore) Commit(context.Context, *state.Entry) error { return f.err }
func (f *fakeStore) Release()                                   {}

// scrape returns what /metrics says, the lines of remit's own.
func scrape(t *testing.T, m *Meter) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("/metrics: %d\n%s", w.Code, w.Body)
	}
	var own strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "remit_") {
			own.WriteString(line)
		}
	}
	return own.String()
}

// expect fails where a line is not among the metrics.
func expect(t *testing.T, m *Meter, lines ...string) {
	t.Helper()
	all := scrape(t, m)
	for _, line := range lines {
		if !strings.Contains("\n"+all, "\n"+line+"\n") {
			t.Errorf("no line %s in\n%s", line, all)
		}
	}
}

func denial(class pdp.Class, codes ...string) pdp.Decision {
	d := pdp.Decision{Class: class}
	for _, code := range codes {
		d.Reasons = append(d.Reasons, pdp.Reason{Code: code})
	}
	return d
}

func TestAnswersAreCounted(t *testing.T) {
	m, f := New(), &fake{}
	m.Know([][]byte{[]byte(`deny contains {"code": "too_late"}`)})
	a := newAnswers(m, "agents", f)
	env := &pdp.Envelope{Received: time.Now().Add(-3 * time.Millisecond)}
	f.decision = pdp.Decision{Effect: pdp.Allow, Reasons: []pdp.Reason{{Code: "too_late"}}}
	for range 3 {
		a.Decide(t.Context(), env)
	}
	f.decision = denial(pdp.OutOfScope, "too_late", "revoked")
	a.Decide(t.Context(), env)
	f.decision = denial(pdp.Unavailable, pdp.CodePolicyError)
	a.Decide(t.Context(), env)
	f.decision = denial(pdp.OutOfScope)
	a.Admit(t.Context(), env, value.Nothing)
	a.End(t.Context(), env)
	a.Own(t.Context(), env)
	a.Suppose(t.Context(), env, env)
	expect(t, m,
		`remit_decisions_total{class="",effect="allow",listener="agents",question="action",reason="too_late"} 3`,
		`remit_decisions_total{class="out_of_scope",effect="deny",listener="agents",question="action",reason="too_late"} 1`,
		`remit_decisions_total{class="unavailable",effect="deny",listener="agents",question="action",reason="policy_error"} 1`,
		`remit_decisions_total{class="out_of_scope",effect="deny",listener="agents",question="admission",reason=""} 1`,
		`remit_decisions_total{class="out_of_scope",effect="deny",listener="agents",question="ending",reason=""} 1`,
		`remit_decisions_total{class="out_of_scope",effect="deny",listener="agents",question="itself",reason=""} 1`,
		`remit_decisions_total{class="out_of_scope",effect="deny",listener="agents",question="supposed",reason=""} 1`,
		`remit_decision_duration_seconds_count{listener="agents",made="yes"} 4`,
		`remit_decision_duration_seconds_count{listener="agents",made="no"} 1`,
		`remit_decision_duration_seconds_bucket{listener="agents",made="yes",le="0.00256"} 0`)
}

// A policy may put anything into a code, and an agent may have chosen it: that
// is no label, and makes no series.
func TestLabelsAreNotTheAgents(t *testing.T) {
	m, f := New(), &fake{}
	m.Know([][]byte{[]byte(`
		"code": sprintf("%s_after_%s", [input.action.operation, name]),
		"code": sprintf("%s", [input.action.tool]),
		"code": sprintf("%v_%v", [input.action.tool, 1]),
	`)})
	a := newAnswers(m, "agents", f)
	for i := range 2 * maxSeries {
		for _, code := range []string{"send_after_secret" + fmt.Sprint(i), "canary" + fmt.Sprint(i), "canary_" + fmt.Sprint(i), "canary\nafter_" + fmt.Sprint(i)} {
			f.decision = denial(pdp.OutOfScope, code)
			f.decision.WouldDeny = []pdp.Observed{{Place: "pack x", Class: pdp.OutOfScope, Reason: pdp.Reason{Code: code}}}
			a.Decide(t.Context(), &pdp.Envelope{Received: time.Now()})
		}
	}
	expect(t, m,
		fmt.Sprintf(`remit_decisions_total{class="out_of_scope",effect="deny",listener="agents",question="action",reason="*_after_*"} %d`, 2*maxSeries),
		fmt.Sprintf(`remit_decisions_total{class="out_of_scope",effect="deny",listener="agents",question="action",reason="other"} %d`, 6*maxSeries),
		fmt.Sprintf(`remit_would_deny_total{class="out_of_scope",place="pack x",reason="other"} %d`, 6*maxSeries))
	if all := scrape(t, m); strings.Contains(all, "canary") || strings.Contains(all, "secret") {
		t.Errorf("a label is the agent's:\n%s", all)
	}
	if n := len(*a.series.Load()); n != 0 {
		t.Errorf("%d series are kept for codes that agents may have chosen", n)
	}
}

// A bundle can have many codes: there are no more series than so many.
func TestSeriesAreBounded(t *testing.T) {
	m, f := New(), &fake{}
	var text strings.Builder
	for i := range 2 * maxSeries {
		fmt.Fprintf(&text, "\"code_%d\" ", i)
	}
	m.Know([][]byte{[]byte(text.String())})
	a := newAnswers(m, "agents", f)
	for i := range 2 * maxSeries {
		f.decision = denial(pdp.OutOfScope, fmt.Sprintf("code_%d", i))
		a.Decide(t.Context(), &pdp.Envelope{Received: time.Now()})
	}
	if n := strings.Count(scrape(t, m), "remit_decisions_total{"); n != maxSeries+1 {
		t.Errorf("%d series for %d codes, want %d and one for all others", n, 2*maxSeries, maxSeries)
	}
	expect(t, m, fmt.Sprintf(`remit_decisions_total{class="out_of_scope",effect="deny",listener="agents",question="action",reason="other"} %d`, maxSeries))
}

// A sample of decisions is timed, with all of their steps.
func TestStepsAreTimed(t *testing.T) {
	m, f := New(), &fake{}
	p := m.NewPoints(f, keys(t), time.Now, func(cause any, _ []byte) { t.Error(cause) })
	p.Activate(&pdp.Generation{ID: "g1", Reader: f, Verifier: f, Catalog: f, Policy: &fakePolicy{}, Declared: &pdp.Declarations{}})
	if p.Generation().ID != "g1" {
		t.Errorf("the generation is %q", p.Generation().ID)
	}
	a := p.Listener("agents")
	const rounds = 400 * oneIn
	for range rounds {
		a.Decide(t.Context(), &pdp.Envelope{Received: time.Now()})
	}
	all := scrape(t, m)
	for _, step := range []string{"read", "identity", "catalog", "state", "policy", "commit"} {
		_, rest, _ := strings.Cut(all, fmt.Sprintf("remit_step_duration_seconds_count{step=%q} ", step))
		var timed int
		fmt.Sscan(rest, &timed)
		if timed < 250 || timed > 600 { // 400 are to be expected, 20 are a standard deviation
			t.Errorf("%s was timed %d times in %d", step, timed, rounds)
		}
	}
	expect(t, m, fmt.Sprintf(`remit_decisions_total{class="",effect="allow",listener="agents",question="action",reason=""} %d`, rounds))
}

func keys(tb testing.TB) *pdp.Keys {
	tb.Helper()
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		tb.Fatal(err)
	}
	return keys
}

func TestWhatTheStoreDoesIsCounted(t *testing.T) {
	m, f := New(), &fakeStore{}
	s := m.Store(f)
	h, err := s.Acquire(t.Context(), pdp.PartitionKey{})
	if err != nil {
		t.Fatal(err)
	}
	h.Commit(t.Context(), &state.Entry{Kind: state.Decided, Effects: &state.Effects{Flight: &state.Flight{}, Open: &state.Opening{}}})
	h.Commit(t.Context(), &state.Entry{Kind: state.Decided, Effects: &state.Effects{}})
	h.Commit(t.Context(), &state.Entry{Kind: state.Settled, Settling: &state.Settling{State: pdp.OutcomeDone}})
	h.Commit(t.Context(), &state.Entry{Kind: state.Settled, Settling: &state.Settling{State: pdp.OutcomeFailed, Late: true}})
	s.Append(t.Context(), &state.Entry{Kind: state.Decided, Record: &state.Record{Count: 7}})
	s.Revoke(t.Context(), &state.Entry{Kind: state.Revoked})
	h.Commit(t.Context(), &state.Entry{Kind: state.Ordered, Ordering: &state.Ordering{}})
	expect(t, m,
		`remit_store_entries_total{kind="decided"} 3`, `remit_store_entries_total{kind="settled"} 2`, `remit_store_entries_total{kind="revoked"} 1`,
		`remit_store_entries_total{kind="ordered"} 1`, `remit_actions_allowed_total 1`, `remit_sessions_opened_total 1`, `remit_records_aggregated_total 6`,
		`remit_outcomes_total{late="no",state="done"} 1`, `remit_outcomes_total{late="yes",state="failed"} 1`, `remit_outcomes_total{late="yes",state="done"} 0`)

	f.err = fmt.Errorf("full: %w", state.ErrUnavailable)
	s.Append(t.Context(), &state.Entry{Kind: state.Activated})
	h.Commit(t.Context(), &state.Entry{Kind: state.Decided})
	s.Revoke(t.Context(), &state.Entry{Kind: state.Revoked})
	f.err = context.DeadlineExceeded
	if _, err := s.Acquire(t.Context(), pdp.PartitionKey{}); !errors.Is(err, f.err) {
		t.Errorf("got %v", err)
	}
	f.err = errors.New("boom")
	h.Commit(t.Context(), &state.Entry{Kind: state.Decided})
	f.err = &state.RevokedError{}
	h.Commit(t.Context(), &state.Entry{Kind: state.Decided})
	expect(t, m,
		`remit_store_errors_total{cause="unavailable",operation="commit"} 2`, `remit_store_errors_total{cause="unavailable",operation="revoke"} 1`,
		`remit_store_errors_total{cause="deadline",operation="acquire"} 1`, `remit_store_errors_total{cause="other",operation="commit"} 1`,
		`remit_store_entries_total{kind="decided"} 3`, `remit_store_entries_total{kind="activated"} 0`)
}

func TestOutcomesThatSettleNothingAreCounted(t *testing.T) {
	m, f := New(), &fake{}
	p := m.NewPoints(f, keys(t), time.Now, nil)
	settle := func(id string) { p.Settle(t.Context(), pdp.Outcome{DecisionID: id}) }
	id := pdp.NewIDs(keys(t)).New(pdp.PartitionKey{1})
	settle("forged")
	settle(id)
	p.Activate(&pdp.Generation{Policy: &fakePolicy{}, Declared: &pdp.Declarations{}})
	settle(id)
	f.err = errors.New("disk")
	settle(id)
	f.err = fmt.Errorf("x: %w", pdp.ErrNotInFlight)
	settle(id)
	expect(t, m, `remit_outcomes_refused_total{cause="forged"} 1`, `remit_outcomes_refused_total{cause="not_in_flight"} 1`,
		`remit_outcomes_refused_total{cause="not_ready"} 1`, `remit_outcomes_refused_total{cause="store"} 1`)
}

func TestPassagesAreCounted(t *testing.T) {
	m := New()
	m.Passed("ok")
	m.Passed("undecided")
	m.Passed("undecided")
	m.Passed("whatever the door may say")
	expect(t, m, `remit_envoy_requests_total{authz="ok"} 1`, `remit_envoy_requests_total{authz="undecided"} 2`,
		`remit_envoy_requests_total{authz="denied"} 0`, `remit_envoy_requests_total{authz="error"} 0`)
}

func TestPanicsAreCounted(t *testing.T) {
	m := New()
	var told any
	m.Crashed(func(cause any, _ []byte) { told = cause })("boom", nil)
	if told != "boom" {
		t.Error("the next one was not told")
	}
	expect(t, m, `remit_panics_total 1`)
}
