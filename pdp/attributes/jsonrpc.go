package attributes

import (
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// isRPC reports whether v says that it is a JSON-RPC message, in whatever case:
// to a server that ignores case "JSONRPC" says so too.
func isRPC(v value.Value) bool {
	return slices.ContainsFunc(v.Members(), func(m value.Member) bool { return strings.EqualFold(m.Name, "jsonrpc") })
}

// readMessage reads the message in the body: one request, notification or
// response of JSON-RPC 2.0, what its protocol makes of it left aside. It returns
// the rule that is broken.
func readMessage(q *pdp.Request) (rpc *pdp.RPC, rule string) {
	body := q.Body
	switch {
	case q.BodyState == pdp.BodyComplete && body.Kind() == value.Array:
		return nil, ruleBatch
	case q.BodyState != pdp.BodyComplete || body.Kind() != value.Map:
		return nil, "the body is not one JSON-RPC message"
	case body.Get("jsonrpc").Text() != "2.0":
		return nil, "the message is not of JSON-RPC 2.0"
	}
	rpc = &pdp.RPC{Method: body.Get("method").Text(), Params: body.Get("params")}
	id := body.Get("id")
	if id.Defined() {
		if !goodID(id) {
			return nil, "the message's id is neither a string nor an integer"
		}
		rpc.ID = idText(id)
	}
	if rule := onlyMembers(body); rule != "" {
		return nil, rule
	}
	if rpc.Params.Defined() && rpc.Params.Kind() != value.Map {
		return nil, "the message's params are not an object"
	}
	if !body.Get("method").Defined() {
		return readResponse(body, rpc)
	}
	if rpc.Method == "" || hasControl(rpc.Method) {
		return nil, "the message's method is not a name"
	}
	if body.Get("result").Defined() || body.Get("error").Defined() {
		return nil, "the message is a request and a response at once"
	}
	rpc.Notification = rpc.ID == ""
	return rpc, ""
}

// ruleBatch is broken by several messages in one body.
const ruleBatch = "a batch of JSON-RPC messages"

// readResponse reads a client's answer to a request of the server.
func readResponse(body value.Value, rpc *pdp.RPC) (*pdp.RPC, string) {
	if body.Get("result").Defined() == body.Get("error").Defined() || rpc.ID == "" || rpc.Params.Defined() {
		return nil, "the message is neither a request nor a response"
	}
	rpc.Response, rpc.ID = true, ""
	return rpc, ""
}

func goodID(id value.Value) bool {
	_, isString := id.Str()
	_, isInteger := id.Int()
	return isString || isInteger
}

// idText returns an id as JSON text.
func idText(id value.Value) string {
	if number, ok := id.Literal(); ok {
		return number
	}
	return string(value.AppendJSON(nil, id))
}

// onlyMembers refuses members that JSON-RPC does not have: a lenient server
// might read one of them for one that it does.
func onlyMembers(body value.Value) (rule string) {
	for _, m := range body.Members() {
		switch m.Name {
		case "jsonrpc", "id", "method", "params", "result", "error":
		default:
			return "the message has a member that JSON-RPC does not have"
		}
	}
	return ""
}
