package outcome

import (
	"net"
	"strconv"
	"strings"

	"github.com/remit-pdp/remit/pdp/door/wire"
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
func (l *AccessLog) tell(e *entry) {
	if l.seen == nil {
		return
	}
	if p := e.passage(l.own); p != "" {
		l.seen(p)
	}
}

// passage is "" for a request that is not over, or that no upstream but own has
// seen for a reason that has nothing to do with remit.
func (e *entry) passage(own string) Passage {
	switch {
	case !e.final():
		return ""
	case strings.HasPrefix(e.details, "ext_authz_error"):
		return Failed
	case e.denied():
		return Denied
	case e.decision() != "":
		return Allowed
	}
	if upstream := spelled(e.upstream); upstream != "" && upstream != own {
		return Undecided
	}
	return ""
}

// spelled is an address in the configuration's spelling, "" for none.
func spelled(a wire.Address) string {
	switch {
	case a.Kind == wire.Pipe && a.Name != "":
		return "unix:" + a.Name
	case a.Kind == wire.Socket:
		return net.JoinHostPort(a.Name, strconv.FormatUint(uint64(a.Port), 10))
	default:
		return ""
	}
}
