package state_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/value"
)

var aTask = value.Obj(value.M("purpose", value.Str("ticket 7")))

// admit has a session admitted, which must succeed, and returns its token.
func (d *desk) admit() (session, token string) {
	d.t.Helper()
	got := d.point.Admit(context.Background(), &pdp.Envelope{Method: "POST", Path: "/v1/sessions"}, aTask)
	if got.Effect != pdp.Allow || got.Opened == nil || got.Session == "" {
		d.t.Fatalf("not admitted: %v %v", got.Class, got.Reasons)
	}
	return got.Session, got.Opened.Token
}

// with asks about an action in the session that tokens select.
func (d *desk) with(path string, tokens ...string) pdp.Decision {
	return d.point.Decide(context.Background(), &pdp.Envelope{Method: "GET", Path: path, SessionTokens: tokens})
}

func code(d pdp.Decision) string {
	if d.Effect == pdp.Allow {
		return ""
	}
	return d.Reasons[0].Code
}

// Invariant 6: a session token is good for the agent it was made for, while
// its session is open, and anything else that stands in its place is a denial.
func TestSessionTokensSelectOrDeny(t *testing.T) {
	bound := func(key string) value.Value {
		return value.Obj(value.M("cnf", value.Obj(value.M("jkt", value.Str(key)))))
	}
	cases := map[string]struct {
		between func(d *desk)
		tokens  func(token string) []string
		class   pdp.Class
		code    string
	}{
		"its agent":                    {},
		"its agent, with a fresh sid":  {between: func(d *desk) { d.agent.SessionClaim = "other" }},
		"another agent":                {func(d *desk) { d.agent.ID = "other" }, nil, pdp.Unauthenticated, pdp.CodeSessionToken},
		"another issuer":               {func(d *desk) { d.agent.Issuer = "evil" }, nil, pdp.Unauthenticated, pdp.CodeSessionToken},
		"for another person":           {func(d *desk) { d.agent.Chain = []pdp.Principal{{ID: "user:eve"}} }, nil, pdp.Unauthenticated, pdp.CodeSessionToken},
		"with another key":             {func(d *desk) { d.agent.Claims = bound("k2") }, nil, pdp.Unauthenticated, pdp.CodeSessionToken},
		"without its key":              {func(d *desk) { d.agent.Claims = value.Nothing }, nil, pdp.Unauthenticated, pdp.CodeSessionToken},
		"without a credential":         {func(d *desk) { d.agent = pdp.Agent{} }, nil, pdp.Unauthenticated, pdp.CodeSessionToken},
		"tampered":                     {nil, func(s string) []string { return []string{s[:len(s)-1] + "_"} }, pdp.Unauthenticated, pdp.CodeSessionToken},
		"empty":                        {nil, func(string) []string { return []string{""} }, pdp.Unauthenticated, pdp.CodeSessionToken},
		"twice":                        {nil, func(s string) []string { return []string{s, s} }, pdp.Unauthenticated, pdp.CodeSessionToken},
		"at the end of the session":    {between: func(d *desk) { d.wait(time.Hour) }},
		"after the end of the session": {func(d *desk) { d.wait(time.Hour + time.Second) }, nil, pdp.Revoked, pdp.CodeSessionEnded},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.agent.Claims = bound("k1")
			d.admission.ExpiresIn = time.Hour
			session, token := d.admit()
			if c.between != nil {
				c.between(d)
			}
			tokens := []string{token}
			if c.tokens != nil {
				tokens = c.tokens(token)
			}
			got := d.with("/x", tokens...)
			if got.Class != c.class || code(got) != c.code || (got.Effect == pdp.Allow) != (got.Session == session) {
				t.Errorf("%v %v in session %q", got.Class, got.Reasons, got.Session)
			}
			if got.ID == "" {
				t.Error("there is no record")
			}
		})
	}
}

// Closing a session makes its token useless, whoever closes it.
func TestATokenEndsWithItsSession(t *testing.T) {
	end := func(d *desk, token string) pdp.Decision {
		return d.point.End(context.Background(), &pdp.Envelope{SessionTokens: []string{token}})
	}
	for name, close := range map[string]func(d *desk, token string){
		"by its agent": func(d *desk, token string) {
			if got := end(d, token); got.Effect != pdp.Allow || got.ID == "" {
				t.Errorf("not closed: %v", got.Reasons)
			}
		},
		"by the policy": func(d *desk, token string) {
			d.verdict = func(value.Value) pdp.Verdict {
				return pdp.Verdict{Effect: pdp.Allow, Session: pdp.Directive{Close: true}}
			}
			d.with("/x", token)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			session, token := d.admit()
			_, other := d.admit()
			close(d, token)
			for what, got := range map[string]pdp.Decision{
				"an action":  d.with("/x", token),
				"a question": d.suppose("/x", token),
				"an end":     end(d, token),
			} {
				if got.Class != pdp.Revoked || code(got) != pdp.CodeSessionEnded || got.Session == session && got.Effect == pdp.Allow {
					t.Errorf("%s: %v %v", what, got.Class, got.Reasons)
				}
			}
			if got, own := d.point.Own(context.Background(), &pdp.Envelope{SessionTokens: []string{token}}); got.Effect == pdp.Allow || own.Defined() {
				t.Errorf("it is still shown: %v", got)
			}
			if got := d.with("/x", other); got.Effect != pdp.Allow {
				t.Errorf("another session ended with it: %v", got.Reasons)
			}
		})
	}
}

// A session ends, and is looked at, by its own token alone: nobody can end the
// one that all of an agent's runs share.
func TestTheAgentsOwnSessionNeedsItsToken(t *testing.T) {
	d := newDesk(t)
	d.ask("/x")
	if got := d.point.End(context.Background(), &pdp.Envelope{}); code(got) != pdp.CodeNoSession {
		t.Errorf("%v %v", got.Class, got.Reasons)
	}
	if got, own := d.point.Own(context.Background(), &pdp.Envelope{}); code(got) != pdp.CodeNoSession || own.Defined() {
		t.Errorf("%v %v", got.Class, got.Reasons)
	}
}

// Two admitted sessions of one agent are two histories; what one picked up
// reaches the other (invariant 12), also one admitted afterwards.
func TestAdmittedSessionsAreSeparateButForLabels(t *testing.T) {
	d := newDesk(t)
	one, first := d.admit()
	two, second := d.admit()
	if one == two || first == second {
		t.Fatal("two admissions made one session")
	}
	if s := d.seen("/x", first); s.Get("id").Text() != one || s.Get("begun").Text() != "admission" {
		t.Errorf("got %s", value.AppendJSON(nil, s))
	}
	if shared, _ := d.seen("/x", first).Get("shared").Bool(); shared {
		t.Error("it is shared")
	}
	if n, _ := d.seen("/x", second).Get("actions").Int(); n != 0 {
		t.Errorf("the other session has %d actions", n)
	}
	if s := d.seen("/x"); s.Get("begun").Text() != "claim" {
		t.Errorf("without a token it is %s", s.Get("begun").Text())
	}
	d.verdict = func(value.Value) pdp.Verdict {
		return pdp.Verdict{Effect: pdp.Allow, Labels: []string{"untrusted-content"}}
	}
	d.with("/page", first)
	d.verdict = func(value.Value) pdp.Verdict { return pdp.Verdict{Effect: pdp.Allow} }
	_, third := d.admit()
	for name, token := range map[string]string{"open before": second, "begun after": third} {
		if !d.seen("/x", token).Path("labels", "untrusted-content").Defined() {
			t.Errorf("%s: the label did not reach it", name)
		}
	}
	if got := d.point.End(context.Background(), &pdp.Envelope{SessionTokens: []string{first}}); got.Effect != pdp.Allow {
		t.Fatal(got.Reasons)
	}
	_, fourth := d.admit()
	if !d.seen("/x", fourth).Path("labels", "untrusted-content").Defined() {
		t.Error("ending the session shed its label")
	}
}

// seen is the session as a policy sees it at an action.
func (d *desk) seen(path string, tokens ...string) value.Value {
	d.t.Helper()
	if got := d.with(path, tokens...); got.Effect != pdp.Allow {
		d.t.Fatalf("denied: %v", got.Reasons)
	}
	return d.saw.Get("session")
}

func (d *desk) suppose(path string, tokens ...string) pdp.Decision {
	return d.point.Suppose(context.Background(), &pdp.Envelope{SessionTokens: tokens}, &pdp.Envelope{Method: "GET", Path: path})
}

// To ask changes nothing but that it was asked: no charge, fact, label, session
// and nothing in flight; and each question has a record that says what it is.
func TestSupposingChangesNothing(t *testing.T) {
	d := newDesk(t)
	_, token := d.admit()
	d.verdict = func(value.Value) pdp.Verdict {
		return pdp.Verdict{
			Effect: pdp.Allow, Labels: []string{"secret"}, Charges: []pdp.Charge{{Budget: "some", N: 10}},
			Remember: []pdp.Memo{{Fact: "seen", Key: []value.Value{value.Str("/x")}, On: pdp.OnAttempted}},
			Session:  pdp.Directive{Quarantine: true, Close: true},
		}
	}
	const questions = 3
	for range questions {
		if got := d.suppose("/x", token); got.Effect != pdp.Allow || got.ID == "" {
			t.Fatalf("%v %v", got.Class, got.Reasons)
		}
	}
	if err := d.settle(d.suppose("/x", token).ID, pdp.OutcomeDone); err == nil {
		t.Error("a question was settled as if it were an action")
	}
	d.verdict = charging("some", 10)
	s := d.seen("/x", token) // the budget has room for exactly this
	if n, _ := s.Get("actions").Int(); n != 0 {
		t.Errorf("%d actions were counted", n)
	}
	if n, _ := s.Get("asked").Int(); n != questions+1 {
		t.Errorf("asked is %d", n)
	}
	if labels := string(value.AppendJSON(nil, s.Get("labels"))); labels != "{}" {
		t.Errorf("labels: %s", labels)
	}
	if at, _ := d.saw.Path("memory", "seen", "here", "latest_at_ns").Int(); at != 0 {
		t.Errorf("a fact was remembered at %d", at)
	}
	// What is spent is spent for a question too, and stays at that.
	if got := d.suppose("/x", token); code(got) != pdp.CodeBudgetSpent {
		t.Errorf("%v %v", got.Class, got.Reasons)
	}
	// Where none is open, no session comes of it.
	if got := d.suppose("/x"); got.Effect != pdp.Allow || got.Session != "" {
		t.Errorf("session %q, %v", got.Session, got.Reasons)
	}
	kinds := make(map[string]int)
	err := d.reader.Entries(t.Context(), 0, func(_ state.Position, e *state.Entry) error {
		kinds[e.Record.Question.String()]++
		return nil
	})
	if want := "map[action:1 admission:1 supposed:6]"; err != nil || fmt.Sprint(kinds) != want {
		t.Errorf("records: %v, want %s; %v", kinds, want, err)
	}
}

// How much an agent may ask is bounded, so that asking is no way to find out
// what exists.
func TestQuestionsAreBounded(t *testing.T) {
	d := newDesk(t)
	for range state.Defaults.MaxQuestions {
		if got := d.suppose("/x"); got.Effect != pdp.Allow {
			t.Fatal(got.Reasons)
		}
	}
	if got := d.suppose("/x"); code(got) != pdp.CodeQuestionLimit || got.Retry == 0 {
		t.Errorf("%v %v", got.Class, got.Reasons)
	}
	if got := d.ask("/x"); got.Effect != pdp.Allow {
		t.Errorf("an action is denied: %v", got.Reasons)
	}
	d.wait(time.Minute)
	if got := d.suppose("/x"); got.Effect != pdp.Allow {
		t.Errorf("a minute later: %v", got.Reasons)
	}
}

// New sessions have the same limits at this door, and an admission that is
// denied counts at the agent.
func TestAdmissionsAreBoundedAndCounted(t *testing.T) {
	d := newDesk(t)
	for range state.Defaults.MaxPerMinute {
		d.admit()
	}
	admit := func() pdp.Decision {
		return d.point.Admit(context.Background(), &pdp.Envelope{}, aTask)
	}
	if got := admit(); code(got) != pdp.CodeSessionLimit || got.Opened != nil {
		t.Errorf("%v %v", got.Class, got.Reasons)
	}
	d.wait(time.Minute)
	for range state.Defaults.MaxOpen - state.Defaults.MaxPerMinute {
		d.admit()
	}
	if got := admit(); code(got) != pdp.CodeSessionLimit {
		t.Errorf("%v %v", got.Class, got.Reasons)
	}
	d.admission = pdp.Admission{}
	d.agent.ID = "other"
	if got := admit(); code(got) != pdp.CodeNotAdmitted || got.Opened != nil || got.Session != "" {
		t.Errorf("%v %v", got.Class, got.Reasons)
	}
	d.admission = pdp.Admission{Admit: true}
	d.ask("/x")
	if n, _ := d.saw.Path("agent", "activity", "denied").Int(); n != 1 {
		t.Errorf("%d denials are counted at the agent", n)
	}
}

// Nobody without a credential gets anything at this door.
func TestNobodyHasNoSession(t *testing.T) {
	d := newDesk(t)
	d.agent = pdp.Agent{}
	env := &pdp.Envelope{}
	own, _ := d.point.Own(context.Background(), env)
	for name, got := range map[string]pdp.Decision{
		"admit": d.point.Admit(context.Background(), env, aTask), "end": d.point.End(context.Background(), env),
		"own": own, "suppose": d.suppose("/x"),
	} {
		if got.Effect == pdp.Allow || got.Class != pdp.Unauthenticated || got.Opened != nil {
			t.Errorf("%s: %v %v", name, got.Class, got.Reasons)
		}
	}
}

// Invariant 7: neither the token nor what would let anybody make one is kept.
func TestTheTokenIsNotKept(t *testing.T) {
	d := newDesk(t)
	_, token := d.admit()
	d.with("/x", token)
	err := d.reader.Entries(t.Context(), 0, func(_ state.Position, e *state.Entry) error {
		if text := string(e.AppendBinary(nil)); strings.Contains(text, token) || strings.Contains(text, strings.TrimPrefix(token, "remit_s1_")) {
			t.Error("the journal holds the token")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
