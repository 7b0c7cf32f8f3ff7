package envoyconfig

import (
	"net"
	"strings"
	"time"
)

// Needs is the part of remit's configuration that Envoy's has to fit.
type Needs struct {
	Doors    []Door // where remit decides
	Outcomes Door   // where it learns what happened; without an address nowhere
	// Agents is the address of the agents' door, which is reached without a
	// decision; "" is none.
	Agents string
	// SessionHeader is the request header that remit's answer takes off; "" where
	// agents have no door to get what stands in it.
	SessionHeader string
	// PolicyTimeout is how long the policy may take.
	PolicyTimeout time.Duration
	// Pause is how long remit goes on answering after it said that it ends.
	Pause time.Duration
}

// Door is one address of remit's and what Envoy must know of it.
type Door struct {
	Name       string
	Address    string // "unix:PATH" or "HOST:PORT"
	TLS        bool
	Deadline   time.Duration // of a decision
	MaxMessage int           // bytes
	MinPing    time.Duration // pings more often than that end the connection
	// Certificate says that callers are known by the certificate of their
	// connection; EnvoyJWT that they are by the metadata of jwt_authn.
	Certificate, EnvoyJWT bool
	// XFCC says that callers are known by x-forwarded-client-cert.
	XFCC    bool
	Network bool // connections are asked about as well
}

// same reports whether an endpoint of Envoy's is a door's address. remit may
// listen on every address, and be known to Envoy by a name that only a
// resolver could compare.
func same(endpoint, address string) bool {
	if endpoint == address {
		return true
	}
	host, port, err := net.SplitHostPort(endpoint)
	ownHost, ownPort, ownErr := net.SplitHostPort(address)
	if err != nil || ownErr != nil || port != ownPort || strings.HasPrefix(address, socketScheme) {
		return false
	}
	everywhere := ownHost == "" || net.ParseIP(ownHost).IsUnspecified()
	return everywhere || host == ownHost || loopback(host) && loopback(ownHost)
}

const socketScheme = "unix:"

func loopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }
