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
func signed(token string) string {
	return token[:strings.LastIndexByte(token, '.')]
}

// verify checks a token in the order that gives an attacker the least: its
// shape, what it says it is, its signature, and only then its claims. It
// returns the claims.
func (l *listener) verify(ctx context.Context, token string, now time.Time) (value.Value, *pdp.Refusal) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return value.Nothing, refuse("the token is not a JWS in compact form")
	}
	if strings.ContainsFunc(token, foreign) {
		return value.Nothing, refuse("the token has characters that are not base64url")
	}
	header, ok := decodePart(parts[0])
	if !ok {
		return value.Nothing, refuse("the token's header is not strict JSON")
	}
	if header.Get("crit").Defined() || header.Get("b64").Defined() || header.Get("zip").Defined() {
		return value.Nothing, refuse("the token's header asks for extensions (crit, b64, zip)")
	}
	name := header.Get("alg").Text()
	alg, pinned := l.algorithms[name]
	if !pinned {
		return value.Nothing, refuse("the token's algorithm %q is not one of %v", clip(name), l.JWT.Algorithms)
	}
	if refusal := l.JWT.checkType(header); refusal != nil {
		return value.Nothing, refusal
	}
	kid := header.Get("kid").Text()
	if header.Get("kid").Defined() && kid == "" {
		return value.Nothing, refuse("the token's key id is not a string, or empty")
	}
	key, refusal := l.keys.find(ctx, kid)
	if refusal != nil {
		return value.Nothing, refusal
	}
	if !slices.Contains(key.algs, name) {
		return value.Nothing, refuse("key %q is for %v, the token was signed with %s", clip(kid), key.algs, name)
	}
	if _, err := jws.Verify([]byte(token), jws.WithKey(alg, key.key), jws.WithCompact()); err != nil {
		return value.Nothing, refuse("the signature is not good")
	}
	claims, ok := decodePart(parts[1])
	if !ok {
		return value.Nothing, refuse("the token's claims are not strict JSON")
	}
	return claims, l.JWT.checkClaims(claims, now)
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

// checkClaims checks everything a token says about itself.
func (c *Claims) checkClaims(claims value.Value, now time.Time) *pdp.Refusal {
	if issuer := claims.Get("iss").Text(); issuer != c.Issuer {
		return refuse("the issuer is %q, not %q", clip(issuer), c.Issuer)
	}
	if !c.forUs(claims.Get("aud")) {
		return refuse("the audience is none of %v", c.Audience)
	}
	expires, hasExpires := instant(claims.Get("exp"))
	issued, hasIssued := instant(claims.Get("iat"))
	begins, hasBegins := instant(claims.Get("nbf"))
	switch {
	case !hasExpires || !hasIssued:
		return refuse("the token does not say when it was issued (iat) and expires (exp)")
	case claims.Get("nbf").Defined() && !hasBegins:
		return refuse("the claim nbf is not a time")
	case !now.Before(expires.Add(c.Skew)):
		return refuse("the token expired %s ago", now.Sub(expires).Round(time.Second))
	case issued.After(now.Add(c.Skew)):
		return refuse("the token was issued in the future, %s from now", issued.Sub(now).Round(time.Second))
	case hasBegins && begins.After(now.Add(c.Skew)):
		return refuse("the token is not valid for another %s", begins.Sub(now).Round(time.Second))
	case now.Sub(issued) > c.MaxAge+c.Skew:
		return refuse("the token is %s old, more than %s", now.Sub(issued).Round(time.Second), c.MaxAge)
	case expires.Sub(issued) > c.MaxAge:
		return refuse("the token lives for %s, more than %s", expires.Sub(issued), c.MaxAge)
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
