package compiled

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/test/cases"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/remit-pdp/remit/pdp/value"
)

func conformance(t *testing.T) []cases.TestCase {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/open-policy-agent/opa").Output()
	if err != nil {
		t.Fatal(err)
	}
	all, err := cases.Load(filepath.Join(strings.TrimSpace(string(out)), "v1", "test", "cases", "testdata", "v1"))
	if err != nil {
		t.Fatal(err)
	}
	return all.Sorted().Cases
}

var queryShape = regexp.MustCompile(`^(data(?:\.[A-Za-z_][A-Za-z_0-9]*|\["[^"]*"\])+)\s*=\s*x$`)

// exceptions are the cases that this engine leaves to topdown, each because of
// the class it is listed under.
var exceptions = map[string]string{
	"data/nested integer":                "elsewhere",
	"data/toplevel integer":              "elsewhere",
	"data/negative case: nested integer": "elsewhere",
	"time/time caching":                  "not planned", // uses test.sleep, which only OPA's own tests have
}

// Every conformance case of OPA's whose query is an entry point has topdown's
// result or error, or is left to topdown, visibly. The numbers are asserted, so
// that none is lost on the way.
func TestConformance(t *testing.T) {
	tally := map[string]int{}
	for _, c := range conformance(t) {
		tally["all"]++
		m := queryShape.FindStringSubmatch(strings.TrimSpace(c.Query))
		if m == nil {
			tally["query of another shape"]++
			continue
		}
		verdict, detail := conforms(t, c, m[1])
		tally[verdict]++
		if want, listed := exceptions[c.Note]; verdict != "right" && (!listed || want != verdict) {
			t.Errorf("%s: %s: %s", c.Note, verdict, detail)
		}
	}
	want := map[string]int{"all": 2400, "query of another shape": 53, "right": 2343, "elsewhere": 3, "not planned": 1}
	if !maps.Equal(tally, want) {
		t.Errorf("got %v, want %v", tally, want)
	}
}

func conforms(t *testing.T, c cases.TestCase, entry string) (verdict, detail string) {
	defer func() {
		if r := recover(); r != nil {
			verdict, detail = "panic", fmt.Sprint(r)
		}
	}()
	for k, v := range c.Env {
		t.Setenv(k, v)
	}
	var modules []Module
	for i, text := range c.Modules {
		opts := ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true}
		m, err := ast.ParseModuleWithOpts(fmt.Sprintf("test-%d.rego", i), text, opts)
		if err != nil {
			return "parse", err.Error()
		}
		modules = append(modules, Module{fmt.Sprintf("test-%d.rego", i), []byte(text), m})
	}
	data := value.Obj()
	if c.Data != nil {
		v, err := value.FromGo(anyOf(*c.Data))
		if err != nil {
			return "data", err.Error()
		}
		data = v
	}
	p, err := Compile(t.Context(), modules, data, []string{entry}, Options{Strict: c.StrictError})
	if err != nil {
		return "not planned", err.Error()
	}
	input := val{}
	switch {
	case c.InputTerm != nil:
		input = fromAST(ast.MustParseTerm(*c.InputTerm).Value)
	case c.Input != nil:
		v, err := ast.InterfaceToValue(anyOf(*c.Input))
		if err != nil {
			return "input", err.Error()
		}
		input = fromAST(v)
	}
	var got value.Value
	err = p.eval(t.Context(), 0, input, Question{}, func(v value.Value) error { got = v.Copy(); return nil })
	if errors.Is(err, ErrElsewhere) {
		return "elsewhere", ""
	}
	if c.WantError != nil || c.WantErrorCode != nil {
		if err == nil {
			return "no error", fmt.Sprintf("want %v, got %s", c.WantErrorCode, value.AppendJSON(nil, got))
		}
		if c.WantErrorCode != nil && !strings.Contains(err.Error(), *c.WantErrorCode) {
			return "other error", err.Error()
		}
		if c.WantError != nil && !strings.Contains(err.Error(), *c.WantError) {
			return "other message", err.Error() + " WANT " + *c.WantError
		}
		return "right", ""
	}
	if err != nil {
		return "error", err.Error()
	}
	want := c.WantResult
	if want == nil || len(*want) == 0 {
		if c.WantDefined != nil && *c.WantDefined {
			if got.Defined() {
				return "right", ""
			}
			return "undefined", ""
		}
		if got.Defined() {
			return "defined", string(value.AppendJSON(nil, got))
		}
		return "right", ""
	}
	if !got.Defined() {
		return "undefined", fmt.Sprint(*want)
	}
	wanted := (*want)[0]["x"]
	gotJSON := value.AppendJSON(nil, got)
	var gotAny any
	if err := util.UnmarshalJSON(gotJSON, &gotAny); err != nil {
		return "json", err.Error()
	}
	if c.SortBindings {
		sortAny(gotAny)
		sortAny(wanted)
	}
	a, err := ast.InterfaceToValue(anyOf(wanted))
	if err != nil {
		return "want", err.Error()
	}
	b := ast.MustInterfaceToValue(gotAny)
	if ast.Compare(a, b) != 0 {
		return "wrong", fmt.Sprintf("got %s want %s", gotJSON, a)
	}
	return "right", ""
}

func sortAny(x any) {
	if items, ok := x.([]any); ok {
		sort.Slice(items, func(i, j int) bool { return util.Compare(items[i], items[j]) < 0 })
	}
}

// anyOf normalises YAML's values as JSON's.
func anyOf(x any) any {
	text, err := json.Marshal(x)
	if err != nil {
		panic(err)
	}
	var out any
	if err := util.UnmarshalJSON(text, &out); err != nil {
		panic(err)
	}
	return out
}
