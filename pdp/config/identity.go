package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Identity says how a listener proves who calls: by a token (jwt or envoy_jwt),
// by the certificate of the connection (spiffe or xfcc), or by one of each, of
// which then both are required; or that it does not.
type Identity struct {
	JWT      *JWT      `yaml:"jwt"`
	EnvoyJWT *EnvoyJWT `yaml:"envoy_jwt"`
	SPIFFE   *SPIFFE   `yaml:"spiffe"`
	XFCC     *XFCC     `yaml:"xfcc"`
	// None takes every caller for nobody. It must be written out.
	None bool `yaml:"none"`
}

// Token is what a token must say about itself. Issuer and Audience are required.
type Token struct {
	Issuer   string   `yaml:"issuer"`   // who makes the tokens: their iss, exactly
	Audience []string `yaml:"audience"` // whom tokens must be made for: one of these is in their aud
	Types    []string `yaml:"types"`    // accepted values of the header typ
	Skew     Duration `yaml:"skew"`     // how far the clocks of issuer and remit may differ
	MaxAge   Duration `yaml:"max_age"`  // bounds both how old a token may be and how long it may live
	// RequireBound is whether tokens without the claim cnf are refused. Where
	// the claim is there it is checked in any case.
	RequireBound bool `yaml:"require_bound"`
}

// Claims says what an agent's token must say about itself, and which of its
// claims mean what.
type Claims struct {
	Token `yaml:",inline"`
	// Agent is the way to the claim with the agent's id: "act.sub", or a list
	// where a name has dots in it; empty: act.sub where the token has it, else
	// sub.
	Agent   ClaimPath `yaml:"agent_claim"`
	Owner   ClaimPath `yaml:"owner_claim"`    // the claim with who owns the agent
	Session []string  `yaml:"session_claims"` // the claims that name a session; the first one that a token has
}

// ClaimPath is the way to a claim: "act.sub", or as a list where a name has a
// dot in it: [ "https://idp.example.com/agent" ].
type ClaimPath []string

// UnmarshalYAML reads either form.
func (p *ClaimPath) UnmarshalYAML(read func(any) error) error {
	var text string
	if read(&text) == nil {
		if *p = nil; text != "" {
			*p = strings.Split(text, ".")
		}
		return nil
	}
	var names []string
	if err := read(&names); err != nil {
		return err
	}
	*p = names
	return nil
}

// JWT is identity by a token that remit verifies itself.
type JWT struct {
	Claims     `yaml:",inline"`
	IssuerKeys `yaml:",inline"`
	Header     string `yaml:"header"` // the request header with the token
}

// IssuerKeys are the keys that tokens are verified with: of exactly one of
// JWKSFile, JWKSURL and Discovery.
type IssuerKeys struct {
	JWKSFile string `yaml:"jwks_file"` // the issuer's public keys, as a JSON Web Key Set
	JWKSURL  string `yaml:"jwks_url"`  // where the issuer's public keys are, as a JSON Web Key Set
	// Discovery finds the keys' address in the issuer's
	// /.well-known/openid-configuration.
	Discovery bool `yaml:"discovery"`
	// JWKSRefresh is how often the issuer is asked.
	JWKSRefresh Duration `yaml:"jwks_refresh"`
	// JWKSMinRefresh is how soon again at the earliest because of a token with
	// an unknown key.
	JWKSMinRefresh Duration `yaml:"jwks_min_refresh"`
	// JWKSMaxStale is how long keys are used that the issuer does not confirm.
	JWKSMaxStale Duration `yaml:"jwks_max_stale"`
	JWKSTimeout  Duration `yaml:"jwks_timeout"` // how long the issuer has to answer
	JWKSCAFile   string   `yaml:"jwks_ca_file"` // who may sign the issuer's TLS certificate; the system's where empty
	Algorithms   []string `yaml:"algorithms"`   // accepted signature algorithms, like ES256
}

// Fetched reports whether the keys come from the issuer and not from a file.
func (k *IssuerKeys) Fetched() bool { return k.JWKSURL != "" || k.Discovery }

// EnvoyJWT is identity by a token that Envoy's jwt_authn filter has verified on
// this very listener; its payload is read from the filter's metadata.
type EnvoyJWT struct {
	Claims     `yaml:",inline"`
	PayloadKey string `yaml:"payload_key"` // payload_in_metadata of the filter
	HeaderKey  string `yaml:"header_key"`  // header_in_metadata of the filter; empty: the header typ is not looked at
}

// SPIFFE is identity by the X509-SVID that the proxy of this listener has
// verified.
type SPIFFE struct {
	TrustDomains []string `yaml:"trust_domains"` // the domains whose workloads may call
	// Bundles are PEM files with the authorities of trust domains, by domain:
	// remit verifies the certificate itself then, once more.
	Bundles map[string]string `yaml:"trust_bundles"`
	// Certificate is "required", or "optional" behind a proxy that sends the
	// verified name alone (Istio).
	Certificate string   `yaml:"certificate"`
	Skew        Duration `yaml:"skew"` // how far the clocks of authority and remit may differ
}

// XFCC is identity by the last element of x-forwarded-client-cert.
type XFCC struct {
	TrustDomains []string `yaml:"trust_domains"` // the domains whose workloads may call
	// Proxies are the SPIFFE ids of who may have written it, where that is not
	// the asking proxy itself.
	Proxies []string `yaml:"proxies"`
	Skew    Duration `yaml:"skew"` // how far the clocks of authority and remit may differ
}

func (id *Identity) fill() {
	if jwt := id.JWT; jwt != nil {
		orString(&jwt.Header, "authorization")
		jwt.IssuerKeys.fill()
		jwt.Claims.fill()
	}
	if jwt := id.EnvoyJWT; jwt != nil {
		orString(&jwt.PayloadKey, "jwt_payload")
		jwt.Claims.fill()
	}
	if id.SPIFFE != nil {
		orString(&id.SPIFFE.Certificate, "required")
		orDuration(&id.SPIFFE.Skew, 30*time.Second)
	}
	if id.XFCC != nil {
		orDuration(&id.XFCC.Skew, 30*time.Second)
	}
}

func (c *Claims) fill() {
	if len(c.Session) == 0 {
		c.Session = []string{"sid", "txn"}
	}
	c.Token.fill()
}

func (t *Token) fill() {
	if len(t.Types) == 0 {
		t.Types = []string{"at+jwt", "application/at+jwt", "JWT"}
	}
	orDuration(&t.Skew, 30*time.Second)
	orDuration(&t.MaxAge, time.Hour)
}

func (k *IssuerKeys) fill() {
	if !k.Fetched() {
		return
	}
	orDuration(&k.JWKSRefresh, 5*time.Minute)
	orDuration(&k.JWKSMinRefresh, 10*time.Second)
	orDuration(&k.JWKSMaxStale, 24*time.Hour)
	orDuration(&k.JWKSTimeout, 5*time.Second)
}

func (id *Identity) rebase(under func(*string)) {
	if id.JWT != nil {
		id.JWT.IssuerKeys.rebase(under)
	}
	if id.SPIFFE != nil {
		for domain, path := range id.SPIFFE.Bundles {
			under(&path)
			id.SPIFFE.Bundles[domain] = path
		}
	}
}

func (k *IssuerKeys) rebase(under func(*string)) {
	under(&k.JWKSFile)
	under(&k.JWKSCAFile)
}

func (id *Identity) problems(key string, say sayFunc) {
	tokens, peers := 0, 0
	if id.JWT != nil {
		tokens++
		id.JWT.problems(key+".jwt", say)
	}
	if id.EnvoyJWT != nil {
		tokens++
		id.EnvoyJWT.Claims.problems(key+".envoy_jwt", say)
	}
	if id.SPIFFE != nil {
		peers++
		id.SPIFFE.problems(key+".spiffe", say)
	}
	if id.XFCC != nil {
		peers++
		checkTrustDomains(key+".xfcc", id.XFCC.TrustDomains, say)
		between(key+".xfcc.skew", id.XFCC.Skew, 0, 5*time.Minute, say)
	}
	if tokens > 1 || peers > 1 || (tokens+peers > 0) == id.None {
		say(key, "must hold exactly one of jwt, envoy_jwt, spiffe, xfcc, none: true; or one of the first two beside one of the next two, and both are required of callers then")
	}
}

func (j *JWT) problems(key string, say sayFunc) {
	j.Claims.problems(key, say)
	j.IssuerKeys.problems(key, say)
}

func (k *IssuerKeys) problems(key string, say sayFunc) {
	if len(k.Algorithms) == 0 {
		say(key+".algorithms", "is required: the signature algorithms to accept, for example [ES256]")
	}
	ways := 0
	for _, set := range []bool{k.JWKSFile != "", k.JWKSURL != "", k.Discovery} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		say(key, "must hold exactly one of jwks_file, jwks_url, discovery: true: where the issuer's public keys come from; it holds %d", ways)
	}
	if !k.Fetched() {
		return
	}
	between(key+".jwks_refresh", k.JWKSRefresh, time.Second, time.Hour, say)
	between(key+".jwks_min_refresh", k.JWKSMinRefresh, 100*time.Millisecond, k.JWKSRefresh.D(), say)
	between(key+".jwks_timeout", k.JWKSTimeout, 100*time.Millisecond, 30*time.Second, say)
	// Shorter than two questions, one lost answer would be an outage.
	between(key+".jwks_max_stale", k.JWKSMaxStale, 2*k.JWKSRefresh.D(), 7*24*time.Hour, say)
}

func (c *Claims) problems(key string, say sayFunc) {
	c.Token.problems(key, say)
	for name, path := range map[string]ClaimPath{"agent_claim": c.Agent, "owner_claim": c.Owner} {
		path.problems(key+"."+name, say)
	}
}

func (p ClaimPath) problems(key string, say sayFunc) {
	if slices.Contains(p, "") {
		say(key, "%q has an empty name in it", strings.Join(p, "."))
	}
}

func (t *Token) problems(key string, say sayFunc) {
	if t.Issuer == "" {
		say(key+".issuer", "is required")
	}
	if len(t.Audience) == 0 || slices.Contains(t.Audience, "") {
		say(key+".audience", "is required: a token made for another service must not be good here")
	}
	between(key+".skew", t.Skew, 0, 5*time.Minute, say)
	between(key+".max_age", t.MaxAge, time.Minute, 24*time.Hour, say)
}

func (s *SPIFFE) problems(key string, say sayFunc) {
	checkTrustDomains(key, s.TrustDomains, say)
	oneOf(key+".certificate", s.Certificate, []string{"required", "optional"}, say)
	for domain := range s.Bundles {
		if !slices.Contains(s.TrustDomains, domain) {
			say(fmt.Sprintf("%s.trust_bundles.%s", key, domain), "is not one of trust_domains")
		}
	}
	if len(s.Bundles) > 0 && s.Certificate == "optional" {
		say(key+".trust_bundles", "there may be no certificate to verify; set certificate: required")
	}
	between(key+".skew", s.Skew, 0, 5*time.Minute, say)
}

func checkTrustDomains(key string, domains []string, say sayFunc) {
	if len(domains) == 0 || slices.Contains(domains, "") {
		say(key+".trust_domains", "is required: the SPIFFE trust domains whose workloads are accepted, for example [prod.example.com]")
	}
}
