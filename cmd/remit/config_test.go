package main

import (
	"strings"
	"testing"
)

// Keys are flags and variables of every command that reads the configuration,
// and remit config show says where each value comes from.
func TestConfigShow(t *testing.T) {
	_, path := workplace(t)
	t.Setenv("REMIT_STATE_OUTCOME_TIMEOUT", "2m")
	out, err := run(t, "config", "show", "-c", path, "--policy.timeout", "50ms", "--listeners.agents.body_is_exact", "--log.level=debug")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string][2]string{
		"policy.timeout":             {"50ms", "--policy.timeout"},
		"log.level":                  {"debug", "--log.level"},
		"listeners[0].body_is_exact": {"true", "--listeners.agents.body_is_exact"},
		"state.outcome_timeout":      {"2m0s", "REMIT_STATE_OUTCOME_TIMEOUT"},
		"listeners[0].name":          {"agents", path + ":2"},
		"state.durability":           {"os", "default"},
	} {
		found := false
		for line := range strings.Lines(out) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == key {
				found = f[1] == want[0] && f[2] == want[1]
			}
		}
		if !found {
			t.Errorf("%s is not %v:\n%s", key, want, out)
		}
	}
	if _, err := run(t, "check", "-c", path, "--policy.timout", "50ms"); err == nil || !strings.Contains(err.Error(), "the nearest is --policy.timeout") {
		t.Errorf("a misspelt flag: %v", err)
	}
	t.Setenv("REMIT_POLICY_BUNDEL", "x")
	if _, err := run(t, "check", "-c", path); err == nil || !strings.Contains(err.Error(), "the nearest is REMIT_POLICY_BUNDLE") {
		t.Errorf("a misspelt variable: %v", err)
	}
}

// A container needs no file; a file that was named must be there.
func TestConfigWithoutAFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := run(t, "config", "show"); err == nil || !strings.Contains(err.Error(), "remit.yaml") {
		t.Errorf("nothing at all: %v", err)
	}
	for name, value := range map[string]string{"LISTENERS_0_NAME": "agents", "LISTENERS_0_ADDRESS": "unix:a.sock", "LISTENERS_0_IDENTITY_NONE": "true", "POLICY_BUNDLE": "policy"} {
		t.Setenv("REMIT_"+name, value)
	}
	if out, err := run(t, "config", "show"); err != nil || !strings.Contains(out, "REMIT_LISTENERS_0_ADDRESS") {
		t.Errorf("environment alone: %v\n%s", err, out)
	}
	t.Setenv("REMIT_CONFIG", "other.yaml")
	if _, err := run(t, "config", "show"); err == nil || !strings.Contains(err.Error(), "other.yaml") {
		t.Errorf("a named file that is not there: %v", err)
	}
}

// The shells complete keys, those of named listeners included.
func TestCompletion(t *testing.T) {
	_, path := workplace(t)
	for shell, want := range map[string]string{"bash": "__start_remit", "zsh": "#compdef remit", "fish": "complete -c remit"} {
		if out, err := run(t, "completion", shell); err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v", shell, err)
		}
	}
	for begin, want := range map[string]string{"--policy.t": "--policy.timeout", "--listeners.ag": "--listeners.agents.deadline"} {
		if out, err := run(t, "__complete", "serve", "-c", path, begin); err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s", begin, err, out)
		}
	}
	help, err := run(t, "serve", "--help")
	if err != nil || strings.Contains(help, "--policy.timeout") {
		t.Errorf("the help lists every key: %v", err)
	}
}
