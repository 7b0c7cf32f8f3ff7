package telemetry

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/remit-pdp/remit/pdp"
)

// Tracing says which decisions are traced, and where their traces go.
type Tracing struct {
	// Endpoint is the URL of a collector's OTLP/HTTP receiver, without the path
	// ("https://collector.example.test:4318").
	Endpoint string
	TLS      *tls.Config // nil is the system's
	// Ratio is the share of decisions that are traced where the caller does not
	// say; one that the caller traces is.
	Ratio float64
	// PerSecond bounds the traced decisions: callers can ask for a trace of all.
	PerSecond int
	// Parent returns the traceparent that the proxy itself sent with the
	// question, "" for none. It is preferred to the request's.
	Parent func(context.Context) string
	// Failed is told what keeps traces from being sent.
	Failed func(error)
}

// scope names what makes the spans.
const scope = "github.com/remit-pdp/remit"

// tracer makes spans of decisions. It is nil where nothing is traced.
type tracer struct {
	Tracing
	tracer trace.Tracer
	second atomic.Int64 // the current one, and in
	made   atomic.Int64 // it, the traced decisions
}

// Trace has decisions traced from now on; it is called before there are any. The
// function it returns sends what is left, and ends tracing.
func (p *Points) Trace(ctx context.Context, t Tracing) (end func(context.Context) error, err error) {
	options := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(strings.TrimSuffix(t.Endpoint, "/") + "/v1/traces")}
	if t.TLS != nil {
		options = append(options, otlptracehttp.WithTLSClientConfig(t.TLS))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(t.Failed)) // the library knows of no other place
	version, _ := built()
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithSampler(sdktrace.AlwaysSample()), // what is traced was chosen before
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "remit"), attribute.String("service.version", version))),
	)
	p.tracer = &tracer{Tracing: t, tracer: provider.Tracer(scope)}
	return provider.Shutdown, nil
}

// begin begins the span of a decision that is to be traced; nil for one that is
// not.
func (t *tracer) begin(ctx context.Context, env *pdp.Envelope) (context.Context, trace.Span) {
	if t == nil {
		return ctx, nil
	}
	parent := t.parent(ctx, env)
	if !parent.IsSampled() && (t.Ratio == 0 || rand.Float64() >= t.Ratio) || !t.room() {
		return ctx, nil
	}
	if parent.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
	}
	return t.tracer.Start(ctx, "decide", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(env.Received))
}

// parent is the span that the question was asked in, as W3C's Trace Context has
// it. Whatever a client writes there, it is a number or nothing.
func (t *tracer) parent(ctx context.Context, env *pdp.Envelope) trace.SpanContext {
	header := t.Parent(ctx)
	if header == "" {
		var lines int
		if header, lines = env.Headers.Get("traceparent"); lines != 1 {
			return trace.SpanContext{}
		}
	}
	carrier := propagation.MapCarrier{"traceparent": header}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
}

// room reports whether one more decision of this second may be traced.
func (t *tracer) room() bool {
	now := time.Now().Unix()
	if before := t.second.Load(); before != now && t.second.CompareAndSwap(before, now) {
		t.made.Store(0)
	}
	return t.made.Add(1) <= int64(t.PerSecond)
}

// end says on a decision's span what was decided. Nothing of it is the agent's:
// the record, by its id, has the rest.
func (p *Points) end(span trace.Span, listener string, d *pdp.Decision) {
	reasons := make([]string, len(d.Reasons))
	for i := range d.Reasons {
		reasons[i] = p.meter.codes.label(d.Reasons[i].Code)
	}
	span.SetAttributes(
		attribute.String("remit.decision_id", d.ID),
		attribute.String("remit.listener", listener),
		attribute.String("remit.effect", d.Effect.String()),
		attribute.String("remit.class", string(d.Class)),
		attribute.StringSlice("remit.reasons", reasons),
		attribute.String("remit.generation", d.Generation),
	)
	if d.Class == pdp.Unavailable {
		span.SetStatus(otelcodes.Error, "no decision could be made")
	}
	span.End()
}
