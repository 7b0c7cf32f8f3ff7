package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/remit-pdp/remit/pdp/config"
)

// look is how often the files are read again. They are read and not watched: that
// sees a renamed file, a swapped symlink (Kubernetes secrets) and a network
// file system alike.
const look = 2 * time.Second

// certificates are the certificate of an address and the authorities of its
// callers, kept up with their files. What is in force changes as a whole: a
// certificate that does not fit its key, is not valid now, or an authority
// that cannot be read leaves the ones before in force. Safe for concurrent use.
type certificates struct {
	key   string // of the configuration
	from  config.TLS
	shake handshake
	now   func() time.Time
	log   *slog.Logger
	force atomic.Pointer[pair]
	// Of the watching goroutine alone.
	refused [sha256.Size]byte // the latest files that could not be used
	warned  time.Time         // when the end of the certificate was last told of
}

// A handshake makes TLS of a certificate and the authorities of callers, nil where
// none are configured.
type handshake func(certificate tls.Certificate, authorities *x509.CertPool, from *config.TLS) *tls.Config

// pair is what one reading of the files gave.
type pair struct {
	digest [sha256.Size]byte
	config *tls.Config
	leaf   *x509.Certificate
}

// newCertificates reads the files for the first time.
func newCertificates(key string, from *config.TLS, shake handshake, now func() time.Time, log *slog.Logger) (*certificates, error) {
	c := &certificates{key: key, from: *from, shake: shake, now: now, log: log}
	p, err := c.read()
	if err != nil {
		return nil, err
	}
	c.force.Store(p)
	return c, nil
}

// CheckCertificates reads the certificates of every address as serving would.
// The warnings are of those that end soon.
func CheckCertificates(c *config.Config, now func() time.Time) (warnings []error, err error) {
	check := func(key string, from *config.TLS, shake handshake) {
		if from == nil {
			return
		}
		certificates, problem := newCertificates(key+".tls", from, shake, now, slog.New(slog.DiscardHandler))
		if problem != nil {
			err = errors.Join(err, problem)
		} else if ending := certificates.ending(); ending != nil {
			warnings = append(warnings, ending)
		}
	}
	for i := range c.Listeners {
		check("listeners."+c.Listeners[i].Name, c.Listeners[i].TLS, mutual)
	}
	check("outcomes", c.Outcomes.TLS, mutual)
	check("operators", operatorsFiles(&c.Operators), offered)
	return warnings, err
}

// credentials are what a gRPC server authenticates itself and its callers with.
func (c *certificates) credentials() credentials.TransportCredentials {
	current := c.current()
	current.NextProtos = []string{"h2"}
	return credentials.NewTLS(current)
}

// current is TLS with what is in force when a handshake begins.
func (c *certificates) current() *tls.Config {
	return &tls.Config{
		MinVersion:         version(c.from.MinVersion),
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.force.Load().config, nil },
	}
}

// read reads the files and finds out whether they can be used.
func (c *certificates) read() (*pair, error) {
	var texts [3][]byte
	for i, file := range []string{c.from.CertFile, c.from.KeyFile, c.from.ClientCAFile} {
		if file == "" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.key, err)
		}
		texts[i] = text
	}
	p := &pair{digest: sha256.Sum256(bytes.Join(texts[:], []byte{0}))}
	if current := c.force.Load(); current != nil && current.digest == p.digest {
		return current, nil
	}
	certificate, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		return p, fmt.Errorf("%s: %s with %s: %w", c.key, c.from.CertFile, c.from.KeyFile, err)
	}
	p.leaf = certificate.Leaf
	if now := c.now(); now.After(p.leaf.NotAfter) || now.Before(p.leaf.NotBefore) {
		return p, fmt.Errorf("%s: %s is valid from %s to %s, which is not now", c.key, c.from.CertFile,
			p.leaf.NotBefore.UTC().Format(time.RFC3339), p.leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	authorities, err := c.authorities(texts[2])
	if err != nil {
		return p, err
	}
	p.config = c.shake(certificate, authorities, &c.from)
	return p, nil
}

// authorities reads those that may vouch for callers; none where no file is named.
func (c *certificates) authorities(text []byte) (*x509.CertPool, error) {
	if c.from.ClientCAFile == "" {
		return nil, nil
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: %s holds no certificate", c.key, c.from.ClientCAFile)
	}
	return authorities, nil
}

// mutual is TLS that ends the handshake of every caller who does not prove one
// of the names. Sessions are not resumed: a resumed one would not be looked
// at with the authorities that are in force by then.
func mutual(certificate tls.Certificate, authorities *x509.CertPool, from *config.TLS) *tls.Config {
	return &tls.Config{
		Certificates:           []tls.Certificate{certificate},
		MinVersion:             version(from.MinVersion),
		NextProtos:             []string{"h2"},
		ClientAuth:             tls.RequireAndVerifyClientCert,
		ClientCAs:              authorities,
		SessionTicketsDisabled: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			if leaf := state.PeerCertificates[0]; nameOf(leaf, from.ClientNames) == "" {
				return fmt.Errorf("the caller's certificate %s %v is for none of client_names", leaf.DNSNames, leaf.URIs)
			}
			return nil
		},
	}
}

// watch keeps up with the files until ctx ends.
func (c *certificates) watch(ctx context.Context) {
	again := time.NewTicker(look)
	defer again.Stop()
	for {
		c.reload()
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// reload puts the files in force where they have changed and can be used. What
// cannot be used is told of once.
func (c *certificates) reload() {
	switch p, err := c.read(); {
	case err != nil:
		var digest [sha256.Size]byte
		if p != nil {
			digest = p.digest
		} else {
			digest = sha256.Sum256([]byte(err.Error()))
		}
		if digest != c.refused {
			c.refused = digest
			c.log.Warn("new certificates cannot be used; the ones before stay in force", "key", c.key, "error", err)
		}
	case p != c.force.Load():
		c.force.Store(p)
		c.refused, c.warned = [sha256.Size]byte{}, time.Time{}
		c.log.Info("new certificates are in force", "key", c.key, "until", p.leaf.NotAfter)
	}
	if ending := c.ending(); ending != nil && c.now().Sub(c.warned) > time.Hour {
		c.warned = c.now()
		c.log.Warn(ending.Error())
	}
}

// ending is an error when less than a fifth of the certificate's life is left.
func (c *certificates) ending() error {
	leaf := c.force.Load().leaf
	left, life := leaf.NotAfter.Sub(c.now()), leaf.NotAfter.Sub(leaf.NotBefore)
	if left > life/5 {
		return nil
	}
	return fmt.Errorf("%s: the certificate in %s ends at %s, in %s: renew it", c.key, c.from.CertFile,
		leaf.NotAfter.UTC().Format(time.RFC3339), left.Round(time.Second))
}
