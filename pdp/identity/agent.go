package identity

import (
	"slices"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// maxChain bounds the delegation chain. A longer one is refused: what it would
// leave out could be what tightens the decision.
const maxChain = 8

// currentActor is the way to the actor that presents the token.
var currentActor = []string{"act", "sub"}

// agent reads the claims of a verified token.
func (v *Verifier) agent(claims value.Value, c *Claims, fingerprint string) (pdp.Agent, *pdp.Refusal) {
	a := pdp.Agent{Issuer: c.Issuer, Kind: "jwt", Claims: claims}
	subject := claims.Get("sub").Text()
	if subject == "" {
		return pdp.Agent{}, refuse("the token has no subject")
	}
	actors, refusal := actorsOf(claims, c.Issuer)
	if refusal != nil {
		return pdp.Agent{}, refusal
	}
	switch {
	case len(actors) > 0 && (len(c.Agent) == 0 || slices.Equal(c.Agent, currentActor)):
		a.ID, a.Issuer = actors[0].ID, actors[0].Issuer
	case len(c.Agent) > 0:
		a.ID = claims.Path(c.Agent...).Text()
	default:
		a.ID = subject
	}
	if a.ID == "" {
		return pdp.Agent{}, refuse("the claim %s, which names the agent, is missing or not a string", strings.Join(c.Agent, "."))
	}
	a.Chain = chainOf(pdp.Principal{ID: a.ID, Issuer: a.Issuer}, append(actors, pdp.Principal{ID: subject, Issuer: c.Issuer}))
	a.TrustDomain = trustDomain(a.ID)
	if len(c.Owner) > 0 {
		a.Owner = claims.Path(c.Owner...).Text()
	}
	a.Scopes = scopesOf(claims)
	for _, name := range c.Session {
		if session := claims.Get(name).Text(); session != "" {
			a.SessionClaim = name + ":" + session
			break
		}
	}
	issued, _ := instant(claims.Get("iat"))
	expires, _ := instant(claims.Get("exp"))
	a.Credential = pdp.Presented{
		Fingerprint: fingerprint, Kind: "jwt", IssuedAt: issued.Truncate(time.Second), ExpiresAt: expires,
	}
	return a, nil
}

// actorsOf reads the nested act claims, the current actor first (RFC 8693
// section 4.1). An actor is the token's issuer's where it names no other.
func actorsOf(claims value.Value, issuer string) (actors []pdp.Principal, refusal *pdp.Refusal) {
	for act := claims.Get("act"); act.Defined(); act = act.Get("act") {
		p := pdp.Principal{ID: act.Get("sub").Text(), Issuer: issuer}
		if p.ID == "" {
			return nil, refuse("an act claim has no subject")
		}
		if stated := act.Get("iss"); stated.Defined() {
			p.Issuer = stated.Text()
		}
		if p.Issuer == "" {
			return nil, refuse("the issuer in an act claim is not a string, or empty")
		}
		if actors = append(actors, p); len(actors) > maxChain {
			return nil, refuse("the delegation chain is longer than %d", maxChain)
		}
	}
	return actors, nil
}

// chainOf returns the principals the agent acts for, nearest first: the actors
// before it, and at the far end the token's subject. Nobody acts for himself.
func chainOf(agent pdp.Principal, principals []pdp.Principal) (chain []pdp.Principal) {
	for _, p := range principals {
		if p != agent {
			chain = append(chain, p)
		}
	}
	return chain
}

// trustDomain returns the trust domain of a SPIFFE id, "" for any other id.
func trustDomain(id string) string {
	rest, found := strings.CutPrefix(id, "spiffe://")
	if !found {
		return ""
	}
	domain, _, _ := strings.Cut(rest, "/")
	return domain
}

// scopesOf reads the scopes of a token: in scope (RFC 8693 section 4.2) or, as
// some issuers do, in scp; a string of words or a list.
func scopesOf(claims value.Value) (scopes []string) {
	scope := claims.Get("scope")
	if !scope.Defined() {
		scope = claims.Get("scp")
	}
	if words, ok := scope.Str(); ok {
		return strings.Fields(words)
	}
	for _, item := range scope.Items() {
		if s, ok := item.Str(); ok {
			scopes = append(scopes, s)
		}
	}
	return scopes
}
