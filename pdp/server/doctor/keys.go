package doctor

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/identity"
)

// keys judges whether tokens can be verified.
func keys(s *signs) (found []Finding) {
	for _, issuer := range s.issuers {
		found = append(found, fetched(s, issuer)...)
	}
	for i := range s.config.Listeners {
		l := &s.config.Listeners[i]
		if jwt := l.Identity.JWT; jwt != nil && jwt.JWKSFile != "" {
			found = append(found, kept(s, l.Name, jwt))
		}
	}
	return found
}

// fetched judges an issuer that is asked for its keys.
func fetched(s *signs, issuer identity.IssuerStatus) (found []Finding) {
	const remedy = "see that this host reaches it (name, route, proxy, TLS authority: jwks_ca_file) and that it publishes keys for the configured algorithms"
	where := "issuer " + issuer.Issuer
	if issuer.Err != nil {
		if s.live.sum("remit_issuer_keys_usable", "issuer", issuer.Issuer) == 1 {
			age := time.Duration(s.live.sum("remit_issuer_keys_age_seconds", "issuer", issuer.Issuer)) * time.Second
			return []Finding{wrong(Warning, fmt.Sprintf("its keys cannot be had now: %v", issuer.Err), where,
				fmt.Sprintf("remit goes on with those that were confirmed %s ago, until jwks_max_stale; a rotated key is not known", age), remedy)}
		}
		return []Finding{wrong(Error, fmt.Sprintf("its keys cannot be had: %v", issuer.Err), where, "all its tokens are denied (unavailable)", remedy)}
	}
	if issuer.Keys == 0 {
		return []Finding{wrong(Error, "it publishes no key", where, "all its tokens are denied", "have the issuer publish its keys, or correct jwks_url")}
	}
	found = append(found, good(fmt.Sprintf("%s for %s, asked just now", counted(issuer.Keys, "key"), strings.Join(issuer.Algs, ", ")), where))
	for _, err := range s.unused {
		if reason, ok := strings.CutPrefix(err.Error(), "issuer "+issuer.Issuer+": "); ok {
			found = append(found, wrong(Warning, reason, where, "tokens that are signed with it are denied", "add its algorithm to algorithms, if it is meant to sign access tokens"))
		}
	}
	return found
}

// old is how long ago a file of keys may have been written before somebody asks
// whether the issuer has others by now.
const old = 365 * 24 * time.Hour

// kept judges keys in a file; whether it can be read the policy's examination says.
func kept(s *signs, listener string, jwt *config.JWT) Finding {
	info, err := os.Stat(jwt.JWKSFile)
	if err != nil {
		return wrong(Error, err.Error(), jwt.JWKSFile, "listener "+listener+" denies every token", "put the issuer's JSON Web Key Set there")
	}
	age := s.now.Sub(info.ModTime()).Round(time.Hour)
	what := fmt.Sprintf("the keys of issuer %s for %s are a file, %s old", jwt.Issuer, strings.Join(slices.Sorted(slices.Values(jwt.Algorithms)), ", "), age)
	if age > old {
		return wrong(Warning, what, jwt.JWKSFile, "a key that the issuer rotates in is not known, one that it withdrew still counts", "fetch the file anew, or use discovery: true")
	}
	return good(what, jwt.JWKSFile)
}
