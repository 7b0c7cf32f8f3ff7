package identity_test

import (
	"context"
	"crypto/elliptic"
	"encoding/base64"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/identity"
)

func TestGoodTokens(t *testing.T) {
	v := newJWT(t, nil)
	for name, s := range map[string]signer{"ES256": ec(), "RS256": rs(), "EdDSA": ed()} {
		t.Run(name, func(t *testing.T) {
			agent := accepted(t, v, bearer(s.sign(t, nil, claims{"nbf": now.Unix() - 60, "team": "billing"})))
			if team := agent.Claims.Get("team").Text(); team != "billing" {
				t.Errorf("the claim team is %q", team)
			}
			got := agent
			got.Claims, got.Credential.Fingerprint = pdp.Agent{}.Claims, ""
			want := pdp.Agent{
				ID: "user:alice", Issuer: issuer, Kind: "jwt",
				Credential: pdp.Presented{Kind: "jwt", IssuedAt: now.Add(-time.Minute), ExpiresAt: now.Add(10 * time.Minute)},
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			if root := agent.Root(); root != (pdp.Principal{ID: "user:alice", Issuer: issuer}) {
				t.Errorf("the root is %+v", root)
			}
		})
	}
	if agent := accepted(t, v, bearer(ec().sign(t, nil, nil))); agent.Credential.SenderBound {
		t.Error("a bearer token counts as bound to its sender")
	}
}

// A set with one key may leave it unnamed, and then only the named one counts.
func TestSoleKey(t *testing.T) {
	v := newJWT(t, func(s *identity.JWT) { s.JWKSFile = writeKeys(t, ec().public(t, nil)) })
	accepted(t, v, bearer(ec().sign(t, claims{"kid": nil}, nil)))
	refused(t, v, bearer(ec().sign(t, claims{"kid": "other"}, nil)), "no key")
	refused(t, v, bearer(other().sign(t, claims{"kid": nil}, nil)), "signature")
	unnamed := newJWT(t, func(s *identity.JWT) {
		s.JWKSFile = writeKeys(t, ec().public(t, claims{"kid": nil, "use": nil, "alg": nil}))
	})
	accepted(t, unnamed, bearer(ec().sign(t, claims{"kid": nil}, nil)))
	refused(t, unnamed, bearer(ec().sign(t, nil, nil)), "no key")
}

// A key that is there for something else verifies nothing.
func TestKeyForEncryption(t *testing.T) {
	v := newJWT(t, func(s *identity.JWT) {
		s.JWKSFile = writeKeys(t, ec().public(t, claims{"use": "enc"}), ed().public(t, claims{"use": "jwt-svid"}))
	})
	refused(t, v, bearer(ec().sign(t, nil, nil)), "no key")
	accepted(t, v, bearer(ed().sign(t, nil, nil)))
}

// In a header of its own a token stands alone.
func TestTokenInAnotherHeader(t *testing.T) {
	v := newJWT(t, func(s *identity.JWT) { s.Header = "txn-token" })
	token := ec().sign(t, nil, nil)
	if agent := accepted(t, v, with("authorization", "Basic x", "txn-token", token)); agent.ID != "user:alice" {
		t.Errorf("got %+v", agent)
	}
	refused(t, v, with("txn-token", "Bearer "+token), "not base64url")
	refused(t, v, with("txn-token", token, "txn-token", token), "more than once")
	refused(t, v, with("txn-token", ""), "empty")
}

// A token of none of the listener's issuers, however good elsewhere, is not
// good here.
func TestListenersAreApart(t *testing.T) {
	here, there := jwtSettings(t), jwtSettings(t)
	there.Issuer, there.Audience = "https://there.example.test", []string{"https://there.tools.test"}
	there.JWKSFile = writeKeys(t, other().public(t, nil))
	v, err := identity.New(identity.Settings{Listeners: map[string]identity.Listener{"agents": {JWT: here}, "there": {JWT: there}}}, testKeys(t, 1), clock)
	if err != nil {
		t.Fatal(err)
	}
	foreign := claims{"iss": there.Issuer, "aud": there.Audience}
	e := bearer(other().sign(t, nil, foreign))
	e.Listener = "there"
	if agent := accepted(t, v, e); agent.Issuer != there.Issuer {
		t.Errorf("got %+v", agent)
	}
	refused(t, v, bearer(other().sign(t, nil, foreign)), "signature")
	refused(t, v, bearer(ec().sign(t, nil, foreign)), "issuer")
}

// An ECDSA signature has a second spelling that anybody can make of the first.
// It must not be another credential: what is revoked stays revoked.
func TestSecondSpellingIsTheSameCredential(t *testing.T) {
	v := newJWT(t, nil)
	token := ec().sign(t, nil, nil)
	dot := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		t.Fatal(err)
	}
	order := elliptic.P256().Params().N
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(order, s).FillBytes(signature[32:])
	second := token[:dot+1] + base64.RawURLEncoding.EncodeToString(signature)
	if second == token {
		t.Fatal("the second spelling is the first")
	}
	one, two := accepted(t, v, bearer(token)), accepted(t, v, bearer(second))
	if one.Credential != two.Credential {
		t.Errorf("%+v and %+v", one.Credential, two.Credential)
	}
}

func TestFingerprint(t *testing.T) {
	settings := jwtSettings(t)
	v := newVerifier(t, identity.Listener{JWT: settings})
	token := ec().sign(t, nil, nil)
	first := accepted(t, v, bearer(token)).Credential.Fingerprint
	if len(first) != 22 {
		t.Errorf("the fingerprint is %q", first)
	}
	for name, e := range map[string]*pdp.Envelope{
		"asked again": bearer(token), "another spelling of the scheme": with("authorization", "bEARER "+token),
	} {
		if again := accepted(t, v, e).Credential.Fingerprint; again != first {
			t.Errorf("%s: %s, was %s", name, again, first)
		}
	}
	if after := accepted(t, newVerifier(t, identity.Listener{JWT: settings}), bearer(token)); after.Credential.Fingerprint != first {
		t.Error("another verifier with the same keys gives another fingerprint")
	}
	seen := map[string]string{first: "the first token"}
	for name, token := range map[string]string{
		"other claims": ec().sign(t, nil, claims{"jti": "2"}), "another key": ed().sign(t, nil, nil), "another type": ec().sign(t, claims{"typ": "application/at+jwt"}, nil),
	} {
		got := accepted(t, v, bearer(token)).Credential.Fingerprint
		if before, twice := seen[got]; twice {
			t.Errorf("%s has the fingerprint of %s", name, before)
		}
		seen[got] = name
	}
	strange, err := identity.New(identity.Settings{Listeners: map[string]identity.Listener{"agents": {JWT: settings}}}, testKeys(t, 2), clock)
	if err != nil {
		t.Fatal(err)
	}
	if accepted(t, strange, bearer(token)).Credential.Fingerprint == first {
		t.Error("the fingerprint does not depend on remit's keys")
	}
}

// Without a credential the caller is nobody, which is not an error.
func TestNobody(t *testing.T) {
	byToken := newJWT(t, nil)
	none := newVerifier(t, identity.Listener{None: true})
	token := ec().sign(t, nil, nil)
	for name, c := range map[string]struct {
		v *identity.Verifier
		e *pdp.Envelope
	}{
		"no token":                       {byToken, with()},
		"token in another header":        {byToken, with("x-authorization", "Bearer "+token, "cookie", token, "proxy-authorization", "Bearer "+token)},
		"listener that identifies none":  {none, bearer(token)},
		"claims in the headers":          {byToken, with("x-jwt-payload", base64.RawURLEncoding.EncodeToString([]byte(goodPayload(t)+"}")), "x-agent", "root")},
		"verified certificate of a peer": {byToken, &pdp.Envelope{Listener: "agents", Source: pdp.Peer{Principal: "spiffe://prod/root"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if agent := accepted(t, c.v, c.e); !reflect.DeepEqual(agent, pdp.Agent{}) || agent.Known() {
				t.Errorf("got %+v, want nobody", agent)
			}
		})
	}
}

func TestUnknownListener(t *testing.T) {
	e := bearer(ec().sign(t, nil, nil))
	e.Listener = "elsewhere"
	refused(t, newJWT(t, nil), e, `"elsewhere"`)
	refused(t, newVerifier(t, identity.Listener{None: true}), &pdp.Envelope{}, `listener ""`)
	if agent, err := new(identity.Verifier).Verify(context.Background(), e); err == nil || agent.Known() {
		t.Errorf("the zero verifier takes %+v", agent)
	}
}
