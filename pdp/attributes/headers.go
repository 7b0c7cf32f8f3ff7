package attributes

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp"
)

// single are the headers that decide something and may therefore be there once
// at most: with two, one reader takes the first and another the last
// (CVE-2021-32777).
var single = []string{
	"a2a-version", "authorization", "content-encoding", "content-length", "content-type", "grpc-encoding", "host", "mcp-method", "mcp-name",
	"mcp-protocol-version", "mcp-session-id", "x-request-id", partialHeader,
}

// overrides are headers by which some servers take another method or path than
// the request's.
var overrides = []string{
	"x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url",
}

// commas are the single headers whose value can hold a comma of its own.
var commas = []string{"authorization", "mcp-name", "content-type"}

// checkHeaders refuses what is said twice, or in two ways.
func checkHeaders(e *pdp.Envelope) *pdp.Refusal {
	for _, h := range e.Headers {
		dashed := strings.ReplaceAll(h.Name, "_", "-")
		if dashed != h.Name && slices.Contains(single, dashed) {
			return refuse(CodeHeader, "a header is spelt with an underscore where servers read a dash: "+dashed)
		}
		if slices.Contains(overrides, dashed) {
			return refuse(CodeHeader, "a header gives some servers another method or path: "+dashed)
		}
	}
	for _, name := range single {
		v, lines := e.Headers.Get(name)
		if lines > 1 {
			return refuse(CodeHeader, "the header "+name+" is there more than once")
		}
		if e.HeadersJoined && strings.Contains(v, ",") && !slices.Contains(commas, name) {
			return refuse(CodeHeader, "the header "+name+" may have been there more than once")
		}
	}
	if _, lines := e.Headers.Get("upgrade"); lines > 0 {
		return refuse(CodeHeader, "the request asks for an upgrade, whose content is not seen")
	}
	// agentgateway repeats traceparent; two that say the same are one.
	for _, h := range e.Headers {
		if first, _ := e.Headers.Get("traceparent"); h.Name == "traceparent" && h.Value != first {
			return refuse(CodeHeader, "there are two different headers traceparent")
		}
	}
	return nil
}

// readHost brings the host to one spelling: lower case, without port and
// trailing dot.
func readHost(e *pdp.Envelope, q *pdp.Request) *pdp.Refusal {
	if host, lines := e.Headers.Get("host"); lines > 0 && !strings.EqualFold(host, e.Host) {
		return refuse(CodeHost, "the headers host and :authority differ")
	}
	if authority, lines := e.Headers.Get(":authority"); lines > 0 && authority != e.Host {
		return refuse(CodeHost, "the header :authority differs from the host of the check")
	}
	host, ok := canonicalHost(e.Host)
	if !ok {
		return refuse(CodeHost, "the host is empty, too long, or has a character that no host has")
	}
	q.Host = host
	return nil
}

// maxHost is the longest name that DNS knows (RFC 1035 section 2.3.4). A host is
// remembered, so it must not be of any length.
const maxHost = 253

// canonicalHost returns the one spelling of a host that is compared and
// remembered.
func canonicalHost(host string) (string, bool) {
	if end := strings.LastIndexByte(host, ':'); end >= 0 && !strings.HasSuffix(host, "]") {
		if !digits(host[end+1:]) {
			return "", false
		}
		host = host[:end]
	}
	if inner, isLiteral := strings.CutPrefix(host, "["); isLiteral {
		return canonicalIPv6(inner)
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if len(host) > maxHost {
		return "", false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", false
		}
	}
	return host, true
}

// canonicalIPv6 returns the address in brackets, of which the first is gone, as
// RFC 5952 writes it: there are many ways to.
func canonicalIPv6(s string) (string, bool) {
	inner, closed := strings.CutSuffix(s, "]")
	address, err := netip.ParseAddr(inner)
	if !closed || err != nil || !address.Is6() || address.Zone() != "" {
		return "", false
	}
	return "[" + address.String() + "]", true
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
