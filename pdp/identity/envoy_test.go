package identity_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/identity"
	"github.com/remit-pdp/remit/pdp/value"
)

const namespace = "envoy.filters.http.jwt_authn"

func newEnvoy(t *testing.T, change func(*identity.EnvoyJWT)) *identity.Verifier {
	t.Helper()
	s := &identity.EnvoyJWT{Claims: claimSettings(), PayloadKey: "jwt_payload"}
	if change != nil {
		change(s)
	}
	return newVerifier(t, identity.Listener{EnvoyJWT: s})
}

// metadata is what filters say, by namespace and key, as a door reads it:
// Envoy sends every number as a double.
func metadata(t *testing.T, by map[string]map[string]any, lines ...string) *pdp.Envelope {
	t.Helper()
	text, err := json.Marshal(by)
	if err != nil {
		t.Fatal(err)
	}
	var decoded any
	if err := json.Unmarshal(text, &decoded); err != nil {
		t.Fatal(err)
	}
	e := with(lines...)
	if e.Metadata, err = value.FromGo(decoded); err != nil {
		t.Fatal(err)
	}
	return e
}

// verified is a request whose token Envoy has verified, with changed claims.
func verified(t *testing.T, change claims, lines ...string) *pdp.Envelope {
	t.Helper()
	return metadata(t, map[string]map[string]any{namespace: {"jwt_payload": changed(goodClaims(), change)}}, lines...)
}

func TestEnvoy(t *testing.T) {
	v := newEnvoy(t, nil)
	token := ec().sign(t, nil, claims{"act": actors("bot"), "scope": "crm.read", "sid": "s-1"})
	e := verified(t, claims{"act": actors("bot"), "scope": "crm.read", "sid": "s-1"}, "authorization", "Bearer "+token)
	agent := accepted(t, v, e)
	if sub := agent.Claims.Get("sub").Text(); sub != "user:alice" {
		t.Errorf("the claim sub is %q", sub)
	}
	fingerprint := agent.Credential.Fingerprint
	agent.Claims, agent.Credential.Fingerprint = value.Nothing, ""
	want := pdp.Agent{
		ID: "bot", Issuer: issuer, Kind: "jwt", Chain: by("user:alice"), Scopes: []string{"crm.read"}, SessionClaim: "sid:s-1",
		Credential: pdp.Presented{Kind: "jwt", IssuedAt: now.Add(-60e9), ExpiresAt: now.Add(600e9)},
	}
	if !reflect.DeepEqual(agent, want) {
		t.Errorf("got  %+v\nwant %+v", agent, want)
	}
	// The same claims are the same credential, whoever shows them.
	if again := accepted(t, v, verified(t, claims{"act": actors("bot"), "scope": "crm.read", "sid": "s-1"})); again.Credential.Fingerprint != fingerprint {
		t.Error("the fingerprint is not stable")
	}
	if another := accepted(t, v, verified(t, claims{"jti": "2"})); another.Credential.Fingerprint == fingerprint || len(fingerprint) != 22 {
		t.Errorf("the fingerprint is %s", fingerprint)
	}
}

// Envoy's own settings may be looser than remit's: everything but the
// signature is checked again.
func TestRefusedThoughEnvoyVerified(t *testing.T) {
	v := newEnvoy(t, nil)
	at := now.Unix()
	for name, c := range map[string]struct {
		claims claims
		want   string
	}{
		"issuer of another":    {claims{"iss": "https://evil.example.test"}, "issuer"},
		"no issuer":            {claims{"iss": nil}, "issuer"},
		"audience of another":  {claims{"aud": []string{"https://mail.example.test"}}, "audience"},
		"no audience":          {claims{"aud": nil}, "audience"},
		"expired":              {claims{"exp": at - 31}, "expired"},
		"no expiry":            {claims{"exp": nil}, "(exp)"},
		"expiry in fractions":  {claims{"exp": float64(at) + 600.5}, "(exp)"},
		"issued in the future": {claims{"iat": at + 31}, "future"},
		"not valid yet":        {claims{"nbf": at + 31}, "not valid"},
		"living too long":      {claims{"exp": at + 7200}, "lives for"},
		"no subject":           {claims{"sub": nil}, "no subject"},
		"malformed actor":      {claims{"act": "bot"}, "act claim"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, v, verified(t, c.claims), c.want) })
	}
}

// The claims are there in one place only. Whatever else says who calls may
// come from the client.
func TestEnvoyReadsOnlyItsMetadata(t *testing.T) {
	v := newEnvoy(t, nil)
	payload, err := json.Marshal(goodClaims())
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]any{"jwt_payload": goodClaims()}
	token := ec().sign(t, nil, nil)
	for name, e := range map[string]*pdp.Envelope{
		"no metadata":           with(),
		"another filter's":      metadata(t, map[string]map[string]any{"envoy.filters.http.lua": good, "jwt_payload": goodClaims()}),
		"another key":           metadata(t, map[string]map[string]any{namespace: {"jwt_payload2": goodClaims(), "iss": issuer}}),
		"the claims themselves": metadata(t, map[string]map[string]any{namespace: goodClaims()}),
		"headers":               with("jwt_payload", string(payload), "x-jwt-payload", string(payload), namespace, string(payload), "x-agent-token", token),
	} {
		t.Run(name, func(t *testing.T) {
			if agent := accepted(t, v, e); !reflect.DeepEqual(agent, pdp.Agent{}) {
				t.Errorf("got %+v, want nobody", agent)
			}
		})
	}
	const unverified = "has not verified"
	refused(t, v, bearer(token), unverified)
	refused(t, v, metadata(t, map[string]map[string]any{namespace: {"other": goodClaims()}}, "authorization", "Bearer "+token), unverified)
	for _, payload := range []any{"text", []any{goodClaims()}, true, nil} {
		refused(t, v, metadata(t, map[string]map[string]any{namespace: {"jwt_payload": payload}}), "not an object")
	}
}

// Envoy can be told to pass claims on without looking at the signature, and
// then says so in a header. A client's line of the same name takes nothing back.
func TestClaimsThatEnvoyDidNotVerify(t *testing.T) {
	v := newEnvoy(t, nil)
	const mark = "x-jwt-signature-verified"
	for name, lines := range map[string][]string{
		"marked":                {mark, "false"},
		"marked behind another": {mark, "true", mark, "false"},
		"marked before another": {mark, "false", mark, "true"},
		"joined":                {mark, "true,false"},
		"an odd mark":           {mark, ""},
	} {
		t.Run(name, func(t *testing.T) { refused(t, v, verified(t, nil, lines...), "without verifying") })
	}
	accepted(t, v, verified(t, nil, mark, "true"))
}

func TestEnvoyTokenType(t *testing.T) {
	v := newEnvoy(t, func(s *identity.EnvoyJWT) { s.HeaderKey = "jwt_header"; s.Types = []string{"at+jwt", "JWT"} })
	with := func(header any) *pdp.Envelope {
		return metadata(t, map[string]map[string]any{namespace: {"jwt_payload": goodClaims(), "jwt_header": header}})
	}
	accepted(t, v, with(claims{"typ": "at+jwt"}))
	accepted(t, v, with(claims{"alg": "ES256"}))
	refused(t, v, with(claims{"typ": "logout+jwt"}), `"logout+jwt"`)
	refused(t, v, with("at+jwt"), "jwt_header is not an object")
	// What was to be checked and is not there is not good.
	refused(t, v, verified(t, nil), "jwt_header is not an object")
}
