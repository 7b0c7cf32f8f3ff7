package identity_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp/identity"
)

// FuzzVerify checks that whatever a client sends, Verify answers with nobody, a
// refusal or the agent of a token that the issuer did sign.
func FuzzVerify(f *testing.F) {
	v := newJWT(f, nil)
	raw := newJWT(f, func(s *identity.JWT) { s.Header = "txn-token" })
	issued := make(map[string]bool)
	for _, token := range []string{
		ec().sign(f, nil, nil), rs().sign(f, nil, nil), ed().sign(f, nil, nil),
		ec().sign(f, nil, claims{"act": actors("bot", "planner"), "scope": "a b", "sid": "s"}),
	} {
		issued[token[:strings.LastIndexByte(token, '.')]] = true
		f.Add("Bearer "+token, token)
		f.Add("bearer "+token+"==", token+"\n")
		f.Add(token, "Bearer "+token)
	}
	for _, token := range []string{
		other().sign(f, nil, nil), ec().sign(f, nil, claims{"exp": 1}), ec().sign(f, nil, claims{"act": "x"}),
		unsigned(`{"alg":"none","typ":"at+jwt"}`, goodPayload(f)+"}"),
		ec().signText(f, `{"alg":"ES256","kid":"ec","typ":"at+jwt","crit":["x"]}`, goodPayload(f)+"}"),
		ec().signText(f, `{"alg":"ES256","kid":"ec","typ":"at+jwt"}`, goodPayload(f)+`,"sub":"root"}`),
		"..", "a.b.c", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256"}`)) + ".e30.AA",
	} {
		f.Add("Bearer "+token, token)
	}
	f.Fuzz(func(t *testing.T, authorization, token string) {
		check := func(v *identity.Verifier, header, text, token string) {
			e := with(header, text)
			agent, err := v.Verify(t.Context(), e)
			if err != nil {
				refused(t, v, e, "")
				return
			}
			if end := strings.LastIndexByte(token, '.'); end < 0 || !issued[token[:end]] {
				t.Fatalf("%s: %q is the token of %+v", header, text, agent)
			}
			if agent.ID == "" || agent.Issuer != issuer || len(agent.Credential.Fingerprint) != 22 {
				t.Fatalf("%s: %q is the token of %+v", header, text, agent)
			}
		}
		_, credential, _ := strings.Cut(authorization, " ")
		check(v, "authorization", authorization, credential)
		check(raw, "txn-token", token, token)
	})
}

// FuzzKeys checks that whatever an issuer publishes, a set is refused whole or
// verifies nothing but what one of its public keys has signed. What it verifies
// go-jose verifies with the key that it finds in the set.
func FuzzKeys(f *testing.F) {
	good := jsonOf(f, ec().public(f, nil))
	for _, set := range []string{
		`{"keys":[` + good + `]}`, good, `{"keys":[]}`, `{"keys":[` + good + `,` + good + `]}`, "[]", "", `{"keys":[{"kty":"oct","k":"AA"}]}`,
		`{"keys":[{"kty":"AKP","kid":"x"},` + good + `]}`, jsonOf(f, asJWK(f, ec().private)), jsonOf(f, rs().public(f, nil)), jsonOf(f, p384(f).public(f, nil)),
		strings.Replace(good, `"P-256"`, `"P-384"`, 1), strings.Replace(good, `"EC"`, `"RSA"`, 1), strings.Replace(good, `"sig"`, `{"a":[1e400]}`, 1),
	} {
		f.Add(set)
	}
	mine, foreign := ec().sign(f, nil, nil), other().sign(f, nil, nil)
	f.Fuzz(func(t *testing.T, set string) {
		s := jwtSettings(t)
		s.JWKSFile = writeFile(t, set)
		v, err := identity.New(identity.Settings{Listeners: map[string]identity.Listener{"agents": {JWT: s}}}, testKeys(t, 1), clock)
		if err != nil {
			return
		}
		if strings.Contains(set, `"d":`) && !strings.Contains(set, `{"keys"`) {
			t.Fatalf("a private key was taken: %s", set)
		}
		if _, err := v.Verify(t.Context(), bearer(foreign)); err == nil {
			t.Fatalf("a token of nobody is good with %s", set)
		}
		if _, err := v.Verify(t.Context(), bearer(mine)); err == nil && !verifiedByGoJose(set, mine) {
			t.Fatalf("go-jose finds no key for a good token in %s", set)
		}
	})
}

// FuzzXFCC checks that no text in front of what the proxy appends, and none at
// all from a peer that is somebody else, changes who it was.
func FuzzXFCC(f *testing.F) {
	v := newXFCC(f)
	mine := "By=spiffe://prod.acme/envoy;Hash=" + someHash + ";URI=" + bot
	for _, text := range []string{
		"", mine, `Hash=00;URI=spiffe://prod.acme/admin`, `Subject="a,b\"c"`, `Subject="`, "x", ";", ",", "By=a;;", `By="a"b`, "URI=" + bot + ";URI=" + bot, `a="\`, ", ", `Cert="%0A"`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, header := range []string{text, text + "," + mine} {
			agent, err := v.Verify(t.Context(), xfcc(bot, header))
			if err == nil && agent.ID != bot {
				t.Fatalf("%q makes it %+v", header, agent)
			}
		}
		// What is accepted in front of the last element left no trace of itself.
		if agent, err := v.Verify(t.Context(), xfcc(bot, text+","+mine)); err == nil && agent.Credential != accepted(t, v, xfcc(bot, mine)).Credential {
			t.Fatalf("%q changes the credential to %+v", text, agent.Credential)
		}
		if agent, err := v.Verify(t.Context(), xfcc("spiffe://prod.acme/somebody", text)); err == nil && agent.ID != "spiffe://prod.acme/somebody" {
			t.Fatalf("%q makes somebody %+v", text, agent)
		}
		if agent, err := v.Verify(t.Context(), xfcc("", text)); err == nil {
			t.Fatalf("%q over no connection is %+v", text, agent)
		}
	})
}

// FuzzCertificate checks that a certificate is read whole or refused, and that
// nobody becomes another by one.
func FuzzCertificate(f *testing.F) {
	v := newSPIFFE(f, nil)
	good := authorityOf().issue(f, []string{bot}, nil)
	for _, text := range []string{
		encoded(good), encoded(authorityOf().certificate), encoded(authorityOf().issue(f, []string{bot, "spiffe://prod.acme/admin"}, nil)), "", "%", "-----BEGIN CERTIFICATE-----%0A", encoded(good) + "x",
	} {
		f.Add(text, bot)
		f.Add(text, "spiffe://prod.acme/admin")
	}
	f.Fuzz(func(t *testing.T, certificate, principal string) {
		e := from(principal, nil)
		e.Source.Certificate = certificate
		agent, err := v.Verify(t.Context(), e)
		switch {
		case err != nil:
			refused(t, v, e, "")
		case agent.ID != principal:
			t.Fatalf("%q becomes %+v", principal, agent)
		case principal == "" && certificate != "":
			t.Fatalf("a certificate without a name is nobody")
		}
	})
}
