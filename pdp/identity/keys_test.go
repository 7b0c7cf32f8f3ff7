package identity_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwa"

	"github.com/remit-pdp/remit/pdp/identity"
)

// p384 is a key of an issuer that has another kind of key beside the usual one.
func p384(t testing.TB) signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{"p384", jwa.ES384(), private}
}

func jsonOf(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A key verifies tokens of the algorithms that its kind, curve, use and own
// word are for, and of no others. Beside a good key one of no use does no harm.
func TestKeysFitTheirAlgorithm(t *testing.T) {
	big := p384(t)
	good := jsonOf(t, ec().public(t, nil))
	for name, c := range map[string]struct {
		key   string
		token string
		want  string
	}{
		"curve of another algorithm": {jsonOf(t, big.public(t, claims{"alg": nil})),
			big.signText(t, `{"alg":"ES256","kid":"p384","typ":"at+jwt"}`, goodPayload(t)+"}"), `crv "P-384"`},
		"algorithm that is not pinned": {jsonOf(t, big.public(t, nil)), big.sign(t, nil, nil), "ES384"},
		"pinned curve, other word":     {jsonOf(t, other().public(t, claims{"kid": "x", "alg": "ES384"})), other().sign(t, claims{"kid": "x"}, nil), `alg "ES384"`},
		"for encryption":               {jsonOf(t, other().public(t, claims{"kid": "x", "use": "enc"})), other().sign(t, claims{"kid": "x"}, nil), "use is not sig"},
		"use a list":                   {strings.Replace(jsonOf(t, other().public(t, claims{"kid": "x"})), `"sig"`, `["sig"]`, 1), other().sign(t, claims{"kid": "x"}, nil), "use is not sig"},
		"for wrapping keys":            {jsonOf(t, other().public(t, claims{"kid": "x", "use": nil, "key_ops": []string{"wrapKey"}})), other().sign(t, claims{"kid": "x"}, nil), "key_ops"},
		"kind of tomorrow":             {`{"kty":"AKP","kid":"x","alg":"ML-DSA-44","pub":"AA"}`, other().sign(t, claims{"kid": "x"}, nil), `kty "AKP"`},
		"no kind":                      {`{"kid":"x"}`, other().sign(t, claims{"kid": "x"}, nil), `kty ""`},
		"damaged":                      {strings.Replace(jsonOf(t, other().public(t, claims{"kid": "x"})), `"x":"`, `"x":"!`, 1), other().sign(t, claims{"kid": "x"}, nil), "not a sound key"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newJWT(t, func(s *identity.JWT) {
				s.Algorithms = []string{"ES256"}
				s.JWKSFile = writeFile(t, `{"keys":[`+c.key+`,`+good+`]}`)
			})
			accepted(t, v, bearer(ec().sign(t, nil, nil)))
			refused(t, v, bearer(c.token), c.want)
		})
	}
	verifies := newJWT(t, func(s *identity.JWT) {
		s.JWKSFile = writeKeys(t, ec().public(t, claims{"use": nil, "key_ops": []string{"sign", "verify"}}))
	})
	accepted(t, verifies, bearer(ec().sign(t, nil, nil)))
}

// A token of one pinned algorithm cannot be verified with the key of another.
func TestKeysOfPinnedAlgorithmsAreApart(t *testing.T) {
	v := newJWT(t, func(s *identity.JWT) {
		s.Algorithms = []string{"ES256", "PS256"}
		s.JWKSFile = writeKeys(t, ec().public(t, nil), rs().public(t, claims{"alg": nil}))
	})
	pss := rs()
	pss.alg = jwa.PS256()
	accepted(t, v, bearer(pss.sign(t, nil, nil)))
	refused(t, v, bearer(ec().sign(t, claims{"kid": "rs"}, nil)), `"rs" is for [PS256]`)
	refused(t, v, bearer(pss.sign(t, claims{"kid": "ec"}, nil)), `"ec" is for [ES256]`)
}

func TestManyKeys(t *testing.T) {
	s := jwtSettings(t)
	s.JWKSFile = writeFile(t, `{"keys":[`+strings.Repeat(`{"kty":"AKP"},`, 64)+jsonOf(t, ec().public(t, nil))+`]}`)
	if err := newWith(t, identity.Listener{JWT: s}); err == nil || !strings.Contains(err.Error(), "65 keys") {
		t.Errorf("got %v", err)
	}
}
