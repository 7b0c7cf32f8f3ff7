package outcome

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"

	"github.com/remit-pdp/remit/pdp/door/wire"
)

func pipe(path string) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: path}}}
}

func socket(host string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

// What reached an upstream had passed a decision, or is told of.
func TestPassages(t *testing.T) {
	nobody := func(e *datav3.HTTPAccessLogEntry) { e.CommonProperties.Metadata = nil }
	details := func(is string) func(*datav3.HTTPAccessLogEntry) {
		return func(e *datav3.HTTPAccessLogEntry) { e.Response.ResponseCodeDetails = is }
	}
	eachReader(t, func(t *testing.T, read func(*datav3.HTTPAccessLogEntry) entry) {
		for name, c := range map[string]struct {
			change func(*datav3.HTTPAccessLogEntry)
			want   Passage
		}{
			"allowed": {nil, Allowed},
			"denied":  {details("ext_authz_denied"), Denied},
			"no answer": {func(e *datav3.HTTPAccessLogEntry) {
				nobody(e)
				e.Response.ResponseCodeDetails = "ext_authz_error"
			}, Failed},
			"not asked": {func(e *datav3.HTTPAccessLogEntry) {
				nobody(e)
				e.CommonProperties.UpstreamRemoteAddress = socket("10.0.0.1", 8080)
			}, Undecided},
			"not asked, on its way to another socket": {func(e *datav3.HTTPAccessLogEntry) {
				nobody(e)
				e.CommonProperties.UpstreamRemoteAddress = pipe("/run/tool.sock")
			}, Undecided},
			"to the agents' door": {func(e *datav3.HTTPAccessLogEntry) {
				nobody(e)
				e.CommonProperties.UpstreamRemoteAddress = pipe("/run/remit/agents.sock")
			}, ""},
			"refused before anybody was asked": {nobody, ""},
			"not over": {func(e *datav3.HTTPAccessLogEntry) {
				e.CommonProperties.AccessLogType = datav3.AccessLogType_DownstreamPeriodic
			}, ""},
		} {
			l := &AccessLog{}
			var got Passage
			l.Watch("unix:/run/remit/agents.sock", func(p Passage) { got = p })
			e := read(logged(c.change))
			if l.tell(&e); got != c.want {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
	})
	(&AccessLog{}).tell(&entry{}) // nobody counts
}

// The agents' door is known at a port, too.
func TestTheAgentsDoorAtAPort(t *testing.T) {
	e := entry{upstream: wire.Address{Kind: wire.Socket, Name: "::1", Port: 9000}}
	if p := e.passage("[::1]:9000"); p != "" {
		t.Errorf("to the door: %q", p)
	}
	if p := e.passage("[::1]:9001"); p != Undecided {
		t.Errorf("to another port: %q", p)
	}
}
