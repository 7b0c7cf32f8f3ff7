package server_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/pdp/config"
)

// remembering is a bundle that remembers secrets, fails on one, and denies the
// rest.
var remembering = map[string]string{
	"decision.rego": `package remit.authz

default decision := {"effect": "deny", "reasons": ["no"]}

decision := {"effect": "allow", "remember": [{
	"fact": "seen", "key": [input.parsed_body.password], "value": [input.request.headers["x-api-key"]], "on": "allowed",
}]} if {
	input.request.path == "/v1/kept"
}

decision := {"effect": "allow"} if {
	input.request.path == "/v1/fails"
	to_number(input.parsed_body.password) > 0
}
`,
	"remit/memory/data.yaml":  "seen: { kind: last, scope: session, ttl: 1h, lookup: { here: [parsed_body.password] } }\n",
	"remit/catalog/data.yaml": "systems:\n  api:\n    hosts: [api.example.test]\n    sensitivity: internal\n    http:\n    - { methods: [POST], path: \"/v1/{name}\", operation: write }\n",
}

// carrying is a check that carries a secret in each place where callers put
// some.
func carrying(path, token, body string) *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{}, Destination: &authv3.AttributeContext_Peer{},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "POST", Host: "api.example.test", Path: path + "?api_key=secret-query", Scheme: "https", Protocol: "HTTP/2",
			Headers: map[string]string{
				"authorization": "Bearer " + token, "cookie": "login=secret-cookie", "x-api-key": "secret-header", "content-type": "application/json",
			},
			RawBody: []byte(body),
		}},
	}}
}

// Invariant 7: no value of a secret is stored or logged, whatever becomes of the
// request; not in the journal, not in the snapshot, not in the log.
func TestNoSecretIsKept(t *testing.T) {
	r := prepare(t)
	issuer, err := harness.NewIssuer()
	if err != nil {
		t.Fatal(err)
	}
	if err := issuer.WriteJWKS(filepath.Join(r.dir, "jwks.json")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(r.dir, "remit.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "{ none: true }", "{ jwt: { issuer: "+harness.IssuerName+", audience: [ "+harness.Audience+" ], jwks_file: jwks.json, algorithms: [ ES256 ] } }", 1)
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if r.config, err = config.Load(path); err != nil {
		t.Fatal(err)
	}
	swapIn(t, r.policy, "v1", remembering)
	r.mustStart(t)

	good, err := issuer.Token("support-agent", "user:ada", "secret-sid", nil)
	if err != nil {
		t.Fatal(err)
	}
	bad, err := issuer.Token("support-agent", "user:eve", "secret-sid", map[string]any{"aud": "https://other.example.test"})
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"password": "secret-body"}`
	twice := carrying("/v1/kept", good, body)
	twice.Attributes.Request.Http.Headers["remit-session"] = "remit_s1_secret-token"
	asked := 0 // each is a question of its own, in whatever order they come
	for want, check := range map[string]*authv3.CheckRequest{
		"allowed":         carrying("/v1/kept", good, body),
		"policy_error":    carrying("/v1/fails", good, body),
		`"no"`:            carrying("/v1/denied", good, body),
		"unauthenticated": carrying("/v1/kept", bad, body),
		"session_token":   twice,
		"unreadable_body": carrying("/v1/kept", good, `{"password": "secret-body", "password": "secret-body"}`),
		"unreadable_path": carrying("/v1/../kept", good, body),
	} {
		asked++
		check.Attributes.Request.Http.Id = strconv.Itoa(asked)
		answer, err := r.client.Check(t.Context(), check)
		if err != nil {
			t.Fatal(err)
		}
		got := answer.GetDeniedResponse().GetBody()
		if answer.GetOkResponse() != nil {
			got = "allowed"
		}
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
		if strings.Contains(got, "secret-") {
			t.Errorf("the caller is told a secret: %s", got)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	secrets := []string{"secret-"}
	for _, token := range []string{good, bad} {
		secrets = append(secrets, strings.Split(token, ".")[1:]...)
	}
	kept := []byte(r.log.String())
	err = filepath.WalkDir(r.config.State.Dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(name)
		kept = append(kept, text...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, essential := range []string{"support-agent", "/v1/denied"} {
		if !bytes.Contains(kept, []byte(essential)) {
			t.Errorf("%s is not kept: this test sees nothing", essential)
		}
	}
	for _, secret := range secrets {
		if at := bytes.Index(kept, []byte(secret)); at >= 0 {
			t.Errorf("%s is kept: %q", secret, kept[max(0, at-40):min(len(kept), at+40)])
		}
	}
}
