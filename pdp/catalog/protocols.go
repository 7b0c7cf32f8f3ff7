package catalog

import (
	"strconv"
	"strings"

	"github.com/remit-pdp/remit/pdp"
)

func newHost() *host {
	return &host{mcp: make(map[string]*endpoint), grpc: make(map[string]*entry), network: make(map[uint32]*entry)}
}

// peerAgent is an agent that speaks A2A, at one of its paths.
type peerAgent struct {
	system  *system
	path    string
	message *entry // of sending a message; nil leaves it to the protocol
}

// tool is what policy calls the tool: of MCP the name that is called or read,
// never a task's id; of A2A the method; of gRPC service and method.
func tool(q *pdp.Request) string {
	switch {
	case q.Protocol == pdp.A2A:
		return q.RPC.Method
	case strings.HasPrefix(q.RPC.Method, "tasks/"):
		return ""
	default:
		return q.RPC.Name
	}
}

// hostOf is the host by which a request's system is found. A connection without
// a name in its TLS handshake goes to an address.
func hostOf(q *pdp.Request) string {
	if q.Protocol == pdp.Network && q.Host == "" {
		return q.Destination.Address
	}
	return q.Host
}

// agent finds the agent a request is sent to: by the path of the JSON-RPC
// binding, or the longest that the HTTP binding's path is below. gRPC and the
// public card have no path of their own: they are the only agent's of the host.
func (h *host) agent(q *pdp.Request) (found *peerAgent) {
	if q.Binding == pdp.BindingGRPC || q.Path == "/.well-known/agent-card.json" {
		for _, agent := range h.a2a {
			if found != nil && found.system != agent.system {
				return nil
			}
			found = agent
		}
		return found
	}
	for _, agent := range h.a2a {
		at := q.Path == agent.path || q.Binding == pdp.BindingHTTP && strings.HasPrefix(q.Path, strings.TrimSuffix(agent.path, "/")+"/")
		if at && (found == nil || len(agent.path) > len(found.path)) {
			found = agent
		}
	}
	return found
}

func (p *peerAgent) find(rpc *pdp.RPC, a *pdp.Action) {
	if p.message != nil && (rpc.Method == "SendMessage" || rpc.Method == "SendStreamingMessage") {
		p.message.describe(a, func(name string) (string, bool) { return argument(rpc, name) })
		return
	}
	p.system.protocol(rpc, a)
}

// findGRPC describes a gRPC call by its method, else by its service.
func (h *host) findGRPC(q *pdp.Request, a *pdp.Action) {
	if q.RPC == nil {
		return
	}
	found := h.grpc[q.RPC.Name]
	if found == nil {
		found = h.grpc[q.RPC.Service+"/"+fallback]
	}
	if found == nil {
		return
	}
	found.describe(a, func(name string) (string, bool) {
		switch name {
		case "service":
			return q.RPC.Service, true
		case "method":
			return q.RPC.Method, true
		default:
			return argument(q.RPC, name)
		}
	})
}

// findPort describes a connection by the port it goes to.
func (h *host) findPort(q *pdp.Request, a *pdp.Action) {
	if found := h.network[q.Destination.Port]; found != nil {
		port := strconv.FormatUint(uint64(q.Destination.Port), 10)
		found.describe(a, func(string) (string, bool) { return port, true })
	}
}

func portResource(q *pdp.Request) string {
	return "port/" + strconv.FormatUint(uint64(q.Destination.Port), 10)
}
