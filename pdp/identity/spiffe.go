package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/remit-pdp/remit/pdp"
)

// trustDomains are those whose workloads a listener accepts.
type trustDomains map[spiffeid.TrustDomain]bool

func readTrustDomains(names []string) (trustDomains, error) {
	if len(names) == 0 {
		return nil, errors.New("no trust domain is accepted: name them in trust_domains")
	}
	domains := make(trustDomains)
	for _, name := range names {
		domain, err := spiffeid.TrustDomainFromString(name)
		if err != nil {
			return nil, fmt.Errorf("trust_domains: %q is not a trust domain, like prod.example.com: %w", name, err)
		}
		domains[domain] = true
	}
	return domains, nil
}

// accept refuses an id of another trust domain.
func (d trustDomains) accept(id spiffeid.ID) *pdp.Refusal {
	if !d[id.TrustDomain()] {
		return refuse("the trust domain %q is not one of those that are accepted", clip(id.TrustDomain().Name()))
	}
	return nil
}

// bySPIFFE is a listener whose proxy verifies X509-SVIDs.
type bySPIFFE struct {
	settings *SPIFFE
	domains  trustDomains
	// roots are the authorities of the domains that are verified again.
	roots map[spiffeid.TrustDomain]*x509.CertPool
	// known are the peers whose certificates were found good.
	known *cache[*peer]
}

func newSPIFFE(s *SPIFFE) (*bySPIFFE, error) {
	domains, err := readTrustDomains(s.TrustDomains)
	if err != nil {
		return nil, err
	}
	b := &bySPIFFE{settings: s, domains: domains, roots: make(map[spiffeid.TrustDomain]*x509.CertPool), known: newCache[*peer]()}
	for name, path := range s.Bundles {
		domain, err := spiffeid.TrustDomainFromString(name)
		if err != nil || !domains[domain] {
			return nil, fmt.Errorf("trust_bundles: %q is not one of trust_domains", name)
		}
		if s.PrincipalAlone {
			return nil, errors.New("trust_bundles: certificates cannot be verified where they need not be there; set certificate: required")
		}
		bundle, err := x509bundle.Load(domain, path)
		if err != nil || bundle.Empty() {
			return nil, fmt.Errorf("trust_bundles.%s: %s does not hold the domain's authorities in PEM (%v)", name, path, err)
		}
		pool := x509.NewCertPool()
		for _, authority := range bundle.X509Authorities() {
			pool.AddCert(authority)
		}
		b.roots[domain] = pool
	}
	return b, nil
}

// peer returns who is at the other end of the connection: nil where nobody
// presented a certificate.
func (b *bySPIFFE) peer(e *pdp.Envelope, now time.Time) (*peer, *pdp.Refusal) {
	if e.Source.Principal == "" && e.Source.Certificate == "" {
		return nil, nil
	}
	key := b.known.key(e.Source.Principal, e.Source.Certificate)
	if p := b.recall(key, now); p != nil {
		return p, nil
	}
	p, refusal := b.verify(e, now)
	if refusal == nil {
		b.remember(key, p, now)
	}
	return p, refusal
}

// verify checks the name that the proxy has verified, and its certificate.
func (b *bySPIFFE) verify(e *pdp.Envelope, now time.Time) (*peer, *pdp.Refusal) {
	id, err := spiffeid.FromString(e.Source.Principal)
	if err != nil || id.Path() == "" {
		return nil, refuse("the peer's verified name %q is not the SPIFFE id of a workload", clip(e.Source.Principal))
	}
	if refusal := b.domains.accept(id); refusal != nil {
		return nil, refusal
	}
	if e.Source.Certificate == "" {
		if !b.settings.PrincipalAlone {
			return nil, refuse("the proxy did not send the peer's certificate: set include_peer_certificate")
		}
		return &peer{id: id}, nil
	}
	return b.certified(id, e.Source.Certificate, now)
}

// recall returns the peer that was found good before with the same name and
// certificate, nil where a time calls for another look: the certificate's own,
// or an authority's.
func (b *bySPIFFE) recall(key cacheKey, now time.Time) *peer {
	p, known := b.known.get(key)
	switch {
	case !known:
		return nil
	case p.certificate == nil:
		return p
	case inForce(p.certificate, now, b.settings.Skew) != nil:
		return nil
	}
	at := within(p.certificate, now)
	if p.chains != nil && !slices.ContainsFunc(p.chains, func(chain []*x509.Certificate) bool { return chainInForce(chain, at) }) {
		return nil
	}
	return p
}

// remember keeps a peer that was found good.
func (b *bySPIFFE) remember(key cacheKey, p *peer, now time.Time) {
	weight, ends := 0, now.Add(time.Hour)
	if p.certificate != nil {
		weight, ends = certificateWeight+2*len(p.certificate.Raw), p.certificate.NotAfter.Add(b.settings.Skew)
	}
	b.known.put(key, p.id.String(), p, weight, now, ends)
}

// certificateWeight is about what a certificate takes beside its bytes.
const certificateWeight = 4 << 10

func chainInForce(chain []*x509.Certificate, at time.Time) bool {
	return !slices.ContainsFunc(chain, func(c *x509.Certificate) bool { return at.Before(c.NotBefore) || at.After(c.NotAfter) })
}

// certified checks the certificate of a peer whose name the proxy has verified.
func (b *bySPIFFE) certified(id spiffeid.ID, encoded string, now time.Time) (*peer, *pdp.Refusal) {
	certificate, err := readCertificate(encoded)
	if err != nil {
		return nil, refuse("the peer's certificate cannot be read: %s", err)
	}
	stated, err := leaf(certificate, now, b.settings.Skew)
	if err != nil {
		return nil, refuse("%s", err)
	}
	if stated != id {
		return nil, refuse("the certificate is that of %q, and the verified name is %q", clip(stated.String()), clip(id.String()))
	}
	p := &peer{id: id, hash: sha256.Sum256(certificate.Raw), known: true, certificate: certificate}
	if roots := b.roots[id.TrustDomain()]; roots != nil {
		p.chains, err = certificate.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: within(certificate, now), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err != nil {
			return nil, refuse("no authority of the trust domain's bundle has signed the certificate")
		}
	}
	return p, nil
}

// within returns now, moved into the certificate's time, which was checked with
// the skew that is allowed.
func within(c *x509.Certificate, now time.Time) time.Time {
	switch {
	case now.Before(c.NotBefore):
		return c.NotBefore
	case now.After(c.NotAfter):
		return c.NotAfter
	}
	return now
}
