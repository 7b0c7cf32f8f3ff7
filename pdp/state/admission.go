package state

import (
	"errors"
	"fmt"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Sessions that begin by explicit admission, and what else an agent asks
// besides actions.

// presented are the session tokens that came with the question.
func presented(c *pdp.Case) []string {
	if c.Caller == nil {
		return nil
	}
	return c.Caller.SessionTokens
}

// tokenKind is the kind of a session token's fingerprint.
const tokenKind = "session token"

// byToken finds the session that a token selects, or why it selects none.
func (t *turn) byToken(c *pdp.Case, tokens []string) {
	if len(tokens) > 1 {
		t.refused = badToken("the request carries more than one session token")
		return
	}
	id, err := t.keys.SessionOf(tokens[0], &c.Agent, time.Unix(0, t.at))
	s := t.state.Sessions[id]
	switch {
	case errors.Is(err, pdp.ErrExpired):
		t.refused = overSession(err.Error())
	case err != nil:
		t.refused = badToken(err.Error())
	case s == nil:
		t.refused = overSession("session " + id + " is not known any more")
	case s.Token != t.keys.Fingerprint(tokenKind, tokens[0]):
		t.refused = badToken("session " + id + " has another token")
	case s.ended(t.at):
		t.ended = s
	default:
		t.session = s
	}
}

// badToken is the denial of a session token: what was wrong is for the operator.
func badToken(detail string) *pdp.Refusal {
	return pdp.Refuse(pdp.Unauthenticated, pdp.CodeSessionToken, "the session token is not good", detail)
}

func overSession(detail string) *pdp.Refusal {
	return pdp.Refuse(pdp.Revoked, pdp.CodeSessionEnded, "the session has ended", detail)
}

// begin makes the token of a session that is about to begin. State keeps its
// fingerprint alone (invariant 7).
func (t *turn) begin(c *pdp.Case, o *Opening) *pdp.Opened {
	token := t.keys.SessionToken(&c.Agent, o.ID, time.Unix(0, o.Expires))
	o.Ref, o.Token = Ref{By: ByAdmission, Name: o.ID}, t.keys.Fingerprint(tokenKind, token)
	task, err := value.DecodeJSON([]byte(o.Task))
	if err != nil {
		task = pdp.NoTask
	}
	return &pdp.Opened{Token: token, ExpiresIn: (o.Expires - t.at) / int64(time.Second), Task: task}
}

// begun says what began the session: "admission" (asked for, with a task),
// "claim" (of the verified token) or "agent" (all its runs are one session).
func (v *sessionView) begun() string {
	if v.session != nil {
		return v.session.begun()
	}
	switch {
	case v.nobody:
		return "none"
	case v.c != nil && v.c.Question == pdp.AboutSession:
		return "admission"
	case v.shared:
		return "agent"
	default:
		return "claim"
	}
}

func (s *Session) begun() string {
	switch {
	case s.Token != "":
		return "admission"
	case s.Shared:
		return "agent"
	default:
		return "claim"
	}
}

// anyRevoked reports whether one of the agent's sessions was revoked: asking for
// another is then no way around it that a policy does not see.
func (t *turn) anyRevoked(revocations *Revocations) bool {
	if t.agent == nil || !revocations.NameSessions() {
		return false
	}
	for id, s := range t.state.Sessions {
		if s.Agent == t.agent.Is && revocations.named(pdp.RevokedSession, id, time.Unix(0, t.at)) != nil {
			return true
		}
	}
	return false
}

// questions counts the agent's in this minute about what would be allowed.
func (t *turn) questions() int {
	if t.agent == nil || t.agent.AskMinute != t.at/int64(time.Minute) {
		return 0
	}
	return t.agent.AskedNow
}

func tooManyQuestions(limit int) *pdp.Refusal {
	r := pdp.Refuse(pdp.BudgetSpent, pdp.CodeQuestionLimit, "too many questions about what would be allowed",
		fmt.Sprintf("more than %d in this minute", limit))
	r.Retry = time.Minute
	return r
}

// asked is what a question does that is not about an action. A denied one
// counts as a denied action of the agent, so that probing leaves a history.
func (p *Partition) asked(e *Entry, fx *Effects, agent *Agent, session *Session) {
	switch {
	case fx.Question == pdp.Supposed:
		agent.ask(e.At)
		if session != nil {
			session.Asked++
		}
	case fx.Action.Effect != pdp.Allow:
		agent.Activity.add(&fx.Action, e.At)
	case fx.Open != nil:
		agent.LastSeen = e.At
	case fx.Close && session != nil:
		session.close(e, agent)
	}
}

func (a *Agent) ask(at int64) {
	if minute := at / int64(time.Minute); minute != a.AskMinute {
		a.AskMinute, a.AskedNow = minute, 0
	}
	a.Asked++
	a.AskedNow++
}
