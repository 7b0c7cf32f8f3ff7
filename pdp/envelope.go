package pdp

import (
	"slices"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp/value"
)

// Envelope is a request as a door received it, in neutral terms and without
// any judgement. A door makes one per question; nothing changes it afterwards.
type Envelope struct {
	Door     string // the door's name: "ext_authz"
	Listener string // name of the configured listener the question came in by
	// Proxy is the authenticated name of the asking proxy, or of the way it
	// came in by (a Unix socket's path) where that is the authentication.
	Proxy    string
	Received time.Time // when remit got the question

	// Network says that the question is about a connection and not about a
	// request: everything that HTTP has is empty.
	Network bool
	// ServerName is the name that the client asked for in its TLS handshake
	// (SNI), where the proxy passes it on.
	ServerName string

	Method   string // as sent; case-sensitive
	Scheme   string
	Host     string // :authority, case and port preserved
	Path     string // :path with query, undecoded
	Protocol string // "HTTP/1.1", "HTTP/2", …
	Headers  Headers
	// HeadersJoined says that equal header names were joined with "," before
	// remit saw them, so that one value cannot be told from several.
	HeadersJoined bool
	Body          string // its bytes, whatever they are
	// BodySize is the proxy's count of body bytes; negative where it says
	// that it cut the body, 0 where it does not say.
	BodySize int64
	// BodyLossy says that the proxy may have replaced bytes of the body
	// (Envoy without pack_as_bytes), so that Body is not what the tool gets.
	BodyLossy bool

	// SessionTokens are the values of the session header, as sent; the header
	// is not among Headers. Any but one that is good is a denial.
	SessionTokens []string

	// HTTPID and Sent identify a question among those of one Proxy
	// (invariant 10): Envoy's internal stream id, and when the first byte of
	// the request arrived at the proxy.
	HTTPID string
	Sent   time.Time
	// TrustID says that the listener's proxy chooses HTTPID itself, so that a
	// repeated one is a repeated question; otherwise it identifies nothing.
	TrustID bool

	Source      Peer
	Destination Peer
	// Metadata is what filters of the proxy say about the request: an object
	// of namespaces. A hint, except from a namespace that the configuration
	// says this listener verifies.
	Metadata value.Value
	// Extensions are the route's settings, made by the proxy's operator.
	Extensions map[string]string
	// Attributes is the question in opa-envoy-plugin's form
	// (`input.attributes`), read on demand.
	Attributes value.Value
}

// Peer is one end of the connection that a request arrived on, as the proxy
// saw it.
type Peer struct {
	Address   string // IP address, or a path
	Port      uint32
	Principal string // verified name: URI SAN, DNS SAN or subject
	// Certificate is the URL-encoded PEM leaf certificate the peer presented.
	Certificate string
}

// Header is one header line. Name is in lower case.
type Header struct{ Name, Value string }

// Headers are the header lines of a request in the order they were sent,
// pseudo-headers (":method") included.
type Headers []Header

// Get returns the first value of a header and how many lines carry the name,
// which must be in lower case.
func (h Headers) Get(name string) (first string, lines int) {
	for _, header := range h {
		if header.Name != name {
			continue
		}
		if lines == 0 {
			first = header.Value
		}
		lines++
	}
	return first, lines
}

// Joined returns the headers as the object `input.request.headers` shows: one
// member a name, the values of equal names joined with ",". It reads h when it
// is asked, so h must not change for as long as it is in use.
func (h *Headers) Joined() value.Value { return value.From((*joinedHeaders)(h)) }

// joinedHeaders is the object of headers.
type joinedHeaders Headers

// Get implements [value.Object].
func (h *joinedHeaders) Get(name string) value.Value {
	joined, lines := Headers(*h).Get(name)
	switch lines {
	case 0:
		return value.Nothing
	case 1:
		return value.Str(joined)
	}
	same := slices.DeleteFunc(slices.Clone(*h), func(line Header) bool { return line.Name != name })
	return same.join()
}

// Range implements [value.Object], in the order of names.
func (h *joinedHeaders) Range(visit func(name string, v value.Value) bool) {
	sorted := slices.Clone(*h)
	slices.SortStableFunc(sorted, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
	for len(sorted) > 0 {
		name, n := sorted[0].Name, 1
		for n < len(sorted) && sorted[n].Name == name {
			n++
		}
		if !visit(name, sorted[:n].join()) {
			return
		}
		sorted = sorted[n:]
	}
}

// join returns the values of lines that have one name.
func (h joinedHeaders) join() value.Value {
	if len(h) == 1 {
		return value.Str(h[0].Value)
	}
	values := make([]string, len(h))
	for i, line := range h {
		values[i] = line.Value
	}
	return value.Str(strings.Join(values, ","))
}
