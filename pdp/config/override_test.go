package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "remit.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func entry(t *testing.T, l *Loaded, key string) Entry {
	t.Helper()
	for _, e := range l.Entries {
		if e.Key == key {
			return e
		}
	}
	t.Fatalf("no entry %s", key)
	return Entry{}
}

// A flag wins over the environment, that over the file, that over the default;
// and what is in force says where it was set.
func TestPrecedence(t *testing.T) {
	path := file(t, strings.Replace(good, "bundle: policy }", "bundle: policy, timeout: 10ms }", 1))
	environ := []string{"HOME=/", "REMIT_POLICY_TIMEOUT=20ms"}
	flags := []Setting{{"policy.timeout", "30ms"}}
	for name, c := range map[string]struct {
		sources    Sources
		want, from string
	}{
		"default":     {Sources{File: file(t, good)}, "100ms", "default"},
		"file":        {Sources{File: path}, "10ms", path + ":12"},
		"environment": {Sources{File: path, Environ: environ}, "20ms", "REMIT_POLICY_TIMEOUT"},
		"flag":        {Sources{File: path, Environ: environ, Flags: flags}, "30ms", "--policy.timeout"},
	} {
		loaded, err := Read(c.sources)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := entry(t, loaded, "policy.timeout"); got.Value != c.want || got.From != c.from || loaded.Where("policy.timeout") != c.from || loaded.Where("policy.timout") != "" {
			t.Errorf("%s: %+v, want %s from %s", name, got, c.want, c.from)
		}
	}
}

// Every way of naming a key and of writing a value.
func TestOverrides(t *testing.T) {
	for _, c := range []struct {
		environ    []string
		flags      []Setting
		key, value string
	}{
		{flags: []Setting{{"listeners.agents.deadline", "2s"}}, key: "listeners[0].deadline", value: "2s"},
		{flags: []Setting{{"listeners.0.deadline", "2s"}}, key: "listeners[0].deadline", value: "2s"},
		{environ: []string{"REMIT_LISTENERS_AGENTS_DEADLINE=2s"}, key: "listeners[0].deadline", value: "2s"},
		{environ: []string{"REMIT_LISTENERS_0_DEADLINE=2s"}, key: "listeners[0].deadline", value: "2s"},
		{environ: []string{"REMIT_STATE_OUTCOME_TIMEOUT=2m"}, key: "state.outcome_timeout", value: "2m0s"},
		{environ: []string{"REMIT_STATE_SESSION_MAX_OPEN_PER_AGENT=3"}, key: "state.session.max_open_per_agent", value: "3"},
		{flags: []Setting{{"state.segment_bytes", "2097152"}}, key: "state.segment_bytes", value: "2097152"},
		{flags: []Setting{{"listeners.agents.mcp.paths", "/a, /b"}}, key: "listeners[0].mcp.paths", value: "[/a, /b]"},
		{flags: []Setting{{"listeners.agents.mcp.paths", "['/a,b', /c]"}}, key: "listeners[0].mcp.paths", value: `["/a,b", /c]`},
		{flags: []Setting{{"listeners.agents.body_is_exact", "true"}}, key: "listeners[0].body_is_exact", value: "true"},
		{flags: []Setting{{"listeners.agents.identity.jwt.header", "[x]"}}, key: "listeners[0].identity.jwt.header", value: `"[x]"`},
		{flags: []Setting{{"policy.entrypoint", "data.a"}, {"policy.entrypoint", "data.b"}}, key: "policy.entrypoint", value: "data.b"},
		{environ: []string{"REMIT_LISTENERS_1_NAME=more", "REMIT_LISTENERS_MORE_ADDRESS=127.0.0.1:9", "REMIT_LISTENERS_MORE_IDENTITY_NONE=true"},
			key: "listeners[1].address", value: `"127.0.0.1:9"`},
		{environ: []string{"REMIT_CONFIG=other.yaml", "REMIT_SERVICE_HOST=10.0.0.1", "REMIT_PORT=tcp://10.0.0.1:9191", "REMIT_PORT_9191_TCP_ADDR=10.0.0.1",
			"REMIT_AUTHZ_SERVICE_HOST=10.0.0.1", "REMIT_AUTHZ_SERVICE_PORT_GRPC=1"}, key: "policy.timeout", value: "100ms"},
	} {
		loaded, err := Read(Sources{File: file(t, good), Environ: c.environ, Flags: c.flags})
		if err != nil {
			t.Errorf("%v %v: %v", c.environ, c.flags, err)
			continue
		}
		if got := entry(t, loaded, c.key); got.Value != c.value {
			t.Errorf("%v %v: %s is %s, want %s", c.environ, c.flags, c.key, got.Value, c.value)
		}
	}
}

// A configuration needs no file, and a path in a flag is relative to where the
// user stands.
func TestWithoutAFile(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	flags := []Setting{{"listeners.0.name", "agents"}, {"listeners.0.address", "unix:a.sock"}, {"listeners.0.identity.none", "true"}, {"policy.bundle", "policy"}}
	loaded, err := Read(Sources{Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	if l := loaded.Listeners[0]; l.Address != "unix:"+filepath.Join(here, "a.sock") || loaded.State.Dir != filepath.Join(here, "data") {
		t.Errorf("%+v", loaded.Config)
	}
	loaded, err = Read(Sources{File: file(t, good), Flags: []Setting{{"policy.bundle", "mine"}}})
	if err != nil || loaded.Policy.Bundle.Dir != filepath.Join(here, "mine") {
		t.Errorf("%v, %v", loaded, err)
	}
}

// Each error says where the mistake is and what was probably meant.
func TestRefusedOverrides(t *testing.T) {
	twins := strings.Replace(good, "outcomes:", strings.Replace(good[strings.Index(good, "- name"):strings.Index(good, "outcomes:")], "name: agents", "name: agents-", 1)+"outcomes:", 1)
	for name, c := range map[string]struct {
		file    string
		environ []string
		flags   []Setting
		want    []string
	}{
		"unknown variable":        {good, []string{"REMIT_POLICY_TIMOUT=1s"}, nil, []string{"REMIT_POLICY_TIMOUT is no key", "nearest is REMIT_POLICY_TIMEOUT"}},
		"unknown listener":        {good, nil, []Setting{{"listeners.agnets.deadline", "1s"}}, []string{"--listeners.agnets.deadline is no key", "nearest is --listeners.agents.deadline"}},
		"a gap in a list":         {good, nil, []Setting{{"listeners.5.deadline", "1s"}}, []string{"--listeners.5.deadline is no key"}},
		"a structure":             {good, nil, []Setting{{"policy", "x"}}, []string{"--policy is no key"}},
		"not a duration":          {good, []string{"REMIT_POLICY_TIMEOUT=soon"}, nil, []string{"REMIT_POLICY_TIMEOUT", "soon", "duration"}},
		"not a number":            {good, nil, []Setting{{"state.segment_bytes", "many"}}, []string{"--state.segment_bytes", "many", "number"}},
		"not a switch":            {good, nil, []Setting{{"listeners.agents.body_is_exact", "perhaps"}}, []string{"--listeners.agents.body_is_exact", "switch"}},
		"out of bounds":           {good, nil, []Setting{{"policy.timeout", "1h"}}, []string{"--policy.timeout: policy.timeout: 1h0m0s is not between"}},
		"open address":            {good, []string{"REMIT_LISTENERS_AGENTS_ADDRESS=0.0.0.0:9191"}, nil, []string{"REMIT_LISTENERS_AGENTS_ADDRESS: listeners[0].address"}},
		"a list's element":        {good, nil, []Setting{{"listeners.agents.mcp.paths", "/a,b"}}, []string{"--listeners.agents.mcp.paths: listeners[0].mcp.paths[1]"}},
		"in the file":             {strings.Replace(good, "  address: unix:authz.sock", "  address: nowhere", 1), nil, nil, []string{"remit.yaml:4: listeners[0].address"}},
		"missing in the file":     {strings.Replace(good, "policy: { bundle: policy }", "policy: {}", 1), nil, nil, []string{"remit.yaml:12: policy.bundle"}},
		"several at once":         {good, []string{"REMIT_A_B=1", "REMIT_C_D=2"}, nil, []string{"REMIT_A_B", "REMIT_C_D"}},
		"a port without service":  {good, []string{"REMIT_HEALTH_PORT=1"}, nil, []string{"REMIT_HEALTH_PORT is no key"}},
		"two listeners, one name": {twins, []string{"REMIT_LISTENERS_AGENTS_DEADLINE=1s"}, nil, []string{"can be listeners[0].deadline or listeners[1].deadline"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(Sources{File: file(t, c.file), Environ: c.environ, Flags: c.flags})
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
		})
	}
}

// A secret is not taken from a flag, not shown, and not in an error.
func TestSecrets(t *testing.T) {
	type vault struct {
		Token Secret `yaml:"token"`
	}
	v := &vault{}
	all := overrides([]string{"REMIT_TOKEN=hidden"}, []Setting{{"token", "hidden"}})
	if _, err := all[1].apply(reflect.ValueOf(v)); err == nil || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), "REMIT_TOKEN") {
		t.Errorf("a secret as a flag: %v", err)
	}
	if _, err := all[0].apply(reflect.ValueOf(v)); err != nil || v.Token != "hidden" {
		t.Errorf("a secret from the environment: %q, %v", v.Token, err)
	}
	if text, err := yaml.Marshal(v); err != nil || strings.Contains(string(text), "hidden") || !strings.Contains(string(text), "(secret)") {
		t.Errorf("written as %s, %v", text, err)
	}
}

// Whatever is given for a key, an accepted configuration keeps its promises.
func FuzzOverride(f *testing.F) {
	f.Add("listeners.agents.address", "0.0.0.0:1")
	f.Add("listeners.agents.tls.client_names", "[]")
	f.Add("listeners.0.identity.jwt.audience", "")
	f.Add("policy.timeout", "-1s")
	f.Add("listeners.1.identity.none", "{")
	path := filepath.Join(f.TempDir(), "remit.yaml")
	if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		loaded, err := Read(Sources{File: path, Flags: []Setting{{name, value}}})
		if err != nil {
			return
		}
		for _, problem := range loaded.problems() {
			t.Errorf("--%s=%q is accepted: %v", name, value, problem)
		}
	})
}
