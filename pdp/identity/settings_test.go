package identity_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp/identity"
)

func newWith(t *testing.T, l identity.Listener) error {
	t.Helper()
	v, err := identity.New(identity.Settings{Listeners: map[string]identity.Listener{"agents": l}}, testKeys(t, 1), clock)
	if (v == nil) != (err != nil) {
		t.Errorf("a verifier %v comes with the error %v", v, err)
	}
	return err
}

// A file with anything but good public keys is refused with its name, what is
// wrong and what to do; what is in it is not shown.
func TestRefusedKeys(t *testing.T) {
	public := ec().public(t, nil)
	text, err := json.Marshal(public)
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	// The library would not write it.
	shortKey := `{"keys":[{"kty":"RSA","kid":"a","e":"AQAB","n":"` + base64.RawURLEncoding.EncodeToString(short.N.Bytes()) + `"}]}`
	const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC0"
	for name, c := range map[string]struct {
		path string
		want []string
	}{
		"missing":         {filepath.Join(t.TempDir(), "jwks.json"), []string{"no such file", "put the issuer's"}},
		"a folder":        {t.TempDir(), []string{"put the issuer's"}},
		"empty":           {writeFile(t, ""), []string{"not a JSON Web Key Set", "jwks_uri"}},
		"an empty set":    {writeFile(t, `{"keys":[]}`), []string{"no key", "put the issuer's public keys there"}},
		"not a set":       {writeFile(t, `{"keys":"`+secret+`"}`), []string{"not a JSON Web Key Set"}},
		"PEM":             {writeFile(t, "-----BEGIN PUBLIC KEY-----\n"+secret+"\n-----END PUBLIC KEY-----\n"), []string{"not a JSON Web Key Set"}},
		"private key":     {writeKeys(t, public, asJWK(t, rs().private, claims{"kid": "b"})), []string{"key 1", "private key", "only public keys belong here"}},
		"private EC key":  {writeKeys(t, asJWK(t, ec().private)), []string{"key 0", "private key"}},
		"private Ed key":  {writeKeys(t, asJWK(t, ed().private)), []string{"key 0", "private key"}},
		"private, unused": {writeKeys(t, public, asJWK(t, rs().private, claims{"kid": "b", "use": "enc"})), []string{"private key"}},
		"shared secret":   {writeFile(t, `{"keys":[{"kty":"oct","kid":"a","k":"`+secret+`"}]}`), []string{"shared secret", "only public keys belong here"}},
		"same id twice":   {writeFile(t, `{"keys":[`+string(text)+","+string(text)+`]}`), []string{`"ec"`, "each needs one of its own"}},
		"no id twice":     {writeKeys(t, ec().public(t, claims{"kid": nil}), rs().public(t, claims{"kid": nil})), []string{"two keys", `""`}},
		"short RSA key":   {writeFile(t, shortKey), []string{"2048 bits or more", "jwks_uri"}},
		"none to verify":  {writeKeys(t, ec().public(t, claims{"use": "enc"})), []string{"no key for signatures", "put the issuer's"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := jwtSettings(t)
			s.JWKSFile = c.path
			err := newWith(t, identity.Listener{JWT: s})
			if err == nil {
				t.Fatal("the keys were taken")
			}
			for _, want := range append(c.want, c.path, "listeners.agents") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			d := base64.RawURLEncoding.EncodeToString(privatePart(t))
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), d) {
				t.Errorf("the error shows a key: %v", err)
			}
		})
	}
}

func privatePart(t *testing.T) []byte {
	t.Helper()
	d, err := ec().private.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A set that was written as one bare key is read as a set of one.
func TestBareKey(t *testing.T) {
	text, err := json.Marshal(ec().public(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	v := newJWT(t, func(s *identity.JWT) { s.JWKSFile = writeFile(t, string(text)) })
	accepted(t, v, bearer(ec().sign(t, nil, nil)))
}

// What is not configured must not mean "not checked".
func TestRefusedSettings(t *testing.T) {
	byToken := func(change func(*identity.JWT)) identity.Listener {
		s := jwtSettings(t)
		change(s)
		return identity.Listener{JWT: s}
	}
	byEnvoy := func(change func(*identity.EnvoyJWT)) identity.Listener {
		s := &identity.EnvoyJWT{Claims: claimSettings(), PayloadKey: "jwt_payload"}
		change(s)
		return identity.Listener{EnvoyJWT: s}
	}
	for name, c := range map[string]struct {
		l    identity.Listener
		want string
	}{
		"nothing":               {identity.Listener{}, "exactly one"},
		"token and none":        {identity.Listener{JWT: jwtSettings(t), None: true}, "exactly one"},
		"Envoy and none":        {identity.Listener{EnvoyJWT: &identity.EnvoyJWT{Claims: claimSettings(), PayloadKey: "p"}, None: true}, "exactly one"},
		"token and Envoy":       {identity.Listener{JWT: jwtSettings(t), EnvoyJWT: &identity.EnvoyJWT{Claims: claimSettings(), PayloadKey: "p"}}, "exactly one"},
		"no issuer":             {byToken(func(s *identity.JWT) { s.Issuer = "" }), "issuer"},
		"no audience":           {byToken(func(s *identity.JWT) { s.Audience = nil }), "audience"},
		"empty audience":        {byToken(func(s *identity.JWT) { s.Audience = []string{audience, ""} }), "audience"},
		"no types":              {byToken(func(s *identity.JWT) { s.Types = nil }), "types"},
		"empty type":            {byToken(func(s *identity.JWT) { s.Types = []string{"at+jwt", ""} }), "types"},
		"no maximum age":        {byToken(func(s *identity.JWT) { s.MaxAge = 0 }), "maximum age"},
		"no algorithms":         {byToken(func(s *identity.JWT) { s.Algorithms = nil }), "no signature algorithm"},
		"no signature":          {byToken(func(s *identity.JWT) { s.Algorithms = []string{"ES256", "none"} }), `"none"`},
		"shared secrets":        {byToken(func(s *identity.JWT) { s.Algorithms = []string{"ES256", "HS256"} }), `"HS256"`},
		"unknown algorithm":     {byToken(func(s *identity.JWT) { s.Algorithms = []string{"ES257"} }), `"ES257"`},
		"encryption":            {byToken(func(s *identity.JWT) { s.Algorithms = []string{"RSA-OAEP"} }), `"RSA-OAEP"`},
		"no header":             {byToken(func(s *identity.JWT) { s.Header = "" }), "header"},
		"header in upper case":  {byToken(func(s *identity.JWT) { s.Header = "Txn-Token" }), `"Txn-Token"`},
		"Envoy: no issuer":      {byEnvoy(func(s *identity.EnvoyJWT) { s.Issuer = "" }), "issuer"},
		"Envoy: no audience":    {byEnvoy(func(s *identity.EnvoyJWT) { s.Audience = nil }), "audience"},
		"Envoy: no types":       {byEnvoy(func(s *identity.EnvoyJWT) { s.Types = nil }), "types"},
		"Envoy: no maximum age": {byEnvoy(func(s *identity.EnvoyJWT) { s.MaxAge = -1 }), "maximum age"},
		"Envoy: no payload key": {byEnvoy(func(s *identity.EnvoyJWT) { s.PayloadKey = "" }), "payload"},
	} {
		t.Run(name, func(t *testing.T) {
			err := newWith(t, c.l)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "listeners.agents") {
				t.Errorf("got %v, want an error about the listener agents and %s", err, c.want)
			}
		})
	}
}
