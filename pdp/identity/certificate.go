package identity

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"github.com/remit-pdp/remit/pdp"
)

// maxCertificate bounds a certificate's text: 64 KiB.
const maxCertificate = 64 << 10

const pemBegin = "-----BEGIN CERTIFICATE-----"

// readCertificate reads one certificate as Envoy writes it: PEM, URL-encoded.
func readCertificate(encoded string) (*x509.Certificate, error) {
	if len(encoded) > maxCertificate {
		return nil, fmt.Errorf("it is longer than %d bytes", maxCertificate)
	}
	text, err := url.PathUnescape(encoded)
	if err != nil {
		return nil, errors.New("it is not URL-encoded")
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0 ||
		!strings.HasPrefix(text, pemBegin) || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("it is not one certificate in PEM")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, errors.New("it is not an X.509 certificate")
	}
	return certificate, nil
}

// leaf checks that a certificate is an X509-SVID of a workload (SPIFFE X509-SVID,
// sections 2 to 5) and in force, and returns its id.
func leaf(c *x509.Certificate, now time.Time, skew time.Duration) (spiffeid.ID, error) {
	id, err := x509svid.IDFromCert(c) // exactly one URI, and that a SPIFFE id
	switch {
	case err != nil:
		return spiffeid.ID{}, fmt.Errorf("the certificate is no X509-SVID: %s", clip(err.Error()))
	case id.Path() == "":
		return spiffeid.ID{}, errors.New("the certificate names a trust domain and no workload")
	case c.IsCA || c.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0:
		return spiffeid.ID{}, errors.New("the certificate is an authority's, not a workload's")
	}
	return id, inForce(c, now, skew)
}

// inForce checks the times of a certificate, which is asked on every use.
func inForce(c *x509.Certificate, now time.Time, skew time.Duration) error {
	switch {
	case now.Add(skew).Before(c.NotBefore):
		return fmt.Errorf("the certificate is not valid for another %s", c.NotBefore.Sub(now).Round(time.Second))
	case !now.Before(c.NotAfter.Add(skew)):
		return fmt.Errorf("the certificate expired %s ago", now.Sub(c.NotAfter).Round(time.Second))
	}
	return nil
}

// A peer is the verified other end of a connection. It never changes once others
// can see it.
type peer struct {
	id spiffeid.ID
	// hash is SHA-256 of the certificate; known says that it is there.
	hash  [sha256.Size]byte
	known bool
	// certificate is nil where only its hash, or only its name, is known.
	certificate *x509.Certificate
	// chains lead from the certificate to the authorities that its signature
	// was verified with; nil where it was not.
	chains [][]*x509.Certificate

	once      sync.Once
	presented pdp.Presented
}

// credential describes what the peer presented. The connection proves that it
// holds the key, so it is always bound to its sender.
func (p *peer) credential(keys *pdp.Keys) pdp.Presented {
	p.once.Do(func() { p.presented = p.describe(keys) })
	return p.presented
}

func (p *peer) describe(keys *pdp.Keys) pdp.Presented {
	c := pdp.Presented{Kind: "x509", SenderBound: true}
	if p.known {
		c.Fingerprint = keys.Fingerprint("x509", hex.EncodeToString(p.hash[:]))
	} else {
		c.Fingerprint = keys.Fingerprint("spiffe", p.id.String())
	}
	if p.certificate != nil {
		c.IssuedAt, c.ExpiresAt = p.certificate.NotBefore, p.certificate.NotAfter
	}
	return c
}

// agent is the peer as the one who acts.
func (p *peer) agent(keys *pdp.Keys) pdp.Agent {
	domain := p.id.TrustDomain()
	return pdp.Agent{
		ID: p.id.String(), Issuer: domain.IDString(), Kind: "spiffe", TrustDomain: domain.Name(), Credential: p.credential(keys),
	}
}

// workload is the peer as the one who presents an agent's token.
func (p *peer) workload(keys *pdp.Keys) *pdp.Workload {
	return &pdp.Workload{ID: p.id.String(), TrustDomain: p.id.TrustDomain().Name(), Credential: p.credential(keys)}
}
