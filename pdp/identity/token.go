package identity

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// maxToken bounds a token: 16 KiB.
const maxToken = 16 << 10

// presented returns the one token a request carries, "" where it carries none.
func presented(e *pdp.Envelope, header string) (string, *pdp.Refusal) {
	text, lines := e.Headers.Get(header)
	switch {
	case lines == 0:
		return "", nil
	case lines > 1:
		return "", refuse("the header %s is there more than once", header)
	}
	if header == "authorization" {
		scheme, token, found := strings.Cut(text, " ")
		if !found || !strings.EqualFold(scheme, "bearer") {
			return "", refuse("the header authorization is not of the scheme Bearer")
		}
		text = token
	}
	if text == "" || len(text) > maxToken {
		return "", refuse("the token is empty or longer than %d bytes", maxToken)
	}
	return text, nil
}

// signed returns the part of a token that its signature covers. It names the
// credential: whoever holds a token can spell its signature in other ways that
// are good too (ECDSA takes r, -s for r, s), and must not get another
// credential by it.
func signed(text string) string {
	return text[:strings.LastIndexByte(text, '.')]
}

// A token is one that was verified good: what it says, and by which key. It
// never changes once others can see it, and does not hold its text.
type token struct {
	claims value.Value
	cnf    value.Value // the claim that says who it is bound to
	life   lifetime
	// key is the key that the token's id of one meant at that time.
	keyID string
	key   *publicKey
	// fingerprint names the token as a credential.
	fingerprint string
	// agent is who its claims say it is of, but for what is found out on each
	// use; nobody before that was read.
	agent pdp.Agent
}

// verify checks a token in the order that gives an attacker the least: its
// shape, what it says it is, its signature, and only then its claims.
func (l *listener) verify(ctx context.Context, text string, now time.Time) (*token, *pdp.Refusal) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, refuse("the token is not a JWS in compact form")
	}
	if strings.ContainsFunc(text, foreign) {
		return nil, refuse("the token has characters that are not base64url")
	}
	header, ok := decodePart(parts[0])
	if !ok {
		return nil, refuse("the token's header is not strict JSON")
	}
	if header.Get("crit").Defined() || header.Get("b64").Defined() || header.Get("zip").Defined() {
		return nil, refuse("the token's header asks for extensions (crit, b64, zip)")
	}
	name := header.Get("alg").Text()
	alg, pinned := l.algorithms[name]
	if !pinned {
		return nil, refuse("the token's algorithm %q is not one of %v", clip(name), l.JWT.Algorithms)
	}
	if refusal := l.JWT.checkType(header); refusal != nil {
		return nil, refusal
	}
	kid := header.Get("kid").Text()
	if header.Get("kid").Defined() && kid == "" {
		return nil, refuse("the token's key id is not a string, or empty")
	}
	key, refusal := l.keys.find(ctx, kid)
	if refusal != nil {
		return nil, refusal
	}
	if !slices.Contains(key.algs, name) {
		return nil, refuse("key %q is for %v, the token was signed with %s", clip(kid), key.algs, name)
	}
	if _, err := jws.Verify([]byte(text), jws.WithKey(alg, key.key), jws.WithCompact()); err != nil {
		return nil, refuse("the signature is not good")
	}
	claims, ok := decodePart(parts[1])
	if !ok {
		return nil, refuse("the token's claims are not strict JSON")
	}
	life, refusal := l.JWT.checkClaims(claims, now)
	if refusal != nil {
		return nil, refusal
	}
	return &token{claims: claims, cnf: claims.Get("cnf"), life: life, keyID: kid, key: key}, nil
}

// foreign reports whether r is in no token. Decoders of base64 skip line breaks
// and some take padding: there would be several spellings of one token.
func foreign(r rune) bool {
	switch {
	case 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z', '0' <= r && r <= '9':
		return false
	}
	return r != '-' && r != '_' && r != '.'
}

// decodePart reads a part of a token: base64url without padding, holding a
// JSON object in which no member is there twice (RFC 7519 section 4).
func decodePart(part string) (value.Value, bool) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return value.Nothing, false
	}
	v, err := value.ParseJSON(text)
	return v, err == nil && v.Kind() == value.Map
}

// checkType holds the header typ against the accepted ones: an id token is not
// an access token (RFC 8725 section 3.11). A token without typ is a JWT.
func (c *Claims) checkType(header value.Value) *pdp.Refusal {
	typ := "JWT"
	if stated := header.Get("typ"); stated.Defined() {
		typ = stated.Text()
	}
	if !slices.ContainsFunc(c.Types, func(t string) bool { return strings.EqualFold(t, typ) }) {
		return refuse("the token's type %q is not one of %v", clip(typ), c.Types)
	}
	return nil
}

// A lifetime is when a token is good.
type lifetime struct{ issued, begins, expires time.Time } // begins is zero where it does not say

// checkClaims checks everything a token says about itself.
func (c *Claims) checkClaims(claims value.Value, now time.Time) (lifetime, *pdp.Refusal) {
	if issuer := claims.Get("iss").Text(); issuer != c.Issuer {
		return lifetime{}, refuse("the issuer is %q, not %q", clip(issuer), c.Issuer)
	}
	if !c.forUs(claims.Get("aud")) {
		return lifetime{}, refuse("the audience is none of %v", c.Audience)
	}
	life, refusal := lifetimeOf(claims)
	if refusal == nil {
		refusal = c.checkLifetime(life, now)
	}
	return life, refusal
}

func lifetimeOf(claims value.Value) (life lifetime, _ *pdp.Refusal) {
	var hasExpires, hasIssued, hasBegins bool
	life.expires, hasExpires = instant(claims.Get("exp"))
	life.issued, hasIssued = instant(claims.Get("iat"))
	if !hasExpires || !hasIssued {
		return lifetime{}, refuse("the token does not say when it was issued (iat) and expires (exp)")
	}
	if nbf := claims.Get("nbf"); nbf.Defined() {
		if life.begins, hasBegins = instant(nbf); !hasBegins {
			return lifetime{}, refuse("the claim nbf is not a time")
		}
	}
	return life, nil
}

// checkLifetime holds a token's times against now. A token is never young
// enough for good: this is asked on every use.
func (c *Claims) checkLifetime(life lifetime, now time.Time) *pdp.Refusal {
	switch {
	case !now.Before(life.expires.Add(c.Skew)):
		return refuse("the token expired %s ago", now.Sub(life.expires).Round(time.Second))
	case life.issued.After(now.Add(c.Skew)):
		return refuse("the token was issued in the future, %s from now", life.issued.Sub(now).Round(time.Second))
	case life.begins.After(now.Add(c.Skew)):
		return refuse("the token is not valid for another %s", life.begins.Sub(now).Round(time.Second))
	case now.Sub(life.issued) > c.MaxAge+c.Skew:
		return refuse("the token is %s old, more than %s", now.Sub(life.issued).Round(time.Second), c.MaxAge)
	case life.expires.Sub(life.issued) > c.MaxAge:
		return refuse("the token lives for %s, more than %s", life.expires.Sub(life.issued), c.MaxAge)
	}
	return nil
}

// forUs reports whether an audience, a string or a list, names us.
func (c *Claims) forUs(audience value.Value) bool {
	if one, ok := audience.Str(); ok {
		return slices.Contains(c.Audience, one)
	}
	return slices.ContainsFunc(audience.Items(), func(v value.Value) bool { return slices.Contains(c.Audience, v.Text()) })
}

// instant reads a NumericDate (RFC 7519 section 2) in whole seconds. Envoy's
// metadata holds numbers as doubles, which read as integers here.
func instant(v value.Value) (time.Time, bool) {
	seconds, ok := v.Int()
	const year9999 = 253402300799
	return time.Unix(seconds, 0), ok && seconds > 0 && seconds < year9999
}

// clip shortens what a stranger wrote before an operator reads it.
func clip(s string) string {
	if len(s) > 128 {
		return s[:128] + "…"
	}
	return s
}
