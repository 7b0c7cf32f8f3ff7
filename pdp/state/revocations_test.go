package state_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// revoke revokes something, for a time or (0) until it is lifted.
func (r *room) revoke(kind pdp.RevocationKind, subject string, lasts time.Duration) *state.Entry {
	r.t.Helper()
	point := &pdp.Revocation{ID: "r_test", Kind: kind, Subject: subject, Reason: "hijacked", Actor: "ada", At: r.now()}
	if lasts > 0 {
		point.Until = r.now().Add(lasts)
	}
	e := &state.Entry{Kind: state.Revoked, At: r.now().UnixNano(), Revoking: point}
	if err := r.faulty.Revoke(context.Background(), e); err != nil {
		r.t.Fatal(err)
	}
	return e
}

func (r *room) lift(e *state.Entry) {
	r.t.Helper()
	lifted := *e
	lifted.Kind, lifted.At = state.Lifted, r.now().UnixNano()
	if err := r.faulty.Revoke(context.Background(), &lifted); err != nil {
		r.t.Fatal(err)
	}
}

// delegate is an agent that acts for another one, which acts for ada.
var delegate = pdp.Agent{
	ID: "worker", Issuer: "idp", Owner: "team-a", SessionClaim: "s",
	Chain:      []pdp.Principal{{ID: "planner", Issuer: "idp"}, {ID: "user:ada", Issuer: "idp"}},
	Credential: pdp.Presented{Fingerprint: "fp-1"},
	Workload:   &pdp.Workload{ID: "spiffe://prod/runner", TrustDomain: "prod", Credential: pdp.Presented{Fingerprint: "fp-w"}},
}

// Each kind of point covers what it says, and nothing beside it; it survives a
// restart, with a snapshot and without one, and ends when it is lifted.
func TestEachKindOfPoint(t *testing.T) {
	session := func(r *room) string { return r.session() }
	is := func(s string) func(*room) string { return func(*room) string { return s } }
	for _, c := range []struct {
		name    string
		kind    pdp.RevocationKind
		subject func(*room) string
		issuer  string
		covers  bool
	}{
		{"its session", pdp.RevokedSession, session, "", true},
		{"another session", pdp.RevokedSession, is("s_other"), "", false},
		{"its credential", pdp.RevokedCredential, is("fp-1"), "", true},
		{"another credential", pdp.RevokedCredential, is("fp-2"), "", false},
		{"the credential of the workload that presents it", pdp.RevokedCredential, is("fp-w"), "", true},
		{"the workload that presents it", pdp.RevokedAgent, is("spiffe://prod/runner"), "", true},
		{"the workload of its trust domain", pdp.RevokedAgent, is("spiffe://prod/runner"), "spiffe://prod", true},
		{"the workload of another issuer", pdp.RevokedAgent, is("spiffe://prod/runner"), "idp", false},
		{"another workload", pdp.RevokedAgent, is("spiffe://prod/other"), "", false},
		{"the agent", pdp.RevokedAgent, is("worker"), "", true},
		{"the agent of this issuer", pdp.RevokedAgent, is("worker"), "idp", true},
		{"the agent of another issuer", pdp.RevokedAgent, is("worker"), "other", false},
		{"an agent it acts for", pdp.RevokedAgent, is("planner"), "", true},
		{"an agent it acts for, of another issuer", pdp.RevokedAgent, is("planner"), "other", false},
		{"another agent", pdp.RevokedAgent, is("work"), "", false},
		{"its owner", pdp.RevokedOwner, is("team-a"), "", true},
		{"another owner", pdp.RevokedOwner, is("team-b"), "", false},
		{"its root", pdp.RevokedRoot, is("user:ada"), "", true},
		{"its root, of another issuer", pdp.RevokedRoot, is("user:ada"), "other", false},
		{"a principal that is not the root", pdp.RevokedRoot, is("planner"), "", false},
		{"the system", pdp.RevokedTarget, is("api"), "", true},
		{"the resource", pdp.RevokedTarget, is("api:/x"), "", true},
		{"another resource", pdp.RevokedTarget, is("api:/y"), "", false},
		{"a part of the resource's name", pdp.RevokedTarget, is("api:/"), "", false},
		{"another system", pdp.RevokedTarget, is("crm"), "", false},
		{"everything", pdp.RevokedEverything, is(""), "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRoom(t, plan{})
			r.agent = delegate
			r.allowed()
			e := r.revoke(c.kind, c.subject(r), 0)
			e.Revoking.Issuer = c.issuer
			if c.issuer != "" { // the first one was of any issuer
				r.lift(&state.Entry{Revoking: &pdp.Revocation{Kind: c.kind, Subject: e.Revoking.Subject}})
				if err := r.store.Revoke(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			want := ""
			if c.covers {
				want = pdp.CodeRevoked
			}
			r.expectCode(want, "at once")
			if err := r.store.Snapshot(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.close()
			r.open()
			r.expectCode(want, "after a restart")
			r.wait(time.Hour)
			r.lift(e)
			r.expectCode("", "after it was lifted")
			r.close()
			r.open()
			r.expectCode("", "after it was lifted, and a restart")
		})
	}
}

func (r *room) expectCode(want, when string) {
	r.t.Helper()
	if code := r.denied(); code != want {
		r.t.Errorf("%s: %q, want %q", when, code, want)
	}
}

// Nobody is revoked by target and by everything.
func TestNobodyIsRevokedToo(t *testing.T) {
	for kind, subject := range map[pdp.RevocationKind]string{pdp.RevokedTarget: "api", pdp.RevokedEverything: ""} {
		r := newRoom(t, plan{})
		r.agent = pdp.Agent{}
		r.allowed()
		r.revoke(kind, subject, 0)
		if code := r.denied(); code != pdp.CodeRevoked {
			t.Errorf("%s: %q", kind, code)
		}
	}
	r := newRoom(t, plan{})
	r.agent = pdp.Agent{}
	for _, kind := range []pdp.RevocationKind{pdp.RevokedAgent, pdp.RevokedRoot, pdp.RevokedOwner, pdp.RevokedCredential, pdp.RevokedSession} {
		r.revoke(kind, "", 0) // no order can be given like this: it covers nobody, not everybody
	}
	r.allowed()
}

// What is revoked is refused before the policy is asked, with a reason that
// tells the caller nothing and the operator everything.
func TestRevokedBeforeThePolicyIsAsked(t *testing.T) {
	r := newRoom(t, plan{}).claim("s")
	r.allowed()
	r.revoke(pdp.RevokedAgent, "agent", 0)
	refusal := r.view(question{}).Refusal
	if refusal == nil || refusal.Class != pdp.Revoked || refusal.Reason.Code != pdp.CodeRevoked {
		t.Fatalf("got %v", refusal)
	}
	if refusal.Detail != "r_test: agent agent was revoked by ada: hijacked" || strings.Contains(refusal.Reason.Message, "hijacked") {
		t.Errorf("the operator is told %q, the caller %q", refusal.Detail, refusal.Reason.Message)
	}
}

// The policy was asked and allowed, and then came the revocation: the commit
// denies, nothing is charged, and no session begins.
func TestARevocationBeatsTheCommit(t *testing.T) {
	for _, who := range []string{"agent", ""} { // and nobody
		r := newRoom(t, plan{})
		r.agent.ID = who
		c := r.newCase(question{verdict: pdp.Verdict{Effect: pdp.Allow}})
		turn, err := r.history.Begin(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if c.Snapshot = turn.View(c); c.Snapshot.Refusal != nil {
			t.Fatal(c.Snapshot.Refusal)
		}
		if c.Verdict = (pdp.Verdict{Effect: pdp.Allow}); who != "" {
			c.Verdict, c.Admission = charges("life", 1), &pdp.Admission{Admit: true}
		}
		r.revoke(pdp.RevokedTarget, "api", 0)
		d, err := turn.Commit(t.Context(), c, pdp.Decision{ID: r.ids.New(c.Partition), Effect: pdp.Allow})
		turn.Release()
		if err != nil || d.Effect != pdp.Deny || d.Class != pdp.Revoked || d.Session != "" || d.Reasons[0].Code != pdp.CodeRevoked {
			t.Errorf("%q got %+v, %v", who, d, err)
		}
		if who != "" {
			r.expect(r.view(question{}).Session, map[string]any{"new": true})
			if spent := r.budget("life"); spent != [2]int64{0, 0} {
				t.Errorf("the denial spent %v", spent)
			}
		}
	}
}

// Observing does not reach it.
func TestObservingDoesNotAllowWhatIsRevoked(t *testing.T) {
	r := newRoom(t, plan{observe: pdp.Observe{Systems: map[string]bool{"api": true}}})
	r.allowed()
	r.revoke(pdp.RevokedAgent, "agent", 0)
	r.expectCode(pdp.CodeRevoked, "in observe")
}

// Not even the answer of an action in flight is given again.
func TestARecordedAnswerIsNotGivenAgain(t *testing.T) {
	r := newRoom(t, plan{})
	q := check("7", 1, true)
	first, _ := r.ask(q)
	if again, _ := r.ask(q); again.ID != first.ID {
		t.Fatal("the check was not recognised")
	}
	r.revoke(pdp.RevokedAgent, "agent", 0)
	if again, _ := r.ask(q); again.Effect == pdp.Allow || again.Class != pdp.Revoked {
		t.Errorf("got %+v", again)
	}
	r.settle(first.ID, pdp.OutcomeDone) // what was allowed still settles
	if got := r.budget("life"); got != [2]int64{1, 1} {
		t.Errorf("the budget is at %v", got)
	}
}

// A session that a claim names stays revoked under that name; an agent's own
// gives way to one that must be admitted, and a revoked agent gets none.
func TestARevokedSession(t *testing.T) {
	t.Run("a claim's", func(t *testing.T) {
		r := newRoom(t, plan{}).claim("s")
		r.revoke(pdp.RevokedSession, r.session(), 0)
		for _, wait := range []time.Duration{0, time.Hour, 9 * time.Hour, 30 * 24 * time.Hour} {
			r.wait(wait)
			r.expectCode(pdp.CodeRevoked, "the same claim after "+wait.String())
		}
		if r.claim("other").denied() != "" {
			t.Error("another session is revoked with it")
		}
	})
	t.Run("the agent's own", func(t *testing.T) {
		r := newRoom(t, plan{})
		r.act(pdp.Verdict{Effect: pdp.Allow, Labels: []string{"secret"}})
		first := r.session()
		r.revoke(pdp.RevokedSession, first, 0)
		if s := r.view(question{}); s.Refusal != nil || s.Open {
			t.Errorf("no new admission: %v, open %v", s.Refusal, s.Open)
		}
		r.expect(r.view(question{}).Session, map[string]any{"new": true, "after_revocation": true})
		if second := r.session(); second == first {
			t.Error("the session goes on")
		}
		s := r.view(question{}).Session
		r.expect(s, map[string]any{"new": false, "after_revocation": true})
		if !s.Path("labels", "secret").Defined() {
			t.Error("the revocation shed the session's labels")
		}
	})
	t.Run("the agent's own, in quarantine", func(t *testing.T) {
		r := newRoom(t, plan{})
		id := r.session()
		r.act(pdp.Verdict{Effect: pdp.Allow, Session: pdp.Directive{Quarantine: true}})
		r.revoke(pdp.RevokedSession, id, 0)
		r.expectCode(pdp.CodeRevoked, "a revocation is no way out of quarantine")
	})
	t.Run("a revoked agent begins none", func(t *testing.T) {
		r := newRoom(t, plan{})
		r.revoke(pdp.RevokedAgent, "agent", 0)
		d := r.act(pdp.Verdict{Effect: pdp.Allow})
		if d.Class != pdp.Revoked || d.Session != "" {
			t.Errorf("got %+v", d)
		}
		if n := whole(t, r.view(question{}).Activity.Get("open_sessions")); n != 0 {
			t.Errorf("%d sessions are open", n)
		}
	})
}

// A point ends by itself, at the time it says, and revoking again never
// shortens it.
func TestAPointEndsByItself(t *testing.T) {
	r := newRoom(t, plan{})
	r.revoke(pdp.RevokedAgent, "agent", time.Hour)
	r.revoke(pdp.RevokedAgent, "agent", time.Minute)
	r.wait(time.Hour - 1)
	r.expectCode(pdp.CodeRevoked, "just before its end")
	r.wait(1)
	r.expectCode("", "at its end")
	r.close()
	r.open()
	r.expectCode("", "after a restart")
}

// A failing store does not acknowledge, and a revocation of too many points is
// refused.
func TestARevocationThatIsNotAccepted(t *testing.T) {
	r := newRoom(t, plan{})
	before := r.store.Revocations()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	held, err := r.store.Acquire(t.Context(), r.keys.Partition(r.agent.Root()))
	if err != nil {
		t.Fatal(err)
	}
	held.Release()
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	e := &state.Entry{Kind: state.Revoked, At: r.now().UnixNano(), Revoking: &pdp.Revocation{Kind: pdp.RevokedEverything}}
	if err := r.store.Revoke(over, e); !errors.Is(err, state.ErrUnavailable) {
		t.Errorf("a closed store: %v", err)
	}
	if n := len(r.store.Revocations().All(r.now())); n != 0 || len(before.All(r.now())) != 0 {
		t.Errorf("%d points count", n)
	}
	r.open()
}

// What an operator is shown of a revoked session, and how many a point covers.
func TestShowingWhatIsRevoked(t *testing.T) {
	r := newRoom(t, plan{})
	r.agent = delegate
	d := r.allowed()
	r.claim("t").allowed()
	r.agent = pdp.Agent{ID: "loner", Issuer: "idp", Chain: []pdp.Principal{{ID: "user:ada", Issuer: "idp"}}}
	r.allowed()
	held, err := r.store.Acquire(t.Context(), r.keys.Partition(r.agent.Root()))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	for _, c := range []struct {
		kind    pdp.RevocationKind
		subject string
		want    int
	}{
		{pdp.RevokedSession, d.Session, 1}, {pdp.RevokedAgent, "worker", 2}, {pdp.RevokedAgent, "planner", 2}, {pdp.RevokedOwner, "team-a", 2},
		{pdp.RevokedCredential, "fp-1", 2}, {pdp.RevokedRoot, "user:ada", 3}, {pdp.RevokedTarget, "api", 3}, {pdp.RevokedTarget, "crm", 0},
		{pdp.RevokedEverything, "", 3}, {pdp.RevokedAgent, "nobody", 0},
	} {
		if got := held.State().CoveredBy(&pdp.Revocation{Kind: c.kind, Subject: c.subject}, r.now()); got != c.want {
			t.Errorf("%s %s covers %d open sessions, want %d", c.kind, c.subject, got, c.want)
		}
	}
	r.revoke(pdp.RevokedOwner, "team-a", time.Hour)
	shown := held.State().Show(d.Session, r.settings, r.store.Revocations(), r.now())
	r.expect(shown, map[string]any{"state": `"revoked"`})
	r.expect(shown.Get("revocation"), map[string]any{
		"kind": `"owner"`, "subject": `"team-a"`, "reason": `"hijacked"`, "actor": `"ada"`, "until": `"2030-01-01T01:00:00Z"`})
}
