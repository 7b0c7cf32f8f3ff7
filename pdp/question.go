package pdp

import (
	"context"
	"slices"

	"github.com/remit-pdp/remit/pdp/value"
)

// Question is what is asked. A proxy asks about actions; everything else is
// asked by an agent itself, at the agents' door.
type Question uint8

// The questions.
const (
	// AboutAction: may this be done?
	AboutAction Question = iota
	// AboutSession: may a session begin, with the task that the agent declares?
	AboutSession
	// AboutEnding: the agent ends its own session.
	AboutEnding
	// AboutItself: what may the agent know of its own session?
	AboutItself
	// Supposed: what would be decided about an action that is not asked to be
	// done? It changes nothing but the count of such questions.
	Supposed
)

// String returns the question's name in records.
func (q Question) String() string {
	names := [...]string{"action", "admission", "ending", "itself", "supposed"}
	if int(q) < len(names) {
		return names[q]
	}
	return "unknown"
}

// Opened is a session that began by explicit admission, as its agent is told of
// it. It holds a secret and is never recorded.
type Opened struct {
	Token     string // selects the session in the agent's further requests
	ExpiresIn int64  // seconds
	Task      value.Value
}

// Admit decides whether a session may begin for the task that the agent
// declares (an object; `input.task`). The decision of an admitted one has
// Session and Opened set. The session has done nothing yet: what the agent does
// in it is decided one by one.
func (p *Point) Admit(ctx context.Context, env *Envelope, task value.Value) Decision {
	return p.answer(ctx, &Case{Question: AboutSession, Envelope: env, Caller: env, Task: task})
}

// End ends the session whose token env carries.
func (p *Point) End(ctx context.Context, env *Envelope) Decision {
	return p.answer(ctx, &Case{Question: AboutEnding, Envelope: env, Caller: env})
}

// Own tells an agent what it may know of the session whose token env carries.
// To tell is no decision and leaves no record; a refusal to is one.
func (p *Point) Own(ctx context.Context, env *Envelope) (Decision, value.Value) {
	c := &Case{Question: AboutItself, Envelope: env, Caller: env}
	d := p.answer(ctx, c)
	return d, c.Own
}

// Suppose decides about an action as if the caller had asked for it now, and
// lets nothing follow from it: no charge, fact, label or session. about
// describes the action and proves nothing; who asks, and in which session,
// is what caller proves.
func (p *Point) Suppose(ctx context.Context, caller, about *Envelope) Decision {
	return p.answer(ctx, &Case{Question: Supposed, Envelope: about, Caller: caller})
}

// own is what an agent may know of its session: nothing that its own requests
// have not told it, and the budgets that the bundle shows.
func (c *Case) own() value.Value {
	shown := []value.Member{value.M("budgets", c.shownBudgets())}
	for _, name := range []string{"id", "state", "started_at", "age_seconds", "expires_in_seconds", "task", "actions", "allowed", "denied", "asked"} {
		shown = append(shown, value.M(name, copied(c.Snapshot.Session.Get(name))))
	}
	return value.Obj(shown...)
}

// copied is a value that outlives the turn it was read in.
func copied(v value.Value) value.Value {
	again, err := value.DecodeJSON(value.AppendJSON(nil, v))
	if err != nil {
		return value.Nothing
	}
	return again
}

func (c *Case) shownBudgets() value.Value {
	var shown []value.Member
	for name, budget := range c.Generation.Declared.Budgets {
		if !budget.Shown {
			continue
		}
		b := c.Snapshot.Budgets.Get(name)
		shown = append(shown, value.M(name, value.Obj(
			value.M("limit", value.Int(budget.Limit)),
			value.M("remaining", copied(b.Get("remaining"))),
			value.M("unit", value.OptStr(budget.Unit)))))
	}
	return value.Obj(shown...)
}

// Take returns the headers without those of a name, and their values, in
// order. name must be in lower case.
func (h Headers) Take(name string) (rest Headers, values []string) {
	if _, lines := h.Get(name); lines == 0 {
		return h, nil
	}
	for _, header := range h {
		if header.Name == name {
			values = append(values, header.Value)
		}
	}
	return slices.DeleteFunc(slices.Clone(h), func(header Header) bool { return header.Name == name }), values
}
