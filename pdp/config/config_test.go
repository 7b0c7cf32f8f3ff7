package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const good = `
listeners:
- name: agents
  address: unix:authz.sock
  identity:
    jwt:
      issuer: https://idp.example.test
      audience: [ https://tools.example.test ]
      jwks_file: keys/jwks.json
      algorithms: [ ES256 ]
outcomes: { address: "unix:/run/outcomes.sock" }
policy: { bundle: policy }
`

func TestLoadFillsDefaultsAndRebasesPaths(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "remit.yaml")
	if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	l := c.Listeners[0]
	for what, got := range map[string][2]string{
		"listener":   {l.Address, "unix:" + filepath.Join(dir, "authz.sock")},
		"outcomes":   {c.Outcomes.Address, "unix:/run/outcomes.sock"},
		"keys":       {l.Identity.JWT.JWKSFile, filepath.Join(dir, "keys/jwks.json")},
		"bundle":     {c.Policy.Bundle.Dir, filepath.Join(dir, "policy")},
		"state":      {c.State.Dir, filepath.Join(dir, "data")},
		"durability": {c.State.Durability, "os"},
		"deny_as":    {l.DenyAs, "tool_error"},
		"request_id": {l.RequestID, "envoy"},
		"entrypoint": {c.Policy.Entrypoint, "data.remit.authz.decision"},
		"operators":  {c.Operators.SocketPath(), filepath.Join(dir, "data/operators.sock")},
		"health":     {c.Health.Address, "127.0.0.1:8282"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is %q, want %q", what, got[0], got[1])
		}
	}
	if c.State.Session.Idle.D() != 30*time.Minute || c.State.Session.MaxAge.D() != 8*time.Hour || c.State.Session.Carry.D() != 24*time.Hour {
		t.Errorf("session limits are %+v", c.State.Session)
	}
}

// Each of these would weaken a promise or is a mistake; each error names the
// key.
func TestRefused(t *testing.T) {
	cases := map[string]struct{ old, new, want string }{
		"misspelt key":             {"policy:", "polices: {}\npolicy:", "polices"},
		"misspelt key, the remedy": {"policy:", "polices: {}\npolicy:", "remit config reference"},
		"misspelt nested key":      {"issuer:", "isuer: x\n      issuer:", "isuer"},
		"key twice":                {"policy: { bundle: policy }", "policy: { bundle: policy, bundle: other }", "bundle"},
		"no audience":              {"      audience: [ https://tools.example.test ]\n", "", "identity.jwt.audience"},
		"empty audience":           {"[ https://tools.example.test ]", `[ "" ]`, "identity.jwt.audience"},
		"no issuer":                {"      issuer: https://idp.example.test\n", "", "identity.jwt.issuer"},
		"no algorithms":            {"      algorithms: [ ES256 ]\n", "", "identity.jwt.algorithms"},
		"no keys":                  {"      jwks_file: keys/jwks.json\n", "", "jwks_file"},
		"two identities":           {"    jwt:", "    none: true\n    jwt:", "listeners[0].identity"},
		"open address":             {"address: unix:authz.sock", "address: 0.0.0.0:9191", "listeners[0].address"},
		"address of another host":  {"address: unix:authz.sock", "address: 10.0.0.1:9191", "listeners[0].address"},
		"address without a port":   {"address: unix:authz.sock", "address: localhost", "listeners[0].address"},
		"socket without a path":    {"address: unix:authz.sock", `address: "unix:"`, "listeners[0].address"},
		"open outcomes":            {`"unix:/run/outcomes.sock"`, `":9192"`, "outcomes.address"},
		"no name":                  {"- name: agents\n", "- name: \"\"\n", "listeners[0].name"},
		"no bundle":                {"policy: { bundle: policy }", "policy: {}", "policy.bundle"},
		"entry point without data": {"bundle: policy }", "bundle: policy, entrypoint: remit.authz }", "policy.entrypoint"},
		"no listeners":             {good, "policy: { bundle: policy }", "listeners"},
		"odd deny_as":              {"  identity:", "  deny_as: nicely\n  identity:", "listeners[0].deny_as"},
		"margin beyond deadline":   {"  identity:", "  margin: 900ms\n  identity:", "listeners[0].margin"},
		"not a duration":           {"bundle: policy }", "bundle: policy, timeout: soon }", `"soon" is not a duration`},
		"not a duration, where":    {"bundle: policy }", "bundle: policy, timeout: soon }", "[12:36]"},
		"a duration by its number": {"bundle: policy }", "bundle: policy, timeout: 5 }", "write 500ms, 30s"},
		"operators nowhere":        {"policy:", "operators: { address: \"unix:\" }\npolicy:", "operators.socket"},
		"unknown durability":       {"policy:", "state: { durability: maybe }\npolicy:", "state.durability"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(good, c.old) {
				t.Fatalf("the case changes %q, which is not there", c.old)
			}
			_, err := Parse([]byte(strings.Replace(good, c.old, c.new, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error about %s", err, c.want)
			}
		})
	}
}

// Two addresses behind one name would make records ambiguous.
func TestListenerNamesDiffer(t *testing.T) {
	second := good[strings.Index(good, "- name"):strings.Index(good, "outcomes:")]
	_, err := Parse([]byte(strings.Replace(good, "outcomes:", second+"outcomes:", 1)))
	if err == nil || !strings.Contains(err.Error(), "used twice") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		for _, l := range c.Listeners {
			if jwt := l.Identity.JWT; jwt != nil && len(jwt.Audience) == 0 {
				t.Error("accepted an identity without an audience")
			}
		}
	})
}
