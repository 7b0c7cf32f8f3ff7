package integration

import (
	"context"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/integration/mutant"
)

// A guard is one place in the code that keeps an invariant of DESIGN section 2
// (README, "Promises"), and the test that notices when it is gone.
type guard struct {
	Invariant int    `yaml:"invariant"`
	Guard     string `yaml:"guard"` // what it does
	File      string `yaml:"file"`
	Replace   string `yaml:"replace"` // occurs exactly once in File
	With      string `yaml:"with"`
	Package   string `yaml:"package"`
	Run       string `yaml:"run"` // the test that must fail
}

// The invariants that exist in what is built so far.
var guarded = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}

// A guard that was moved is followed in testdata/guards.yaml at once: this test
// builds nothing, and every run of this package has it.
func TestGuardsStandWhereTheyAreListed(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool) // promises.yaml and -run know them by their names
	for _, g := range readGuards(t) {
		if seen[g.Guard] || g.Guard == "" {
			t.Errorf("%q: a guard without a name, or with another's", g.Guard)
		}
		seen[g.Guard] = true
		text, err := os.ReadFile(filepath.Join(root, g.File))
		if err != nil {
			t.Error(err)
		}
		if n := strings.Count(string(text), g.Replace); n != 1 {
			t.Errorf("invariant %d: %s: %s contains %q %d times, want once", g.Invariant, g.Guard, g.File, g.Replace, n)
		}
	}
}

// Every guard is taken out, one at a time, in a build of the tests with changed
// copies of its files (`go test -overlay`); its test must fail then, and not
// because the change does not compile. No switch for it exists in what ships.
func TestGuardsAreNoticedWhenGone(t *testing.T) {
	t.Parallel()
	guards := readGuards(t)
	for _, invariant := range guarded {
		if !slices.ContainsFunc(guards, func(g guard) bool { return g.Invariant == invariant }) {
			t.Errorf("no guard of invariant %d is listed in testdata/guards.yaml", invariant)
		}
	}
	packages := make(map[string][]guard)
	for _, g := range guards {
		packages[g.Package] = append(packages[g.Package], g)
	}
	for pkg, guards := range packages {
		// A slash would make levels of it, and nobody could name a guard to -run.
		t.Run(strings.ReplaceAll(strings.TrimPrefix(pkg, "./"), "/", "."), func(t *testing.T) {
			t.Parallel()
			withoutEach(t, pkg, guards)
		})
	}
}

func readGuards(t *testing.T) (guards []guard) {
	t.Helper()
	text, err := os.ReadFile("testdata/guards.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalWithOptions(text, &guards, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return guards
}

// withoutEach builds the tests of a package once with every change that can be
// chosen when they run (package mutant), and once more for each that cannot. With
// none chosen they pass, so that what fails fails for want of the guard.
func withoutEach(t *testing.T, pkg string, guards []guard) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	texts, alone := combined(t, root, guards)
	overlay, err := harness.OverlayTexts(root, t.TempDir(), texts)
	if err != nil {
		t.Fatal(err)
	}
	binary := buildTests(t, root, pkg, overlay)
	var all []string
	for i, g := range guards {
		if alone[i] {
			continue
		}
		all = append(all, "("+g.Run+")")
		t.Run(g.name(), func(t *testing.T) { g.notices(t, binary, i) })
	}
	if out, err := runTests(t, binary, filepath.Join(root, pkg), strings.Join(all, "|"), ""); err != nil {
		t.Errorf("with every guard: %v\n%s", err, out)
	}
	for i, g := range guards {
		if alone[i] {
			t.Run(g.name(), func(t *testing.T) {
				g.notices(t, buildTests(t, root, pkg, overlayOf(t, root, g.File, g.Replace, g.With)), i)
			})
		}
	}
}

func (g guard) name() string { return fmt.Sprintf("invariant %d: %s", g.Invariant, g.Guard) }

// combined returns the sources of guards with each taken out on demand, and which
// of the guards cannot be.
func combined(t *testing.T, root string, guards []guard) (texts map[string]string, alone map[int]bool) {
	t.Helper()
	changes := make(map[string][]mutant.Change)
	for i, g := range guards {
		changes[g.File] = append(changes[g.File], mutant.Change{ID: strconv.Itoa(i), Replace: g.Replace, With: g.With})
	}
	texts, alone = make(map[string]string), make(map[int]bool)
	for file, changes := range changes {
		source, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		text, not, err := mutant.Combine(string(source), changes)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, c := range not {
			i, _ := strconv.Atoi(c.ID)
			alone[i] = true
		}
		texts[file] = text
		name, choice := mutant.Switch(packageOf(t, text))
		texts[path.Join(path.Dir(file), name)] = choice
	}
	return texts, alone
}

func packageOf(t *testing.T, source string) string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), "", source, parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Name.Name
}

func buildTests(t *testing.T, root, pkg, overlay string) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-pgo=off", "-ldflags=-w -s", "-overlay", overlay, "-o", binary, pkg)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the changed code does not compile:\n%s", out)
	}
	return binary
}

// runTests runs tests of a package with one change, or with none.
func runTests(t *testing.T, binary, dir, run, change string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	test := exec.CommandContext(ctx, binary, "-test.run", run)
	test.Dir, test.Env = dir, append(os.Environ(), mutant.Env+"="+change)
	out, err := test.CombinedOutput()
	if err == nil && strings.Contains(string(out), "no tests to run") {
		t.Errorf("%s is no test", run)
	}
	return string(out), err
}

// notices says whether the test of a guard fails without it.
func (g guard) notices(t *testing.T, binary string, change int) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	report, err := runTests(t, binary, filepath.Join(root, g.Package), g.Run, strconv.Itoa(change))
	switch {
	case err == nil:
		t.Errorf("%s passes without the guard", g.Run)
	case !strings.Contains(report, "--- FAIL: ") && !strings.Contains(report, "panic: ") &&
		!strings.Contains(report, "fatal error: "): // as of a map that two turns write
		t.Errorf("%s failed neither by an assertion nor by a panic:\n%s", g.Run, report)
	}
}
