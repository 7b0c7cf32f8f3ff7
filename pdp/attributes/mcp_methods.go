package attributes

import (
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// An rpcMethod is what a protocol says about one of its methods that a client sends.
// Methods that only a server sends are not in any table: from a client they are
// unknown.
type rpcMethod struct {
	// operation is what the method does, whatever server it is sent to; "" where
	// that is the catalog's to say.
	operation pdp.Operation
	// since and before bound the revisions that have the method; "" is no bound.
	since, before string
	// names is the member of params that says what the method acts on.
	names string
	// notification says that nobody answers it.
	notification bool
}

// tasks came as an experiment and stayed as an extension.
const tasks = "2025-11-25"

// mcpMethods are the methods of MCP clients (schema/2025-06-18, 2025-11-25 and
// 2026-07-28, "ClientRequest" and "ClientNotification").
//
// Asking what there is discovers. Completing an argument reads: the answer is
// made of the server's data. The log messages that logging/setLevel turns on may
// hold anything, which is read as well. A task's result is what a tool call
// answers later. What is put into a running task is a person's answer or a
// model's words, like a response: it is sent.
var mcpMethods = map[string]rpcMethod{
	"server/discover":          {operation: pdp.Discover}, // how a client finds out which revision to speak
	"initialize":               {operation: pdp.Discover, before: modern},
	"ping":                     {operation: pdp.Discover, before: modern},
	"tools/list":               {operation: pdp.Discover},
	"prompts/list":             {operation: pdp.Discover},
	"resources/list":           {operation: pdp.Discover},
	"resources/templates/list": {operation: pdp.Discover},
	"subscriptions/listen":     {operation: pdp.Discover, since: modern},

	"tools/call":            {names: "name"},
	"prompts/get":           {names: "name"},
	"resources/read":        {names: "uri"},
	"resources/subscribe":   {names: "uri", before: modern},
	"resources/unsubscribe": {names: "uri", before: modern},

	"completion/complete": {operation: pdp.Read},
	"logging/setLevel":    {operation: pdp.Read, before: modern},
	"tasks/get":           {operation: pdp.Read, names: "taskId", since: tasks},
	"tasks/result":        {operation: pdp.Read, names: "taskId", since: tasks, before: modern},
	"tasks/list":          {operation: pdp.Read, since: tasks, before: modern},
	"tasks/cancel":        {operation: pdp.Write, names: "taskId", since: tasks},
	"tasks/update":        {operation: pdp.Send, names: "taskId", since: modern},

	"notifications/initialized":        {operation: pdp.Discover, before: modern, notification: true},
	"notifications/roots/list_changed": {operation: pdp.Discover, before: modern, notification: true},
	"notifications/tasks/status":       {operation: pdp.Discover, since: tasks, before: modern, notification: true},
	"notifications/cancelled":          {operation: pdp.Discover, notification: true},
	"notifications/progress":           {operation: pdp.Discover, notification: true},
}

// describeMCP adds what the table knows about the method of rpc. It returns the
// rule that is broken.
func describeMCP(rpc *pdp.RPC) string {
	m, listed := mcpMethods[rpc.Method]
	if !listed {
		return ""
	}
	if rpc.Notification != m.notification {
		return "the message is a notification of a method that is answered, or asks for an answer to a notification"
	}
	if m.names != "" {
		if rule := readName(rpc, m.names); rule != "" {
			return rule
		}
	}
	if rpc.Revision >= m.since && (m.before == "" || rpc.Revision < m.before) {
		rpc.Known, rpc.Operation = true, m.operation
	}
	return ""
}

// readName reads what the method acts on, and the arguments of those that take
// any.
func readName(rpc *pdp.RPC, member string) string {
	name, ok := rpc.Params.Get(member).Str()
	if !ok || name == "" || hasControl(name) {
		return "params." + member + " is not a name"
	}
	rpc.Name = name
	if member != "name" {
		return ""
	}
	rpc.Arguments = rpc.Params.Get("arguments")
	if rpc.Arguments.Defined() && rpc.Arguments.Kind() != value.Map {
		return "params.arguments is not an object"
	}
	return ""
}
