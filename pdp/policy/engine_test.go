package policy

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/bundles"
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/policy/compiled"
	"github.com/remit-pdp/remit/pdp/value"
)

func engineOf(t *testing.T, e EngineName) *Engine {
	t.Helper()
	b, err := bundles.LoadDir("../../policies")
	if err != nil {
		t.Fatal(err)
	}
	s := Source{Data: b.Data}
	for _, m := range b.Modules {
		s.Modules = append(s.Modules, Module{Path: m.Path, Text: m.Text})
	}
	engine, err := Compile(t.Context(), s, Options{Engine: e, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

// Nothing that is shipped is left to topdown.
func TestShippedPoliciesAreCompiled(t *testing.T) {
	e := engineOf(t, Compiled)
	for _, q := range []*query{e.entry, e.admission, e.outcome} {
		if q == nil || q.program == nil {
			t.Errorf("%v is left to topdown: %v", q, e.Warnings())
		}
	}
}

// A verdict names the engine that gave it, also where it is a refusal.
func TestVerdictsNameTheirEngine(t *testing.T) {
	input := samples(&pdp.Declarations{})[1].input
	for engine, want := range map[EngineName]pdp.Engine{
		Compiled: pdp.EngineCompiled, Both: pdp.EngineCompiled, Topdown: pdp.EngineTopdown,
	} {
		e := engineOf(t, engine)
		if v, err := e.Decide(t.Context(), input); err != nil || v.Engine != want {
			t.Errorf("%s: decided by %q, %v", engine, v.Engine, err)
		}
		if a, err := e.Admit(t.Context(), input); err != nil || a.Engine != want {
			t.Errorf("%s: admitted by %q, %v", engine, a.Engine, err)
		}
	}
	e := engineOf(t, Compiled)
	e.entry.program = nil
	if v, err := e.Decide(t.Context(), input); err != nil || v.Engine != pdp.EngineTopdown {
		t.Errorf("a path that is not compiled is decided by %q, %v", v.Engine, err)
	}
	e.timeout = time.Nanosecond
	if v, err := e.Decide(context.Background(), input); err == nil || v.Engine != pdp.EngineTopdown {
		t.Errorf("a refusal names %q, %v", v.Engine, err)
	}
}

// The tests are run once for each engine: those of the second run are told which
// it is, so that none thinks it has the other one.
func TestTheEngineOfThisRun(t *testing.T) {
	e, err := Compile(t.Context(), Source{Modules: []Module{{Path: "p.rego", Text: []byte("package p\ndecision := input.request.method == \"GET\"")}}, Data: value.Obj()},
		Options{Entrypoint: "data.p.decision", Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	c := &pdp.Case{Envelope: &pdp.Envelope{}, Generation: &pdp.Generation{}, Request: pdp.Request{Method: "GET", Path: "/"}, Now: time.Unix(1, 0)}
	want := cmp.Or(os.Getenv("TEST_ENGINE"), "compiled")
	if v, err := e.Decide(t.Context(), c.Input()); err != nil || string(v.Engine) != want {
		t.Errorf("decided by %q, %v, want %q", v.Engine, err, want)
	}
}

// What is left to topdown is told with its place and reason.
func TestAFallbackIsTold(t *testing.T) {
	p := fallback("data.p.d", &compiled.Unplanned{File: "p.rego", Line: 7, Text: "the builtin x is not known"})
	if text := p.Error(); !strings.HasPrefix(text, "p.rego:7: data.p.d is evaluated by topdown") || !strings.Contains(text, "builtin x") {
		t.Errorf("got %s", text)
	}
	if text := fallback("data.p.d", errors.New("no plan")).Error(); !strings.Contains(text, "no plan") {
		t.Errorf("got %s", text)
	}
}

// What goes beyond a limit has a reason of its own class, and is not given to
// topdown, which has no limits.
func TestLimitsAreRefusals(t *testing.T) {
	before := limits
	t.Cleanup(func() { limits = before })
	limits = compiled.Limits{Steps: 2000, Bytes: 1 << 20}
	for rule, code := range map[string]string{
		`count([x | some x in numbers.range(1, 15000)]) > count(input.request.path)`: pdp.CodePolicyError,
		`count(numbers.range(count(input.request.path), 100000000)) > 3`:             pdp.CodePolicyError,
	} {
		text := "package p\ndecision if input.request.method != \"GET\"\ndecision if { input.request.method == \"GET\"; " + rule + " }"
		e, err := Compile(t.Context(), Source{Modules: []Module{{Path: "p.rego", Text: []byte(text)}}, Data: value.Obj()},
			Options{Engine: Compiled, Entrypoint: "data.p.decision", Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		c := &pdp.Case{Envelope: &pdp.Envelope{}, Generation: &pdp.Generation{}, Request: pdp.Request{Method: "GET", Path: "/"}, Now: time.Unix(1, 0)}
		v, err := e.Decide(t.Context(), c.Input())
		var r *pdp.Refusal
		if !errors.As(err, &r) || r.Reason.Code != code || v.Engine != pdp.EngineCompiled {
			t.Errorf("%s: %v by %q", rule, err, v.Engine)
		}
	}
}
