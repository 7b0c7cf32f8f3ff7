package outcome

import (
	"net"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
)

// A Passage says whether a request that is over had passed a decision, as the
// proxy that let it through tells it.
type Passage string

// The passages. Undecided is what should not be: a request that reached an
// upstream, and Envoy had asked nobody about it (its route or listener is
// without ext_authz), or had no answer and went on (failure_mode_allow).
const (
	Allowed   Passage = "ok"
	Denied    Passage = "denied"
	Failed    Passage = "error" // Envoy had no answer, and denied
	Undecided Passage = "undecided"
)

// Watch has every passage told to seen. own is the address of the agents' door
// ("unix:PATH" or "HOST:PORT"), which agents reach without a decision; "" is
// none. It is called before the service is registered.
func (l *AccessLog) Watch(own string, seen func(Passage)) {
	l.own, l.seen = own, seen
}

// tell tells what became of a request, if that is known and worth knowing.
func (l *AccessLog) tell(entry *datav3.HTTPAccessLogEntry) {
	if p := l.passage(entry); l.seen != nil && p != "" {
		l.seen(p)
	}
}

// passage is "" for a request that is not over, or that no upstream has seen
// for a reason that has nothing to do with remit.
func (l *AccessLog) passage(entry *datav3.HTTPAccessLogEntry) Passage {
	common, details := entry.GetCommonProperties(), entry.GetResponse().GetResponseCodeDetails()
	upstream := addressOf(common.GetUpstreamRemoteAddress())
	switch {
	case !final(common):
		return ""
	case strings.HasPrefix(details, "ext_authz_error"):
		return Failed
	case denied(common, details):
		return Denied
	case decisionID(common) != "":
		return Allowed
	case upstream != "" && upstream != l.own:
		return Undecided
	default:
		return ""
	}
}

// addressOf is an address in the configuration's spelling, "" for none.
func addressOf(a *corev3.Address) string {
	if path := a.GetPipe().GetPath(); path != "" {
		return "unix:" + path
	}
	if s := a.GetSocketAddress(); s != nil {
		return net.JoinHostPort(s.GetAddress(), strconv.Itoa(int(s.GetPortValue())))
	}
	return ""
}
