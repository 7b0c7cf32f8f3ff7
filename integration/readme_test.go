package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/integration/harness"
)

// What the README tells a newcomer to do works as it stands there: the files
// it shows, and the commands after them.
func TestTheReadmesFirstRule(t *testing.T) {
	t.Parallel()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for tool, pkg := range map[string]string{"remit": "./cmd/remit", "opa": "github.com/open-policy-agent/opa"} {
		build := exec.Command("go", "build", "-o", filepath.Join(dir, "bin", tool), pkg)
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	run := func(command string) {
		t.Helper()
		cmd := exec.Command("sh", "-ec", command)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	run("bin/remit init policy")
	// A file is shown after its name, at the end of a paragraph.
	shown := regexp.MustCompile("(?s)`([a-z/_]+\\.(?:rego|yaml))`:\n\n```[a-z]+\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	names := make(map[string]bool)
	for _, file := range shown {
		path := filepath.Join(dir, file[1])
		names[file[1]] = true
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(file[2]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"policy/packs/sunday/sunday.rego", "policy/packs/sunday/sunday_test.rego", "try.yaml", "scene.yaml"} {
		if !names[want] {
			t.Errorf("the README does not show %s", want)
		}
	}
	for _, command := range []string{
		"bin/opa test --bundle policy --run sunday -v",
		"bin/opa check --strict --bundle --schema policy/schemas/input.json policy",
		"bin/remit check -c try.yaml",
		"bin/remit eval -c try.yaml scene.yaml",
	} {
		if !strings.Contains(string(text), command) {
			t.Errorf("the README does not say %q", command)
		}
		run(command)
	}
	run("bin/opa test --bundle policy")
	run("test -z \"$(bin/opa fmt --list policy/packs/sunday)\"")
}
