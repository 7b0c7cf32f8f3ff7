package integration

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/remit-pdp/remit/integration/harness"
)

// opaBinary is the stock opa of the version in go.mod.
func opaBinary(t *testing.T, root, dir string) string {
	t.Helper()
	binary := filepath.Join(dir, "opa")
	build := exec.Command("go", "build", "-o", binary, "github.com/open-policy-agent/opa")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build opa: %v\n%s", err, out)
	}
	return binary
}

// The script that `remit init` writes passes what it writes, and finds each
// kind of mistake, with the stock opa.
func TestThePipelinesScript(t *testing.T) {
	t.Parallel()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	remit, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	opa := opaBinary(t, root, t.TempDir())
	for name, c := range map[string]struct {
		files map[string]string
		want  string // "" passes
	}{
		"as it is written": {nil, ""},
		"not formatted":    {map[string]string{"packs/mine/mine.rego": "package packs.mine\ndeny contains   \"x\" if input.request.method==\"GET\"\n"}, "packs/mine/mine.rego"},
		"no rego":          {map[string]string{"packs/mine/mine.rego": "package packs.mine\n\ndeny contains if\n"}, "packs/mine/mine.rego:3"},
		"misspelt input":   {map[string]string{"packs/mine/mine.rego": "package packs.mine\n\ndeny contains \"x\" if input.action.opration == \"read\"\n"}, "packs/mine/mine.rego:3"},
		"a failing test":   {map[string]string{"packs/mine/mine_test.rego": "package packs.mine_test\n\ntest_nothing if 1 == 2\n"}, "data.packs.mine_test.test_nothing: FAIL"},
		"without tests":    {map[string]string{"packs/mine/mine.rego": "package packs.mine\n\n" + strings.Repeat("x := 1 if input.request.method == \"A\"\n\n", 150) + "x := 1 if input.request.method == \"B\"\n"}, "cover less than 90 %"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "policy")
			if out, err := exec.Command(remit, "init", dir).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for file, text := range c.files {
				path := filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			check := exec.CommandContext(ctx, "sh", filepath.Join(dir, "ci", "check.sh"))
			check.Env = append(os.Environ(), "OPA="+opa)
			out, err := check.CombinedOutput()
			switch {
			case c.want == "" && (err != nil || !strings.HasSuffix(string(out), "the policies are good\n")):
				t.Errorf("%v\n%s", err, out)
			case c.want != "" && (err == nil || !strings.Contains(string(out), c.want)):
				t.Errorf("%v: it does not say %q\n%s", err, c.want, out)
			}
		})
	}
}

// The workflow runs that very script, with the opa that the policies are tested
// with here.
func TestThePipelinesWorkflow(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "policies", "ci", "github-actions.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Uses string
				With map[string]any
				Run  string
			}
		}
	}
	if err := yaml.Unmarshal(text, &workflow); err != nil {
		t.Fatal(err)
	}
	runs, version := "", ""
	for _, step := range workflow.Jobs["check"].Steps {
		runs += step.Run
		if strings.HasPrefix(step.Uses, "open-policy-agent/setup-opa@") {
			version, _ = step.With["version"].(string)
		}
	}
	if runs != `sh "$POLICY/ci/check.sh"` {
		t.Errorf("the workflow runs %q", runs)
	}
	list := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "github.com/open-policy-agent/opa")
	list.Dir = root
	if out, err := list.Output(); err != nil || strings.TrimSpace(string(out)) != "v"+version {
		t.Errorf("the workflow takes opa %s, go.mod %s: %v", version, out, err)
	}
}
