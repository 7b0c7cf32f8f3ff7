package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/remit-pdp/remit/integration/harness"
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
	for _, g := range readGuards(t) {
		text, err := os.ReadFile(filepath.Join(root, g.File))
		if err != nil {
			t.Error(err)
		}
		if n := strings.Count(string(text), g.Replace); n != 1 {
			t.Errorf("invariant %d: %s: %s contains %q %d times, want once", g.Invariant, g.Guard, g.File, g.Replace, n)
		}
	}
}

// Every guard is taken out, one at a time, by building with a changed copy of
// its file (`go build -overlay`); its test must fail then, and not because
// the change does not compile. No switch for it exists in what ships.
func TestGuardsAreNoticedWhenGone(t *testing.T) {
	t.Parallel()
	guards := readGuards(t)
	for _, invariant := range guarded {
		if !slices.ContainsFunc(guards, func(g guard) bool { return g.Invariant == invariant }) {
			t.Errorf("no guard of invariant %d is listed in testdata/guards.yaml", invariant)
		}
	}
	for _, g := range guards {
		t.Run(fmt.Sprintf("invariant %d: %s", g.Invariant, g.Guard), func(t *testing.T) {
			t.Parallel()
			withoutGuard(t, g)
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

func withoutGuard(t *testing.T, g guard) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	overlayFile := overlayOf(t, root, g.File, g.Replace, g.With)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, "go", "test", "-vet=off", "-ldflags=-w -s", "-overlay", overlayFile, "-count=1", "-run", g.Run, g.Package)
	run.Dir = root
	out, err := run.CombinedOutput()
	switch report := string(out); {
	case err == nil:
		t.Errorf("%s passes without the guard", g.Run)
	case strings.Contains(report, "[build failed]") || strings.Contains(report, "[setup failed]"):
		t.Errorf("the changed code does not compile:\n%s", report)
	case !strings.Contains(report, "--- FAIL: ") && !strings.Contains(report, "panic: ") &&
		!strings.Contains(report, "fatal error: "): // as of a map that two turns write
		t.Errorf("%s failed neither by an assertion nor by a panic:\n%s", g.Run, report)
	}
}
