package attributes

import (
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// A2A says which paths of a listener speak the Agent2Agent protocol. On them
// everything must be A2A. Its gRPC binding needs no path: the service has a name.
type A2A struct {
	// Paths are the exact paths of the JSON-RPC binding.
	Paths []string
	// HTTP are the base paths of the HTTP+JSON binding ("/a2a/v1"); "/" is all.
	HTTP []string
}

// a2aRevision is the version of A2A that is read. A request that says none is of
// 0.3 (A2A 1.0, section 3.6), whose messages have another form.
const a2aRevision = "1.0"

// a2aService is the service of the gRPC binding.
const a2aService = "lf.a2a.v1.A2AService"

// cardPath is where agents show their card to everybody (A2A 1.0, section 8.2).
const cardPath = "/.well-known/agent-card.json"

// AgentCard stands for asking for the card that an agent shows to everybody,
// which is a plain GET in every binding.
const AgentCard = "GetAgentCard"

// a2aMethods are the methods of A2A 1.0 (a2a.proto, service A2AService). A
// message to another agent carries data away and makes it act: it sends. A push
// notification configuration names a URL that results are sent to, and may hold
// the credentials for it.
var a2aMethods = map[string]rpcMethod{
	AgentCard:                          {operation: pdp.Discover},
	"GetExtendedAgentCard":             {operation: pdp.Discover},
	"SendMessage":                      {operation: pdp.Send},
	"SendStreamingMessage":             {operation: pdp.Send},
	"GetTask":                          {operation: pdp.Read, names: "id"},
	"ListTasks":                        {operation: pdp.Read},
	"SubscribeToTask":                  {operation: pdp.Read, names: "id"},
	"CancelTask":                       {operation: pdp.Write, names: "id"},
	"CreateTaskPushNotificationConfig": {operation: pdp.Send, names: "taskId"},
	"GetTaskPushNotificationConfig":    {operation: pdp.Credential, names: "taskId"},
	"ListTaskPushNotificationConfigs":  {operation: pdp.Credential, names: "taskId"},
	"DeleteTaskPushNotificationConfig": {operation: pdp.Delete, names: "taskId"},
}

// whichA2A returns how a request is A2A, by where it goes: as a message of the
// JSON-RPC binding, as a question for the card, or below the base path of the
// HTTP binding; "" where its path does not speak it.
func (r *Reader) whichA2A(e *asked, q *pdp.Request) (way a2aWay, base string) {
	declared, speaks := r.settings.A2A[e.Listener]
	if slices.Contains(declared.Paths, q.Path) || e.Extensions["remit_protocol"] == string(pdp.A2A) {
		return wayMessage, ""
	}
	if speaks && q.Path == cardPath && e.Method == "GET" {
		return wayCard, ""
	}
	for _, base := range declared.HTTP {
		base = strings.TrimSuffix(base, "/")
		if q.Path == base || strings.HasPrefix(q.Path, base+"/") {
			return wayHTTP, base
		}
	}
	return "", ""
}

// a2aWay is a way of being A2A.
type a2aWay string

const (
	wayMessage a2aWay = "message"
	wayCard    a2aWay = "card"
	wayHTTP    a2aWay = "http"
)

// readCard reads a request for the agent's card.
func readCard(q *pdp.Request) *pdp.Refusal {
	q.RPC = &pdp.RPC{Method: AgentCard, Revision: a2aRevision}
	describeA2A(q.RPC)
	return nil
}

// readA2A reads the JSON-RPC binding.
func readA2A(e *asked, q *pdp.Request) *pdp.Refusal {
	q.Binding = pdp.BindingJSONRPC
	if e.Method != "POST" {
		return refuseRPC("an A2A request is a POST with a message")
	}
	rpc, rule := readMessage(q)
	switch {
	case rule != "":
		return refuseRPC(rule)
	case rpc.Response || rpc.Notification:
		return refuseRPC("an A2A client sends requests with an id, and nothing else")
	}
	q.RPC = rpc
	if refusal := checkA2ARevision(e, q); refusal != nil {
		return refusal
	}
	rule = describeA2A(rpc)
	if rule == "" {
		rule = checkHints(e, rpc)
	}
	if rule != "" {
		q.RPC = nil
		return refuseRPC(rule)
	}
	return nil
}

// grpcA2A makes a gRPC call one of A2A. The service's name says its version;
// where the request says one as well, it is that.
func grpcA2A(e *asked, q *pdp.Request) *pdp.Refusal {
	q.Protocol, q.RPC.Revision = pdp.A2A, a2aRevision
	if m, listed := a2aMethods[q.RPC.Method]; listed && q.RPC.Method != AgentCard {
		q.RPC.Operation = m.operation
	}
	if said, lines := e.header(headerA2AVersion); lines > 0 && said != a2aRevision {
		return refuseRevision("A2A", said, pdp.A2AVersions)
	}
	return nil
}

// checkA2ARevision reads the version, which is in a header or in the query.
func checkA2ARevision(e *asked, q *pdp.Request) *pdp.Refusal {
	said, lines := e.header(headerA2AVersion)
	if list := q.Query.Get("A2A-Version"); list.Defined() {
		if list.Len() > 1 || lines > 0 && list.At(0).Text() != said {
			return refuseRPC("the request says its version of A2A in two ways")
		}
		said = list.At(0).Text()
	}
	q.RPC.Revision = said
	if said != a2aRevision {
		return refuseRevision("A2A", said, pdp.A2AVersions)
	}
	return nil
}

// describeA2A adds what the table knows about the method of rpc, and what its
// request holds. It returns the rule that is broken.
func describeA2A(rpc *pdp.RPC) string {
	rpc.Arguments = rpc.Params
	m, listed := a2aMethods[rpc.Method]
	if !listed || rpc.Method == AgentCard && rpc.Params.Defined() {
		return ""
	}
	rpc.Known, rpc.Operation = true, m.operation
	if rule := checkShape(rpc.Params, a2aShapes[rpc.Method]); rule != "" {
		return rule
	}
	if rpc.Method == "SendMessage" || rpc.Method == "SendStreamingMessage" {
		return checkA2AMessage(rpc.Params.Get("message"))
	}
	if m.names == "" {
		return ""
	}
	name, ok := rpc.Params.Get(m.names).Str()
	if !ok || name == "" || hasControl(name) {
		return m.names + " is not a name"
	}
	rpc.Name = name
	return ""
}

// checkA2AMessage holds a message to what both ends must agree on: that it has
// parts, and what each of them is.
func checkA2AMessage(message value.Value) string {
	parts := message.Get("parts")
	if parts.Len() == 0 {
		return "the message has no parts"
	}
	for _, part := range parts.Items() {
		contents := 0
		for _, content := range []string{"text", "raw", "url", "data"} {
			v := part.Get(content)
			if v.Defined() {
				contents++
			}
			if content != "data" && v.Defined() && v.Kind() != value.String {
				return "the " + content + " of a part is not a string"
			}
		}
		if contents != 1 {
			return "a part is not exactly one of text, raw, url and data"
		}
	}
	return ""
}
