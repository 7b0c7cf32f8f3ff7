package compiled

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ir"

	"github.com/remit-pdp/remit/pdp/value"
)

// What this engine cannot do is told with the place it stands at.
func TestWhatIsNotKnownIsTold(t *testing.T) {
	call := &ir.CallStmt{Func: "no.such.builtin", Result: 2, Location: ir.Location{File: 0, Row: 7}}
	_, err := assemble(&ir.Policy{
		Static: &ir.Static{Files: []*ir.StringConst{{Value: "p.rego"}}}, Funcs: &ir.Funcs{},
		Plans: &ir.Plans{Plans: []*ir.Plan{{Blocks: []*ir.Block{{Stmts: []ir.Stmt{call}}}}}},
	}, ground(value.Obj()), Options{})
	var u *Unplanned
	if !errors.As(err, &u) || u.File != "p.rego" || u.Line != 7 || !strings.Contains(u.Text, "no.such.builtin") {
		t.Errorf("got %v", err)
	}
}

// A thousand rules over a catalog of a hundred thousand entries are ready in
// about a second. The bound is loose, as machines differ.
func TestCompilesManyRulesOverMuchData(t *testing.T) {
	var text strings.Builder
	text.WriteString("package p\n")
	for i := range 1000 {
		fmt.Fprintf(&text, "d contains \"%d\" if { input.tool == \"t%d\"; data.catalog[input.target].level > %d }\n", i, i, i%4)
	}
	entries := make([]value.Member, 100_000)
	for i := range entries {
		entries[i] = value.M(fmt.Sprintf("target-%d", i), value.Obj(value.M("level", value.Int(int64(i%5))), value.M("owner", value.Str("team"))))
	}
	data := value.Obj(value.M("catalog", value.Obj(entries...)))
	modules := []Module{parsed(t, text.String())}
	start := time.Now()
	p, err := Compile(t.Context(), modules, data, []string{"data.p.d"}, Options{Strict: true})
	took := time.Since(start)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("compiled in %v", took)
	if took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	got, err := p.Eval(t.Context(), 0, Question{Input: inputOf(t, `{"tool": "t3", "target": "target-99999"}`)})
	if want := `["3"]`; err != nil || string(value.AppendJSON(nil, got)) != want {
		t.Errorf("got %s, %v, want %s", value.AppendJSON(nil, got), err, want)
	}
}

// A statement has the part of data that it reads; the whole is kept only where an
// evaluation may ask for it.
func TestDataThatNothingReadsIsLetGo(t *testing.T) {
	data := value.Obj(value.M("names", value.Obj(value.M("a", value.Int(1)))), value.M("agents", value.Obj(value.M("b", value.Int(2)))))
	for rule, whole := range map[string]bool{
		"d := data.names[input.x]":                                         false,
		"d := count(data.names)":                                           false,
		"d := [x | x := data.names[_]]":                                    false,
		"d := x if x := data.names.a with data.agents as {}":               true,
		"q := data.names[input.x]\nd := x if x := q with data.names as {}": true,
	} {
		p, err := Compile(t.Context(), []Module{parsed(t, "package p\n"+rule)}, data, []string{"data.p.d"}, Options{Strict: true})
		if err != nil {
			t.Fatalf("%s: %v", rule, err)
		}
		if p.data.defined() != whole {
			t.Errorf("%s: the whole data is kept is %v, want %v", rule, p.data.defined(), whole)
		}
	}
}
