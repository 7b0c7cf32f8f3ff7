package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// run runs a command as a user would and returns what it printed.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := newRoot(args)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// workplace is a folder with a configuration and policies: the shipped ones
// with the sample's data.
func workplace(t *testing.T) (dir, config string) {
	t.Helper()
	dir = t.TempDir()
	policy := filepath.Join(dir, "policy")
	if _, err := run(t, "init", policy); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "over"), os.DirFS(filepath.Join("..", "..", "integration", "demo", "bundle"))); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"remit/catalog/data.yaml", "remit/agents/data.yaml"} {
		text, err := os.ReadFile(filepath.Join(dir, "over", file))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(policy, file), string(text))
	}
	config = filepath.Join(dir, "remit.yaml")
	write(t, config, `listeners:
- name: agents
  address: unix:authz.sock
  mcp: { paths: [ /mcp ] }
  identity: { none: true }
policy: { bundle: policy, timeout: 5s }
state: { dir: data }
`)
	return dir, config
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEvalRemembersAndExpects(t *testing.T) {
	dir, config := workplace(t)
	scene := filepath.Join(dir, "scene.yaml")
	write(t, scene, `agent: { id: support-agent, for: "user:ada" }
session: demo
steps:
- request: { host: api.example.test, path: /v1/tickets/7 }
  expect: allow
- request: { host: tools.example.test, path: /mcp, mcp: { tool: fetch_page, arguments: { url: "https://x.example" } } }
  expect: allow
- request: { host: tools.example.test, path: /mcp, mcp: { tool: send_mail, arguments: { to: a, text: b } } }
  expect: send_after_untrusted_content
- after: 2h
  request: { method: POST, host: api.example.test, path: /v1/tickets/7/notes }
  expect: write_too_late
- request: { host: api.example.test, path: /v1/tickets//7 }
  expect: unreadable_path
`)
	out, err := run(t, "eval", "-c", config, "--input", scene)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(scene)
	if err != nil {
		t.Fatal(err)
	}
	write(t, scene, strings.Replace(string(text), "expect: write_too_late", "expect: allow", 1))
	if out, err := run(t, "eval", "-c", config, scene); err == nil || !strings.Contains(out, "EXPECTED allow") {
		t.Errorf("a step that came out differently: %v\n%s", err, out)
	}
	write(t, scene, "steps:\n- requst: {}\n")
	if _, err := run(t, "eval", "-c", config, scene); err == nil || !strings.Contains(err.Error(), "requst") {
		t.Errorf("a misspelt key: %v", err)
	}
}

func TestCheckNamesEverything(t *testing.T) {
	dir, config := workplace(t)
	if out, err := run(t, "check", "-c", config); err != nil || !strings.Contains(out, "good:") {
		t.Fatalf("%v\n%s", err, out)
	}
	write(t, filepath.Join(dir, "policy", "packs", "bad.rego"), "package packs.bad\n\ndeny contains \"x\" if input.session.age_secnds > 1\n")
	write(t, filepath.Join(dir, "policy", "remit", "catalog", "data.yaml"), "systems:\n  api:\n    hosts: [api.example.test]\n    http:\n    - { methods: [GET], path: \"/x\", operation: reed }\n")
	_, err := run(t, "check", "-c", config)
	for _, want := range []string{"bad.rego:3", "age_secnds", "catalog/data.yaml:5", "operation"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the message lacks %q: %v", want, err)
		}
	}
}

func TestDoctorExamines(t *testing.T) {
	dir, config := workplace(t)
	out, err := run(t, "doctor", "-c", config, "--health.address=127.0.0.1:1", "--envoy", "")
	if err != nil || !strings.Contains(out, "0 errors") || !strings.Contains(out, "there is no state yet") {
		t.Errorf("%v\n%s", err, out)
	}
	write(t, filepath.Join(dir, "policy", "packs", "bad.rego"), "package packs.bad\n\ndeny contains \"x\" if input.session.age_secnds > 1\n")
	if out, err := run(t, "doctor", "-c", config, "--health.address=127.0.0.1:1", "--envoy", "", "--json"); err == nil || !strings.Contains(out, `"severity": "error"`) || !strings.Contains(out, "bad.rego:3") {
		t.Errorf("a bad policy: %v\n%s", err, out)
	}
	write(t, config, "listners: []\n")
	if out, err := run(t, "doctor", "-c", config, "--envoy", ""); err == nil || !strings.Contains(out, "listners") {
		t.Errorf("a bad configuration: %v\n%s", err, out)
	}
	if _, err := run(t, "doctor", "-c", config, "--health.address=127.0.0.1:1", "--envoy", "x", "--envoy-config-dump", "y"); err == nil {
		t.Error("two Envoys are examined")
	}
}

func TestInitOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := run(t, "init", dir); err == nil {
		t.Error("init wrote to a folder that was there")
	}
}

func TestCommandsNeedAState(t *testing.T) {
	_, config := workplace(t)
	for _, args := range [][]string{{"log", "tail"}, {"log", "verify"}, {"session", "list"}, {"session", "show", "s_x"}, {"log", "show", "0123456789"}} {
		if _, err := run(t, append(args, "-c", config)...); err == nil || !strings.Contains(err.Error(), "data") {
			t.Errorf("%v without a state directory: %v", args, err)
		}
	}
}

func TestHelpTeaches(t *testing.T) {
	walk := func(args ...string) {
		out, err := run(t, append(args, "--help")...)
		if err != nil || len(out) < 80 {
			t.Errorf("%v --help: %v\n%s", args, err, out)
		}
	}
	for _, args := range [][]string{{}, {"serve"}, {"check"}, {"eval"}, {"init"}, {"log"}, {"log", "tail"}, {"log", "show"}, {"log", "verify"}, {"session"}, {"session", "list"}, {"session", "show"}, {"session", "close"}, {"session", "release"}, {"session", "clear-label"}, {"config"}, {"config", "show"}, {"config", "reference"}, {"catalog"}, {"catalog", "explain"}, {"catalog", "import"}, {"catalog", "drift"}, {"version"}} {
		walk(args...)
	}
	if out, err := run(t, "version"); err != nil || !strings.Contains(out, "remit ") {
		t.Errorf("version: %v %s", err, out)
	}
}

// What is in observe is listed with what it would have denied, and a place
// that is none is an error with file and line.
func TestCheckListsWhatObserves(t *testing.T) {
	dir, config := workplace(t)
	observe := filepath.Join(dir, "policy", "remit", "observe", "data.yaml")
	write(t, observe, "listeners: []\nsystems: [ support-tools ]\npacks: [ destructive ]\n")
	out, err := run(t, "check", "-c", config)
	if err != nil || !strings.Contains(out, "observes: pack destructive: 0 denials") || !strings.Contains(out, "observes: system support-tools: 0 denials") {
		t.Errorf("%v\n%s", err, out)
	}
	scene := filepath.Join(dir, "scene.yaml")
	write(t, scene, `agent: { id: support-agent, for: "user:ada" }
steps:
- request: { host: tools.example.test, path: /mcp, mcp: { tool: delete_ticket, arguments: { ticket: 7 } } }
  expect: allow
- request: { method: DELETE, host: api.example.test, path: /v1/tickets/7 }
  expect: deny
`)
	if out, err := run(t, "eval", "-c", config, scene); err != nil || !strings.Contains(out, "not enforced (pack destructive)") {
		t.Errorf("%v\n%s", err, out)
	}
	write(t, observe, "listeners: []\nsystems:\n- suport-tools\n")
	if out, err := run(t, "check", "-c", config); err == nil || !strings.Contains(err.Error(), "observe/data.yaml:2") {
		t.Errorf("%v\n%s", err, out)
	}
}
