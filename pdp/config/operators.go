package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Operators is where operators give their orders: always on a Unix socket, where
// whoever calls is who the kernel says they are, and over TCP as well where it is
// configured. There a certificate or a token proves who calls, on loopback too.
type Operators struct {
	// Address is "HOST:PORT" to answer over TCP beside the socket, which then
	// needs tls and roles; or "unix:PATH", which is the socket itself.
	Address string `yaml:"address"`
	// Socket is "unix:PATH" of the socket for this machine's operators; empty is
	// operators.sock in the state directory.
	Socket string        `yaml:"socket"`
	TLS    *OperatorsTLS `yaml:"tls"`
	OIDC   *OIDC         `yaml:"oidc"`
	// Roles are who may do what over TCP; nobody else may do anything.
	Roles []Grant `yaml:"roles"`
	// MaxConnections is how many connections over TCP are open at a time; more
	// wait.
	MaxConnections int `yaml:"max_connections"`
}

// OperatorsTLS is remit's side of the operators' connections. The files are read
// again when they change.
type OperatorsTLS struct {
	// CertFile is remit's certificate with its intermediates, PEM.
	CertFile string `yaml:"cert_file"`
	// KeyFile is the private key of the certificate, PEM.
	KeyFile string `yaml:"key_file"`
	// ClientCAFile holds the authorities that may vouch for an operator, PEM;
	// needed where roles name certificates.
	ClientCAFile string `yaml:"client_ca_file"`
	// MinVersion is the lowest version of TLS to speak: "1.3", or "1.2" for
	// clients that cannot do better.
	MinVersion string `yaml:"min_version"`
}

// OIDC is identity by a bearer token (RFC 6750) of an OpenID provider, which
// remit verifies as it does an agent's.
type OIDC struct {
	Token      `yaml:",inline"`
	IssuerKeys `yaml:",inline"`
	// Groups is the way to the claim that roles go by: a name, or a list of names.
	Groups ClaimPath `yaml:"claim"`
	// Name is the way to the claim that names the operator in records: one that
	// its holder cannot choose. sub is the only one that an issuer never gives
	// twice (OpenID Connect Core, section 5.7).
	Name ClaimPath `yaml:"name_claim"`
}

// Grant gives roles to those whom a certificate or a group of their token names.
type Grant struct {
	// Certificate is a SPIFFE id or a DNS name, exactly as the certificate has it.
	Certificate string `yaml:"certificate"`
	// Group is a value of the token's claim, exactly.
	Group string `yaml:"group"`
	// Roles are what the caller may do: viewer, revoker, approver; none holds
	// another.
	Roles []string `yaml:"roles"`
}

// operatorRoles are those that a path asks for: a role that opens nothing yet
// would open something one day, for people whom nobody had in mind then.
var operatorRoles = []string{"viewer", "revoker", "approver"}

// SocketPath is the path of the socket.
func (o *Operators) SocketPath() string {
	path, _ := cutSocket(o.Socket)
	return path
}

// TCP is the "HOST:PORT" to answer at; "" where there is none.
func (o *Operators) TCP() string {
	if _, isSocket := cutSocket(o.Address); isSocket {
		return ""
	}
	return o.Address
}

// CertificateNames are the names of certificates that have a role.
func (o *Operators) CertificateNames() (names []string) {
	for _, g := range o.Roles {
		if g.Certificate != "" {
			names = append(names, g.Certificate)
		}
	}
	return names
}

func (o *Operators) fill(stateDir string) {
	if _, isSocket := cutSocket(o.Address); isSocket {
		orString(&o.Socket, o.Address)
	}
	orString(&o.Socket, socketScheme+filepath.Join(stateDir, "operators.sock"))
	orString(&o.Address, o.Socket)
	orInt(&o.MaxConnections, 64)
	if o.TLS != nil {
		orString(&o.TLS.MinVersion, "1.3")
	}
	if o.OIDC != nil {
		o.OIDC.fill()
	}
}

func (o *OIDC) fill() {
	o.Token.fill()
	o.IssuerKeys.fill()
	if len(o.Groups) == 0 {
		o.Groups = ClaimPath{"groups"}
	}
	if len(o.Name) == 0 {
		o.Name = ClaimPath{"sub"}
	}
}

func (o *Operators) rebase(under func(*string)) {
	o.Address = rebaseSocket(o.Address, under)
	o.Socket = rebaseSocket(o.Socket, under)
	if o.TLS != nil {
		under(&o.TLS.CertFile)
		under(&o.TLS.KeyFile)
		under(&o.TLS.ClientCAFile)
	}
	if o.OIDC != nil {
		o.OIDC.rebase(under)
	}
}

func (o *Operators) problems(listeners []Listener, say sayFunc) {
	path, isSocket := cutSocket(o.Socket)
	switch {
	case !isSocket || path == "":
		say("operators.socket", "%q is not \"unix:PATH\"", o.Socket)
	case o.TCP() == "" && o.Address != o.Socket:
		say("operators.socket", "%s is another socket than operators.address %s: name one of them", o.Socket, o.Address)
	}
	if o.TCP() == "" {
		o.unused(say)
		return
	}
	checkHostPort("operators.address", o.Address, say)
	if o.MaxConnections < 1 || o.MaxConnections > 1<<16 {
		say("operators.max_connections", "%d is not between 1 and 65536", o.MaxConnections)
	}
	if o.TLS == nil {
		say("operators.tls", "is required over TCP, on loopback too: whoever reads along could give the next order; set cert_file and key_file, or name a socket, unix:PATH, as the address")
	} else {
		o.TLS.problems(say)
	}
	if o.OIDC != nil {
		o.OIDC.problems(listeners, say)
	}
	o.grantProblems(say)
}

// unused refuses what would have no effect: who wrote it means to have secured
// something.
func (o *Operators) unused(say sayFunc) {
	for key, set := range map[string]bool{"tls": o.TLS != nil, "oidc": o.OIDC != nil, "roles": len(o.Roles) > 0} {
		if set {
			say("operators."+key, "has no place on a socket alone, where the kernel says who calls; set operators.address to HOST:PORT, or remove it")
		}
	}
}

func (t *OperatorsTLS) problems(say sayFunc) {
	for name, file := range map[string]string{"cert_file": t.CertFile, "key_file": t.KeyFile} {
		if file == "" {
			say("operators.tls."+name, "is required: operators must know that it is remit whom they give orders")
		}
	}
	oneOf("operators.tls.min_version", t.MinVersion, []string{"1.2", "1.3"}, say)
}

func (o *OIDC) problems(listeners []Listener, say sayFunc) {
	o.Token.problems("operators.oidc", say)
	o.IssuerKeys.problems("operators.oidc", say)
	o.Groups.problems("operators.oidc.claim", say)
	o.Name.problems("operators.oidc.name_claim", say)
	for i := range listeners {
		for _, theirs := range listeners[i].Identity.tokens() {
			for _, audience := range o.Audience {
				if theirs.Issuer == o.Issuer && slices.Contains(theirs.Audience, audience) {
					say("operators.oidc.audience", "%q is also the audience of listener %q: an agent's token would be good for orders; have the issuer make operators' tokens for an audience of their own", audience, listeners[i].Name)
				}
			}
		}
	}
}

// tokens are what is asked of the tokens that a listener's callers present.
func (id *Identity) tokens() (all []*Token) {
	if id.JWT != nil {
		all = append(all, &id.JWT.Token)
	}
	if id.EnvoyJWT != nil {
		all = append(all, &id.EnvoyJWT.Token)
	}
	return all
}

// grantProblems holds every grant against what there is to prove it by.
func (o *Operators) grantProblems(say sayFunc) {
	if len(o.Roles) == 0 {
		say("operators.roles", "is required over TCP: without it nobody could give an order there; for example [{ certificate: spiffe://example.org/ops/ada, roles: [viewer, revoker] }]")
	}
	seen := make(map[string]bool)
	for i := range o.Roles {
		g, key := &o.Roles[i], fmt.Sprintf("operators.roles[%d]", i)
		g.problems(key, say)
		who := g.Certificate + "\x00" + g.Group
		if seen[who] {
			say(key, "%q is there twice: give all its roles in one entry", g.Certificate+g.Group)
		}
		seen[who] = true
		switch {
		case g.Group != "" && o.OIDC == nil:
			say(key+".group", "needs operators.oidc: whose tokens say who is in the group")
		case g.Certificate != "" && o.TLS != nil && o.TLS.ClientCAFile == "":
			say(key+".certificate", "needs operators.tls.client_ca_file: the authorities that may vouch for it")
		}
	}
	if o.OIDC != nil && !slices.ContainsFunc(o.Roles, func(g Grant) bool { return g.Group != "" }) {
		say("operators.oidc", "is of no use: no entry of operators.roles names a group")
	}
}

func (g *Grant) problems(key string, say sayFunc) {
	switch {
	case (g.Certificate == "") == (g.Group == ""):
		say(key, "must hold exactly one of certificate, group: whom the roles are for")
	case g.Certificate != "":
		if err := checkName(g.Certificate); err != nil {
			say(key+".certificate", "%v", err)
		}
	case strings.Contains(g.Group, "*"):
		say(key+".group", "%q has a wildcard: name each group", g.Group)
	}
	if len(g.Roles) == 0 {
		say(key+".roles", "is required: some of %s", strings.Join(operatorRoles, ", "))
	}
	for i, role := range g.Roles {
		oneOf(fmt.Sprintf("%s.roles[%d]", key, i), role, operatorRoles, say)
	}
}
