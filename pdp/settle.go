package pdp

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/remit-pdp/remit/pdp/value"
)

// LabelIncomplete marks a session of whose history something was lost
// (invariant 12); the library treats it like the worst of labels.
const LabelIncomplete = "history-incomplete"

// Settle makes true what was pending on the outcome of an allowed action, once.
// An outcome can come from anybody who reaches the door, so it must carry an
// id that remit made; a second outcome for the same action changes nothing.
// The error is [ErrForged], [ErrNotInFlight], [ErrNotReady] or the store's; the caller counts
// it, nobody is denied by it.
func (p *Point) Settle(ctx context.Context, o Outcome) error {
	partition, err := p.ids.Partition(o.DecisionID)
	if err != nil {
		return fmt.Errorf("outcome from %s: %w", o.Source, err)
	}
	g := p.generation.Load()
	if g == nil {
		return fmt.Errorf("outcome from %s: %w", o.Source, ErrNotReady)
	}
	settlement, err := p.history.Resume(ctx, g.Declared, partition, o.DecisionID)
	if err != nil {
		return fmt.Errorf("outcome from %s: %w", o.Source, err)
	}
	defer settlement.Release()

	// The action is settled even where its outcome rules have no answer: what
	// the decision put in flight does not depend on them. What they would have
	// added is lost then, and the session says so.
	effects, err := p.outcome(ctx, g, settlement.Input(o))
	if err != nil {
		effects = Effects{Labels: []string{LabelIncomplete}}
	}
	return settlement.Commit(ctx, o, effects)
}

// outcome asks the outcome rules. A panic of theirs is no answer of theirs, and
// not the end of remit.
func (p *Point) outcome(ctx context.Context, g *Generation, input value.Value) (effects Effects, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			p.crashed(cause, debug.Stack())
			err = fmt.Errorf("panic: %T", cause)
		}
	}()
	return g.Policy.Settle(ctx, input)
}
