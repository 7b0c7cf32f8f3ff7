package attributes

import (
	"strings"

	"github.com/remit-pdp/remit/pdp"
)

// asked is an envelope whose headers have been gone through once: reading a
// request asks for a dozen of them, most of them again and again.
type asked struct {
	*pdp.Envelope
	lines [headerCount]line
	// misspelt is the rule that the first name breaks which some server takes
	// for another, and traces says that two headers traceparent differ.
	misspelt string
	traces   bool
}

// line is the first line of a header, and how many lines have its name.
type line struct {
	first string
	lines int
}

// headerID is one of the headers that reading a request looks at.
type headerID int

// The headers that decide something and may therefore be there once at most:
// with two, one reader takes the first and another the last (CVE-2021-32777).
const (
	headerA2AVersion headerID = iota
	headerAuthorization
	headerContentEncoding
	headerContentLength
	headerContentType
	headerGRPCEncoding
	headerHost
	headerMCPMethod
	headerMCPName
	headerMCPVersion
	headerMCPSession
	headerRequestID
	headerPartial
	singleCount // what follows may be there more often
)

// The others.
const (
	headerAuthority = singleCount + iota
	headerTraceparent
	headerTransferEncoding
	headerUpgrade
	headerCount
)

// partialHeader is what Envoy says about a body it buffered. The client's own
// copy never gets here: Envoy drops it (reference: ext_authz, with_request_body).
const partialHeader = "x-envoy-auth-partial-body"

var headerNames = [headerCount]string{
	"a2a-version", "authorization", "content-encoding", "content-length", "content-type", "grpc-encoding", "host", "mcp-method", "mcp-name",
	"mcp-protocol-version", "mcp-session-id", "x-request-id", partialHeader,
	":authority", "traceparent", "transfer-encoding", "upgrade",
}

// headerOf finds a header by its name; a switch does so without a hash.
func headerOf(name string) (h headerID, known bool) {
	switch name {
	case "a2a-version":
		h = headerA2AVersion
	case "authorization":
		h = headerAuthorization
	case "content-encoding":
		h = headerContentEncoding
	case "content-length":
		h = headerContentLength
	case "content-type":
		h = headerContentType
	case "grpc-encoding":
		h = headerGRPCEncoding
	case "host":
		h = headerHost
	case "mcp-method":
		h = headerMCPMethod
	case "mcp-name":
		h = headerMCPName
	case "mcp-protocol-version":
		h = headerMCPVersion
	case "mcp-session-id":
		h = headerMCPSession
	case "x-request-id":
		h = headerRequestID
	case partialHeader:
		h = headerPartial
	case ":authority":
		h = headerAuthority
	case "traceparent":
		h = headerTraceparent
	case "transfer-encoding":
		h = headerTransferEncoding
	case "upgrade":
		h = headerUpgrade
	default:
		return 0, false
	}
	return h, true
}

// ask goes through the headers of e.
func ask(e *pdp.Envelope) (a asked) {
	a.Envelope = e
	for i := range e.Headers {
		name := e.Headers[i].Name
		h, known := headerOf(name)
		if !known {
			if a.misspelt == "" {
				a.misspelt = misspelt(name)
			}
			continue
		}
		l := &a.lines[h]
		if l.lines++; l.lines == 1 {
			l.first = e.Headers[i].Value
		} else if h == headerTraceparent && e.Headers[i].Value != l.first {
			a.traces = true
		}
	}
	return a
}

// header returns the first value of a header and how many lines carry its name.
func (a *asked) header(h headerID) (first string, lines int) {
	return a.lines[h].first, a.lines[h].lines
}

// misspelt returns the rule that the name of a header breaks, "" where it breaks
// none.
func misspelt(name string) string {
	dashed := name
	if strings.IndexByte(name, '_') >= 0 {
		dashed = strings.ReplaceAll(name, "_", "-")
		if h, known := headerOf(dashed); known && h < singleCount {
			return "a header is spelt with an underscore where servers read a dash: " + dashed
		}
	}
	// By these some servers take another method or path than the request's.
	switch dashed {
	case "x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url":
		return "a header gives some servers another method or path: " + dashed
	}
	return ""
}
