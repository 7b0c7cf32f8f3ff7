package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
)

// operated is a remit that answers operators over TCP, and what its operators have.
type operated struct {
	*harness.Remit
	dir, address string
	issuer       *harness.Issuer
	home         string // an operator's folder: nothing of remit's is in it
}

// startOperated serves what the README shows.
func startOperated(t *testing.T) *operated {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "remit-") // short: a socket's path has room for 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	o := &operated{dir: dir, address: freePort(t), home: t.TempDir()}
	binary, err := harness.BuildRemit(t.Context(), root, "remit-plain", false, "")
	if err == nil {
		err = harness.LayPolicy(t.Context(), binary, filepath.Join(dir, "policy"), "")
	}
	if err == nil {
		o.issuer, err = harness.NewIssuer()
	}
	if err == nil {
		err = o.issuer.WriteJWKS(filepath.Join(dir, "jwks.json"))
	}
	authority, authorityErr := harness.NewAuthority()
	if err != nil || authorityErr != nil {
		t.Fatal(err, authorityErr)
	}
	for file, name := range map[string]string{filepath.Join(dir, "remit"): "localhost", filepath.Join(o.home, "ada"): "spiffe://example.test/ops/ada"} {
		if _, err := authority.Issue(filepath.Dir(file), filepath.Base(file), time.Hour, name); err != nil {
			t.Fatal(err)
		}
	}
	health, config := freePort(t), filepath.Join(dir, "remit.yaml")
	text := fmt.Sprintf(`listeners: [{ name: agents, address: "unix:authz.sock", identity: { none: true } }]
policy: { bundle: policy }
health: { address: %q }
operators:
  address: %q
  tls: { cert_file: remit.crt, key_file: remit.key, client_ca_file: remit.ca }
  oidc:
    issuer: %s
    audience: [ "https://remit.example.test/operators" ]
    jwks_file: jwks.json
    algorithms: [ ES256 ]
    name_claim: email
  roles:
  - { certificate: "spiffe://example.test/ops/ada", roles: [ viewer, revoker ] }
  - { group: on-call, roles: [ revoker ] }
`, health, o.address, harness.IssuerName)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), binary, "check", "--config", config).CombinedOutput(); err != nil {
		t.Fatalf("remit check: %v\n%s", err, out)
	}
	if o.Remit, err = harness.StartRemit(t.Context(), binary, config, health); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Stop)
	return o
}

// from runs a command on the operator's own machine.
func (o *operated) from(t *testing.T, env []string, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), o.Binary, args...)
	command.Dir, command.Env = o.home, append(os.Environ(), env...)
	out, err := command.CombinedOutput()
	return string(out), err
}

// Operators who are not on remit's machine give orders with what ships: with a
// certificate as flags, with a token as environment. Who gave each is in the
// record, from what proved it; who has no role for an order is told, and an order
// never goes to whoever else answers there.
func TestOperatorsOverTCP(t *testing.T) {
	t.Parallel()
	o := startOperated(t)
	token, err := o.issuer.Token("", "user-1", "", map[string]any{
		"act": nil, "aud": "https://remit.example.test/operators", "email": "grace@example.test", "groups": []string{"on-call"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(o.home, "token"), []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := "https://localhost:" + portOf(o.address)
	certificate := []string{"--operators", url, "--operators-ca", "ada.ca", "--operators-cert", "ada.crt", "--operators-key", "ada.key"}
	bearer := []string{"REMIT_CLIENT_OPERATORS=" + url, "REMIT_CLIENT_CA_FILE=ada.ca", "REMIT_CLIENT_TOKEN_FILE=token"}
	grace := "grace@example.test (" + harness.IssuerName + ")"

	order := func(subject string) []string {
		return []string{"revoke", "agent", subject, "--reason", "hijacked, 4711"}
	}
	if out, err := o.from(t, nil, append(order("by-certificate"), certificate...)...); err != nil || !strings.Contains(out, "by spiffe://example.test/ops/ada,") {
		t.Errorf("with a certificate: %v\n%s\n%s", err, out, o.Log())
	}
	if out, err := o.from(t, bearer, order("by-token")...); err != nil || !strings.Contains(out, "by "+grace+",") {
		t.Errorf("with a token: %v\n%s\n%s", err, out, o.Log())
	}
	for name, c := range map[string]struct {
		env, args []string
		want      string
	}{
		"no role to look":              {bearer, []string{"revoke", "list"}, grace + " does not have the role viewer"},
		"no role to look at a session": {bearer, []string{"session", "show", "s_1"}, grace + " does not have the role viewer"},
		"no session to look at":        {nil, append([]string{"session", "show", "s_1"}, certificate...), "s_1"},
		"no role to release":           {nil, append([]string{"session", "release", "s_1", "--reason", "x"}, certificate...), "ops/ada does not have the role approver"},
		"a session not there":          {bearer, []string{"session", "close", "s_1", "--reason", "x"}, "s_1"},
		"nobody":                       {nil, append(order("x"), certificate[:4]...), "client: must say who"},
		"remit's unknown":              {nil, append(order("x"), "--operators", url, "--operators-token-file", "token"), "does not prove to be it"},
		"a token on the line":          {nil, append(order("x"), "--operators-token", "abc"), "unknown flag"},
		"in the clear":                 {nil, append(order("x"), "--operators", "http://localhost:1", "--operators-token-file", "token"), "https://HOST:PORT"},
		"nobody listens there":         {nil, append(order("x"), "--operators", "https://localhost:1", "--operators-token-file", "token"), "does not answer operators"},
	} {
		if out, err := o.from(t, c.env, c.args...); err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if out, err := o.from(t, nil, append([]string{"session", "list"}, certificate...)...); err != nil || !strings.HasPrefix(out, "SESSION ") {
		t.Errorf("looking at sessions: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(o.home, "token"), []byte(token[:len(token)-8]+"AAAAAAAA"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := o.from(t, bearer, order("by-forgery")...); err == nil || !strings.Contains(out, "does not accept that it is you") || !strings.Contains(o.Log(), "signature is not good") {
		t.Errorf("with a forged token: %v\n%s\n%s", err, out, o.Log())
	}

	if out, err := o.Run(t.Context(), "revoke", "agent", "by-socket", "--reason", "on the machine itself"); err != nil || !strings.Contains(out, "(uid ") {
		t.Errorf("on the socket: %v\n%s", err, out)
	}
	list, err := o.from(t, nil, append([]string{"revoke", "list"}, certificate...)...)
	if err != nil || strings.Count(list, "agent by-") != 3 || strings.Contains(list, "by-forgery") {
		t.Errorf("listed: %v\n%s", err, list)
	}
	tail, err := o.Run(t.Context(), "log", "tail", "-n", "0")
	for _, want := range []string{"agent by-certificate  by spiffe://example.test/ops/ada: hijacked, 4711", "agent by-token  by " + grace + ": hijacked, 4711"} {
		if err != nil || !strings.Contains(tail, want) {
			t.Errorf("the record does not tell of %q: %v\n%s", want, err, tail)
		}
	}
}
