// Package identity proves who sent a request: a JWT that remit verifies by a
// key set, or one that Envoy's jwt_authn filter has verified on a listener
// that the configuration names; the SPIFFE certificate of the connection; or
// both; and whom the agent acts for (the act claim of RFC 8693). An identity
// never comes from a header that a client can set.
package identity

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
)

// Settings say, by the name of the listener, how callers are identified.
type Settings struct {
	Listeners map[string]Listener
	// Issuers hold the keys that are fetched; needed where a JWT has Fetch.
	Issuers *Issuers
}

// Listener is how one listener's callers are identified: by a token (JWT or
// EnvoyJWT), by the certificate of the connection (SPIFFE or XFCC), by one of
// each, or not at all (None). With one of each both are required of a caller:
// the token says who the agent is, the certificate which workload presents it.
type Listener struct {
	JWT      *JWT
	EnvoyJWT *EnvoyJWT
	SPIFFE   *SPIFFE
	XFCC     *XFCC
	// None takes every caller for nobody.
	None bool
}

// check refuses what is no way of identifying callers, or two of a kind.
func (l *Listener) check() error {
	tokens, peers := count(l.JWT != nil, l.EnvoyJWT != nil), count(l.SPIFFE != nil, l.XFCC != nil)
	if tokens > 1 || peers > 1 || (l.None && tokens+peers > 0) || (!l.None && tokens+peers == 0) {
		return errors.New("there must be exactly one way of identifying callers, or one by a token beside one by a certificate")
	}
	return nil
}

func count(set ...bool) (n int) {
	for _, one := range set {
		if one {
			n++
		}
	}
	return n
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
	// Agent is the way to the claim with the agent's id, a member a step; empty
	// is act.sub where the token has it, else sub.
	Agent []string
	Owner []string // the way to the claim with the owner; empty is none
	// Session names the claims that may name the session; the first that is
	// there does.
	Session []string
	// RequireBound refuses a token that is not bound to its sender (cnf).
	RequireBound bool
}

// JWT is a token that remit verifies itself, with the keys of a file or of
// Fetch: exactly one of them.
type JWT struct {
	Claims
	JWKSFile   string
	Fetch      *Fetch
	Algorithms []string
	Header     string // lower case; "authorization" holds a bearer token
}

// Fetch is a key set that the issuer is asked for.
type Fetch struct {
	// URL is the key set's address; "" is found by OpenID discovery under the
	// issuer's name.
	URL    string
	CAFile string // PEM of who may sign the issuer's TLS certificate; "" is the system's
	// Refresh is how often the issuer is asked, and MinRefresh the least time
	// between two questions that tokens with unknown keys cause.
	Refresh, MinRefresh time.Duration
	// MaxStale is how long keys are used that the issuer does not confirm.
	MaxStale time.Duration
	Timeout  time.Duration // of one answer
}

// SPIFFE is the X.509-SVID of the connection's peer, as the asking proxy has
// verified it: the configuration says by this that the proxy of this listener
// does (Envoy: a validation_context and no ACCEPT_UNTRUSTED).
type SPIFFE struct {
	TrustDomains []string
	// Bundles are PEM files with the authorities of trust domains; a
	// certificate of a domain that is in it is verified here again.
	Bundles map[string]string
	// PrincipalAlone accepts the verified name without the certificate, for
	// proxies that do not send it (Istio). Its age and expiry are unknown then.
	PrincipalAlone bool
	Skew           time.Duration
}

// XFCC is the certificate of a peer as the last element of the header
// x-forwarded-client-cert describes it. Only a proxy that sets or appends the
// header itself may be trusted with it.
type XFCC struct {
	TrustDomains []string
	// Proxies are the SPIFFE ids of the proxies that may have written the last
	// element; one of them must be the connection's verified peer. Empty: the
	// asking proxy wrote it, about its own verified peer.
	Proxies []string
	Skew    time.Duration
}

// EnvoyJWT is a token that Envoy's jwt_authn filter has verified; its payload
// (and header, where HeaderKey is set) is read from the filter's metadata.
type EnvoyJWT struct {
	Claims
	PayloadKey, HeaderKey string
}

func (c *Claims) check() error {
	var problems []error
	if slices.Contains(c.Agent, "") || slices.Contains(c.Owner, "") {
		problems = append(problems, errors.New("a claim's name is empty"))
	}
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
		if !ok || kinds[name] == nil {
			return nil, fmt.Errorf("algorithm %q is not an asymmetric signature algorithm that remit verifies", name)
		}
		pinned[name] = alg
	}
	if len(pinned) == 0 {
		return nil, errors.New("no signature algorithm is pinned")
	}
	return pinned, nil
}
