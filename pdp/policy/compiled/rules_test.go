package compiled

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/remit-pdp/remit/pdp/value"
)

// both are one policy in the two engines.
type both struct {
	compiled *Program
	topdown  rego.PreparedEvalQuery
}

func engines(t testing.TB, entry string, data value.Value, o Options, modules ...Module) *both {
	t.Helper()
	b, err := newEngines(t, entry, data, o, modules)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// enginesOrNil are the engines of a policy of one file, nil where it is none.
func enginesOrNil(t testing.TB, text string) *both {
	b, err := newEngines(t, "data.p.d", inputOf(t, `{"names": ["s", 1], "packs": {"c": {"v": 3}}}`), Options{}, []Module{
		{Text: []byte(text)}, {Text: []byte("package packs.a\nv := input.a")}, {Text: []byte("package packs.b\nv contains 1 if input.s\nw := 2")},
	})
	if err != nil {
		return nil
	}
	return b
}

func newEngines(t testing.TB, entry string, data value.Value, o Options, modules []Module) (*both, error) {
	o.Strict = true
	for i := range modules {
		if modules[i].Path == "" {
			modules[i].Path = fmt.Sprintf("%d.rego", i)
		}
		var err error
		if modules[i].Parsed, err = ast.ParseModuleWithOpts(modules[i].Path, string(modules[i].Text), ast.ParserOptions{RegoVersion: ast.RegoV1}); err != nil {
			return nil, err
		}
	}
	p, err := Compile(t.Context(), modules, data, []string{entry}, o)
	if err != nil {
		return nil, err
	}
	options := []func(*rego.Rego){rego.Query(entry), rego.Store(inmem.NewFromObject(data.Go().(map[string]any))), rego.StrictBuiltinErrors(true)}
	for _, m := range modules {
		options = append(options, rego.ParsedModule(m.Parsed))
	}
	q, err := rego.New(options...).PrepareForEval(t.Context())
	return &both{p, q}, err
}

// agree asks both engines and reports a difference. An error of the compiled
// one is none: whoever asks it asks topdown then.
func (b *both) agree(t testing.TB, input value.Value) {
	t.Helper()
	leaveOver(b.compiled)
	got, err := b.compiled.Eval(t.Context(), 0, Question{Input: input})
	if err != nil {
		return // what fails here, topdown answers
	}
	results, err := b.topdown.Eval(t.Context(), rego.EvalInput(input.Go()))
	if err != nil {
		t.Errorf("compiled says %s\ntopdown fails with %v\ninput: %s", value.AppendJSON(nil, got), err, value.AppendJSON(nil, input))
		return
	}
	want := value.Nothing
	if len(results) > 0 {
		var err error
		if want, err = value.FromGo(results[0].Expressions[0].Value); err != nil {
			t.Fatal(err)
		}
	}
	if !value.Equal(got, want) {
		t.Errorf("compiled says %s\ntopdown says %s\ninput: %s", value.AppendJSON(nil, got), value.AppendJSON(nil, want), value.AppendJSON(nil, input))
	}
}

// parsed is a module of one file.
func parsed(t testing.TB, text string) Module {
	t.Helper()
	m, err := ast.ParseModuleWithOpts("p.rego", text, ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		t.Fatal(err)
	}
	return Module{"p.rego", []byte(text), m}
}

func inputOf(t testing.TB, json string) value.Value {
	t.Helper()
	v, err := value.DecodeJSON([]byte(json))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// guards are conditions that rules begin with: some can be indexed, some not.
var guards = []string{
	`input.tool == "t%d"`, `"t%d" == input.tool`, `input.tool in {"t%d", "u%[1]d"}`, `startswith(input.tool, "t%d")`,
	`input.other.deep == "t%d"`, `input.n > %d`, `input.tool != "t%d"`, `x := input.tool; x == "t%d"`, `some x in input.list; x == "t%d"`,
	`not input.tool == "t%d"`, `input.list[_] == "t%d"`, `input.tool in ["t%d"]`, `lower(input.tool) == "t%d"`, `input.tool == data.names[%d]`,
	`input.args.a%d`, `input.args.a%d.n > 3`, `input.args.a%d == "x"`, `not input.args.a%d`, `input.args.b == %d`, `input.args["a%d"] in {"x", "y"}`,
}

// A rule that the index leaves out is one that would not have held.
func TestTheIndexLeavesOutWhatCannotHold(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	data := inputOf(t, `{"names": ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"]}`)
	for range 60 {
		var text strings.Builder
		text.WriteString("package p\n")
		for range 3 + random.IntN(80) {
			g := fmt.Sprintf(guards[random.IntN(len(guards))], random.IntN(8))
			fmt.Fprintf(&text, "d contains \"%d\" if { %s; input.go == true }\n", random.IntN(1000), g)
		}
		b := engines(t, "data.p.d", data, Options{}, Module{Text: []byte(text.String())})
		for range 20 {
			tool := fmt.Sprintf(`"t%d"`, random.IntN(9))
			if random.IntN(8) == 0 {
				tool = []string{"7", "null", `["t1"]`, `""`, `"t10"`}[random.IntN(5)]
			}
			b.agree(t, inputOf(t, fmt.Sprintf(`{"go": %t, "tool": %s, "n": %d, "list": ["t%d", "x"], "other": {"deep": "t%d"}, "args": %s}`,
				random.IntN(4) > 0, tool, random.IntN(8), random.IntN(9), random.IntN(9), arguments(random))))
		}
		b.agree(t, inputOf(t, `{"go": true}`))
		b.agree(t, inputOf(t, `7`))
	}
}

// arguments are few or many of those that rules ask for, or no object at all.
func arguments(random *rand.Rand) string {
	if random.IntN(8) == 0 {
		return []string{"null", `["a1"]`, `"a1"`, "{}"}[random.IntN(4)]
	}
	members := []string{`"b": ` + fmt.Sprint(random.IntN(8))}
	for i := range random.IntN(12) {
		value := []string{`"x"`, `"y"`, "false", "null", `{"n": 2}`, `{"n": 5}`}[random.IntN(6)]
		members = append(members, fmt.Sprintf(`"a%d": %s`, i, value))
	}
	return "{" + strings.Join(members, ", ") + "}"
}

// Rules that ask for a member of what was replaced by a set find it there.
func TestTheIndexAsksASetForItsMembers(t *testing.T) {
	var text strings.Builder
	text.WriteString("package p\nd := x if x := q with input.args as {\"a3\", \"a7\"}\n")
	for i := range 20 {
		fmt.Fprintf(&text, "q contains %d if input.args.a%[1]d\n", i)
	}
	b := engines(t, "data.p.d", value.Obj(), Options{}, Module{Text: []byte(text.String())})
	b.agree(t, inputOf(t, `{"args": {"a5": 1}}`))
}

// What a rule set is used for, under replacement too.
func TestSemantics(t *testing.T) {
	for name, text := range map[string]string{
		"with replaces input for what is called":      `d := [q, x] if x := q with input.a as 5 ; q := input.a`,
		"with does not leak memoised results":         `d := [q, r, q] ; q := input.a ; r := x if x := q with input as {"a": 9}`,
		"with on data":                                `d := [q, r, q] ; q := data.names[0] ; r := x if x := q with data.names as ["other"]`,
		"with on a rule's data":                       `d := [s, r, s] ; s := {"k": 1} ; t := s.k ; r := x if x := t with data.p.s as {"k": 2}`,
		"conflict":                                    `d := 1 if input.a == 1 ; d := 2 if input.a == 1`,
		"key twice":                                   `d[k] := v if { some v in [1, 2]; k := "same" }`,
		"builtin error":                               `d := to_number("x")`,
		"undefined":                                   `d := input.nothing.there`,
		"false is defined":                            `d := input.f`,
		"numbers by value":                            `d := {1, 1.0, 1e0, 2}`,
		"big numbers":                                 `d := [9223372036854775807 + 1, 9223372036854775807 * 2, 0.1 + 0.2, 18446744073709551616]`,
		"integers overflow":                           `d := [x | n := 9223372036854775806 + input.a; m := -2 - n; some x in [n + input.a, m - input.a, m * input.a, n * n, m * (0 - input.a)]]`,
		"remainders":                                  `d := [n | some x in [-7, 7, -9223372036854775808]; some y in [input.a, -1, 3]; n := x % y]`,
		"no remainder of nothing":                     `d := 5 % (input.a - 1)`,
		"a rule that is false":                        `d := "holds" if r ; r := false if input.a`,
		"not a rule that is false":                    `d := "holds" if not r ; r := false if input.a`,
		"a function that is false":                    `d := [x | some x in [1, 2, 3]; f(x)] ; f(x) := x != 2 if x < input.a + 2`,
		"not a function":                              `d := [x | some x in [1, 2, 3]; not f(x)] ; f(x) := x != 2 if x < input.a + 2`,
		"an argument that nobody reads":               `d := [f(input.list[i], 2) | some i] ; f(_, y) := y + input.a`,
		"an argument that is not there":               `d := f(input.nothing) ; f(_) := 1`,
		"an unread argument under a with":             `d := [f(1), x, f(2)] if x := f(1) with input.a as 5 ; f(_) := input.a`,
		"a result of nothing but an unread argument":  `d := [x | some x in input.list; f(x)] ; f(_) if not data.packs.none`,
		"a reference to nothing":                      `d := [x | some k; x := data.packs[k].nothing]`,
		"a reference to something and nothing":        `d := [[k, x] | some k; x := data.packs[k].only] ; e := 1`,
		"a value tried in two ways":                   `d := data.names[input.a - 1] if not data.names.x`,
		"a rule asked for once under a with":          `d := [x, input.a] if x := q with input.a as 5 ; q := [input.a, r] ; r := input.a + 1`,
		"in a loop":                                   `d := {y | some x in input.list; y := x + q} ; q := input.a + 1`,
		"in a negation":                               `d if not q ; q if { some x in input.list; x == input.a + 2 }`,
		"of several ways":                             `d := [q, r] ; q := "a" if input.a == 2 ; q := "b" if input.a == 1 ; r := "x" if input.f else := "y" if input.a`,
		"with a default":                              `d := [q, "s"] ; default q := "none" ; q := "some" if input.nothing`,
		"undefined in an array":                       `d := [q] ; q := x if { some x in input.list; x > input.a + 7 }`,
		"a set in a set":                              `d := {x | some x in q} ; q contains x if some x in r ; r contains input.a ; r contains 2 if input.f == false`,
		"an object in an object":                      `d[k] := v + 1 if some k, v in q ; q[k] := input.a if some k in {"x", "y"} ; q["z"] := 3 if input.list`,
		"one that asks for another once":              `d := q + 1 ; q := r + 1 ; r := s[0] ; s := [x | some x in input.list; x > input.a]`,
		"sums overflow":                               `d := sum([9223372036854775807, 1])`,
		"every over nothing":                          `d if { every x in input.none { x == 1 } }`,
		"every":                                       `d if { every x in input.list { x > 0 } }`,
		"else":                                        `d := "a" if input.a == 7 else := "b" if input.a == 1 else := "c"`,
		"sets are sorted":                             `d := sprintf("%v", [{"c", "a", "b"}])`,
		"walk":                                        `d := [p | walk(input, [p, 1])]`,
		"dynamic packages":                            `d := {x | x := data.packs[_].deny[_]}`,
		"composite keys":                              `d := {[1, 2]: "x", {"k"}: "y"}[[1, 2]]`,
		"recursion over objects":                      `d := object.union_n([{"a": {"b": 1}}, {"a": {"c": 2}}, {"a": 3}, {"a": {"d": 4}}])`,
		"comprehensions see the outer scope":          `d := {k: v | some k, v in input.list; v > 1}`,
		"negation of undefined":                       `d if not input.nothing.there`,
		"default":                                     `default d := "none" ; d := "some" if input.nothing`,
		"functions":                                   `f(x) := x + 1 ; f(x) := "t" if is_string(x) ; d := [f(input.a), f("x")]`,
		"function of two clauses that conflict":       `f(x) := 1 if x > 0 ; f(x) := 2 if x > 0 ; d := f(input.a)`,
		"arrays and objects are equal by value":       `d if { [1, {"a": 2.0}] == [1.0, {"a": 2}] }`,
		"string and number are not":                   `d if { "1" == input.a }`,
		"in an object":                                `d := [x | x := 2 in {"k": 2}]`,
		"in with a key":                               `d := ["k", 2] in {["k", 2]}`,
		"count of characters":                         `d := count("añ😀")`,
		"union and difference of sets":                `d := ({1, 2} | {3}) - {2}`,
		"a constant is not filled by a later rule":    `a := {"x"} ; d contains y if some y in a ; d contains "z" if count(a) == 1`,
		"reading the same path in a loop and outside": `d := [y | some x in [1, 2]; y := input.a + x + input.a]`,
	} {
		t.Run(name, func(t *testing.T) {
			text = "package p\n" + strings.ReplaceAll(text, " ; ", "\n")
			b := engines(t, "data.p.d", inputOf(t, `{"names": ["n"]}`), Options{}, Module{Text: []byte(text)},
				Module{Text: []byte("package packs.a\ndeny contains 1 if input.a == 1")}, Module{Text: []byte("package packs.b\ndeny contains 2\nonly := 3 if input.a")})
			for range 2 {
				b.agree(t, inputOf(t, `{"a": 1, "f": false, "list": [1, 2, 3]}`))
			}
		})
	}
}

// A program is shared; an evaluation leaves nothing to the next.
func TestConcurrentEvaluations(t *testing.T) {
	b := engines(t, "data.p.d", inputOf(t, `{"big": {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": 8, "i": 9, "j": 10}}`), Options{}, Module{Text: []byte(`package p
		d := {"n": input.n, "doubled": {y | some x in input.list; y := x * 2}, "found": data.big[input.key], "seen": q, "constant": {"b", "a"}}
		q contains input.n
		q contains "more" if input.n > 50`)})
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for n := range 200 {
				input := inputOf(t, fmt.Sprintf(`{"n": %d, "list": [%d, %d], "key": "%c"}`, n, n, i, 'a'+n%10))
				got, err := b.compiled.Eval(t.Context(), 0, Question{Input: input})
				if seen, _ := got.Path("n").Int(); err != nil || seen != int64(n) {
					t.Errorf("%d: %v, %v", n, value.AppendJSON(nil, got), err)
					return
				}
			}
		})
	}
	wait.Wait()
	for n := range 100 {
		b.agree(t, inputOf(t, fmt.Sprintf(`{"n": %d, "list": [%d, 3], "key": "%c"}`, n, n, 'a'+n%10)))
	}
}
