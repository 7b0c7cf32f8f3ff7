package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
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
}

func newSPIFFE(s *SPIFFE) (*bySPIFFE, error) {
	domains, err := readTrustDomains(s.TrustDomains)
	if err != nil {
		return nil, err
	}
	b := &bySPIFFE{settings: s, domains: domains, roots: make(map[spiffeid.TrustDomain]*x509.CertPool)}
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
	if roots := b.roots[id.TrustDomain()]; roots != nil {
		_, err := certificate.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: within(certificate, now), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err != nil {
			return nil, refuse("no authority of the trust domain's bundle has signed the certificate")
		}
	}
	return &peer{id: id, hash: sha256.Sum256(certificate.Raw), known: true, certificate: certificate}, nil
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
