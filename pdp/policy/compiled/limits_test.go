package compiled

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp/value"
)

// What goes on for too long or makes too much, and which limit says so: in
// loops, in functions, and in builtins of this engine and of OPA's, which
// nobody can stop and which are asked beforehand.
func TestLimits(t *testing.T) {
	forever := `d := count([x | some i in numbers.range(input.from, 3000); some j in numbers.range(1, 3000); x := i * j])`
	for name, c := range map[string]struct {
		rule   string
		limits Limits
		want   error
	}{
		"rounds":            {forever, Limits{Steps: 10_000}, ErrSteps},
		"calls":             {`f(x) := x + 1 ; d := count([y | some i in numbers.range(input.from, 20000); y := f(i)])`, Limits{Steps: 10_000}, ErrSteps},
		"values":            {forever, Limits{Bytes: 1 << 20}, ErrMemory},
		"a range":           {`d := count(numbers.range(input.from, 1000000000))`, Limits{Bytes: 1 << 20}, ErrMemory},
		"a range backwards": {`d := count(numbers.range_step(1000000000, input.from, 2))`, Limits{Bytes: 1 << 20}, ErrMemory},
		"addresses":         {`d := count(net.cidr_expand(sprintf("%d.0.0.0/0", [input.from])))`, Limits{Bytes: 1 << 20}, ErrMemory},
		"widths":            {`d := count(sprintf("%900000d%900000d", [input.from, 1]))`, Limits{Bytes: 1 << 20}, ErrMemory},
		"stars":             {`d := count(sprintf("%*d%*d", [900000, input.from, 900000, 1]))`, Limits{Bytes: 1 << 20}, ErrMemory},
		"a shift":           {`d := bits.lsh(input.from, 100000000)`, Limits{Bytes: 1 << 20}, ErrMemory},
		"replacements":      {`d := count(replace(input.long, "a", input.long))`, Limits{Bytes: 1 << 20}, ErrMemory},
		"several of them":   {`d := count(strings.replace_n({"a": input.long}, input.long))`, Limits{Bytes: 1 << 20}, ErrMemory},
		"paths":             {`d := count(graph.reachable_paths({n: numbers.range(1, 25) | some n in numbers.range(input.from, 25)}, [1]))`, Limits{Bytes: 1 << 20}, ErrMemory},
		"unions": {`d := count(object.union_n([{sprintf("%d-%d", [i, j]): 1 | some j in numbers.range(1, 200)} | some i in numbers.range(input.from, 200)]))`,
			Limits{Bytes: 1 << 20}, ErrMemory},
		"products": {`d := count([x | some i in numbers.range(input.from, 60); x := 10000000000000000000000000000000000000000000000000000000000 * i])`,
			Limits{Bytes: 4 << 10}, ErrMemory},
	} {
		t.Run(name, func(t *testing.T) {
			input := value.Obj(value.M("from", value.Int(1)), value.M("long", value.Str(long)))
			p := limited(t, c.rule, c.limits)
			if v, err := p.Eval(t.Context(), 0, Question{Input: input}); !errors.Is(err, c.want) || v.Defined() {
				t.Errorf("got %v, %v, want %v", v, err, c.want)
			}
		})
	}
}

// What is within the limits has its answer.
func TestWithinLimits(t *testing.T) {
	for _, rule := range []string{
		`d := count(numbers.range(input.from, 1000))`,
		`d := sprintf("%5d|%-10s|%.2f", [input.from, "x", 1.5])`,
		`d := count(net.cidr_expand("10.0.0.0/28"))`,
		`d := replace(input.long, "b", input.long) == input.long`,
		`d := graph.reachable_paths({"a": ["b", "c"], "b": ["c"], "c": []}, ["a"])`,
		`d := bits.lsh(input.from, 70)`,
		`d := numbers.range_step(10, input.from, 3)`,
	} {
		module := Module{Text: []byte("package p\n" + rule)}
		b := engines(t, "data.p.d", value.Obj(), Options{Limits: Limits{Steps: 100_000, Bytes: 4 << 20}}, module)
		input := value.Obj(value.M("from", value.Int(1)), value.M("long", value.Str(long)))
		if _, err := b.compiled.Eval(t.Context(), 0, Question{Input: input}); err != nil {
			t.Errorf("%s: %v", rule, err)
		}
		b.agree(t, input)
	}
}

// An evaluation ends at its deadline, or with its context, wherever it is.
func TestAnEvaluationEndsInTime(t *testing.T) {
	for name, rule := range map[string]string{
		"in a loop":    `d := count([x | some i in numbers.range(input.from, 30000); some j in numbers.range(1, 30000); x := i * j])`,
		"in a builtin": `d := count(numbers.range(input.from, 1000000000))`,
		"after one":    `d := regex.match("(a*)*(a*)*(a*)*$", concat("", [input.long | some _ in numbers.range(input.from, 40)]))`,
	} {
		t.Run(name, func(t *testing.T) {
			p := limited(t, rule, Limits{})
			input := value.Obj(value.M("from", value.Int(1)), value.M("long", value.Str(long)))
			start := time.Now()
			if v, err := p.Eval(t.Context(), 0, Question{Input: input, Deadline: start.Add(5 * time.Millisecond)}); !errors.Is(err, ErrLate) || v.Defined() {
				t.Errorf("late: %v, %v", v, err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if v, err := p.Eval(ctx, 0, Question{Input: input}); !errors.Is(err, ErrLate) || v.Defined() {
				t.Errorf("cancelled: %v, %v", v, err)
			}
		})
	}
}

var long = strings.Repeat("a", 8<<10)

func limited(t *testing.T, rule string, l Limits) *Program {
	t.Helper()
	text := "package p\n" + strings.ReplaceAll(rule, " ; ", "\n")
	return engines(t, "data.p.d", value.Obj(), Options{Limits: l}, Module{Text: []byte(text)}).compiled
}
