package operators

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Network says who may call over TLS. Whoever shows a token is who the token says,
// and else who the certificate of the connection says; the roles of the two are
// not added up. The zero value is nobody.
type Network struct {
	// Certificates are the roles of the names that certificates prove, and Groups
	// those of the groups that tokens do, each exactly.
	Certificates map[string][]Role
	Groups       map[string][]Role
	// NameOf returns which of the names in Certificates a verified certificate
	// proves; "" for none.
	NameOf func(*x509.Certificate) string
	// Tokens verifies tokens; nil takes none.
	Tokens Tokens
}

// Tokens verifies the bearer tokens (RFC 6750) of operators.
type Tokens interface {
	// Verify returns what records call the operator whose token is in the lines of
	// the header authorization, and the operator's groups. A token that is bound to
	// a certificate must be bound to the connection's, whose key the caller has
	// proved to hold; nil is none. Errors are for the log.
	Verify(ctx context.Context, authorization []string, connection *x509.Certificate) (name string, groups []string, err error)
}

// prove finds out who calls.
func (n *Network) prove(request *http.Request) (caller, error) {
	if authorization := request.Header.Values("authorization"); len(authorization) > 0 {
		return n.byToken(request, authorization)
	}
	leaf := presented(request)
	switch {
	case leaf == nil && n.Tokens == nil:
		return caller{}, errors.New("the connection has no certificate")
	case leaf == nil:
		return caller{}, errors.New("there is neither a token nor a certificate")
	case len(request.TLS.VerifiedChains) == 0:
		return caller{}, errors.New("nobody vouches for the connection's certificate")
	}
	name := n.NameOf(leaf)
	if name == "" {
		// It is proved who calls, and that they are nobody here.
		return caller{name: named(leaf)}, nil
	}
	return caller{name: name, roles: n.Certificates[name]}, nil
}

// byToken is who a token says. One that is not good is not made up for by a
// certificate.
func (n *Network) byToken(request *http.Request, authorization []string) (caller, error) {
	if n.Tokens == nil {
		return caller{}, errors.New("the call shows a token, and no issuer of operators' tokens is configured")
	}
	name, groups, err := n.Tokens.Verify(request.Context(), authorization, presented(request))
	if err != nil {
		return caller{}, err
	}
	c := caller{name: name}
	for _, group := range groups {
		c.roles = append(c.roles, n.Groups[group]...)
	}
	return c, nil
}

// presented is the certificate whose key the other end has proved to hold; nil
// where there is none.
func presented(request *http.Request) *x509.Certificate {
	if certificates := request.TLS.PeerCertificates; len(certificates) > 0 {
		return certificates[0]
	}
	return nil
}

// named is what a certificate without a role says it is, for the log.
func named(leaf *x509.Certificate) string {
	names := slices.Clone(leaf.DNSNames)
	for _, uri := range leaf.URIs {
		names = append(names, uri.String())
	}
	return fmt.Sprintf("the holder of the certificate for %q", names)
}

// challenge says how to prove who calls. There is no registered scheme for the
// certificate of a connection (RFC 9110 section 16.4.1).
func (n *Network) challenge() string {
	if n != nil && n.Tokens != nil {
		return `Bearer realm="remit operators"`
	}
	return `Certificate realm="remit operators"`
}
