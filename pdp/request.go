package pdp

import (
	"time"

	"github.com/remit-pdp/remit/pdp/value"
)

// Request is an envelope that has been read: what is asked, in one spelling.
type Request struct {
	Protocol Protocol
	Binding  Binding
	Method   string
	// Host is in lower case, without port and trailing dot. Of a connection it
	// is the name asked for in the TLS handshake, "" where there was none.
	Host string
	// Source and Destination are the ends of the connection at the proxy.
	Source, Destination Peer
	// Path is the canonical path without query; Segments are its parts,
	// percent-decoded (no part can contain a separator: such paths are refused).
	Path     string
	Segments []string
	// Query maps each name to the list of its values, in order.
	Query value.Value
	// Headers as one value per name. See [Headers.Joined].
	Headers value.Value
	// Body is the parsed body: a JSON value, a form's object of lists, or the
	// first message of a gRPC call; undefined where there is none or its type is
	// not one remit parses.
	Body      value.Value
	BodyState BodyState
	// RPC is the call that an MCP, A2A or gRPC request makes; nil otherwise.
	RPC *RPC
	// ID is the correlation id (x-request-id): shown and logged, never trusted.
	ID string
	// Digest is SHA-256 over what the tool will get: method, host, path with
	// query and body. See attributes for its exact form.
	Digest [32]byte
}

// RPC is one call: a JSON-RPC 2.0 message (MCP, A2A), or what A2A's HTTP binding
// and gRPC say in other ways.
type RPC struct {
	Method string
	// Service is the full name of the service of a gRPC method
	// ("tickets.v1.Tickets"); empty otherwise.
	Service string
	// Streaming says which side of a gRPC method sends more than one message:
	// "none", "client", "server" or "both"; empty where that is not known.
	Streaming string
	// ID is the request's id as JSON text ("7", "\"a\""); empty for a
	// notification or a response.
	ID string
	// Name is what the method acts on: a tool or prompt name, a resource URI, a
	// task id; of gRPC the service and method ("tickets.v1.Tickets/Get"). It is
	// empty for a method that names nothing.
	Name string
	// Arguments is `params.arguments` of a tools/call or prompts/get, and
	// Params all of `params`. Of A2A and gRPC both are the whole request.
	Arguments value.Value
	Params    value.Value
	// Revision is that of MCP ("2025-11-25") or A2A ("1.0") which the message is
	// read by.
	Revision string
	// Known says that the method is one of the revision's, or of a descriptor
	// set; an unknown method is a value that the policy sees.
	Known bool
	// Operation is what the protocol itself says that the method does; "" where
	// that is the catalog's to say, or the method is not known.
	Operation Operation
	// Notification says that the message is a JSON-RPC notification, which nobody
	// answers.
	Notification bool
	// Response says that the message answers a request of the server.
	Response bool
}

// Principal is one identity of a delegation chain.
type Principal struct {
	ID     string
	Issuer string
}

// Agent is who acts: the verified identity behind a request, and whom it acts
// for. The zero Agent is nobody: the request carried no credential at all.
type Agent struct {
	ID          string // verified, stable, unique within its issuer; "" is nobody
	Issuer      string
	Kind        string // "jwt", "spiffe", …: how it was proved
	TrustDomain string
	Owner       string
	Claims      value.Value // of the verified token; an object
	Scopes      []string
	// Chain holds the principals the agent acts for, nearest first (RFC 8693
	// section 4.1). A chain may only tighten a decision, never grant.
	Chain      []Principal
	Credential Presented
	// Workload is the verified peer that presented the agent's token, where
	// the listener proves both; nil otherwise.
	Workload *Workload
	// SessionClaim is the value of the configured claim of the verified
	// token that names the session, "" where there is none (DESIGN 5.4).
	SessionClaim string
}

// Presented is the credential that proved an agent, without its value.
type Presented struct {
	// Fingerprint is a keyed hash of the credential (invariant 7).
	Fingerprint string
	Kind        string // "jwt", "x509"
	IssuedAt    time.Time
	ExpiresAt   time.Time
	SenderBound bool
}

// Workload is the process that holds a connection, proved by its certificate.
type Workload struct {
	ID          string // SPIFFE id
	TrustDomain string
	Credential  Presented
}

// Principal names the workload, which is unique in its trust domain; the zero
// Principal for a nil one.
func (w *Workload) Principal() Principal {
	if w == nil {
		return Principal{}
	}
	return Principal{ID: w.ID, Issuer: "spiffe://" + w.TrustDomain}
}

// Known reports whether anybody was identified.
func (a *Agent) Known() bool { return a.ID != "" }

// Root returns the principal at the far end of the delegation chain, which
// everything the agent does is remembered under: usually a person, else the
// agent itself.
func (a *Agent) Root() Principal {
	if n := len(a.Chain); n > 0 {
		return a.Chain[n-1]
	}
	return Principal{ID: a.ID, Issuer: a.Issuer}
}

// Action is one thing an agent asks to do.
type Action struct {
	Operation Operation
	Tool      string
	Arguments value.Value // undefined where the protocol has none
	Digest    [32]byte    // the request's
	Target    Target
}

// Target is what an action acts on, as the catalog knows it.
type Target struct {
	ID          string // system and resource in one string
	System      string
	Resource    string
	Environment string
	Owner       string
	Sensitivity Sensitivity
	Labels      []string
	// Adds are the labels that a session picks up by an allowed access.
	Adds  []string
	Known bool // false: no entry of the catalog covers it
	// Entry is where the entry that describes it stands, below
	// data.remit.catalog ("systems.tickets.http.0"); "" where there is none.
	Entry string
	// Definition is what is known of the definition of the tool.
	Definition Definition
}
