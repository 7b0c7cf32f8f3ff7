package pdp

import (
	"context"
	"time"

	"github.com/remit-pdp/remit/pdp/value"
)

// Case is everything known so far about one question. Decide fills it step by
// step; seams read it and must not keep it.
type Case struct {
	Question   Question
	Now        time.Time
	Generation *Generation
	Envelope   *Envelope
	// Caller is the envelope whose credential and session token count: the
	// same one, except where an action is only supposed.
	Caller *Envelope
	// Task is what the agent declares that a session is for; undefined where
	// nobody asks about one.
	Task      value.Value
	Partition PartitionKey // zero without an identity
	Request   Request
	Agent     Agent
	Action    Action
	Snapshot  Snapshot
	// Admission is what the policy said about a session that would begin; nil
	// while there is an open one, or before it was asked.
	Admission *Admission
	// Refusal is the first step's that said no; nil while nobody did.
	Refusal *Refusal
	Verdict Verdict
	// WouldDeny are the denials that are not enforced here ([Observe]).
	WouldDeny []Observed
	// Own is what the agent may know of its session, where it asks.
	Own value.Value
	// views are lent by Input.
	views views
	// PolicyTime is how long the policy took.
	PolicyTime time.Duration
}

// refuse keeps the first refusal: later ones are consequences of it.
func (c *Case) refuse(err error) {
	if err != nil && c.Refusal == nil {
		c.Refusal = refusal(err)
	}
}

// look reads the partition.
func (c *Case) look(turn Turn) {
	c.Snapshot = turn.View(c)
	if c.Snapshot.Refusal != nil {
		c.refuse(c.Snapshot.Refusal)
	}
}

// judge finds the verdict. Whatever was refused before is not put to the
// policy.
func (c *Case) judge(ctx context.Context, turn Turn) {
	if c.Refusal != nil || c.Snapshot.Recorded != nil {
		return
	}
	start := time.Now()
	defer func() { c.PolicyTime = time.Since(start) }()
	switch c.Question {
	case AboutSession:
		if c.admit(ctx, turn) {
			c.Verdict = Verdict{Effect: Allow, Reasons: c.Admission.Reasons, Engine: c.Admission.Engine}
		}
	case AboutEnding:
		c.Verdict = Verdict{Effect: Allow, Session: Directive{Close: true}}
	case AboutItself:
		c.Verdict, c.Own = Verdict{Effect: Allow}, c.own()
	default:
		c.act(ctx, turn)
	}
}

// act asks the policy about an action: with no open session whether one may
// begin, then about the action, both on the same snapshot.
func (c *Case) act(ctx context.Context, turn Turn) {
	if c.Snapshot.Kept && !c.Snapshot.Open && !c.admit(ctx, turn) {
		return
	}
	verdict, err := c.Generation.Policy.Decide(ctx, c.Input())
	if err == nil && !c.Snapshot.Kept && verdict.lasting() {
		err = Refuse(Unauthenticated, CodeEffectsNeedAgent, "an identity is required",
			"the policy allows this with a charge, a memo or a label, and there is no agent to keep them for")
	}
	c.Verdict = verdict
	c.refuse(err)
	c.observe()
}

// admit asks whether a session may begin.
func (c *Case) admit(ctx context.Context, turn Turn) bool {
	admission, err := c.Generation.Policy.Admit(ctx, c.Input())
	if err == nil && !admission.Admit {
		err = notAdmitted(admission)
	}
	c.WouldDeny = append(c.WouldDeny, admission.WouldDeny...)
	c.Verdict.Engine = admission.Engine
	if err != nil {
		if r := refusal(err); !c.Observes(r) {
			c.refuse(r)
			return false
		}
		admission = Admission{Admit: true, Task: NoTask}
	}
	c.Admission = &admission
	c.look(turn)
	return c.Refusal == nil
}

// identified refuses what only a known agent can ask; about a session of its
// own it asks with the session's token.
func (c *Case) identified() {
	if c.Question != AboutAction && !c.Agent.Known() {
		c.refuse(Refuse(Unauthenticated, CodeUnauthenticated, "a valid credential is required", "the request carries no credential"))
	}
	if (c.Question == AboutEnding || c.Question == AboutItself) && len(c.Caller.SessionTokens) == 0 {
		c.refuse(Refuse(OutOfScope, CodeNoSession, "present the token of the session", "the request carries no session token"))
	}
}

// decision returns what c comes to, under a new id. It is an allow only where
// the policy's verdict is one and no step refused.
func (c *Case) decision(id string) Decision {
	d := Decision{ID: id, Digest: c.Request.Digest, Generation: c.Generation.ID, WouldDeny: c.WouldDeny, Engine: c.Verdict.Engine}
	if c.Refusal != nil {
		d.Class, d.Reasons, d.Retry = c.Refusal.Class, []Reason{c.Refusal.Reason}, c.Refusal.Retry
		return d
	}
	v := &c.Verdict
	d.Effect, d.Class, d.Reasons, d.Retry = v.Effect, v.Class, v.Reasons, v.Retry
	d.Response, d.Metadata = v.Response, v.Metadata
	if d.Class == "" {
		d.Class = classOf(v.Effect)
	}
	return d
}

// reply says how the caller asked.
func (c *Case) reply() Reply {
	r := Reply{Protocol: c.Request.Protocol, Binding: c.Request.Binding}
	if rpc := c.Request.RPC; rpc != nil {
		r.RPCMethod, r.RPCID, r.Revision = rpc.Method, rpc.ID, rpc.Revision
	}
	return r
}

// lasting reports whether an allow with this verdict would have to be
// remembered.
func (v *Verdict) lasting() bool {
	return v.Effect == Allow && (len(v.Charges) > 0 || len(v.Remember) > 0 || len(v.Labels) > 0)
}

func classOf(e Effect) Class {
	switch e {
	case Allow:
		return ""
	case Challenge:
		return NeedsApproval
	default:
		return OutOfScope
	}
}

func notAdmitted(a Admission) *Refusal {
	r := Refuse(OutOfScope, CodeNotAdmitted, "the session may not begin", "")
	if len(a.Reasons) > 0 {
		r.Reason = a.Reasons[0]
		r.Detail = "by the admission policy"
	}
	return r
}

// Input returns what the policy reads: `input` of DESIGN 5.1, member by member
// on demand. It reads c, which lends it room: it is for one goroutine at a time.
func (c *Case) Input() value.Value { return inputFields.In(&c.views.input, c) }
