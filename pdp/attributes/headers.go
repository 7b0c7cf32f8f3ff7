package attributes

import (
	"net/netip"
	"strings"

	"github.com/remit-pdp/remit/pdp"
)

// holdsCommas reports whether the value of a single header can hold a comma of
// its own.
func holdsCommas(h headerID) bool {
	return h == headerAuthorization || h == headerMCPName || h == headerContentType
}

// checkHeaders refuses what is said twice, or in two ways.
func checkHeaders(e *asked) *pdp.Refusal {
	if e.misspelt != "" {
		return refuse(CodeHeader, e.misspelt)
	}
	for h := range singleCount {
		v, lines := e.header(h)
		if lines > 1 {
			return refuse(CodeHeader, "the header "+headerNames[h]+" is there more than once")
		}
		if e.HeadersJoined && strings.Contains(v, ",") && !holdsCommas(h) {
			return refuse(CodeHeader, "the header "+headerNames[h]+" may have been there more than once")
		}
	}
	if _, lines := e.header(headerUpgrade); lines > 0 {
		return refuse(CodeHeader, "the request asks for an upgrade, whose content is not seen")
	}
	// agentgateway repeats traceparent; two that say the same are one.
	if e.traces {
		return refuse(CodeHeader, "there are two different headers traceparent")
	}
	return nil
}

// readHost brings the host to one spelling: lower case, without port and
// trailing dot.
func readHost(e *asked, q *pdp.Request) *pdp.Refusal {
	if host, lines := e.header(headerHost); lines > 0 && !strings.EqualFold(host, e.Host) {
		return refuse(CodeHost, "the headers host and :authority differ")
	}
	if authority, lines := e.header(headerAuthority); lines > 0 && authority != e.Host {
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
		if !isLabel(label) {
			return "", false
		}
	}
	return host, true
}

// isLabel reports whether s, in lower case, can stand between the dots of a host.
func isLabel(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return s != ""
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
