package policy_test

import (
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/remit-pdp/remit/bundles"
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/attributes"
	"github.com/remit-pdp/remit/pdp/catalog"
	"github.com/remit-pdp/remit/pdp/policy"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
	"github.com/remit-pdp/remit/pdp/value"
)

// sampleSource is the starter pack with the catalog, agents and budgets of the
// demonstration.
func sampleSource(t testing.TB) policy.Source {
	t.Helper()
	s := policy.Source{Revision: "r1", Data: value.Obj()}
	for _, dir := range []string{"../../policies", "../../integration/demo/bundle"} {
		b, err := bundles.LoadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		s.Data = merged(s.Data, b.Data)
		for _, m := range b.Modules {
			file := strings.TrimPrefix(m.Path, dir+"/")
			s.Modules = slices.DeleteFunc(s.Modules, func(before policy.Module) bool { return before.Path == file })
			s.Modules = append(s.Modules, policy.Module{Path: file, Text: m.Text})
		}
	}
	return s
}

// merged is a with what b has over it.
func merged(a, b value.Value) value.Value {
	if a.Kind() != value.Map || b.Kind() != value.Map {
		return b
	}
	var all []value.Member
	a.Range(func(name string, v value.Value) bool { all = append(all, value.M(name, v)); return true })
	b.Range(func(name string, v value.Value) bool {
		if before := a.Get(name); before.Defined() {
			v = merged(before, v)
		}
		all = append(all, value.M(name, v))
		return true
	})
	return value.Obj(all...)
}

// scene is a decision point over a real store, with one agent.
type scene struct {
	pdp.Policy
	point *pdp.Point
	now   time.Time
	// seen is called with the input of each decision, within it.
	seen func(value.Value)
}

func newScene(t testing.TB, s policy.Source, o policy.Options) *scene {
	t.Helper()
	engine, err := policy.Compile(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	known, err := catalog.New(s.Data.Path("remit", "catalog"), s.Locate)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	store, err := localstore.Open(t.TempDir(), localstore.Options{Keys: keys, SegmentBytes: 1 << 20, Warn: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	made := &scene{Policy: engine, now: time.Unix(1_800_000_000, 0)}
	now := func() time.Time { return made.now }
	history := state.New(store, keys, state.Defaults, now)
	t.Cleanup(func() { history.Close(); store.Close() })
	made.point = pdp.NewPoint(history, keys, now, func(cause any, stack []byte) { t.Errorf("panic: %v\n%s", cause, stack) })
	made.point.Activate(&pdp.Generation{
		ID: "r1", Reader: attributes.New(attributes.Settings{MCPPaths: map[string][]string{"agents": {"/mcp"}}}), Verifier: made,
		Catalog: known, Policy: made, Declared: engine.Declared(), Agents: s.Data.Path("remit", "agents"),
	})
	return made
}

// Verify implements [pdp.Verifier].
func (s *scene) Verify(context.Context, *pdp.Envelope) (pdp.Agent, error) {
	return pdp.Agent{
		ID: "support-agent", Issuer: "https://idp.example.test", Kind: "jwt", Owner: "team-support",
		Claims: value.Obj(value.M("sub", value.Str("support-agent")), value.M("scope", value.Str("tickets"))),
		Chain:  []pdp.Principal{{ID: "user:ada", Issuer: "https://idp.example.test"}},
		Credential: pdp.Presented{
			Fingerprint: "4f1b", Kind: "jwt", IssuedAt: s.now.Add(-time.Minute), ExpiresAt: s.now.Add(time.Hour),
		},
	}, nil
}

// Decide implements [pdp.Policy].
func (s *scene) Decide(ctx context.Context, input value.Value) (pdp.Verdict, error) {
	if s.seen != nil {
		s.seen(input)
	}
	return s.Policy.Decide(ctx, input)
}

// call asks for a tool call, and settles it where it is allowed.
func (s *scene) call(t testing.TB, tool, arguments string) pdp.Decision {
	t.Helper()
	s.now = s.now.Add(time.Second)
	d := s.point.Decide(t.Context(), &pdp.Envelope{
		Door: "ext_authz", Listener: "agents", Received: s.now, Method: "POST", Scheme: "https", Host: "tools.example.test",
		Path: "/mcp", Protocol: "HTTP/1.1",
		Headers: pdp.Headers{{Name: "content-type", Value: "application/json"}, {Name: "user-agent", Value: "agent/1"}},
		Body:    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + arguments + `}}`,
	})
	if d.Effect == pdp.Allow {
		if err := s.point.Settle(t.Context(), pdp.Outcome{DecisionID: d.ID, State: pdp.OutcomeDone, Source: "test", At: s.now}); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// busy is a scene whose session has done a few things.
func busy(t testing.TB, o policy.Options) *scene {
	s := newScene(t, sampleSource(t), o)
	for _, tool := range []string{"search_docs", "read_ticket", "update_ticket", "read_ticket", "search_docs", "read_ticket"} {
		if d := s.call(t, tool, `{"ticket":"7","text":"looking"}`); d.Effect != pdp.Allow {
			t.Fatalf("%s: %v", tool, d.Reasons)
		}
	}
	return s
}

// BenchmarkDecision is what policy costs of one decision: the starter pack asked
// with the real view of a request of a session under way, and what it says read.
// Topdown is given a ready tree of the same input, and nothing of its answer is
// read.
func BenchmarkDecision(b *testing.B) {
	for tool, name := range map[string]string{"read_ticket": "allow", "delete_ticket": "deny"} {
		s := busy(b, policy.Options{Timeout: time.Minute})
		done := false
		s.seen = func(input value.Value) {
			if done {
				return
			}
			done = true
			b.Run(name+"/compiled", func(b *testing.B) {
				b.ReportAllocs()
				defer cpu(b)()
				for b.Loop() {
					if _, err := s.Policy.Decide(context.Background(), input); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(name+"/topdown", func(b *testing.B) {
				q, tree := prepared(b, sampleSource(b)), ast.MustInterfaceToValue(input.Go())
				b.ReportAllocs()
				defer cpu(b)()
				for b.Loop() {
					if _, err := q.Eval(context.Background(), rego.EvalParsedInput(tree)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		s.call(b, tool, `{"ticket":"7"}`)
	}
}

func prepared(t testing.TB, s policy.Source) rego.PreparedEvalQuery {
	options := []func(*rego.Rego){
		rego.Query(policy.DefaultEntrypoint), rego.StrictBuiltinErrors(true),
		rego.Store(inmem.NewFromObjectWithOpts(s.Data.Go().(map[string]any), inmem.OptReturnASTValuesOnRead(true))),
	}
	for _, m := range s.Modules {
		options = append(options, rego.Module(m.Path, string(m.Text)))
	}
	q, err := rego.New(options...).PrepareForEval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// cpu reports the processor time of an operation, which other processes of the
// machine do not lengthen as they lengthen the clock's.
func cpu(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := used()
	return func() { b.ReportMetric(float64(used()-start)/float64(b.N), "cpu-ns/op") }
}
