package pdp

import (
	"context"
	"time"

	"github.com/remit-pdp/remit/pdp/value"
)

// Case is everything known so far about one question. Decide fills it step by
// step; seams read it and must not keep it.
type Case struct {
	Now        time.Time
	Generation *Generation
	Envelope   *Envelope
	Partition  PartitionKey // zero without an identity
	Request    Request
	Agent      Agent
	Action     Action
	Snapshot   Snapshot
	// Admission is what the policy said about a session that would begin; nil
	// while there is an open one, or before it was asked.
	Admission *Admission
	// Refusal is the first step's that said no; nil while nobody did.
	Refusal *Refusal
	Verdict Verdict
	// WouldDeny are the denials that are not enforced here ([Observe]).
	WouldDeny []Observed
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

// judge asks the policy: with no open session whether one may begin, then about
// the action, both on the same snapshot. Whatever was refused before is not
// put to the policy.
func (c *Case) judge(ctx context.Context, turn Turn) {
	if c.Refusal != nil || c.Snapshot.Recorded != nil {
		return
	}
	start := time.Now()
	defer func() { c.PolicyTime = time.Since(start) }()
	if c.Snapshot.Kept && !c.Snapshot.Open {
		admission, err := c.Generation.Policy.Admit(ctx, c.Input())
		if err == nil && !admission.Admit {
			err = notAdmitted(admission)
		}
		c.WouldDeny = append(c.WouldDeny, admission.WouldDeny...)
		if err != nil {
			if r := refusal(err); !c.Observes(r) {
				c.refuse(r)
				return
			}
			admission = Admission{Admit: true, Task: NoTask}
		}
		c.Admission = &admission
		if c.look(turn); c.Refusal != nil {
			return
		}
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

// decision returns what c comes to, under a new id. It is an allow only where
// the policy's verdict is one and no step refused.
func (c *Case) decision(id string) Decision {
	d := Decision{ID: id, Digest: c.Request.Digest, Generation: c.Generation.ID, WouldDeny: c.WouldDeny}
	if c.Refusal != nil {
		d.Class, d.Reasons = c.Refusal.Class, []Reason{c.Refusal.Reason}
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
// on demand.
func (c *Case) Input() value.Value { return inputFields.Of(c) }
