package identity

import (
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// maxChain bounds the delegation chain. A longer one is refused: what it would
// leave out could be what tightens the decision.
const maxChain = 8

// agent reads the claims of a verified token.
func (v *Verifier) agent(claims value.Value, c *Claims, fingerprint string) (pdp.Agent, *pdp.Refusal) {
	a := pdp.Agent{Issuer: c.Issuer, Kind: "jwt", Claims: claims}
	subject := claims.Get("sub").Text()
	if subject == "" {
		return pdp.Agent{}, refuse("the token has no subject")
	}
	actors, refusal := actorsOf(claims)
	if refusal != nil {
		return pdp.Agent{}, refusal
	}
	switch {
	case c.Agent != "":
		a.ID = claims.Path(strings.Split(c.Agent, ".")...).Text()
	case len(actors) > 0:
		a.ID = actors[0].ID
	default:
		a.ID = subject
	}
	if a.ID == "" {
		return pdp.Agent{}, refuse("the claim %s, which names the agent, is missing or not a string", c.Agent)
	}
	a.Chain = chainOf(a.ID, pdp.Principal{ID: subject, Issuer: c.Issuer}, actors, c.Issuer)
	a.TrustDomain = trustDomain(a.ID)
	if c.Owner != "" {
		a.Owner = claims.Path(strings.Split(c.Owner, ".")...).Text()
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
		SenderBound: claims.Get("cnf").Kind() == value.Map,
	}
	return a, nil
}

// actorsOf reads the nested act claims, the current actor first (RFC 8693
// section 4.1).
func actorsOf(claims value.Value) (actors []pdp.Principal, refusal *pdp.Refusal) {
	for act := claims.Get("act"); act.Defined(); act = act.Get("act") {
		p := pdp.Principal{ID: act.Get("sub").Text(), Issuer: act.Get("iss").Text()}
		if p.ID == "" {
			return nil, refuse("an act claim has no subject")
		}
		if actors = append(actors, p); len(actors) > maxChain {
			return nil, refuse("the delegation chain is longer than %d", maxChain)
		}
	}
	return actors, nil
}

// chainOf returns the principals the agent acts for, nearest first: the actors
// before it, and at the far end the token's subject. Nobody acts for himself.
func chainOf(agent string, subject pdp.Principal, actors []pdp.Principal, issuer string) (chain []pdp.Principal) {
	for _, p := range append(actors, subject) {
		if p.Issuer == "" {
			p.Issuer = issuer
		}
		if p.ID != agent {
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

// scopesOf reads the scopes of a token: a string of words (RFC 8693 section
// 4.2) or, as some issuers do, a list in scp.
func scopesOf(claims value.Value) []string {
	if scope, ok := claims.Get("scope").Str(); ok {
		return strings.Fields(scope)
	}
	var scopes []string
	for _, item := range claims.Get("scp").Items() {
		if s, ok := item.Str(); ok {
			scopes = append(scopes, s)
		}
	}
	return scopes
}
