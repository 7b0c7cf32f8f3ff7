package compiled

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/remit-pdp/remit/bundles"
	"github.com/remit-pdp/remit/pdp/value"
)

const decision = "data.remit.authz.decision"

func shipped(tb testing.TB) ([]Module, value.Value) {
	tb.Helper()
	b, err := bundles.LoadDir(filepath.Join("..", "..", "..", "policies"))
	if err != nil {
		tb.Fatal(err)
	}
	var modules []Module
	for _, m := range b.Modules {
		parsed, err := ast.ParseModuleWithOpts(m.Path, string(m.Text), ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true})
		if err != nil {
			tb.Fatal(err)
		}
		modules = append(modules, Module{m.Path, m.Text, parsed})
	}
	return modules, b.Data
}

func example(tb testing.TB) value.Value {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "policies", "remit", "example_test.rego"))
	if err != nil {
		tb.Fatal(err)
	}
	results, err := rego.New(rego.Query("data.remit.example.request"), rego.Module("example.rego", string(text))).Eval(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	v, err := value.FromGo(results[0].Expressions[0].Value)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func BenchmarkStarterPack(b *testing.B) {
	modules, data := shipped(b)
	input := example(b)
	b.Run("topdown", func(b *testing.B) {
		options := []func(*rego.Rego){rego.Query(decision), rego.Store(inmem.NewFromObject(data.Go().(map[string]any))), rego.StrictBuiltinErrors(true)}
		for _, m := range modules {
			if !strings.HasSuffix(m.Path, "_test.rego") {
				options = append(options, rego.ParsedModule(m.Parsed))
			}
		}
		q, err := rego.New(options...).PrepareForEval(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		in := ast.MustInterfaceToValue(input.Go())
		b.ReportAllocs()
		defer cpu(b)()
		for b.Loop() {
			if _, err := q.Eval(b.Context(), rego.EvalParsedInput(in)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("compiled", func(b *testing.B) {
		p, err := Compile(b.Context(), modules, data, []string{decision}, Options{Strict: true})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		defer cpu(b)()
		for b.Loop() {
			if err := p.Read(b.Context(), 0, Question{Input: input}, everything); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// everything reads a whole answer in place, as who asks does.
func everything(v value.Value) error {
	for _, item := range v.Items() {
		if err := everything(item); err != nil {
			return err
		}
	}
	if v.Kind() == value.Map {
		v.Range(func(_ string, member value.Value) bool { return everything(member) == nil })
	}
	if !v.Defined() {
		return errors.New("undefined")
	}
	return nil
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

// Rules that do not concern the request should cost next to nothing.
func BenchmarkRules(b *testing.B) {
	for _, kind := range []struct{ name, guard string }{
		{"equal", `input.action.tool == "tool_%d"`},
		{"in", `input.action.tool in {"a_%d", "b_%[1]d"}`},
		{"prefix", `startswith(input.action.tool, "x_%d")`},
		{"undefined", `input.memory.f_%d.n > 5`},
		{"arithmetic", `input.session.age_seconds + %d > 1000000`},
	} {
		for _, n := range []int{10, 100, 1000} {
			var text strings.Builder
			text.WriteString("package p\n")
			for i := range n {
				fmt.Fprintf(&text, "d contains %d if { "+kind.guard+"; input.session.age_seconds > 10 }\n", i, i)
			}
			both := engines(b, "data.p.d", value.Obj(), Options{}, Module{Text: []byte(text.String())})
			input := inputOf(b, `{"action": {"tool": "none_of_them"}, "session": {"age_seconds": 60}, "memory": {}}`)
			b.Run(fmt.Sprintf("%s/%d/compiled", kind.name, n), func(b *testing.B) {
				b.ReportAllocs()
				defer cpu(b)()
				for b.Loop() {
					if _, err := both.compiled.Eval(b.Context(), 0, Question{Input: input}); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("%s/%d/topdown", kind.name, n), func(b *testing.B) {
				in := ast.MustInterfaceToValue(input.Go())
				defer cpu(b)()
				for b.Loop() {
					if _, err := both.topdown.Eval(b.Context(), rego.EvalParsedInput(in)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
