package server

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/identity"
)

// firstAnswer is how long a start waits for issuers that may be down.
const firstAnswer = 5 * time.Second

// NewIssuers returns the issuers of a process; they are asked for nothing until
// they are started. With a nil log nothing is told, and nothing kept on disk.
func NewIssuers(c *config.Config, log *slog.Logger) *identity.Issuers {
	if log == nil {
		return identity.NewIssuers(identity.IssuerOptions{})
	}
	return identity.NewIssuers(identity.IssuerOptions{Dir: filepath.Join(c.State.Dir, "issuers"), Log: log})
}

// awaitIssuers starts asking. An issuer that is down keeps nothing from being
// served: its listeners deny as long as there are no keys.
func awaitIssuers(ctx context.Context, issuers *identity.Issuers) {
	ctx, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	issuers.Start(ctx)
}

// issuerReport tells of every issuer's keys, and whether all have been had. Keys
// that became too old since do not make a process unready: it would be taken
// out of service for what its replacement could not do better.
func issuerReport(issuers *identity.Issuers) (report string, held bool) {
	held = true
	var b strings.Builder
	for _, s := range issuers.Status() {
		held = held && s.Held
		fmt.Fprintf(&b, "issuer %s: ", s.Issuer)
		switch {
		case !s.Held:
			b.WriteString("no keys yet")
		case !s.Usable:
			fmt.Fprintf(&b, "%d keys, confirmed %s ago, too old to be used", s.Keys, s.Age.Round(time.Second))
		default:
			fmt.Fprintf(&b, "%d keys, confirmed %s ago", s.Keys, s.Age.Round(time.Second))
		}
		if s.Err != nil {
			fmt.Fprintf(&b, "; last attempt: %v", s.Err)
		}
		b.WriteString("\n")
	}
	return b.String(), held
}

// identitySettings say how each listener identifies its callers.
func identitySettings(c *config.Config, issuers *identity.Issuers) identity.Settings {
	s := identity.Settings{Listeners: make(map[string]identity.Listener), Issuers: issuers}
	for _, l := range c.Listeners {
		s.Listeners[l.Name] = identityListener(&l.Identity)
	}
	return s
}

func identityListener(id *config.Identity) identity.Listener {
	one := identity.Listener{None: id.None}
	if jwt := id.JWT; jwt != nil {
		one.JWT = identityJWT(identityClaims(&jwt.Claims), &jwt.IssuerKeys, jwt.Header)
	}
	if jwt := id.EnvoyJWT; jwt != nil {
		one.EnvoyJWT = &identity.EnvoyJWT{Claims: identityClaims(&jwt.Claims), PayloadKey: jwt.PayloadKey, HeaderKey: jwt.HeaderKey}
	}
	if s := id.SPIFFE; s != nil {
		one.SPIFFE = &identity.SPIFFE{
			TrustDomains: s.TrustDomains, Bundles: s.Bundles, PrincipalAlone: s.Certificate == "optional", Skew: s.Skew.D(),
		}
	}
	if x := id.XFCC; x != nil {
		one.XFCC = &identity.XFCC{TrustDomains: x.TrustDomains, Proxies: x.Proxies, Skew: x.Skew.D()}
	}
	return one
}

func identityJWT(claims identity.Claims, k *config.IssuerKeys, header string) *identity.JWT {
	jwt := &identity.JWT{Claims: claims, JWKSFile: k.JWKSFile, Algorithms: k.Algorithms, Header: header}
	if k.Fetched() {
		jwt.Fetch = &identity.Fetch{
			URL: k.JWKSURL, CAFile: k.JWKSCAFile, Refresh: k.JWKSRefresh.D(), MinRefresh: k.JWKSMinRefresh.D(),
			MaxStale: k.JWKSMaxStale.D(), Timeout: k.JWKSTimeout.D(),
		}
	}
	return jwt
}

func identityClaims(c *config.Claims) identity.Claims {
	claims := tokenClaims(&c.Token)
	claims.Agent, claims.Owner, claims.Session = c.Agent, c.Owner, c.Session
	return claims
}

// tokenClaims is what a token must say about itself.
func tokenClaims(t *config.Token) identity.Claims {
	return identity.Claims{
		Issuer: t.Issuer, Audience: t.Audience, Types: t.Types, Skew: t.Skew.D(), MaxAge: t.MaxAge.D(), RequireBound: t.RequireBound,
	}
}
