package telemetry

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// oneIn is how many decisions there are to one whose steps are timed: to look
// at the clock twice a step costs more than some of the steps.
const oneIn = 16

// Points are a decision point twice, over the same history: one as it is, and
// one whose seams are timed, which makes a sample of the decisions and those that
// are traced. Safe for concurrent use.
type Points struct {
	meter        *Meter
	plain, timed *pdp.Point
	tracer       *tracer
}

// NewPoints returns what [pdp.NewPoint] does, measured.
func (m *Meter) NewPoints(h pdp.History, keys *pdp.Keys, now func() time.Time, crashed func(cause any, stack []byte)) *Points {
	return &Points{
		meter: m,
		plain: pdp.NewPoint(h, keys, now, crashed),
		timed: pdp.NewPoint(history{h, m.steps}, keys, now, crashed),
	}
}

// Activate makes decisions be made with g from now on. See
// [pdp.Point.Activate].
func (p *Points) Activate(g *pdp.Generation) {
	p.timed.Activate(p.meter.steps.generation(g))
	p.plain.Activate(g)
}

// Generation returns the generation in force, nil before the first.
func (p *Points) Generation() *pdp.Generation { return p.plain.Generation() }

// Listener returns what answers the questions that come in at a listener.
func (p *Points) Listener(name string) *Answers { return newAnswers(p.meter, name, p) }

// some returns the point that makes the next decision.
func (p *Points) some() *pdp.Point {
	if rand.Uint32()%oneIn == 0 {
		return p.timed
	}
	return p.plain
}

// Decide implements [Decider].
func (p *Points) Decide(ctx context.Context, env *pdp.Envelope) pdp.Decision {
	tracing, span := p.tracer.begin(ctx, env)
	if span == nil {
		return p.some().Decide(ctx, env)
	}
	d := p.timed.Decide(tracing, env)
	p.end(span, env.Listener, &d)
	return d
}

// Admit implements [Decider].
func (p *Points) Admit(ctx context.Context, env *pdp.Envelope, task value.Value) pdp.Decision {
	return p.some().Admit(ctx, env, task)
}

// End implements [Decider].
func (p *Points) End(ctx context.Context, env *pdp.Envelope) pdp.Decision {
	return p.some().End(ctx, env)
}

// Own implements [Decider].
func (p *Points) Own(ctx context.Context, env *pdp.Envelope) (pdp.Decision, value.Value) {
	return p.some().Own(ctx, env)
}

// Suppose implements [Decider].
func (p *Points) Suppose(ctx context.Context, caller, about *pdp.Envelope) pdp.Decision {
	return p.some().Suppose(ctx, caller, about)
}

// Settle settles an action once. (See [pdp.Point.Settle].) What settles nothing
// is counted here; of the others the store knows more.
func (p *Points) Settle(ctx context.Context, o pdp.Outcome) error {
	err := p.plain.Settle(ctx, o)
	if err != nil {
		p.meter.refused.WithLabelValues(cause(err)).Inc()
	}
	return err
}
