package identity_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/identity"
)

const (
	issuer   = "https://idp.example.test"
	audience = "https://tools.example.test"
)

// now is what the verifiers under test take the time to be.
var now = time.Unix(1_795_428_000, 0)

func clock() time.Time { return now }

type claims = map[string]any

// A signer is one key pair of an issuer.
type signer struct {
	id      string
	alg     jwa.SignatureAlgorithm
	private crypto.Signer
}

// The issuer's keys are made once: an RSA key takes long.
var (
	ec    = sync.OnceValue(func() signer { return newSigner("ec", jwa.ES256()) })
	rs    = sync.OnceValue(func() signer { return newSigner("rs", jwa.RS256()) })
	ed    = sync.OnceValue(func() signer { return newSigner("ed", jwa.EdDSA()) })
	other = sync.OnceValue(func() signer { return newSigner("ec", jwa.ES256()) }) // an attacker's, with a known id
)

func newSigner(id string, alg jwa.SignatureAlgorithm) signer {
	var private crypto.Signer
	var err error
	switch alg {
	case jwa.RS256():
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case jwa.EdDSA():
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		panic(err)
	}
	return signer{id, alg, private}
}

// public returns the key as the issuer publishes it, with changes.
func (s signer) public(t testing.TB, change map[string]any) jwk.Key {
	t.Helper()
	return asJWK(t, s.private.Public(), map[string]any{"kid": s.id, "alg": s.alg, "use": "sig"}, change)
}

func asJWK(t testing.TB, raw any, sets ...map[string]any) jwk.Key {
	t.Helper()
	key, err := jwk.Import(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range sets {
		for name, v := range set {
			if v == nil {
				err = key.Remove(name)
			} else {
				err = key.Set(name, v)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return key
}

// sign returns a token with the members of a good header and good claims, but
// for changes; a change to nil removes the member.
func (s signer) sign(t testing.TB, header, claims map[string]any) string {
	t.Helper()
	headers := jws.NewHeaders()
	for name, v := range changed(map[string]any{"kid": s.id, "typ": "at+jwt"}, header) {
		if err := headers.Set(name, v); err != nil {
			t.Fatal(err)
		}
	}
	payload, err := json.Marshal(changed(goodClaims(), claims))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.Sign(payload, jws.WithKey(s.alg, s.private, jws.WithProtectedHeaders(headers)))
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

// signText signs a header and a payload as they are written, which no library
// would: the signature is good.
func (s signer) signText(t testing.TB, header, payload string) string {
	t.Helper()
	return s.signParts(t, base64.RawURLEncoding.EncodeToString([]byte(header))+"."+base64.RawURLEncoding.EncodeToString([]byte(payload)))
}

func (s signer) signParts(t testing.TB, text string) string {
	t.Helper()
	hash := crypto.SHA256.New()
	hash.Write([]byte(text))
	key := s.private.(*ecdsa.PrivateKey)
	r, v, err := ecdsa.Sign(rand.Reader, key, hash.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	half := (key.Params().BitSize + 7) / 8
	signature := make([]byte, 2*half)
	r.FillBytes(signature[:half])
	v.FillBytes(signature[half:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func goodClaims() map[string]any {
	return map[string]any{
		"iss": issuer, "aud": audience, "sub": "user:alice",
		"iat": now.Unix() - 60, "exp": now.Unix() + 600,
	}
}

// goodPayload is goodClaims as text, to be continued by more members.
func goodPayload(t testing.TB) string {
	t.Helper()
	text, err := json.Marshal(goodClaims())
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "}")
}

func changed(m, changes map[string]any) map[string]any {
	m = maps.Clone(m)
	maps.Copy(m, changes)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

// writeKeys writes a key set and returns its path.
func writeKeys(t testing.TB, keys ...jwk.Key) string {
	t.Helper()
	set := jwk.NewSet()
	for _, key := range keys {
		if err := set.AddKey(key); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, string(text))
}

func writeFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func claimSettings() identity.Claims {
	return identity.Claims{
		Issuer: issuer, Audience: []string{"https://other.example.test", audience}, Types: []string{"at+jwt", "application/at+jwt"},
		Skew: 30 * time.Second, MaxAge: time.Hour, Session: []string{"sid", "txn"},
	}
}

// jwtSettings are those of a listener that takes the tokens of ec, rs and ed.
func jwtSettings(t testing.TB) *identity.JWT {
	t.Helper()
	return &identity.JWT{
		Claims: claimSettings(), Algorithms: []string{"ES256", "RS256", "EdDSA"}, Header: "authorization",
		JWKSFile: writeKeys(t, ec().public(t, nil), rs().public(t, nil), ed().public(t, nil)),
	}
}

func testKeys(t testing.TB, first byte) *pdp.Keys {
	t.Helper()
	seed := make([]byte, pdp.SeedSize)
	seed[0] = first
	keys, err := pdp.NewKeys(seed)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// newVerifier returns a verifier whose listener "agents" is l.
func newVerifier(t testing.TB, l identity.Listener) *identity.Verifier {
	t.Helper()
	s := identity.Settings{Listeners: map[string]identity.Listener{"agents": l}}
	v, err := identity.New(s, testKeys(t, 1), clock)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// newJWT returns a verifier by jwtSettings, with a change.
func newJWT(t testing.TB, change func(*identity.JWT)) *identity.Verifier {
	t.Helper()
	s := jwtSettings(t)
	if change != nil {
		change(s)
	}
	return newVerifier(t, identity.Listener{JWT: s})
}

// with returns a request with these header lines, name and value in turn.
func with(lines ...string) *pdp.Envelope {
	e := &pdp.Envelope{Listener: "agents", Headers: pdp.Headers{{Name: ":method", Value: "GET"}}}
	for i := 0; i < len(lines); i += 2 {
		e.Headers = append(e.Headers, pdp.Header{Name: lines[i], Value: lines[i+1]})
	}
	return e
}

func bearer(token string) *pdp.Envelope { return with("authorization", "Bearer "+token) }

// accepted verifies e, which must succeed and give nothing of its token away.
func accepted(t testing.TB, v *identity.Verifier, e *pdp.Envelope) pdp.Agent {
	t.Helper()
	agent, err := v.Verify(context.Background(), e)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	keepsSecret(t, e, fmt.Sprintf("%+v %#v", agent, agent))
	return agent
}

// refused verifies e, which must fail in the one way that callers are told,
// with a detail for the operator that contains want.
func refused(t testing.TB, v *identity.Verifier, e *pdp.Envelope, want string) {
	t.Helper()
	agent, err := v.Verify(context.Background(), e)
	if !reflect.DeepEqual(agent, pdp.Agent{}) {
		t.Errorf("an agent comes with the refusal: %+v", agent)
	}
	var r *pdp.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("got %T %v, want a refusal about %q", err, err, want)
	}
	told := pdp.Reason{Code: pdp.CodeUnauthenticated, Message: "a valid credential is required"}
	if r.Class != pdp.Unauthenticated || !reflect.DeepEqual(r.Reason, told) {
		t.Errorf("the caller is told %s %+v", r.Class, r.Reason)
	}
	if !strings.Contains(r.Detail, want) {
		t.Errorf("the operator is told %q, want something about %q", r.Detail, want)
	}
	keepsSecret(t, e, fmt.Sprintf("%v %+v %#v", err, *r, r))
}

// keepsSecret checks that no part of a token in e's headers is in text.
func keepsSecret(t testing.TB, e *pdp.Envelope, text string) {
	t.Helper()
	for _, h := range e.Headers {
		if h.Name == "x-forwarded-client-cert" {
			continue // a public certificate is no secret
		}
		_, token, _ := strings.Cut(h.Value, " ")
		for part := range strings.SplitSeq(token, ".") {
			if len(part) >= 16 && strings.Contains(text, part) {
				t.Errorf("%s holds a part of the token: %s", h.Name, text)
			}
		}
	}
}
