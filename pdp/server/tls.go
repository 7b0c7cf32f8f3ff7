package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"slices"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/remit-pdp/remit/pdp/config"
)

// nameOf returns the name that a verified certificate proves of those that may
// ask; "" when it proves none of them. A certificate with more than one URI
// proves no SPIFFE id (X509-SVID, section 2). Its subject proves nothing.
func nameOf(leaf *x509.Certificate, names []string) string {
	for _, name := range names {
		isURI := len(leaf.URIs) == 1 && leaf.URIs[0].String() == name
		if isURI || slices.Contains(leaf.DNSNames, name) {
			return name
		}
	}
	return ""
}

// caller names who asks at a listener: the verified name of the proxy's
// certificate, or the address where reaching it is the authentication.
func caller(l *config.Listener) func(context.Context) string {
	if l.TLS == nil {
		return func(context.Context) string { return l.Address }
	}
	names := slices.Clone(l.TLS.ClientNames)
	return func(ctx context.Context) string {
		p, ok := peer.FromContext(ctx)
		if !ok {
			return ""
		}
		info, ok := p.AuthInfo.(credentials.TLSInfo)
		if !ok || len(info.State.VerifiedChains) == 0 {
			return ""
		}
		return nameOf(info.State.PeerCertificates[0], names)
	}
}

// version is a minimum of the configuration, which was validated.
func version(minimum string) uint16 {
	if minimum == "1.2" {
		return tls.VersionTLS12
	}
	return tls.VersionTLS13
}
