package attributes

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// isMCP reports whether everything on the request's path must be MCP: the
// configuration says so, or the route's settings in the proxy do.
func (r *Reader) isMCP(e *pdp.Envelope, q *pdp.Request) bool {
	return e.Extensions["remit_protocol"] == string(pdp.MCP) || slices.Contains(r.settings.MCPPaths[e.Listener], q.Path)
}

// readRPC reads the JSON-RPC message of a request that is MCP, or that carries
// one although nobody said so: a tool server behind a plain route is a tool
// server.
func readRPC(e *pdp.Envelope, q *pdp.Request, declared bool) *pdp.Refusal {
	_, routed := e.Headers.Get("mcp-method")
	if !declared && routed == 0 && !hinted(e) && !isRPC(q.Body) {
		if slices.ContainsFunc(q.Body.Items(), isRPC) {
			return refuse(CodeRPC, "a batch of JSON-RPC messages")
		}
		return nil
	}
	q.Protocol = pdp.MCP
	var rule string
	switch {
	case e.Method == "POST":
		rule = readMessage(e, q)
	case declared && (e.Method == "GET" || e.Method == "DELETE") && q.BodyState == pdp.BodyNone:
		q.RPC = transportMethod(e)
	default:
		rule = "an MCP request is a POST with a message, or a GET or DELETE without"
	}
	if rule == "" {
		rule = checkRouting(e, q.RPC)
	}
	if rule == "" {
		rule = checkHints(e, q)
	}
	if rule != "" {
		q.RPC = nil
		return refuse(CodeRPC, rule)
	}
	return nil
}

// isRPC reports whether v says that it is a JSON-RPC message, in whatever case:
// to a server that ignores case "JSONRPC" says so too.
func isRPC(v value.Value) (is bool) {
	v.Range(func(name string, _ value.Value) bool {
		is = strings.EqualFold(name, "jsonrpc")
		return !is
	})
	return is
}

// The methods that stand for requests of the MCP transport that carry no
// message (revisions up to 2025-11-25): opening the stream of the server's
// messages, and ending a session.
const (
	StreamOpen    = "stream/open"
	SessionDelete = "session/delete"
)

func transportMethod(e *pdp.Envelope) *pdp.RPC {
	rpc := &pdp.RPC{Method: StreamOpen}
	if e.Method == "DELETE" {
		rpc.Method = SessionDelete
	}
	rpc.Revision = revisionOf(e, rpc)
	rpc.Known = rpc.Revision < modern
	return rpc
}

// readMessage reads the message in the body: one request, notification or
// response of JSON-RPC 2.0 (MCP has no batches since 2025-06-18). It returns
// the rule that is broken.
func readMessage(e *pdp.Envelope, q *pdp.Request) string {
	body := q.Body
	if q.BodyState != pdp.BodyComplete || body.Kind() != value.Map {
		return "the body is not one JSON-RPC message"
	}
	if body.Get("jsonrpc").Text() != "2.0" {
		return "the message is not of JSON-RPC 2.0"
	}
	rpc := &pdp.RPC{Method: body.Get("method").Text(), Params: body.Get("params")}
	rpc.Revision = revisionOf(e, rpc)
	id := body.Get("id")
	if id.Defined() {
		if !goodID(id) {
			return "the message's id is neither a string nor an integer"
		}
		rpc.ID = string(value.AppendJSON(nil, id))
	}
	if rule := onlyMembers(body); rule != "" {
		return rule
	}
	if rpc.Params.Defined() && rpc.Params.Kind() != value.Map {
		return "the message's params are not an object"
	}
	if rule := rightCase(rpc.Params); rule != "" {
		return rule
	}
	if !body.Get("method").Defined() {
		return readResponse(body, rpc, q)
	}
	if rpc.Method == "" || hasControl(rpc.Method) {
		return "the message's method is not a name"
	}
	if body.Get("result").Defined() || body.Get("error").Defined() {
		return "the message is a request and a response at once"
	}
	if rule := readName(rpc); rule != "" {
		return rule
	}
	rpc.Known = known(rpc.Revision, rpc.Method)
	q.RPC = rpc
	return ""
}

func goodID(id value.Value) bool {
	_, isString := id.Str()
	_, isInteger := id.Int()
	return isString || isInteger
}

// onlyMembers refuses members that JSON-RPC does not have: a lenient server
// might read one of them for one that it does.
func onlyMembers(body value.Value) (rule string) {
	body.Range(func(name string, _ value.Value) bool {
		if !slices.Contains([]string{"jsonrpc", "id", "method", "params", "result", "error"}, name) {
			rule = "the message has a member that JSON-RPC does not have"
		}
		return rule == ""
	})
	return rule
}

// read are the members of params that remit reads.
var read = []string{"name", "uri", "taskId", "arguments", "_meta", "protocolVersion"}

// rightCase refuses a member that a reader which ignores case would take for
// one that remit reads, and remit would not.
func rightCase(params value.Value) (rule string) {
	params.Range(func(name string, _ value.Value) bool {
		for _, member := range read {
			if name != member && strings.EqualFold(name, member) {
				rule = "params has a member in another case: " + member
			}
		}
		return rule == ""
	})
	return rule
}

// readResponse reads a client's answer to a request of the server; since
// 2026-07-28 there is no such thing.
func readResponse(body value.Value, rpc *pdp.RPC, q *pdp.Request) string {
	if body.Get("result").Defined() == body.Get("error").Defined() || rpc.ID == "" || rpc.Params.Defined() {
		return "the message is neither a request nor a response"
	}
	rpc.Response, rpc.Known, rpc.ID = true, rpc.Revision < modern, ""
	q.RPC = rpc
	return ""
}

// named says which member of params names what a method acts on.
var named = map[string]string{
	"tools/call": "name", "prompts/get": "name",
	"resources/read": "uri", "resources/subscribe": "uri", "resources/unsubscribe": "uri",
	"tasks/get": "taskId", "tasks/result": "taskId", "tasks/cancel": "taskId", "tasks/update": "taskId",
}

func readName(rpc *pdp.RPC) string {
	member := named[rpc.Method]
	if member == "" {
		return ""
	}
	name, ok := rpc.Params.Get(member).Str()
	if !ok || name == "" || hasControl(name) {
		return "params." + member + " is not a name"
	}
	rpc.Name = name
	if rpc.Method != "tools/call" && rpc.Method != "prompts/get" {
		return ""
	}
	rpc.Arguments = rpc.Params.Get("arguments")
	if rpc.Arguments.Defined() && rpc.Arguments.Kind() != value.Map {
		return "params.arguments is not an object"
	}
	return ""
}

// revisionMember is where a message of 2026-07-28 and later says its revision.
const revisionMember = "io.modelcontextprotocol/protocolVersion"

// modern is the first revision without sessions.
const modern = "2026-07-28"

// revisionOf returns the revision a message is read by: what it says itself,
// then the header, then what a message without either has to be (MCP 2025-06-18,
// "Protocol Version Header").
func revisionOf(e *pdp.Envelope, rpc *pdp.RPC) string {
	if own := rpc.Params.Path("_meta", revisionMember).Text(); own != "" {
		return own
	}
	if header, _ := e.Headers.Get("mcp-protocol-version"); header != "" {
		return header
	}
	if rpc.Method == "initialize" {
		return rpc.Params.Get("protocolVersion").Text()
	}
	return "2025-03-26"
}

// methods are the client's methods by the revision that brought them.
var methods = map[string][]string{
	"2025-03-26": {
		"initialize", "ping", "logging/setLevel", "resources/list", "resources/templates/list", "resources/read",
		"resources/subscribe", "resources/unsubscribe", "prompts/list", "prompts/get", "tools/list", "tools/call",
		"completion/complete", "notifications/initialized", "notifications/cancelled", "notifications/progress",
		"notifications/roots/list_changed",
	},
	"2025-11-25": {"tasks/get", "tasks/result", "tasks/cancel", "tasks/list", "notifications/tasks/status"},
	modern: {
		"server/discover", "resources/list", "resources/templates/list", "resources/read", "subscriptions/listen",
		"prompts/list", "prompts/get", "tools/list", "tools/call", "completion/complete", "tasks/get", "tasks/update",
		"tasks/cancel", "notifications/cancelled", "notifications/progress",
	},
}

// known reports whether a revision has a method. server/discover is known to
// all: it is how a client finds out which revision the server speaks.
func known(revision, method string) bool {
	switch {
	case method == "server/discover":
		return true
	case revision >= modern:
		return slices.Contains(methods[modern], method)
	case revision >= "2025-11-25" && slices.Contains(methods["2025-11-25"], method):
		return true
	default:
		return slices.Contains(methods["2025-03-26"], method)
	}
}

// checkRouting holds the headers that proxies route by against the message
// (MCP 2026-07-28, "Standard headers"): from that revision on they must be
// there, and in any revision they must not say something else.
func checkRouting(e *pdp.Envelope, rpc *pdp.RPC) string {
	method, methods := e.Headers.Get("mcp-method")
	name, names := e.Headers.Get("mcp-name")
	version, versions := e.Headers.Get("mcp-protocol-version")
	own := rpc.Params.Path("_meta", revisionMember).Text()
	if rpc.Revision >= modern && e.Method == "POST" && !rpc.Response {
		switch {
		case methods == 0:
			return "the header mcp-method is missing"
		case rpc.Name != "" && names == 0:
			return "the header mcp-name is missing"
		case versions == 0:
			return "the header mcp-protocol-version is missing"
		}
	}
	if versions > 0 && own != "" && version != own {
		return "the header mcp-protocol-version is not the message's revision"
	}
	if methods > 0 && method != rpc.Method {
		return "the header mcp-method is not the message's method"
	}
	if names > 0 {
		decoded, ok := decodeHeader(name)
		if !ok || decoded != rpc.Name {
			return "the header mcp-name is not what the message names"
		}
	}
	return ""
}

// namespaces are where Envoy's MCP filter puts its reading: since 1.38, and
// before.
var namespaces = []string{"envoy.filters.http.mcp", "mcp_proxy"}

// hinted reports whether Envoy read an MCP message in the request.
func hinted(e *pdp.Envelope) bool {
	return slices.ContainsFunc(namespaces, func(namespace string) bool {
		return e.Metadata.Get(namespace).Get("method").Defined()
	})
}

// checkHints holds Envoy's reading of the message against ours. It is a hint:
// Envoy's parser takes single quotes and unquoted names, and passes what it
// cannot parse (reference: MCP filter). Where both say something they must
// say the same.
func checkHints(e *pdp.Envelope, q *pdp.Request) string {
	for _, namespace := range namespaces {
		hint := e.Metadata.Get(namespace)
		if exceeding, _ := hint.Get("is_exceeding_limit").Bool(); exceeding || hint.Get("passthrough_reason").Text() != "" {
			return "Envoy passed the message without having parsed it"
		}
		if rule := compareHint(hint, q.RPC); rule != "" {
			return rule
		}
	}
	return ""
}

func compareHint(hint value.Value, rpc *pdp.RPC) string {
	method := hint.Get("method").Text()
	if method == "" {
		return ""
	}
	if rpc.Response != (method == "__jsonrpc_response") || !rpc.Response && method != rpc.Method {
		return "Envoy read another method in the message"
	}
	if id := hint.Get("id"); !rpc.Response && id.Defined() && string(value.AppendJSON(nil, id)) != rpc.ID {
		return "Envoy read another id in the message"
	}
	params := hint.Get("params")
	for _, member := range []string{"name", "uri", "taskId"} {
		if read := params.Get(member); read.Defined() && read.Text() != rpc.Params.Get(member).Text() {
			return "Envoy read another " + member + " in the message"
		}
	}
	return ""
}

// decodeHeader decodes a header value of MCP 2026-07-28: text that a header
// cannot hold as it is stands in =?base64?…?=.
func decodeHeader(v string) (string, bool) {
	inner, found := strings.CutPrefix(v, "=?base64?")
	if !found {
		return v, true
	}
	inner, found = strings.CutSuffix(inner, "?=")
	if !found {
		return "", false
	}
	return decodeBase64(inner)
}

func decodeBase64(s string) (string, bool) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return string(b), err == nil && utf8.Valid(b)
}
