package integration

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/remit-pdp/remit/integration/harness"
)

// canary is in everything that an agent can choose.
const canary = "canary7f3a"

// collected is what a collector got.
type collected struct {
	mu     sync.Mutex
	raw    []byte
	traces map[string]int // spans by trace id
}

func (c *collected) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(body, &request) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw = append(c.raw, body...)
	for _, resource := range request.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				c.traces[hex.EncodeToString(span.TraceId)]++
			}
		}
	}
}

func (c *collected) of(trace string) (spans int, raw string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.traces[trace], string(c.raw)
}

// A trace of the agent's goes on in remit and arrives at a collector; and neither
// traces nor metrics nor remit's own log hold anything that an agent chose, a
// credential least of all (invariant 7).
func TestTelemetryTellsNothingOfRequests(t *testing.T) {
	got := &collected{traces: make(map[string]int)}
	server := httptest.NewServer(got)
	defer server.Close()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "remit.yaml")
	text, err := os.ReadFile(filepath.Join(root, "integration", "testdata", "remit.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, "log: { level: debug, format: json }\ntelemetry: { traces: { endpoint: \""+server.URL+"\" } }\n"...)
	if err := os.WriteFile(config, text, 0o644); err != nil {
		t.Fatal(err)
	}
	s := startStackWith(t, buildShipped(t, root), "observability", func(o *harness.Options) { o.Remit = config })

	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	token := tokenFor(t, s, "user:"+canary)
	stranger, err := s.Issuer.Token(canary, canary, canary, map[string]any{"aud": canary})
	if err != nil {
		t.Fatal(err)
	}
	allowed := 0
	for _, authorization := range []string{token, stranger, canary, ""} {
		for _, path := range []string{"/v1/tickets/" + canary, "/" + canary + "?" + canary + "=" + canary, "/v1/secrets/" + canary, "/%00" + canary} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+harness.APIHost+path, strings.NewReader(`{"`+canary+`":1,"`+canary+`":2}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("content-type", "application/json")
			if path == "/v1/tickets/"+canary {
				req.Body, req.ContentLength = http.NoBody, 0
			}
			req.Header.Set("traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
			req.Header.Set("tracestate", "vendor="+canary)
			req.Header.Set("baggage", "a="+canary)
			req.Header.Set("remit-session", canary)
			if authorization != token {
				req.Header.Set("x-"+canary, canary)
			} else {
				req.Header.Del("remit-session")
			}
			if a, _ := send(s.Client(authorization), req); a.allowed() {
				allowed++
			}
		}
	}
	if allowed == 0 {
		t.Error("nothing was allowed: the test tests too little")
	}
	metrics := waitForMetric(t, s, `remit_envoy_requests_total{authz="ok"} 1`)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if spans, _ := got.of(trace); spans >= 16 {
			break
		}
	}
	spans, raw := got.of(trace)
	if spans < 16 {
		t.Errorf("%d spans of the agent's trace have arrived", spans)
	}
	log, err := os.ReadFile(filepath.Join(s.Dir, "remit.log"))
	if err != nil {
		t.Fatal(err)
	}
	for name, told := range map[string]string{"trace": raw, "metrics": metrics, "log": string(log)} {
		if len(told) == 0 {
			t.Errorf("there is no %s", name)
		}
		for _, secret := range []string{canary, token, stranger} {
			if at := strings.Index(told, secret); at >= 0 {
				t.Errorf("the %s holds what the agent chose: …%q", name, told[max(0, at-200):min(len(told), at+50)])
			}
		}
	}
}

// waitForMetric waits until a line is among the metrics, and returns them all.
func waitForMetric(t *testing.T, s *harness.Stack, line string) (all string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		resp, err := http.Get("http://" + s.Remit.Health + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if all = string(text); strings.Contains(all, line+"\n") {
			return all
		}
	}
	t.Errorf("no %s in\n%s", line, all)
	return all
}
