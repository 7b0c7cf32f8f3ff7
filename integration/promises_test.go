package integration

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/remit-pdp/remit/integration/harness"
)

var update = flag.Bool("update", false, "write the table of promises into README.md")

// A promise is one thing that is known about what stands around remit, or one
// invariant of its own, and what keeps it.
type promise struct {
	ID   string `yaml:"id"`
	Fact string `yaml:"fact"`
	// Promise is what remit does about it. Reason says instead why it does not
	// concern remit.
	Promise string `yaml:"promise"`
	Reason  string `yaml:"reason"`
	// Guards are names in guards.yaml, which TestGuardsAreNoticedWhenGone takes
	// out; Invariant stands for all guards of one, and Unguarded says why there
	// is none to take out.
	Guards    []string `yaml:"guards"`
	Invariant int      `yaml:"invariant"`
	Unguarded string   `yaml:"unguarded"`
	// Tests are the tests that show it, each with its package.
	Tests []string `yaml:"tests"`
}

// Every fact, trap and invariant has a guard that is taken out and a test that
// exists, or the reason why it needs none; and the table in README.md says so.
func TestThePromises(t *testing.T) {
	promises := readPromises(t)
	guards, seen := readGuards(t), make(map[string]bool)
	tests := testsByPackage(t)
	for i := range promises {
		p := &promises[i]
		if seen[p.ID] || p.ID == "" || p.Fact == "" {
			t.Errorf("%q: an id that is missing or there twice, or no fact", p.ID)
		}
		seen[p.ID] = true
		p.check(t, guards)
		for _, name := range p.Tests {
			if !tests[name] {
				t.Errorf("%s: there is no test %s", p.ID, name)
			}
		}
	}
	freshTable(t, promises)
}

func readPromises(t *testing.T) (promises []promise) {
	t.Helper()
	text, err := os.ReadFile("testdata/promises.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalWithOptions(text, &promises, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return promises
}

// check holds a promise to its form and to the guards that there are.
func (p *promise) check(t *testing.T, guards []guard) {
	t.Helper()
	if p.Reason != "" {
		if p.Promise != "" || len(p.Guards)+len(p.Tests) > 0 {
			t.Errorf("%s: it is kept, and does not concern remit: which?", p.ID)
		}
		return
	}
	if p.Promise == "" || len(p.Tests) == 0 {
		t.Errorf("%s: no promise, or no test that shows it", p.ID)
	}
	if p.Invariant != 0 {
		for _, g := range guards {
			if g.Invariant == p.Invariant {
				p.Guards = append(p.Guards, g.Guard)
			}
		}
	}
	if (len(p.Guards) == 0) == (p.Unguarded == "") {
		t.Errorf("%s: it needs guards, or the reason why there is none", p.ID)
	}
	for _, name := range p.Guards {
		i := slices.IndexFunc(guards, func(g guard) bool { return g.Guard == name })
		switch {
		case i < 0:
			t.Errorf("%s: guards.yaml has no guard %q", p.ID, name)
		case p.Invariant == 0 && !slices.ContainsFunc(p.Tests, guards[i].failsWithout):
			t.Errorf("%s: none of its tests is the one that fails without %q (%s of %s)", p.ID, name, guards[i].Run, guards[i].Package)
		}
	}
}

// failsWithout reports whether a test, named with its package, is among those
// that must fail when the guard is gone.
func (g guard) failsWithout(test string) bool {
	end := strings.LastIndexByte(test, '.')
	matched, err := regexp.MatchString(g.Run, test[end+1:])
	return err == nil && matched && "./"+test[:end] == g.Package
}

// testsByPackage are all tests of the module, as "pdp/state.TestX".
func testsByPackage(t *testing.T) map[string]bool {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	err = filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		in, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, declaration := range file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil {
				found[filepath.ToSlash(in)+"."+f.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// The table stands in README.md between these lines.
const (
	tableBegin = "<!-- the table of promises: go test ./integration -run TestThePromises -update -->\n"
	tableEnd   = "<!-- the end of the table of promises -->\n"
)

// freshTable compares the table in README.md with the promises, or writes it.
func freshTable(t *testing.T, promises []promise) {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegin)
	table, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		t.Fatal("README.md has no place for the table of promises")
	}
	want := tableOf(promises)
	if *update {
		if err := os.WriteFile("README.md", []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table != want {
		t.Error("the table of promises in README.md is not what promises.yaml says: run this test with -update")
	}
}

func tableOf(promises []promise) string {
	var b strings.Builder
	b.WriteString("\n| id | known | promised | guards, each taken out | shown by |\n|---|---|---|---|---|\n")
	for _, p := range promises {
		if p.Reason != "" {
			fmt.Fprintf(&b, "| %s | %s | does not concern remit: %s | | |\n", p.ID, p.Fact, p.Reason)
			continue
		}
		guards := strings.Join(p.Guards, "; ")
		switch {
		case p.Invariant != 0:
			guards = fmt.Sprintf("all %d of invariant %d", len(p.Guards), p.Invariant)
		case p.Unguarded != "":
			guards = "none: " + p.Unguarded
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | `%s` |\n", p.ID, p.Fact, p.Promise, guards, strings.Join(p.Tests, "`, `"))
	}
	b.WriteString("\n")
	return b.String()
}
