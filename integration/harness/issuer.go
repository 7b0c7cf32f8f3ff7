package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
)

// What the issuer's tokens say, unless a test says otherwise.
const (
	IssuerName = "https://idp.example.test"
	Audience   = "https://tools.example.test"
)

// Issuer makes tokens, as a company's identity provider would.
type Issuer struct{ key jwk.Key }

// NewIssuer returns an issuer with a fresh ES256 key.
func NewIssuer() (*Issuer, error) {
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := jwk.Import(raw)
	if err != nil {
		return nil, err
	}
	for field, v := range map[string]any{jwk.KeyIDKey: "sample-1", jwk.AlgorithmKey: jwa.ES256(), jwk.KeyUsageKey: "sig"} {
		if err := key.Set(field, v); err != nil {
			return nil, err
		}
	}
	return &Issuer{key: key}, nil
}

// WriteJWKS writes the issuer's public keys to a file.
func (i *Issuer) WriteJWKS(path string) error {
	public, err := i.key.PublicKey()
	if err != nil {
		return err
	}
	set := jwk.NewSet()
	if err := set.AddKey(public); err != nil {
		return err
	}
	text, err := json.Marshal(set)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// Token returns a token of the agent acting for the person, valid for ten
// minutes; sid names the session, "" leaves it out. Further claims are added,
// or taken away where they are nil.
func (i *Issuer) Token(agent, person, sid string, further map[string]any) (string, error) {
	now := time.Now()
	claims := map[string]any{
		"iss": IssuerName, "aud": Audience, "sub": person, "scope": "tickets customers",
		"act": map[string]any{"sub": agent},
		"iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	}
	if sid != "" {
		claims["sid"] = sid
	}
	maps.Copy(claims, further)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	header := jws.NewHeaders()
	if err := header.Set("typ", "at+jwt"); err != nil {
		return "", err
	}
	token, err := jws.Sign(payload, jws.WithKey(jwa.ES256(), i.key, jws.WithProtectedHeaders(header)))
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return string(token), nil
}
