package extauthz

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// denialCode is the JSON-RPC error code of a denial, of the range that the
// specification leaves to servers.
const denialCode = -32010

// mcpAnswer answers a denied MCP request by its id: a call of a tool with a
// result that is an error, which the model reads; anything else with a
// JSON-RPC error. The HTTP status is 200, so that the client goes on with its
// session; Envoy counts it as a denial all the same. An outage stays one to
// whoever looks at the status: clients show the error in its body.
func (r renderer) mcpAnswer(d *pdp.Decision) answer {
	id, err := value.ParseJSON([]byte(d.Reply.RPCID))
	if err != nil {
		return problem(d)
	}
	message := []value.Member{value.M("jsonrpc", value.Str("2.0")), value.M("id", id)}
	status := http.StatusOK
	if d.Class == pdp.Unavailable {
		status = d.Class.HTTPStatus()
	}
	switch {
	case isRevision(d):
		message = append(message, value.M("error", otherRevision(d)))
	case r.denyAs == AsToolError && d.Reply.RPCMethod == "tools/call" && status == http.StatusOK:
		message = append(message, value.M("result", toolError(d)))
	default:
		message = append(message, value.M("error", jsonrpcError(denialCode, d)))
	}
	return answer{
		status: status,
		headers: ownHeaders(d, pdp.Header{Name: "content-type", Value: "application/json"},
			pdp.Header{Name: "cache-control", Value: "no-store"}),
		body: string(value.AppendJSON(nil, value.Obj(message...))),
	}
}

func jsonrpcError(code int64, d *pdp.Decision, more ...value.Member) value.Value {
	return value.Obj(
		value.M("code", value.Int(code)),
		value.M("message", value.Str(sentence(d))),
		value.M("data", value.Obj(append(d.Explanation(), more...)...)))
}

// isRevision reports whether the denial is one of the protocol's revision.
func isRevision(d *pdp.Decision) bool {
	return len(d.Reasons) > 0 && d.Reasons[0].Code == pdp.CodeRevision
}

// otherRevision tells the client what to speak, in the form that its handshake
// knows: invalid params of initialize (MCP 2025-06-18, "Lifecycle", "Error
// Handling"), UnsupportedProtocolVersion since 2026-07-28.
func otherRevision(d *pdp.Decision) value.Value {
	code := int64(-32022)
	if d.Reply.RPCMethod == "initialize" {
		code = -32602
	}
	return jsonrpcError(code, d,
		value.M("supported", value.Strs(pdp.MCPRevisions)), value.M("requested", value.Str(d.Reply.Revision)))
}

// metaKey is where a denied call's result holds its explanation for machines.
// It is not the result's structuredContent: clients hold that against the
// tool's output schema, and then show their own complaint in place of the reason.
const metaKey = "remit/denial"

// toolError is the result of a call that was not made (MCP, server/tools,
// "Error Handling").
func toolError(d *pdp.Decision) value.Value {
	members := []value.Member{
		value.M("isError", value.Of(true)),
		value.M("content", value.List(value.Obj(value.M("type", value.Str("text")), value.M("text", value.Str(sentence(d)))))),
		value.M("_meta", value.Obj(value.M(metaKey, value.Obj(d.Explanation()...)))),
	}
	if d.Reply.Revision >= "2026-07-28" {
		// The revision's results say whether they are all there is.
		members = append(members, value.M("resultType", value.Str("complete")))
	}
	return value.Obj(members...)
}

// sentence says it to a model.
func sentence(d *pdp.Decision) string {
	var b strings.Builder
	b.WriteString("Denied")
	for i, reason := range d.Reasons {
		separator := "; "
		if i == 0 {
			separator = ": "
		}
		b.WriteString(separator)
		if reason.Message != "" {
			fmt.Fprintf(&b, "%s (%s)", reason.Message, reason.Code)
		} else {
			b.WriteString(reason.Code)
		}
	}
	fmt.Fprintf(&b, ". What to do: %s.", d.Class.Remedy())
	if seconds := d.RetrySeconds(); seconds > 0 {
		fmt.Fprintf(&b, " Trying again can help after %d seconds.", seconds)
	}
	fmt.Fprintf(&b, " Decision %s.", d.ID)
	return b.String()
}
