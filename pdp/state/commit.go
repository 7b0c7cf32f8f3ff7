package state

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Commit implements [pdp.Turn]. What it accepts is one entry with the effects
// and the record. An allow that the deadline, a bound or a budget forbids is
// accepted as a denial instead, without charges.
func (t *turn) Commit(ctx context.Context, c *pdp.Case, d pdp.Decision) (pdp.Decision, error) {
	if d.Effect == pdp.Allow {
		if refusal, retry := t.forbids(ctx, c); refusal != nil {
			d = instead(c, d, refusal, retry)
		}
		d.WouldDeny = c.WouldDeny
	}
	err := t.accept(ctx, c, &d)
	if refusal := overruled(err); refusal != nil {
		// It was revoked while the policy was asked, or the export is too far
		// behind: no session begins either.
		c.Admission, d = nil, instead(c, d, refusal, 0)
		err = t.accept(ctx, c, &d)
	}
	if err != nil {
		return pdp.Decision{}, fmt.Errorf("write the decision: %w", err)
	}
	return d, nil
}

// overruled is why a store takes a denial where it did not take the allow; nil
// where it takes nothing.
func overruled(err error) *pdp.Refusal {
	if err == nil {
		return nil
	}
	var revoked *RevokedError
	switch {
	case errors.As(err, &revoked):
		return revoked.refusal()
	case errors.Is(err, ErrBehind):
		return pdp.Refuse(pdp.Unavailable, pdp.CodeHistoryDown, "no decision could be made", err.Error())
	default:
		return nil
	}
}

// instead is the denial that takes the place of an allow.
func instead(c *pdp.Case, d pdp.Decision, refusal *pdp.Refusal, retry time.Duration) pdp.Decision {
	c.Refusal = refusal
	return pdp.Decision{ID: d.ID, Class: refusal.Class, Reasons: []pdp.Reason{refusal.Reason}, Retry: retry,
		Generation: d.Generation, Digest: d.Digest}
}

// A draft is an entry and what hangs on it, in one piece.
type draft struct {
	entry   Entry
	effects Effects
	record  Record
	flight  Flight
}

// accept makes d one entry with its effects and its record.
func (t *turn) accept(ctx context.Context, c *pdp.Case, d *pdp.Decision) error {
	draft := new(draft)
	e := &draft.entry
	*e = Entry{Kind: Decided, At: t.at, Partition: c.Partition, Seq: t.state.Seq + 1, Effects: &draft.effects, Record: &draft.record}
	t.effects(c, d, e.Effects)
	d.Session = e.Effects.Session
	if d.Effect == pdp.Allow && c.Question == pdp.AboutSession {
		d.Opened = t.begin(c, e.Effects.Open)
	}
	if d.Effect == pdp.Allow && c.Question == pdp.AboutAction {
		e.Effects.Flight = &draft.flight
		t.fly(c, d, e.Effects.Flight)
	}
	*e.Record = newRecord(c, d)
	e.Record.Charges = e.Effects.Charges
	e.Record.Labels = t.labelsAfter(e.Effects)
	// A denial is written even when the caller's time is over, an allow never.
	if d.Effect != pdp.Allow {
		ctx = context.WithoutCancel(ctx)
	}
	return t.held.Commit(ctx, e)
}

// forbids is the last check of an allow.
func (t *turn) forbids(ctx context.Context, c *pdp.Case) (refusal *pdp.Refusal, retry time.Duration) {
	if ctx.Err() != nil {
		return pdp.Refuse(pdp.Unavailable, pdp.CodeDeadline, "no decision could be made in time", "the allow came too late for the caller"), 0
	}
	if len(t.state.Flights) >= maxFlights {
		if oldest := t.state.oldest(""); oldest == nil || t.at <= oldest.Deadline {
			return pdp.Refuse(pdp.Unavailable, pdp.CodeStateFull, "too many actions are under way",
				fmt.Sprintf("%d actions of the partition are in flight", len(t.state.Flights))), time.Second
		}
	}
	t.waive(c)
	for _, charge := range c.Verdict.Charges {
		if refusal, retry = t.spent(c, charge); refusal != nil {
			return refusal, retry
		}
	}
	return nil, 0
}

// spent refuses a charge that its budget has no room for.
func (t *turn) spent(c *pdp.Case, charge pdp.Charge) (refusal *pdp.Refusal, retry time.Duration) {
	b := c.Generation.Declared.Budgets[charge.Budget]
	if b == nil {
		return pdp.Refuse(pdp.Unavailable, pdp.CodePolicyType, "the decision could not be made", "budget "+charge.Budget+" is not declared"), 0
	}
	m := t.meter(b)
	_, hi := m.read(t.at)
	if hi+charge.N <= b.Limit {
		return nil, 0
	}
	frees := m.frees(b.Limit-charge.N, t.at)
	return pdp.Refuse(pdp.BudgetSpent, pdp.CodeBudgetSpent, "the budget "+b.Name+" is spent",
		fmt.Sprintf("budget %s: %d of %d spent or pending, %d asked", b.Name, hi, b.Limit, charge.N)), max(0, time.Duration(frees))
}

// waive drops the charges of an allow that their budgets have no room for,
// where that denial is observed only: a budget is never exceeded.
func (t *turn) waive(c *pdp.Case) {
	c.Verdict.Charges = slices.DeleteFunc(slices.Clone(c.Verdict.Charges), func(charge pdp.Charge) bool {
		refusal, _ := t.spent(c, charge)
		return refusal != nil && refusal.Class == pdp.BudgetSpent && c.Observes(refusal)
	})
}

// effects sets fx to what d does to the partition.
func (t *turn) effects(c *pdp.Case, d *pdp.Decision, fx *Effects) {
	*fx = Effects{
		Question: c.Question,
		Root:     c.Agent.Root(),
		Agent:    pdp.Principal{ID: c.Agent.ID, Issuer: c.Agent.Issuer},
		Action: Acted{
			Effect: d.Effect, Undecided: d.Effect != pdp.Allow && d.Class == pdp.Unavailable, Operation: uint8(c.Action.Operation.Index()), Level: uint8(c.Action.Target.Sensitivity.Level()),
			System: c.Action.Target.System, Tool: bounded(t.keys, "tool", c.Action.Tool), Target: t.target(c),
			Credential: c.Agent.Credential.Fingerprint,
		},
	}
	if t.state.Seq == 0 {
		fx.Lost, fx.LostMarks = t.state.Lost, t.state.LostMarks
	}
	if g := c.Generation; g.ID != "" && t.hash(g) != t.state.Generation {
		fx.Generation, fx.Declares = g.ID, t.signatures(g.Declared).sorted
	}
	switch {
	case t.session != nil:
		fx.Session = t.session.ID
	case c.Question == pdp.Supposed:
	case c.Question == pdp.AboutSession && d.Effect != pdp.Allow:
	case c.Admission != nil && c.Admission.Admit:
		fx.Open = t.opening(c)
		fx.Session = fx.Open.ID
	}
	if c.Question != pdp.AboutAction {
		fx.Close = c.Question == pdp.AboutEnding && d.Effect == pdp.Allow
		return
	}
	allowed := d.Effect == pdp.Allow
	if allowed {
		fx.Labels = append(slices.Clone(c.Action.Target.Adds), c.Verdict.Labels...)
		for _, charge := range c.Verdict.Charges {
			b := c.Generation.Declared.Budgets[charge.Budget]
			fx.Charges = append(fx.Charges, Charge{Budget: b.Name, Scope: b.Scope, N: charge.N, Window: int64(b.Window), Keep: b.KeepOnFailure})
		}
	}
	fx.Notes = t.notes(c, c.Verdict.Remember, allowed)
	// What the policy wants done to the session it wants done whatever became
	// of the action; but only a policy that was asked, and had its way.
	fx.Quarantine, fx.Close = c.Verdict.Session.Quarantine, c.Verdict.Session.Close
	if in := c.Verdict.Session.ExpiresIn; in > 0 {
		fx.Expires = t.at + int64(in)
	}
}

func (t *turn) opening(c *pdp.Case) *Opening {
	a := c.Admission
	o := &Opening{
		ID: pdp.NewName("s_"), Ref: t.ref, Shared: t.shared, Alone: a.InheritNone,
		AfterRevocation: t.afterRevocation, Owner: c.Agent.Owner, Chain: c.Agent.Chain,
	}
	task := a.Task
	if !task.Defined() {
		task = pdp.NoTask
	}
	o.Task = string(value.AppendJSON(nil, task))
	life := t.settings.MaxAge
	if a.ExpiresIn > 0 {
		life = min(life, a.ExpiresIn)
	}
	o.Expires = t.at + int64(life)
	switch {
	case a.Idle > 0 && t.shared:
		o.Idle = int64(min(a.Idle, t.settings.Idle))
	case a.Idle > 0:
		o.Idle = int64(a.Idle)
	case t.shared:
		o.Idle = int64(t.settings.Idle)
	}
	o.Past = t.agent != nil && !t.carries()
	return o
}

// fly sets f to what is kept of the allow d until its outcome comes.
func (t *turn) fly(c *pdp.Case, d *pdp.Decision, f *Flight) {
	*f = Flight{Deadline: t.at + int64(t.settings.OutcomeTimeout), Digest: d.Digest, Host: c.Request.Host}
	if f.Check = t.check(c); f.Check != "" {
		f.Answer = newAnswer(d)
	}
}
