package server_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/server"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
	"github.com/remit-pdp/remit/pdp/value"
	"github.com/remit-pdp/remit/policies"
)

// desk is a decision point as a process has it, without the doors: the shipped
// policies, the sample catalog, an issuer's keys, a journal on disk. One agent
// asks it, in one session.
type desk struct {
	point      *pdp.Point
	history    *state.History
	store      *localstore.Store
	keys       *pdp.Keys
	generation *pdp.Generation
	asked      []*pdp.Envelope // prepared questions, each about another ticket
	next       uint64
}

// questions is how many different ones the agent asks, in turn.
const questions = 64

func newDesk(tb testing.TB) *desk {
	tb.Helper()
	dir := tb.TempDir()
	issuer, err := harness.NewIssuer()
	must(tb, err)
	must(tb, issuer.WriteJWKS(filepath.Join(dir, "jwks.json")))
	token, err := issuer.Token("support-agent", "user:ada", "bench", nil)
	must(tb, err)
	c := deskConfig(tb, dir)
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	must(tb, err)
	store, err := localstore.Open(c.State.Dir, localstore.Options{Keys: keys, SegmentBytes: c.State.SegmentBytes, Warn: func(err error) { tb.Error(err) }})
	must(tb, err)
	d := &desk{store: store, history: state.New(store, keys, server.StateSettings(c), time.Now), keys: keys}
	tb.Cleanup(func() {
		must(tb, d.history.Close())
		must(tb, store.Close())
	})
	d.generation, _, err = server.NewGeneration(tb.Context(), c, keys, server.NewIssuers(c, nil), time.Now)
	must(tb, err)
	d.point = pdp.NewPoint(d.history, keys, time.Now, func(cause any, _ []byte) { tb.Errorf("a panic: %v", cause) })
	d.point.Activate(d.generation)
	for i := range questions {
		d.asked = append(d.asked, toolCall(token, i))
	}
	return d
}

// deskConfig lays the bundle of the sample over the shipped policies. The limits
// of one loop are those of many agents.
func deskConfig(tb testing.TB, dir string) *config.Config {
	tb.Helper()
	policy := filepath.Join(dir, "policy")
	must(tb, os.CopyFS(policy, policies.FS))
	sample := os.DirFS(filepath.Join("..", "..", "integration", "demo", "bundle"))
	for _, name := range []string{"agents", "catalog", "budgets"} {
		path := filepath.Join("remit", name, "data.yaml")
		text, err := fs.ReadFile(sample, filepath.ToSlash(path))
		must(tb, err)
		must(tb, os.WriteFile(filepath.Join(policy, path), text, 0o600))
	}
	settings := filepath.Join(policy, "remit", "settings.rego")
	text, err := os.ReadFile(settings)
	must(tb, err)
	raised := regexp.MustCompile(`(?m)^(\w+_per_minute) := \d+$`).ReplaceAllString(string(text), "$1 := 1000000000")
	must(tb, os.WriteFile(settings, []byte(raised), 0o600))
	path := filepath.Join(dir, "remit.yaml")
	must(tb, os.WriteFile(path, fmt.Appendf(nil, `listeners:
- name: agents
  address: unix:a.sock
  request_id: envoy
  mcp: { paths: [ /mcp ] }
  identity:
    jwt: { issuer: %q, audience: [ %q ], jwks_file: jwks.json, algorithms: [ ES256 ] }
outcomes: { address: "unix:o.sock" }
policy: { bundle: %q, timeout: 5s }
state: { dir: data }
`, harness.IssuerName, harness.Audience, policy), 0o600))
	c, err := config.Load(path)
	must(tb, err)
	return c
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// toolCall is a check of the kind that Envoy sends: a proxy's headers around a
// client's, a bearer token, one MCP message.
func toolCall(token string, i int) *pdp.Envelope {
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"read_ticket","arguments":{"ticket":"T-%d",`+
		`"fields":["title","status","assignee","history"],"note":"The customer asks why the refund of the second item has not arrived yet."},`+
		`"_meta":{"progressToken":"b1946ac9-2f0e-4c67-8d2b-6a3c9a8f1e11"}}}`, i, i)
	e := &pdp.Envelope{
		Door: "ext_authz", Listener: "agents", Proxy: "unix:a.sock", Method: "POST", Scheme: "https", Host: "tools.example.test", Path: "/mcp", Protocol: "HTTP/2",
		Body: body, BodySize: int64(len(body)), TrustID: true,
		Source: pdp.Peer{Address: "10.2.3.4", Port: 41234}, Destination: pdp.Peer{Address: "10.2.3.5", Port: 8443},
	}
	for _, h := range [][2]string{
		{":authority", "tools.example.test"}, {":method", "POST"}, {":path", "/mcp"}, {":scheme", "https"},
		{"accept", "application/json, text/event-stream"}, {"accept-encoding", "gzip, deflate, br"}, {"accept-language", "en-GB,en;q=0.9"},
		{"authorization", "Bearer " + token}, {"content-length", strconv.Itoa(len(body))}, {"content-type", "application/json"},
		{"mcp-protocol-version", "2025-11-25"}, {"mcp-session-id", "5f2b8c1e-7a90-4a58-9d3f-2c1b0a9e8d7c"},
		{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, {"user-agent", "acme-agent/3.2 (mcp-client 1.12; linux)"},
		{"x-envoy-auth-partial-body", "false"}, {"x-envoy-internal", "true"}, {"x-forwarded-client-cert", "Hash=0f1e2d;URI=spiffe://prod/agent"},
		{"x-forwarded-for", "10.2.3.4"}, {"x-forwarded-proto", "https"}, {"x-request-id", "2f1e9f0c-4d0b-9a6e-8f5d-1b2c3d4e5f60"},
	} {
		e.Headers = append(e.Headers, pdp.Header{Name: h[0], Value: h[1]})
	}
	return e
}

// ask returns the next question, as a door would: one that nobody asked before.
func (d *desk) ask() *pdp.Envelope {
	e := *d.asked[d.next%questions]
	d.next++
	e.HTTPID, e.Received = strconv.FormatUint(d.next, 10), time.Now()
	e.Sent = e.Received
	return &e
}

func (d *desk) decide(tb testing.TB, e *pdp.Envelope) pdp.Decision {
	decision := d.point.Decide(tb.Context(), e)
	if decision.Effect != pdp.Allow {
		tb.Fatalf("not allowed: %v", decision.Reasons)
	}
	return decision
}

func (d *desk) settle(tb testing.TB, ids ...string) {
	for _, id := range ids {
		must(tb, d.point.Settle(tb.Context(), pdp.Outcome{DecisionID: id, State: pdp.OutcomeDone, Source: "access_log", At: time.Now(), Status: 200, Attempts: 1}))
	}
}

// BenchmarkDecide is one whole decision in process, with everything on: strict
// reading, a verified token, the starter pack, a journal entry with its record.
// "settled" adds the outcome of each.
func BenchmarkDecide(b *testing.B) {
	for _, name := range []string{"decision", "settled"} {
		b.Run(name, func(b *testing.B) {
			d := newDesk(b)
			d.settle(b, d.decide(b, d.ask()).ID)
			measured := cpuTime(b)
			var flying []string
			for b.Loop() {
				flying = append(flying, d.decide(b, d.ask()).ID)
				switch {
				case name == "settled":
					d.settle(b, flying...)
					flying = flying[:0]
				case len(flying) == questions:
					measured.pause()
					d.settle(b, flying...)
					flying = flying[:0]
					measured.resume()
				}
			}
			measured.report()
		})
	}
}

// BenchmarkStep is what one decision pays for each of its steps, in the order in
// which [pdp.Point.Decide] takes them; the sum is about BenchmarkDecide.
func BenchmarkStep(b *testing.B) {
	d := newDesk(b)
	d.settle(b, d.decide(b, d.ask()).ID)
	ctx, g := b.Context(), d.generation
	c, turn := d.open(b)
	defer turn.Release()
	steps := []struct {
		name string
		do   func() bool
	}{
		{"1 read", func() bool { _, err := g.Reader.Read(c.Envelope); return err == nil }},
		{"2 verify", func() bool { a, err := g.Verifier.Verify(ctx, c.Envelope); return err == nil && a.Known() }},
		{"3 partition", func() bool { return d.keys.Partition(c.Agent.Root()) == c.Partition }},
		{"4 catalog", func() bool { return g.Catalog.Find(&c.Request).Target.Known }},
		{"5 view", func() bool { return turn.View(c).Open }},
		{"6 policy", func() bool { v, err := g.Policy.Decide(ctx, c.Input()); return err == nil && v.Effect == pdp.Allow }},
	}
	for _, step := range steps {
		b.Run(step.name, func(b *testing.B) {
			measured := cpuTime(b)
			for b.Loop() {
				if !step.do() {
					b.Fatal("the step says no")
				}
			}
			measured.report()
		})
	}
}

// open takes a question up to where the policy is asked.
func (d *desk) open(tb testing.TB) (*pdp.Case, pdp.Turn) {
	e := d.ask()
	c := &pdp.Case{Now: time.Now(), Generation: d.generation, Envelope: e, Caller: e, Task: value.Nothing}
	var err error
	c.Request, err = d.generation.Reader.Read(e)
	must(tb, err)
	c.Agent, err = d.generation.Verifier.Verify(tb.Context(), e)
	must(tb, err)
	c.Partition, c.Action = d.keys.Partition(c.Agent.Root()), d.generation.Catalog.Find(&c.Request)
	turn, err := d.history.Begin(context.WithoutCancel(tb.Context()), c)
	must(tb, err)
	c.Snapshot = turn.View(c)
	return c, turn
}

// stopwatch counts the processor time of the whole process, the garbage
// collector's included, which on a shared machine says more than wall time.
type stopwatch struct {
	b     *testing.B
	start int64
}

func cpuTime(b *testing.B) *stopwatch {
	b.ReportAllocs()
	return &stopwatch{b, cpuNow(b)}
}

func cpuNow(b *testing.B) int64 {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return u.Utime.Nano() + u.Stime.Nano()
}

func (s *stopwatch) pause() {
	s.b.StopTimer()
	s.start -= cpuNow(s.b)
}

func (s *stopwatch) resume() {
	s.start += cpuNow(s.b)
	s.b.StartTimer()
}

func (s *stopwatch) report() {
	s.b.ReportMetric(float64(cpuNow(s.b)-s.start)/float64(s.b.N), "cpu-ns/op")
}
