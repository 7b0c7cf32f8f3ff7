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
