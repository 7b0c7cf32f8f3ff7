package state_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/value"
)

// session is the id of the session that an allow belongs to now.
func (r *room) session() string {
	r.t.Helper()
	return r.allowed().Session
}

func TestWhoseSession(t *testing.T) {
	r := newRoom(t, plan{})
	one, two := r.claim("one").session(), r.claim("two").session()
	if one == two || r.claim("one").session() != one {
		t.Error("a claim does not select its session")
	}
	shared := r.claim("").session()
	if shared == one || shared == two || r.session() != shared {
		t.Error("without a claim the agent's runs are not one session")
	}
	r.expect(r.view(question{}).Session, map[string]any{"shared": true, "state": `"open"`, "new": false})
	r.expect(r.claim("one").view(question{}).Session, map[string]any{"shared": false})

	// The same claim of another agent, and of another issuer, is another session.
	for _, other := range []pdp.Agent{
		{ID: "other", Issuer: "idp", SessionClaim: "one", Chain: []pdp.Principal{{ID: "root"}}},
		{ID: "agent", Issuer: "evil", SessionClaim: "one", Chain: []pdp.Principal{{ID: "root"}}},
		{ID: "agent", Issuer: "idp", SessionClaim: "one", Chain: []pdp.Principal{{ID: "root"}}},
	} {
		r.agent = other
		if got := r.session(); got == one {
			t.Errorf("%s of %s got the session of another", other.ID, other.Issuer)
		}
	}
}

// What a client can choose selects no session, and begins none.
func TestWhatAClientChoosesSelectsNoSession(t *testing.T) {
	r := newRoom(t, plan{})
	first := r.session()
	for _, name := range []string{"mcp-session-id", "traceparent", "x-request-id", "x-remit-session", "sid"} {
		d, _ := r.ask(question{verdict: pdp.Verdict{Effect: pdp.Allow}, envelope: pdp.Envelope{Headers: pdp.Headers{{Name: name, Value: "other"}}}})
		if d.Effect != pdp.Allow || d.Session != first {
			t.Errorf("%s makes it session %q after %q: %+v", name, d.Session, first, d.Reasons)
		}
	}
}

// The limits are closed: at exactly its idle time or age a session goes on.
func TestSessionsEnd(t *testing.T) {
	for _, c := range []struct {
		name  string
		claim string
		wait  time.Duration
		same  bool
		code  string
	}{
		{"shared, at its idle time", "", 30 * time.Minute, true, ""},
		{"shared, idle", "", 30*time.Minute + 1, false, ""},
		{"a claim's is not idle", "s", 7 * time.Hour, true, ""},
		{"a claim's, at its age", "s", 8 * time.Hour, true, ""},
		{"a claim's, past its age", "s", 8*time.Hour + 1, false, pdp.CodeSessionEnded},
		{"a claim's, long past its age", "s", 30 * 24 * time.Hour, false, pdp.CodeSessionEnded},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRoom(t, plan{}).claim(c.claim)
			first := r.session()
			r.wait(c.wait)
			d := r.act(pdp.Verdict{Effect: pdp.Allow})
			if c.code != "" {
				if d.Effect == pdp.Allow || d.Class != pdp.Revoked || d.Reasons[0].Code != c.code {
					t.Errorf("got %+v, want %s", d, c.code)
				}
				return
			}
			if d.Effect != pdp.Allow || (d.Session == first) != c.same {
				t.Errorf("session %q after %q, want the same: %v; %+v", d.Session, first, c.same, d.Reasons)
			}
		})
	}
}

// An agent's own session ends by its age also when it is never idle.
func TestASharedSessionEndsByAge(t *testing.T) {
	r := newRoom(t, plan{})
	first := r.session()
	for range 24 { // 8 hours
		r.wait(20 * time.Minute)
		if r.session() != first {
			t.Fatal("it ended early")
		}
	}
	r.wait(time.Minute)
	if r.session() == first {
		t.Error("it goes on past its maximum age")
	}
}

func TestAdmissionShortensASession(t *testing.T) {
	r := newRoom(t, plan{})
	r.admission = pdp.Admission{Admit: true, ExpiresIn: time.Minute, Task: value.Obj(value.M("purpose", value.Str("x")))}
	r.claim("s").allowed()
	r.expect(r.view(question{}).Session, map[string]any{"task": `{"purpose":"x"}`, "expires_in_seconds": 60})
	r.wait(time.Minute + 1)
	if code := r.denied(); code != pdp.CodeSessionEnded {
		t.Errorf("got %q", code)
	}
	r.admission = pdp.Admission{Admit: true, ExpiresIn: 100 * time.Hour, Idle: 100 * time.Hour}
	r.claim("").allowed()
	r.expect(r.view(question{}).Session, map[string]any{"expires_in_seconds": 8 * 3600, "task": `{"source":"none"}`})
	r.wait(31 * time.Minute)
	r.expect(r.view(question{}).Session, map[string]any{"new": true})
}

func TestExpiresInShortensAndNeverLengthens(t *testing.T) {
	r := newRoom(t, plan{}).claim("s")
	for _, in := range []time.Duration{time.Hour, 5 * time.Hour} {
		r.act(pdp.Verdict{Effect: pdp.Allow, Session: pdp.Directive{ExpiresIn: in}})
		r.expect(r.view(question{}).Session, map[string]any{"expires_in_seconds": 3600})
	}
	r.wait(time.Hour + 1)
	if code := r.denied(); code != pdp.CodeSessionEnded {
		t.Errorf("got %q", code)
	}
}

// What ends a session's authority is not shed by waiting, by another token of
// the same name, or by a restart; it does not depend on the action's fate.
func TestClosedAndQuarantinedStaySo(t *testing.T) {
	for _, c := range []struct {
		directive pdp.Directive
		code      string
	}{
		{pdp.Directive{Close: true}, pdp.CodeSessionEnded},
		{pdp.Directive{Quarantine: true}, pdp.CodeQuarantined},
	} {
		for _, claim := range []string{"", "s"} {
			for _, effect := range []pdp.Effect{pdp.Allow, pdp.Deny, pdp.Challenge} {
				t.Run(fmt.Sprintf("%s %q %s", c.code, claim, effect), func(t *testing.T) {
					r := newRoom(t, plan{}).claim(claim)
					r.allowed()
					r.act(pdp.Verdict{Effect: effect, Session: c.directive})
					if code := r.denied(); code != c.code {
						t.Fatalf("at once: %q", code)
					}
					r.wait(time.Hour) // more than the idle time
					if code := r.denied(); code != c.code {
						t.Errorf("after an hour: %q", code)
					}
					r.close()
					r.open()
					if code := r.denied(); code != c.code {
						t.Errorf("after a restart: %q", code)
					}
				})
			}
		}
	}
}

func TestTooManySessions(t *testing.T) {
	settings := state.Defaults
	settings.MaxOpen, settings.MaxPerMinute = 5, 3
	r := newRoom(t, plan{settings: settings})
	codes := func(from, to int) (codes []string) {
		for i := from; i < to; i++ {
			codes = append(codes, r.claim(fmt.Sprint(i)).denied())
		}
		return codes
	}
	limit := pdp.CodeSessionLimit
	if got := fmt.Sprint(codes(0, 4)); got != fmt.Sprint([]string{"", "", "", limit}) {
		t.Errorf("three a minute: %s", got)
	}
	if code := r.claim("0").denied(); code != "" {
		t.Errorf("a session that is open is refused: %s", code)
	}
	r.wait(time.Minute)
	if got := fmt.Sprint(codes(10, 13)); got != fmt.Sprint([]string{"", "", limit}) {
		t.Errorf("five at a time: %s", got)
	}
	if code := r.claim("10").act(pdp.Verdict{Effect: pdp.Allow, Session: pdp.Directive{Close: true}}); code.Effect != pdp.Allow {
		t.Error(code)
	}
	r.wait(time.Minute)
	if got := fmt.Sprint(codes(20, 22)); got != fmt.Sprint([]string{"", limit}) {
		t.Errorf("after one was closed: %s", got)
	}
	// Another agent of the same person has limits of its own.
	r.agent = pdp.Agent{ID: "other", Issuer: "idp", Chain: []pdp.Principal{{ID: "agent", Issuer: "idp"}}}
	if code := r.denied(); code != "" {
		t.Errorf("the other agent: %s", code)
	}
}

// Probing leaves a history: a denied admission makes no session and counts at
// the agent; an admitted session whose first action is denied exists.
func TestProbingLeavesAHistory(t *testing.T) {
	r := newRoom(t, plan{}).claim("s")
	r.admission = pdp.Admission{}
	for range 3 {
		if d := r.act(pdp.Verdict{Effect: pdp.Allow}); d.Effect == pdp.Allow || d.Session != "" {
			t.Errorf("got %+v", d)
		}
	}
	s := r.view(question{})
	r.expect(s.Session, map[string]any{"new": true, "id": `""`, "denied": 0})
	r.expect(s.Activity, map[string]any{"denied": 3, "consecutive_denied": 3, "sessions_started": 0, "open_sessions": 0})

	r.admission = pdp.Admission{Admit: true}
	if d := r.act(pdp.Verdict{}); d.Effect == pdp.Allow || d.Session == "" {
		t.Errorf("got %+v", d)
	}
	s = r.view(question{})
	r.expect(s.Session, map[string]any{"new": false, "actions": 1, "denied": 1, "consecutive_denied": 1, "systems": "[]", "targets": 0, "max_sensitivity": `"none"`})
	r.expect(s.Activity, map[string]any{"denied": 4, "sessions_started": 1, "open_sessions": 1})
	if recent := s.Session.Get("recent"); recent.Len() != 1 || recent.At(0).Get("effect").Text() != "deny" {
		t.Errorf("recent is %s", value.AppendJSON(nil, recent))
	}
	r.allowed()
	r.expect(r.view(question{}).Session, map[string]any{"actions": 2, "allowed": 1, "denied": 1, "consecutive_denied": 0})
}

// Where remit could not decide, the denial is an outage: an agent that meets one
// again and again is not an agent that probes.
func TestOutagesAreNoDenials(t *testing.T) {
	r := newRoom(t, plan{}).claim("s")
	r.allowed()
	r.act(pdp.Verdict{})
	undecidable := pdp.Verdict{Effect: pdp.Allow, Charges: []pdp.Charge{{Budget: "not declared", N: 1}}}
	for range 3 {
		if d := r.act(undecidable); d.Effect == pdp.Allow || d.Class != pdp.Unavailable {
			t.Fatalf("got %+v", d)
		}
	}
	want := map[string]any{"actions": 5, "denied": 1, "consecutive_denied": 1}
	r.expect(r.view(question{}).Session, want)
	r.expect(r.view(question{}).Activity, want)
	for _, window := range []string{"1m", "10m", "1h"} {
		r.expect(r.view(question{}).Session.Path("windows", window), map[string]any{"actions": `{"hi":5,"lo":5}`, "denied": `{"hi":1,"lo":1}`})
	}
	r.close()
	r.open()
	r.expect(r.view(question{}).Session, want)
}

// An allow for nobody remembers nothing.
func TestNobodyIsNotRemembered(t *testing.T) {
	r := newRoom(t, plan{})
	r.agent = pdp.Agent{}
	r.act(pdp.Verdict{Effect: pdp.Allow})
	s := r.view(question{})
	if s.Kept || s.Open {
		t.Errorf("kept %v, open %v", s.Kept, s.Open)
	}
	r.expect(s.Session, map[string]any{"state": `"none"`, "new": false, "actions": 0})
	r.expect(s.Activity, map[string]any{"actions": 0})
	r.expect(s.Budgets.Get("life"), map[string]any{"hi": 0, "remaining": 10})
}

// What an operator is shown of a session.
func TestShow(t *testing.T) {
	r := newRoom(t, plan{}).claim("s")
	d := r.allowed()
	r.wait(2 * time.Minute)
	held, err := r.store.Acquire(t.Context(), r.keys.Partition(r.agent.Root()))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	shown := held.State().Show(d.Session, r.settings, nil, r.now())
	r.expect(shown, map[string]any{"id": `"` + d.Session + `"`, "state": `"open"`, "agent": `{"id":"agent","issuer":"idp"}`})
	flights := shown.Get("flights")
	if flights.Len() != 1 || flights.At(0).Get("state").Text() != "unknown" || flights.At(0).Get("decision_id").Text() != d.ID {
		t.Errorf("flights are %s", value.AppendJSON(nil, flights))
	}
	r.expect(held.State().Show(d.Session, r.settings, nil, r.now().Add(24*time.Hour)), map[string]any{"state": `"ended"`})
	if held.State().Show("s_none", r.settings, nil, r.now()).Defined() {
		t.Error("a session that never was is shown")
	}
}

// A person's agent begins one session after the other: those that have ended do
// not stay in memory, but for a few, and none of them begins again.
func TestSessionsThatEndedAreLetGo(t *testing.T) {
	r := newRoom(t, plan{})
	r.admission = pdp.Admission{Admit: true, ExpiresIn: time.Minute}
	for i := range 40 {
		r.settle(r.claim(fmt.Sprint("run ", i)).allowed().ID, pdp.OutcomeDone)
		r.wait(2 * time.Minute)
	}
	r.held(func(p *state.Partition) {
		if len(p.Sessions) > 4 {
			t.Errorf("%d sessions are remembered whole", len(p.Sessions))
		}
	})
	for i := range 40 {
		if d := r.claim(fmt.Sprint("run ", i)).act(pdp.Verdict{Effect: pdp.Allow}); d.Effect == pdp.Allow {
			t.Errorf("session %d began again", i)
		}
	}
}
