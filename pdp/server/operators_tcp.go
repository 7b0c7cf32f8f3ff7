package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/door/operators"
	"github.com/remit-pdp/remit/pdp/identity"
	"github.com/remit-pdp/remit/pdp/value"
)

// operatorsTCP is what the operators' door needs to be served over TCP.
type operatorsTCP struct {
	certificates *certificates
	// issuers are those of operators' tokens, apart from the agents': whether they
	// answer makes no difference to what is decided, or to being ready.
	issuers *identity.Issuers
	// tokens is nil where no issuer is configured.
	tokens *operatorTokens
}

func newOperatorsTCP(c *config.Config, keys *pdp.Keys, issuers *identity.Issuers, log *slog.Logger) (_ *operatorsTCP, err error) {
	t := &operatorsTCP{issuers: issuers}
	if t.certificates, err = newCertificates("operators.tls", operatorsFiles(&c.Operators), offered, time.Now, log); err != nil {
		return nil, err
	}
	if c.Operators.OIDC != nil {
		if t.tokens, err = newOperatorTokens(c.Operators.OIDC, issuers, keys); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// listen begins to ask the issuers, waiting for none, and opens the address.
func (t *operatorsTCP) listen(o *config.Operators) (net.Listener, error) {
	l, err := net.Listen("tcp", o.TCP())
	if err != nil {
		return nil, err
	}
	noWait, cancel := context.WithCancel(context.Background())
	cancel()
	t.issuers.Start(noWait)
	return tls.NewListener(limitedTo(o.MaxConnections, l), t.certificates.current()), nil
}

// network is who may call.
func (t *operatorsTCP) network(o *config.Operators) *operators.Network {
	n := &operators.Network{Certificates: make(map[string][]operators.Role), Groups: make(map[string][]operators.Role)}
	for _, g := range o.Roles {
		var roles []operators.Role
		for _, role := range g.Roles {
			roles = append(roles, operators.Role(role))
		}
		if g.Certificate != "" {
			n.Certificates[g.Certificate] = roles
		} else {
			n.Groups[g.Group] = roles
		}
	}
	names := o.CertificateNames()
	n.NameOf = func(leaf *x509.Certificate) string { return nameOf(leaf, names) }
	if t.tokens != nil {
		n.Tokens = t.tokens
	}
	return n
}

// operatorsFiles are the files of operators.tls; nil where there are none.
func operatorsFiles(o *config.Operators) *config.TLS {
	if o.TLS == nil {
		return nil
	}
	return &config.TLS{CertFile: o.TLS.CertFile, KeyFile: o.TLS.KeyFile, ClientCAFile: o.TLS.ClientCAFile, MinVersion: o.TLS.MinVersion}
}

// offered is TLS that takes a caller's certificate where there is one. Where no
// authority is configured it is taken unverified: it proves no name then, and a
// token may be bound to it (RFC 8705 section 6.2). Sessions are not resumed, as
// with [mutual].
func offered(certificate tls.Certificate, authorities *x509.CertPool, from *config.TLS) *tls.Config {
	demand := tls.RequestClientCert
	if authorities != nil {
		demand = tls.VerifyClientCertIfGiven
	}
	return &tls.Config{
		Certificates:           []tls.Certificate{certificate},
		MinVersion:             version(from.MinVersion),
		NextProtos:             []string{"http/1.1"},
		ClientAuth:             demand,
		ClientCAs:              authorities,
		SessionTicketsDisabled: true,
	}
}

// operatorTokens reads who an operator is from a verified token.
type operatorTokens struct {
	bearer *identity.Bearer
	oidc   *config.OIDC
}

var _ operators.Tokens = (*operatorTokens)(nil)

func newOperatorTokens(o *config.OIDC, issuers *identity.Issuers, keys *pdp.Keys) (*operatorTokens, error) {
	bearer, err := identity.NewBearer(identityJWT(tokenClaims(&o.Token), &o.IssuerKeys, "authorization"), issuers, keys, time.Now)
	if err != nil {
		return nil, fmt.Errorf("operators.oidc: %w", err)
	}
	return &operatorTokens{bearer, o}, nil
}

// CheckOperators makes ready what operators are known by, as serving would;
// issuers are then asked for their keys as well.
func CheckOperators(c *config.Config, keys *pdp.Keys, issuers *identity.Issuers) error {
	if c.Operators.OIDC == nil {
		return nil
	}
	_, err := newOperatorTokens(c.Operators.OIDC, issuers, keys)
	return err
}

// Verify implements [operators.Tokens]. The issuer is part of the name: another
// one may call somebody else the same.
func (t *operatorTokens) Verify(ctx context.Context, authorization []string, connection *x509.Certificate) (name string, groups []string, err error) {
	claims, err := t.bearer.Verify(ctx, authorization, connection)
	if err != nil {
		return "", nil, err
	}
	if name = claims.Path(t.oidc.Name...).Text(); name == "" {
		return "", nil, fmt.Errorf("the token's claim %s, which names the operator, is missing or not a string", strings.Join(t.oidc.Name, "."))
	}
	if err := chosen(t.oidc.Name, claims); err != nil {
		return "", nil, err
	}
	return name + " (" + t.oidc.Issuer + ")", groupsOf(claims.Path(t.oidc.Groups...)), nil
}

// chosen refuses an address that the issuer says it has not verified, which its
// holder may have chosen (OpenID Connect Core, section 5.1, email_verified).
func chosen(name config.ClaimPath, claims value.Value) error {
	verified := claims.Get("email_verified")
	if !slices.Equal(name, config.ClaimPath{"email"}) || !verified.Defined() {
		return nil
	}
	if is, ok := verified.Bool(); !ok || !is {
		return errors.New("the issuer has not verified the operator's email address, so that it names nobody")
	}
	return nil
}

// groupsOf reads a claim with one group, or a list of them.
func groupsOf(claim value.Value) (groups []string) {
	if one, ok := claim.Str(); ok {
		return []string{one}
	}
	for _, item := range claim.Items() {
		if group, ok := item.Str(); ok {
			groups = append(groups, group)
		}
	}
	return groups
}
