package telemetry

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/remit-pdp/remit/pdp"
)

// A receiver is a collector's OTLP/HTTP receiver.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracev1.Span
	raw   []byte
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		var request collector.ExportTraceServiceRequest
		if err != nil || q.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			t.Errorf("%s: no spans: %v", q.URL.Path, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.raw = append(r.raw, body...)
		for _, resource := range request.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				r.spans = append(r.spans, scope.Spans...)
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// traced makes decisions about envelopes and returns the spans of them.
func traced(t *testing.T, f *fake, change func(*Tracing), envelopes ...*pdp.Envelope) *receiver {
	t.Helper()
	r := newReceiver(t)
	m := New()
	p := m.NewPoints(f, keys(t), time.Now, func(cause any, _ []byte) { t.Error(cause) })
	p.Activate(&pdp.Generation{ID: "g1", Reader: f, Verifier: f, Catalog: f, Policy: &fakePolicy{}, Declared: &pdp.Declarations{}})
	settings := Tracing{Endpoint: r.URL, PerSecond: 1000, Parent: func(context.Context) string { return "" }, Failed: func(err error) { t.Log(err) }}
	if change != nil {
		change(&settings)
	}
	end, err := p.Trace(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range envelopes {
		if e.Received.IsZero() {
			e.Received = time.Now()
		}
		p.Listener("agents").Decide(t.Context(), e)
	}
	if err := end(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r
}

func asked(traceparent ...string) *pdp.Envelope {
	e := &pdp.Envelope{Listener: "agents"}
	for _, v := range traceparent {
		e.Headers = append(e.Headers, pdp.Header{Name: "traceparent", Value: v})
	}
	return e
}

const (
	traceID   = "4bf92f3577b34da6a3ce929d0e0e4736"
	sampled   = "00-" + traceID + "-00f067aa0ba902b7-01"
	unsampled = "00-" + traceID + "-00f067aa0ba902b7-00"
)

// A trace of the caller's is continued: the decision's span is a child of the
// caller's, and has the steps below it.
func TestTheCallersTraceIsContinued(t *testing.T) {
	r := traced(t, &fake{}, nil, asked(sampled))
	names := make(map[string]*tracev1.Span)
	for _, s := range r.spans {
		names[s.Name] = s
		if hex.EncodeToString(s.TraceId) != traceID {
			t.Errorf("%s is in the trace %x", s.Name, s.TraceId)
		}
	}
	decide := names["decide"]
	if decide == nil || hex.EncodeToString(decide.ParentSpanId) != "00f067aa0ba902b7" || decide.Kind != tracev1.Span_SPAN_KIND_SERVER {
		t.Fatalf("the decision's span is %v", decide)
	}
	for _, step := range []string{"identity", "state", "policy", "commit"} {
		if s := names[step]; s == nil || string(s.ParentSpanId) != string(decide.SpanId) {
			t.Errorf("the span of %s is %v", step, s)
		}
	}
	attributes := make(map[string]string)
	for _, a := range decide.Attributes {
		attributes[a.Key] = a.Value.GetStringValue()
	}
	if attributes["remit.effect"] != "allow" || attributes["remit.decision_id"] == "" || attributes["remit.listener"] != "agents" || attributes["remit.generation"] != "g1" {
		t.Errorf("the span says %v", attributes)
	}
}

// The proxy's own span is nearer than the one of the request.
func TestTheProxysSpanIsTheParent(t *testing.T) {
	const proxys = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	r := traced(t, &fake{}, func(s *Tracing) { s.Parent = func(context.Context) string { return proxys } }, asked(unsampled))
	if len(r.spans) == 0 || hex.EncodeToString(r.spans[0].TraceId) != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("got %v", r.spans)
	}
}

// What nobody asked to trace is not, but for the configured share; and nobody can
// have more traced than so many.
func TestWhatIsTraced(t *testing.T) {
	many := func(traceparent ...string) (all []*pdp.Envelope) {
		for range 200 {
			all = append(all, asked(traceparent...))
		}
		return all
	}
	decisions := func(r *receiver) (n int) {
		for _, s := range r.spans {
			if s.Name == "decide" {
				n++
			}
		}
		return n
	}
	for name, c := range map[string]struct {
		envelopes []*pdp.Envelope
		change    func(*Tracing)
		low, high int
	}{
		"no trace":            {many(), nil, 0, 0},
		"not sampled":         {many(unsampled), nil, 0, 0},
		"sampled":             {many(sampled), nil, 200, 200},
		"all":                 {many(), func(s *Tracing) { s.Ratio = 1 }, 200, 200},
		"half":                {many(unsampled), func(s *Tracing) { s.Ratio = 0.5 }, 50, 150},
		"twice":               {many(sampled, sampled), nil, 0, 0},
		"nonsense":            {many("00-" + strings.Repeat("z", 32) + "-00f067aa0ba902b7-01"), nil, 0, 0},
		"more than are to be": {many(sampled), func(s *Tracing) { s.PerSecond = 10 }, 10, 30},
	} {
		if n := decisions(traced(t, &fake{}, c.change, c.envelopes...)); n < c.low || n > c.high {
			t.Errorf("%s: %d were traced, want %d to %d", name, n, c.low, c.high)
		}
	}
}

// A trace holds nothing of a request.
func TestTracesHoldNothingOfARequest(t *testing.T) {
	e := asked(sampled)
	e.Method, e.Host, e.Path, e.Body = "canary-method", "canary-host", "/canary-path", "canary-body"
	e.Headers = append(e.Headers, pdp.Header{Name: "authorization", Value: "canary-token"}, pdp.Header{Name: "tracestate", Value: "canary=1"},
		pdp.Header{Name: "baggage", Value: "canary=1"})
	r := traced(t, &fake{err: errors.New("canary-error")}, nil, e)
	if len(r.raw) == 0 || strings.Contains(string(r.raw), "canary") {
		t.Errorf("a trace of %d bytes holds a part of the request: %q", len(r.raw), r.raw)
	}
	if s := r.spans[len(r.spans)-1]; s.Name != "decide" || s.Status.GetCode() != tracev1.Status_STATUS_CODE_ERROR {
		t.Errorf("the span of a decision that could not be made is %v", s)
	}
}
