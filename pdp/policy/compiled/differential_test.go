package compiled

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp/value"
)

// entries of the shipped policies.
var entries = []string{decision, "data.remit.admission.decision", "data.remit.authz.outcome"}

func shippedEngines(t testing.TB) (all []*both) {
	modules, data := shipped(t)
	for _, entry := range entries {
		all = append(all, engines(t, entry, data, Options{}, modules...))
	}
	return all
}

// odd values take the place of what an input has.
var odd = []value.Value{
	value.Nothing, value.NullValue(), value.Of(true), value.Of(false), value.Int(0), value.Int(-1), value.Int(1 << 62), value.Decimal("1.0"),
	value.Decimal("1e300"), value.Str(""), value.Str("read"), value.Str("send"), value.Str("delete"), value.Str("restricted"),
	value.List(), value.List(value.Str("tickets")), value.Obj(), value.Obj(value.M("untrusted-content", value.Obj())),
	value.Str("unavailable"), value.Int(100_000), value.Str("2h"),
}

// mutate is v with some of its members replaced, dropped or added.
func mutate(random *rand.Rand, v value.Value, often int) value.Value {
	if random.IntN(often) == 0 {
		return odd[random.IntN(len(odd))]
	}
	switch v.Kind() {
	case value.Map:
		var all []value.Member
		v.Range(func(name string, m value.Value) bool {
			all = append(all, value.M(name, mutate(random, m, often)))
			return true
		})
		if random.IntN(often) == 0 {
			all = append(all, value.M("unexpected", odd[random.IntN(len(odd))]))
		}
		return value.Obj(all...)
	case value.Array:
		items := make([]value.Value, 0, v.Len())
		for _, item := range v.Items() {
			if m := mutate(random, item, often); m.Defined() {
				items = append(items, m)
			}
		}
		return value.List(items...)
	default:
		return v
	}
}

// The shipped policies say the same in both engines, whatever they are asked.
func TestShippedPoliciesAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 11))
	all, base := shippedEngines(t), example(t)
	for i := range 1500 {
		input := mutate(random, base, 2+i%60)
		for _, b := range all {
			b.agree(t, input)
		}
		if t.Failed() {
			return
		}
	}
}

// FuzzShippedPolicies lets the fuzzer choose the mutations.
func FuzzShippedPolicies(f *testing.F) {
	all, base := shippedEngines(f), example(f)
	f.Add(uint64(1), uint64(2), uint8(20))
	f.Fuzz(func(t *testing.T, a, b uint64, often uint8) {
		input := mutate(rand.New(rand.NewPCG(a, b)), base, 2+int(often))
		for _, engine := range all {
			engine.agree(t, input)
		}
	})
}

// parts of generated rules. Most are of types that fit; some are not.
var (
	terms = []string{"input.a", "input.b.c", "input.list", "input.list[_]", "input.s", "x", "1", `"s"`, "true", "null", `{"k": input.a}`,
		"[input.a, 2]", "{input.a, 1}", "data.names", "data.names[_]", "count(input.list)", "q", "p[x]", "input.b[x]", "2.0", `{"s", "t"}`,
		"f(input.a)", "g(input.s)", "h(x)", "x + 1", "input.a - 9223372036854775807", "data.packs[_].v", "data.packs.b.nothing", "data.packs[x].w"}
	conditions = []string{"%s == %s", "%s != %s", "%s > %s", "x := %s; x == %s", "some x in %s; x == %s", "not %s == %s", "%s; %s",
		"every e in %s { e == %s }", "%s in %s", "x := %s with input.a as %s", "x := [y | some y in %s; y != %s]", "count({z | z := %s; z != %s}) > 0",
		"f(%s)", "not f(%s)", "h(%s)", "not h(%s) == %s", "is_string(%s)", "not is_number(%s)", "some k; data.packs[k].v == %s", "not data.packs[%s].w"}
)

// Generated policies say the same in both engines.
func TestGeneratedPoliciesAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	planned := 0
	for range 700 {
		var text strings.Builder
		text.WriteString("package p\nq := input.a\np[k] := v if some k, v in input.b\nf(y) if y == 1\nf(y) := false if y == 2\n" +
			"g(_) := input.a if input.s == \"s\"\nh(y) := y if is_number(y)\nh(y) := \"t\" if { is_string(y); f(1) }\n")
		for range 1 + random.IntN(4) {
			c := conditions[random.IntN(len(conditions))]
			for strings.Contains(c, "%s") {
				c = strings.Replace(c, "%s", terms[random.IntN(len(terms))], 1)
			}
			head := []string{"d contains 1", `d contains "b"`, "d contains x"}[random.IntN(3)]
			text.WriteString(head + " if { x := " + terms[random.IntN(5)] + "; " + strings.ReplaceAll(c, "x := ", "w := ") + " }\n")
		}
		b := enginesOrNil(t, text.String())
		if b == nil {
			continue // what OPA's compiler refuses is no policy
		}
		planned++
		base := inputOf(t, `{"a": 1, "b": {"c": 2, "s": 3}, "list": [1, 2, "s"], "s": "s"}`)
		for range 12 {
			b.agree(t, mutate(random, base, 6))
		}
		if t.Failed() {
			t.Fatal(text.String())
		}
	}
	if planned < 200 {
		t.Errorf("only %d of the generated policies were policies", planned)
	}
}
