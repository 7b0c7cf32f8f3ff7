package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// operators is a good block for TCP, of which the cases change a part.
const operators = `operators:
  address: 127.0.0.1:8181
  tls: { cert_file: remit.crt, key_file: remit.key, client_ca_file: ca.crt }
  oidc:
    issuer: https://idp.example.test
    audience: [ https://remit.example.test ]
    discovery: true
    algorithms: [ ES256 ]
  roles:
  - { certificate: spiffe://example.test/ops/ada, roles: [ viewer, revoker ] }
  - { group: on-call, roles: [ approver ] }
`

// Invariant 6: over TCP, on loopback too, there is nobody who is not proved to call
// and no role for everybody; each error names the key, and what to do.
func TestOperatorsOverTCP(t *testing.T) {
	const (
		oidc  = "  oidc:\n    issuer: https://idp.example.test\n    audience: [ https://remit.example.test ]\n    discovery: true\n    algorithms: [ ES256 ]\n"
		group = "  - { group: on-call, roles: [ approver ] }\n"
		ada   = "  - { certificate: spiffe://example.test/ops/ada, roles: [ viewer, revoker ] }\n"
		tls   = "  tls: { cert_file: remit.crt, key_file: remit.key, client_ca_file: ca.crt }\n"
	)
	for name, c := range map[string]struct{ old, new, want string }{
		"as it is":                       {"", "", ""},
		"for everybody to reach":         {"127.0.0.1:8181", "0.0.0.0:8181", ""},
		"a DNS name":                     {"spiffe://example.test/ops/ada", "ada.ops.example.test", ""},
		"certificates alone":             {oidc, "", "operators.roles[1].group"},
		"no TLS":                         {tls, "", "operators.tls: is required"},
		"no certificate of remit's":      {"cert_file: remit.crt, ", "", "operators.tls.cert_file"},
		"no key of remit's":              {"key_file: remit.key, ", "", "operators.tls.key_file"},
		"certificates of any authority":  {", client_ca_file: ca.crt", "", "operators.tls.client_ca_file"},
		"TLS 1.1":                        {"tls: {", `tls: { min_version: "1.1",`, "operators.tls.min_version"},
		"roles for nobody":               {"  roles:\n" + ada + group, "", "operators.roles: is required"},
		"a role for whoever comes":       {"certificate: spiffe://example.test/ops/ada, ", "", "operators.roles[0]: must hold exactly one"},
		"a grant of both":                {"group: on-call", "group: on-call, certificate: a.example.test", "operators.roles[1]: must hold exactly one"},
		"a grant of nothing":             {"roles: [ approver ]", "roles: []", "operators.roles[1].roles"},
		"a role that is none":            {"[ approver ]", "[ admin ]", "operators.roles[1].roles[0]"},
		"a role that opens nothing yet":  {"[ approver ]", "[ policy ]", "operators.roles[1].roles[0]"},
		"all roles":                      {"[ approver ]", `[ "*" ]`, "operators.roles[1].roles[0]"},
		"a wildcard for certificates":    {"spiffe://example.test/ops/ada", `"*.ops.example.test"`, "operators.roles[0].certificate"},
		"a whole trust domain":           {"spiffe://example.test/ops/ada", "spiffe://example.test", "operators.roles[0].certificate"},
		"a wildcard for groups":          {"group: on-call", `group: "*"`, "operators.roles[1].group"},
		"the same twice":                 {group, group + group, "operators.roles[2]"},
		"no issuer":                      {"    issuer: https://idp.example.test\n", "", "operators.oidc.issuer"},
		"no audience":                    {"    audience: [ https://remit.example.test ]\n", "", "operators.oidc.audience"},
		"an empty audience":              {"[ https://remit.example.test ]", `[ "" ]`, "operators.oidc.audience"},
		"the audience of agents' tokens": {"[ https://remit.example.test ]", "[ https://tools.example.test ]", `also the audience of listener "agents"`},
		"their audience, another issuer": {"issuer: https://idp.example.test\n    audience: [ https://remit.example.test ]", "issuer: https://sso.example.test\n    audience: [ https://tools.example.test ]", ""},
		"any algorithm":                  {"    algorithms: [ ES256 ]\n", "", "operators.oidc.algorithms"},
		"no keys":                        {"    discovery: true\n", "", "operators.oidc: must hold exactly one of jwks_file"},
		"keys from two places":           {"discovery: true", "discovery: true\n    jwks_file: jwks.json", "operators.oidc: must hold exactly one of jwks_file"},
		"tokens that live for a week":    {"discovery: true", "discovery: true\n    max_age: 168h", "operators.oidc.max_age"},
		"a name with nothing in it":      {"discovery: true", "discovery: true\n    name_claim: a..b", "operators.oidc.name_claim"},
		"an issuer that gives no role":   {group, "", "operators.oidc: is of no use"},
		"a port that is none":            {"127.0.0.1:8181", "127.0.0.1:99999", "operators.address"},
		"no port":                        {"127.0.0.1:8181", "localhost", "operators.address"},
		"no connections":                 {"  roles:", "  max_connections: -1\n  roles:", "operators.max_connections"},
		"the socket elsewhere":           {"  roles:", "  socket: unix:/run/remit.sock\n  roles:", ""},
		"TCP as the socket":              {"  roles:", "  socket: 127.0.0.1:8182\n  roles:", "operators.socket"},
		"TLS on a socket":                {"127.0.0.1:8181", "unix:o.sock", "operators.tls"},
		"two sockets":                    {operators, "operators: { address: \"unix:a.sock\", socket: \"unix:b.sock\" }\n", "operators.socket"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(operators, c.old) {
				t.Fatalf("the case changes %q, which is not there", c.old)
			}
			_, err := Parse([]byte(good + strings.Replace(operators, c.old, c.new, 1)))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want an error about %q", err, c.want)
			}
		})
	}
}

// What the README shows can be copied.
func TestTheReadmesOperators(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, shown, found := strings.Cut(string(text), "```yaml\noperators:\n")
	shown, _, ended := strings.Cut(shown, "```")
	if !found || !ended {
		t.Fatal("the README shows no operators")
	}
	if c, err := Parse([]byte(good + "operators:\n" + shown)); err != nil || c.Operators.TCP() == "" || len(c.Operators.Roles) != 2 {
		t.Errorf("got %v", err)
	}
}

func TestOperatorsDefaults(t *testing.T) {
	c, err := Parse([]byte(good + operators))
	if err != nil {
		t.Fatal(err)
	}
	o := &c.Operators
	if o.TCP() != "127.0.0.1:8181" || o.SocketPath() != "data/operators.sock" || o.TLS.MinVersion != "1.3" || o.MaxConnections != 64 {
		t.Errorf("the defaults are %+v", o)
	}
	if strings.Join(o.OIDC.Groups, ".") != "groups" || strings.Join(o.OIDC.Name, ".") != "sub" || o.OIDC.MaxAge == 0 || len(o.OIDC.Types) == 0 {
		t.Errorf("the defaults are %+v", o.OIDC)
	}
	if c, err = Parse([]byte(good + "operators: { address: \"unix:o.sock\" }\n")); err != nil || c.Operators.TCP() != "" || c.Operators.SocketPath() != "o.sock" {
		t.Errorf("%+v, %v", c, err)
	}
}

// An operator's machine serves nothing: who is called, and as whom, is all that a
// command needs there. Nothing of it is used by halves.
func TestClient(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want string }{
		"a token":              {"client: { operators: https://remit.example.test:8181, token_file: token }", ""},
		"a certificate":        {"client: { operators: https://remit.example.test, cert_file: me.crt, key_file: me.key, ca_file: ca.crt }", ""},
		"in the clear":         {"client: { operators: http://remit.example.test, token_file: token }", "client.operators"},
		"with a path":          {"client: { operators: https://remit.example.test/v1, token_file: token }", "client.operators"},
		"with a password":      {"client: { operators: https://a:b@remit.example.test, token_file: token }", "client.operators"},
		"nobody":               {"client: { operators: https://remit.example.test }", "client: must say who"},
		"half a certificate":   {"client: { operators: https://remit.example.test, cert_file: me.crt }", "client.key_file"},
		"a token for nobody":   {good + "client: { token_file: token }", "client.token_file"},
		"the socket":           {good, ""},
		"nothing":              {"", "listeners"},
		"a token on the line":  {"client: { operators: https://remit.example.test, token: abc }", "token"},
		"a key that is no key": {"client: { operatrs: https://remit.example.test }", "operatrs"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".yaml")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := ReadClient(Sources{File: path})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("got %v, want an error about %q", err, c.want)
			}
			if err == nil && got.Client.TokenFile != "" && got.Client.TokenFile != filepath.Join(dir, "token") {
				t.Errorf("the token is in %s", got.Client.TokenFile)
			}
		})
	}
	flags := []Setting{{"client.operators", "https://remit.example.test"}, {"client.token_file", "token"}}
	if c, err := ReadClient(Sources{Flags: flags}); err != nil || !filepath.IsAbs(c.Client.TokenFile) {
		t.Errorf("flags alone: %+v, %v", c, err)
	}
}
