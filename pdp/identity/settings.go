// Package identity proves who sent a request: a JWT that remit verifies by a
// key set, or one that Envoy's jwt_authn filter has verified on a listener
// that the configuration names; and whom the agent acts for (the act claim of
// RFC 8693). An identity never comes from a header that a client can set.
package identity

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
)

// Settings say, by the name of the listener, how callers are identified.
// Exactly one of the members of each Listener is set.
type Settings struct{ Listeners map[string]Listener }

// Listener is how one listener's callers are identified.
type Listener struct {
	JWT      *JWT
	EnvoyJWT *EnvoyJWT
	// None takes every caller for nobody.
	None bool
}

// Claims says what a token must say about itself, and which of its claims mean
// what. Issuer, Audience and Types must not be empty: what is not configured
// must not mean "not checked" (CVE-2026-55689).
type Claims struct {
	Issuer   string
	Audience []string
	Types    []string // accepted values of the header typ
	Skew     time.Duration
	// MaxAge bounds both how old a token may be and how long it may live.
	MaxAge time.Duration
	// Agent names the claim with the agent's id, members separated by dots; ""
	// is act.sub where the token has it, else sub.
	Agent string
	Owner string
	// Session names the claims that may name the session; the first that is
	// there does.
	Session []string
}

// JWT is a token that remit verifies itself.
type JWT struct {
	Claims
	JWKSFile   string
	Algorithms []string
	Header     string // lower case; "authorization" holds a bearer token
}

// EnvoyJWT is a token that Envoy's jwt_authn filter has verified; its payload
// (and header, where HeaderKey is set) is read from the filter's metadata.
type EnvoyJWT struct {
	Claims
	PayloadKey, HeaderKey string
}

func (c *Claims) check() error {
	var problems []error
	if c.Issuer == "" {
		problems = append(problems, errors.New("the issuer is not set"))
	}
	if len(c.Audience) == 0 || slices.Contains(c.Audience, "") {
		problems = append(problems, errors.New("the audience is not set"))
	}
	if len(c.Types) == 0 || slices.Contains(c.Types, "") {
		problems = append(problems, errors.New("the accepted token types are not set"))
	}
	if c.MaxAge <= 0 {
		problems = append(problems, errors.New("the maximum age is not set"))
	}
	return errors.Join(problems...)
}

// algorithms returns the pinned algorithms. Only asymmetric ones may be pinned:
// with a shared secret whoever verifies can also forge.
func algorithms(names []string) (map[string]jwa.SignatureAlgorithm, error) {
	pinned := make(map[string]jwa.SignatureAlgorithm)
	for _, name := range names {
		alg, ok := jwa.LookupSignatureAlgorithm(name)
		if !ok || alg.IsSymmetric() || name == jwa.NoSignature().String() {
			return nil, fmt.Errorf("algorithm %q is not an asymmetric signature algorithm", name)
		}
		pinned[name] = alg
	}
	if len(pinned) == 0 {
		return nil, errors.New("no signature algorithm is pinned")
	}
	return pinned, nil
}
