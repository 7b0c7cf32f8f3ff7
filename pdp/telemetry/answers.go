package telemetry

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Decider answers questions. It is [pdp.Point], or [Points].
type Decider interface {
	Decide(context.Context, *pdp.Envelope) pdp.Decision
	Admit(ctx context.Context, env *pdp.Envelope, task value.Value) pdp.Decision
	End(ctx context.Context, env *pdp.Envelope) pdp.Decision
	Own(ctx context.Context, env *pdp.Envelope) (pdp.Decision, value.Value)
	Suppose(ctx context.Context, caller, about *pdp.Envelope) pdp.Decision
}

// Answers counts the answers to one listener's questions.
type Answers struct {
	meter    *Meter
	listener string
	next     Decider
	// made and unmade time the answers that are decisions, and those that say
	// that there could be none.
	made, unmade prometheus.Observer

	// series are the counters of the answers there have been.
	series atomic.Pointer[map[answer]prometheus.Counter]
	adding sync.Mutex
}

// An answer is what answers are told apart by.
type answer struct {
	question pdp.Question
	effect   pdp.Effect
	class    pdp.Class
	code     string
}

func newAnswers(m *Meter, listener string, next Decider) *Answers {
	a := &Answers{
		meter: m, listener: listener, next: next,
		made: m.whole.WithLabelValues(listener, "yes"), unmade: m.whole.WithLabelValues(listener, "no"),
	}
	a.series.Store(&map[answer]prometheus.Counter{})
	return a
}

// Decide implements [Decider].
func (a *Answers) Decide(ctx context.Context, env *pdp.Envelope) pdp.Decision {
	d := a.next.Decide(ctx, env)
	a.count(pdp.AboutAction, &d)
	timed := a.made
	if d.Class == pdp.Unavailable {
		timed = a.unmade
	}
	timed.Observe(time.Since(env.Received).Seconds())
	return d
}

// Admit implements [Decider].
func (a *Answers) Admit(ctx context.Context, env *pdp.Envelope, task value.Value) pdp.Decision {
	d := a.next.Admit(ctx, env, task)
	a.count(pdp.AboutSession, &d)
	return d
}

// End implements [Decider].
func (a *Answers) End(ctx context.Context, env *pdp.Envelope) pdp.Decision {
	d := a.next.End(ctx, env)
	a.count(pdp.AboutEnding, &d)
	return d
}

// Own implements [Decider].
func (a *Answers) Own(ctx context.Context, env *pdp.Envelope) (pdp.Decision, value.Value) {
	d, own := a.next.Own(ctx, env)
	a.count(pdp.AboutItself, &d)
	return d, own
}

// Suppose implements [Decider].
func (a *Answers) Suppose(ctx context.Context, caller, about *pdp.Envelope) pdp.Decision {
	d := a.next.Suppose(ctx, caller, about)
	a.count(pdp.Supposed, &d)
	return d
}

// count counts an answer.
func (a *Answers) count(q pdp.Question, d *pdp.Decision) {
	is := answer{question: q, effect: d.Effect, class: d.Class}
	if len(d.Reasons) > 0 {
		is.code = d.Reasons[0].Code
	}
	series := (*a.series.Load())[is]
	if series == nil {
		series = a.add(is)
	}
	series.Inc()
	if d.Engine == pdp.EngineTopdown {
		a.meter.topdown.Inc()
	}
	for i := range d.WouldDeny {
		o := &d.WouldDeny[i]
		a.meter.wouldDeny.WithLabelValues(o.Place, string(o.Class), a.meter.codes.label(o.Reason.Code)).Inc()
	}
}

// add returns the counter of an answer that there was not before, or, where
// there are too many, the one of all others.
func (a *Answers) add(is answer) prometheus.Counter {
	a.adding.Lock()
	defer a.adding.Unlock()
	known := *a.series.Load()
	code := a.meter.codes.label(is.code)
	if len(known) >= maxSeries {
		code = other
	}
	series := a.meter.decisions.WithLabelValues(a.listener, is.question.String(), is.effect.String(), string(is.class), code)
	if code == is.code && len(known) < maxSeries { // anything else may be one of many
		known = maps.Clone(known)
		known[is] = series
		a.series.Store(&known)
	}
	return series
}
