package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// A step times one step of decisions.
type step struct {
	name    string
	seconds prometheus.Observer
}

func (s step) since(began time.Time) { s.seconds.Observe(time.Since(began).Seconds()) }

// span times a step, and makes it a span where the decision is traced. What it
// returns is called when the step ends.
func (s step) span(ctx context.Context) (inside context.Context, end func()) {
	began := time.Now()
	decision := trace.SpanFromContext(ctx)
	if !decision.IsRecording() {
		return ctx, func() { s.since(began) }
	}
	inside, span := decision.TracerProvider().Tracer(scope).Start(ctx, s.name, trace.WithTimestamp(began))
	return inside, func() {
		span.End()
		s.since(began)
	}
}

type steps struct{ read, identity, catalog, state, policy, commit step }

func newSteps(in prometheus.Registerer) *steps {
	seconds := stepSeconds.histogram(in)
	of := func(name string) step { return step{name, seconds.WithLabelValues(name)} }
	return &steps{of("read"), of("identity"), of("catalog"), of("state"), of("policy"), of("commit")}
}

// generation returns a generation with the seams of g, timed.
func (s *steps) generation(g *pdp.Generation) *pdp.Generation {
	timed := *g
	timed.Reader = reader{g.Reader, s.read}
	timed.Verifier = verifier{g.Verifier, s.identity}
	timed.Catalog = catalog{g.Catalog, s.catalog}
	timed.Policy = policy{g.Policy, s.policy}
	return &timed
}

type reader struct {
	pdp.Reader
	step step
}

func (r reader) Read(e *pdp.Envelope) (pdp.Request, error) {
	defer r.step.since(time.Now())
	return r.Reader.Read(e)
}

type verifier struct {
	pdp.Verifier
	step step
}

func (v verifier) Verify(ctx context.Context, e *pdp.Envelope) (pdp.Agent, error) {
	ctx, end := v.step.span(ctx)
	defer end()
	return v.Verifier.Verify(ctx, e)
}

type catalog struct {
	pdp.Catalog
	step step
}

func (c catalog) Find(r *pdp.Request) pdp.Action {
	defer c.step.since(time.Now())
	return c.Catalog.Find(r)
}

type policy struct {
	pdp.Policy
	step step
}

func (p policy) Admit(ctx context.Context, input value.Value) (pdp.Admission, error) {
	ctx, end := p.step.span(ctx)
	defer end()
	return p.Policy.Admit(ctx, input)
}

func (p policy) Decide(ctx context.Context, input value.Value) (pdp.Verdict, error) {
	ctx, end := p.step.span(ctx)
	defer end()
	return p.Policy.Decide(ctx, input)
}

// history is a history whose turns are timed: the wait for one, and its commit.
type history struct {
	pdp.History
	steps *steps
}

func (h history) Begin(ctx context.Context, c *pdp.Case) (pdp.Turn, error) {
	ctx, end := h.steps.state.span(ctx)
	defer end()
	t, err := h.History.Begin(ctx, c)
	if err != nil {
		return nil, err
	}
	return turn{t, h.steps.commit}, nil
}

type turn struct {
	pdp.Turn
	step step
}

func (t turn) Commit(ctx context.Context, c *pdp.Case, d pdp.Decision) (pdp.Decision, error) {
	ctx, end := t.step.span(ctx)
	defer end()
	return t.Turn.Commit(ctx, c, d)
}
