// Package attributes reads a request into who wants to do what: protocol, one
// spelling of host and path, headers, and a strictly read body (HTTP and MCP).
//
// It refuses instead of repairing. Whatever two readers could take for two
// different things (a path with two spellings, a body with a repeated member)
// is not decided about, because what the policy saw would not be what the tool
// gets (DESIGN, invariant 5). The package is pure: it does no I/O and keeps
// nothing.
package attributes

import (
	"github.com/remit-pdp/remit/pdp"
)

// Settings say what a reader cannot see in a request.
type Settings struct {
	// MCPPaths are the exact paths that speak MCP, by the name of the listener.
	// On them everything must be MCP.
	MCPPaths map[string][]string
	// A2A says where a listener speaks A2A, by its name.
	A2A map[string]A2A
	// Network names the listeners that are asked about connections as well.
	Network map[string]bool
	// Descriptors describe the gRPC services behind a listener, by its name.
	Descriptors map[string]*Descriptors
}

// Reader reads envelopes. It implements [pdp.Reader]; immutable, safe for
// concurrent use.
type Reader struct{ settings Settings }

var _ pdp.Reader = (*Reader)(nil)

// New returns a reader with these settings.
func New(s Settings) *Reader { return &Reader{s} }

// The reason codes of what cannot be read.
const (
	CodeConnection = "unreadable_connection"
	CodeHost       = "unreadable_host"
	CodePath       = "unreadable_path"
	CodeHeader     = "unreadable_header"
	CodeBody       = "unreadable_body"
	CodeRPC        = "unreadable_rpc"
	CodeGRPC       = "unreadable_grpc"
	CodeTruncated  = "truncated_body"
)

// refuse says what could not be read. detail names the rule and the place, and
// never holds a value of the request.
func refuse(code, detail string) *pdp.Refusal {
	return pdp.Refuse(pdp.Unreadable, code, "the request cannot be read in exactly one way", detail)
}

// Read implements [pdp.Reader].
func (r *Reader) Read(envelope *pdp.Envelope) (pdp.Request, error) {
	e := ask(envelope)
	q := pdp.Request{
		Protocol: pdp.HTTP, Binding: pdp.BindingHTTP, Method: e.Method, BodyState: pdp.BodyUnreadable, Digest: digest(envelope),
		Source: e.Source, Destination: e.Destination,
	}
	if e.Network {
		return r.readConnection(&e, q)
	}
	q.ID, _ = e.header(headerRequestID)
	q.Headers = e.Headers.Joined()
	if isGRPC(&e) { // whatever is wrong with it, its client is told in its own way
		q.Protocol, q.Binding = pdp.GRPC, pdp.BindingGRPC
	}
	if refusal := r.read(&e, &q); refusal != nil {
		return q, refusal
	}
	return q, nil
}

func (r *Reader) read(e *asked, q *pdp.Request) *pdp.Refusal {
	if refusal := readMethod(e.Method); refusal != nil {
		return refusal
	}
	if refusal := readHost(e, q); refusal != nil {
		return refusal
	}
	if refusal := readTarget(e.Path, q); refusal != nil {
		return refusal
	}
	if refusal := checkHeaders(e); refusal != nil {
		return refusal
	}
	return r.readProtocol(e, q)
}

// readProtocol reads what the request's protocol says, by where the request
// goes: what is declared there wins over what the request says of itself.
func (r *Reader) readProtocol(e *asked, q *pdp.Request) *pdp.Refusal {
	mcp := r.isMCP(e, q)
	a2a, base := r.whichA2A(e, q)
	switch {
	case mcp && a2a != "":
		return refuse(CodeRPC, "the path is declared to speak MCP and A2A")
	case mcp:
		q.Protocol = pdp.MCP
	case a2a != "":
		q.Protocol = pdp.A2A
	case q.Binding == pdp.BindingGRPC:
		return r.readGRPC(e, q)
	}
	if refusal := readBody(e, q); refusal != nil {
		return refusal
	}
	switch a2a {
	case wayMessage:
		return readA2A(e, q)
	case wayCard:
		return readCard(q)
	case wayHTTP:
		return readA2AHTTP(e, q, base)
	default:
		return readMCP(e, q, mcp)
	}
}

// readMethod accepts a token of RFC 9110 section 5.6.2 in upper case, except
// CONNECT: what goes through a tunnel nobody sees.
func readMethod(method string) *pdp.Refusal {
	if method == "" {
		return refuse(CodeHeader, "there is no method: the check is not about an HTTP request")
	}
	for _, b := range []byte(method) {
		if (b < 'A' || b > 'Z') && b != '-' && b != '_' {
			return refuse(CodeHeader, "the method is not an upper-case token")
		}
	}
	if method == "CONNECT" {
		return refuse(CodeHeader, "CONNECT opens a tunnel whose content is not seen")
	}
	return nil
}

// readConnection reads a question about a connection. Of what will be sent over
// it nothing is known, so it is one only where the configuration says that there
// are such: a policy about requests would know nothing to deny.
func (r *Reader) readConnection(e *asked, q pdp.Request) (pdp.Request, error) {
	q.Protocol, q.Binding, q.BodyState = pdp.Network, "", pdp.BodyUnseen
	if !r.settings.Network[e.Listener] {
		return q, refuse(CodeConnection, "the check is not about an HTTP request; a listener that is asked about connections says network: true")
	}
	if e.ServerName == "" {
		return q, nil
	}
	host, ok := canonicalHost(e.ServerName)
	if !ok {
		return q, refuse(CodeHost, "the name asked for in the TLS handshake is too long or has a character that no host has")
	}
	q.Host = host
	return q, nil
}
