package server_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/server"
)

const theRoles = `  - { certificate: "` + adaName + `", roles: [ viewer, revoker ] }
  - { certificate: ops.example.test, roles: [ approver ] }
  - { group: on-call, roles: [ revoker ] }
  - { group: auditors, roles: [ viewer ] }
`

// Invariant 6, at the operators' door: by real certificates and tokens on a real
// connection, who is not proved to call is answered 401 or not at all, who has no
// role 403, each role opens its paths and no other, and the log says why.
func TestOperatorsOverTCP(t *testing.T) {
	s := operating(t, ", client_ca_file: remit.ca", theRoles)
	clients := t.TempDir()
	certificate := func(a *harness.Authority, file string, life time.Duration, names ...string) *tls.Certificate {
		return pairOf(t, issue(t, a, clients, file, life, names...))
	}
	ada, ops := certificate(s.authority, "ada", time.Hour, adaName), certificate(s.authority, "ops", time.Hour, "ops.example.test")
	key, err := os.ReadFile(filepath.Join(s.dir, "jwks.json"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := harness.NewIssuer()
	if err != nil {
		t.Fatal(err)
	}
	forged, err := other.Token("", "user-1", "", map[string]any{"act": nil, "aud": operatorsFor, "email": "grace@example.test", "groups": "on-call"})
	if err != nil {
		t.Fatal(err)
	}
	token := func(name string, v any) string { return s.token(t, map[string]any{name: v}) }
	const none, cut = "?", "!" // not known, and not even answered
	for name, c := range map[string]struct {
		pair  *tls.Certificate
		token string
		roles string
		log   string // why
	}{
		"nobody":                                 {nil, "", none, "neither a token nor a certificate"},
		"ada":                                    {ada, "", "viewer revoker", ""},
		"a DNS name":                             {ops, "", "approver", ""},
		"a certificate without a role":           {certificate(s.authority, "eve", time.Hour, "spiffe://example.test/ops/eve"), "", "", "ops/eve"},
		"a longer SPIFFE id":                     {certificate(s.authority, "longer", time.Hour, adaName+"/x"), "", "", "does not have the role"},
		"ada's id beside another one":            {certificate(s.authority, "two", time.Hour, adaName, "spiffe://example.test/x"), "", "", "does not have the role"},
		"ada's id as the subject":                {certificate(s.authority, "ops.example.test", time.Hour), "", "", "does not have the role"},
		"ada, of another authority":              {certificate(authority(t), "foreign", time.Hour, adaName), "", cut, "unknown authority"},
		"ada, until a minute ago":                {certificate(s.authority, "ended", -time.Minute, adaName), "", cut, "expired"},
		"a token":                                {nil, s.token(t, nil), "revoker", ""},
		"a token of two groups":                  {nil, token("groups", []string{"auditors", "on-call"}), "viewer revoker", ""},
		"a token of one group, as text":          {nil, token("groups", "auditors"), "viewer", ""},
		"a token beside a certificate":           {ada, token("groups", "auditors"), "viewer", ""},
		"a token of no group":                    {nil, token("groups", nil), "", "grace@example.test"},
		"a token of a group without a role":      {nil, token("groups", []string{"cooks"}), "", "grace@example.test"},
		"a token of a group's beginning":         {nil, token("groups", []string{"on"}), "", "grace@example.test"},
		"a token whose groups are an object":     {nil, token("groups", map[string]any{"on-call": true}), "", "grace@example.test"},
		"a token that has expired":               {nil, token("exp", time.Now().Add(-time.Hour).Unix()), none, "expired"},
		"a token of tomorrow":                    {nil, token("nbf", time.Now().Add(5*time.Minute).Unix()), none, "not valid for another"},
		"a token that lives for a week":          {nil, token("exp", time.Now().Add(7*24*time.Hour).Unix()), none, "lives for"},
		"a token for the tools":                  {nil, token("aud", harness.Audience), none, "audience"},
		"a token of another issuer":              {nil, token("iss", "https://other.example.test"), none, "the issuer is"},
		"a token that names nobody":              {nil, token("email", nil), none, "names the operator"},
		"an address that its holder chose":       {nil, token("email_verified", false), none, "not verified"},
		"an address that is verified":            {nil, token("email_verified", true), "revoker", ""},
		"an agent that acts for ada":             {nil, token("act", map[string]any{"sub": "agent"}), none, "acting for another"},
		"a token by another key":                 {nil, forged, none, "signature"},
		"a token without a signature":            {nil, restated(s.token(t, nil), `{"alg":"none","typ":"at+jwt"}`, nil), none, `algorithm \"none\"`},
		"a token signed with the public key":     {nil, restated(s.token(t, nil), `{"alg":"HS256","typ":"at+jwt","kid":"sample-1"}`, key), none, `algorithm \"HS256\"`},
		"a bad token beside a certificate":       {ada, forged, none, "signature"},
		"a token bound to the certificate":       {ops, s.token(t, boundTo(ops)), "revoker", ""},
		"a token bound to another certificate":   {ada, s.token(t, boundTo(ops)), none, "another certificate"},
		"a token bound to a certificate, copied": {nil, s.token(t, boundTo(ops)), none, "the connection has none"},
		"not a token":                            {ada, "abc", none, "JWS"},
	} {
		t.Run(name, func(t *testing.T) {
			for path, role := range map[string]string{
				"GET /v1/revocations": "viewer", "POST /v1/revocations": "revoker", "POST /v1/revocations/lift": "revoker",
				"POST /v1/sessions/close": "revoker", "POST /v1/sessions/release": "approver", "POST /v1/sessions/clear-label": "approver",
			} {
				if (c.roles == none || c.roles == cut) && path != "GET /v1/revocations" {
					continue // TestWhoMay, in the door, asks everywhere
				}
				method, path, _ := strings.Cut(path, " ")
				got := s.call(t, c.pair, c.token, method, path, `{"reason":""}`)
				want := http.StatusForbidden
				switch {
				case c.roles == none:
					want = http.StatusUnauthorized
				case c.roles == cut:
					want = 0
				case strings.Contains(c.roles, role):
					want = http.StatusBadRequest // the order gives no reason
					if method == http.MethodGet {
						want = http.StatusOK
					}
				}
				if got.status != want {
					t.Errorf("%s %s: %+v, want %d", method, path, got, want)
				}
				if want == http.StatusUnauthorized && (!strings.HasPrefix(got.challenge, "Bearer ") || strings.Contains(got.body, "detail")) {
					t.Errorf("%s %s: 401 with %+v", method, path, got)
				}
			}
			eventually(t, "the log says "+c.log, func() bool { // which is spared what comes too often
				s.call(t, c.pair, c.token, http.MethodPost, "/v1/sessions/release", `{"reason":""}`)
				return s.log.has(c.log)
			})
		})
	}
}

// The actor of an order is who was proved to give it, and the order counts.
func TestTheActorOverTCP(t *testing.T) {
	s := operating(t, ", client_ca_file: remit.ca", theRoles)
	ada := pairOf(t, issue(t, s.authority, t.TempDir(), "ada", time.Hour, adaName))
	for agent, by := range map[string]struct {
		pair  *tls.Certificate
		token string
		actor string
	}{
		"a": {ada, "", adaName},
		"b": {nil, s.token(t, nil), "grace@example.test (" + harness.IssuerName + ")"},
		"c": {ada, s.token(t, map[string]any{"email": "root (uid 0)"}), "root (uid 0) (" + harness.IssuerName + ")"},
	} {
		got := s.call(t, by.pair, by.token, http.MethodPost, "/v1/revocations", fmt.Sprintf(`{"kind":"agent","subject":%q,"reason":"hijacked"}`, agent))
		var told struct{ Revocation struct{ Actor string } }
		if err := json.Unmarshal([]byte(got.body), &told); err != nil || got.status != http.StatusCreated || told.Revocation.Actor != by.actor {
			t.Errorf("%s: %+v, want the actor %q", agent, got, by.actor)
		}
	}
	if got := s.call(t, nil, s.token(t, map[string]any{"email": "a\nb"}), http.MethodPost, "/v1/revocations", `{"kind":"agent","subject":"d","reason":"x"}`); got.status != http.StatusBadRequest {
		t.Errorf("a name that is not printable: %+v", got)
	}
	if list := s.call(t, ada, "", http.MethodGet, "/v1/revocations", ""); strings.Count(list.body, `"actor"`) != 3 {
		t.Errorf("%+v", list)
	}
	s.isReloaded(t, ada)
	s.isLimited(t, ada)
}

// isReloaded changes remit's certificate, and then the authorities of operators: a
// call that was good is refused once its authority is gone.
func (s *operated) isReloaded(t *testing.T, ada *tls.Certificate) {
	t.Helper()
	serial := func() string {
		conn, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	issue(t, s.authority, s.dir, "remit", time.Hour, "remit.example.test")
	eventually(t, "remit shows its new certificate", func() bool { return serial() != before })
	ca := filepath.Join(s.dir, "remit.ca")
	trusted, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	works := func() bool {
		// The client goes on to trust remit by what it read before.
		return s.trusting(t, trusted).call(t, ada, "", http.MethodGet, "/v1/revocations", "").status == http.StatusOK
	}
	if !works() {
		t.Error("ada is not answered any more")
	}
	issue(t, authority(t), s.dir, "another", time.Hour, "x.example.test")
	text, err := os.ReadFile(filepath.Join(s.dir, "another.ca"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, ca, string(text))
	eventually(t, "ada's authority is gone", func() bool { return !works() })
	write(t, ca, string(trusted))
	eventually(t, "ada's authority is back", works)
}

// trusting is the same remit for a client that trusts authorities of its own.
func (s *operated) trusting(t *testing.T, ca []byte) *operated {
	t.Helper()
	other := *s.secured
	other.dir = t.TempDir()
	write(t, filepath.Join(other.dir, "remit.ca"), string(ca))
	return &operated{secured: &other, issuer: s.issuer}
}

// isLimited opens connections that say nothing, as many as there may be and more:
// they are closed in time, and who has something to say is answered then.
func (s *operated) isLimited(t *testing.T, ada *tls.Certificate) {
	t.Helper()
	for range 80 {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if got := s.call(t, ada, "", http.MethodGet, "/v1/revocations", ""); got.status != http.StatusOK {
		t.Errorf("behind silent connections: %+v", got)
	}
}

// Where no authority is configured a certificate proves no name, and a token may
// be bound to one that nobody vouches for (RFC 8705 section 6.2).
func TestTokensAlone(t *testing.T) {
	s := operating(t, "", "  - { group: on-call, roles: [ viewer ] }\n")
	mine := pairOf(t, issue(t, authority(t), t.TempDir(), "mine", time.Hour, adaName))
	for name, c := range map[string]struct {
		pair   *tls.Certificate
		token  string
		status int
	}{
		"a token":                            {nil, s.token(t, nil), http.StatusOK},
		"a token bound to the certificate":   {mine, s.token(t, boundTo(mine)), http.StatusOK},
		"a certificate nobody vouches for":   {mine, "", http.StatusUnauthorized},
		"a token without its certificate":    {nil, s.token(t, boundTo(mine)), http.StatusUnauthorized},
		"a token without the group":          {nil, s.token(t, map[string]any{"groups": nil}), http.StatusForbidden},
		"a token for the tools, with a cert": {mine, s.token(t, map[string]any{"aud": harness.Audience}), http.StatusUnauthorized},
	} {
		if got := s.call(t, c.pair, c.token, http.MethodGet, "/v1/revocations", ""); got.status != c.status {
			t.Errorf("%s: %+v, want %d", name, got, c.status)
		}
	}
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /v1/revocations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", s.token(t, nil))
	if reply, _ := io.ReadAll(conn); strings.Contains(string(reply), "revocations\"") || strings.Contains(string(reply), " 200 ") {
		t.Errorf("answered in the clear: %s", reply)
	}
}

// The operators' issuer makes no difference to serving: remit is ready while it is
// down, tells operators to come again, and knows them once it is found.
func TestTheOperatorsIssuerIsDown(t *testing.T) {
	address := freePort(t)
	issuer := "http://" + address
	s := operating(t, "", "  - { group: on-call, roles: [ viewer ] }\n",
		"jwks_file: jwks.json", "discovery: true\n    jwks_refresh: 1s\n    jwks_min_refresh: 100ms", harness.IssuerName, issuer)
	token := s.token(t, map[string]any{"iss": issuer})
	look := func() int { return s.call(t, nil, token, http.MethodGet, "/v1/revocations", "").status }
	if status := look(); status != http.StatusServiceUnavailable {
		t.Errorf("without keys: %d", status)
	}
	keys, err := os.ReadFile(filepath.Join(s.dir, "jwks.json"))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, issuer, issuer+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { w.Write(keys) })
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	provider := &http.Server{Handler: mux}
	go provider.Serve(l)
	defer provider.Close()
	eventually(t, "the issuer's tokens are good", func() bool { return look() == http.StatusOK })
}

// What cannot be served securely is found before anything listens.
func TestOperatorsAreChecked(t *testing.T) {
	dir := tempDir(t)
	c := configured(t, dir, "127.0.0.1:0", "127.0.0.1:0")
	issue(t, authority(t), dir, "remit", 10*time.Hour, "remit.example.test")
	c.Operators.TLS = &config.OperatorsTLS{CertFile: filepath.Join(dir, "remit.crt"), KeyFile: filepath.Join(dir, "none.key"), MinVersion: "1.3"}
	if _, err := server.CheckCertificates(c, time.Now); err == nil || !strings.Contains(err.Error(), "operators.tls") {
		t.Errorf("got %v", err)
	}
	c.Operators.TLS.KeyFile = filepath.Join(dir, "remit.key")
	if _, err := server.CheckCertificates(c, time.Now); err != nil {
		t.Error(err)
	}
	c.Operators.OIDC = &config.OIDC{
		Token:      config.Token{Issuer: "https://idp.example.test", Audience: []string{"a"}, Types: []string{"JWT"}, MaxAge: config.Duration(time.Hour)},
		IssuerKeys: config.IssuerKeys{JWKSFile: filepath.Join(dir, "none.json"), Algorithms: []string{"HS256"}},
	}
	if err := server.CheckOperators(c, nil, nil); err == nil || !strings.Contains(err.Error(), "operators.oidc") {
		t.Errorf("got %v", err)
	}
}
