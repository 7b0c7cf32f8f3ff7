package attributes

import (
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// isMCP reports whether everything on the request's path must be MCP: the
// configuration says so, or the route's settings in the proxy do.
func (r *Reader) isMCP(e *asked, q *pdp.Request) bool {
	return e.Extensions["remit_protocol"] == string(pdp.MCP) || slices.Contains(r.settings.MCPPaths[e.Listener], q.Path)
}

// readMCP reads the JSON-RPC message of a request that is MCP, or that carries
// one although nobody said so: a tool server behind a plain route is a tool
// server.
func readMCP(e *asked, q *pdp.Request, declared bool) *pdp.Refusal {
	_, routed := e.header(headerMCPMethod)
	if !declared && routed == 0 && !hinted(e) && !isRPC(q.Body) {
		if slices.ContainsFunc(q.Body.Items(), isRPC) {
			return refuseRPC(ruleBatch)
		}
		return nil
	}
	q.Protocol, q.Binding = pdp.MCP, pdp.BindingJSONRPC
	var rpc *pdp.RPC
	var rule string
	switch {
	case e.Method == "POST":
		rpc, rule = readMCPMessage(e, q)
	case declared && (e.Method == "GET" || e.Method == "DELETE") && q.BodyState == pdp.BodyNone:
		rpc = transportMethod(e)
	default:
		rule = "an MCP request is a POST with a message, or a GET or DELETE without"
	}
	if rule == "" && !spoken(e, rpc) {
		q.RPC = rpc
		return refuseRevision("MCP", rpc.Revision, pdp.MCPRevisions)
	}
	if rule == "" {
		rule = checkRouting(e, rpc)
	}
	if rule == "" {
		rule = checkHints(e, rpc)
	}
	if rule != "" {
		return refuseRPC(rule)
	}
	q.RPC = rpc
	return nil
}

// refuseRPC says which rule a message breaks. A client that sends batches is
// told so: it speaks a revision that had them.
func refuseRPC(rule string) *pdp.Refusal {
	refusal := refuse(CodeRPC, rule)
	if rule == ruleBatch {
		refusal.Reason.Message = "batches are not part of MCP since 2025-06-18, nor of A2A: send one message a request"
	}
	return refusal
}

// refuseRevision says which revisions there are instead. said is the client's
// own text and goes to nobody.
func refuseRevision(protocol, said string, spoken []string) *pdp.Refusal {
	detail := "the request is of another revision of " + protocol
	if said == "" {
		detail = "the request does not say its revision of " + protocol
	}
	return pdp.Refuse(pdp.Unreadable, pdp.CodeRevision,
		"this revision of "+protocol+" is not accepted here: speak "+strings.Join(spoken, ", "), detail)
}

// readMCPMessage reads a message by the rules of MCP.
func readMCPMessage(e *asked, q *pdp.Request) (*pdp.RPC, string) {
	rpc, rule := readMessage(q)
	if rule != "" {
		return nil, rule
	}
	rpc.Revision = revisionOf(e, rpc)
	if rule := rightCase(rpc.Params); rule != "" {
		return nil, rule
	}
	if rpc.Response {
		rpc.Known = rpc.Revision < modern // since then there are no requests of the server
		return rpc, ""
	}
	return rpc, describeMCP(rpc)
}

// The methods that stand for requests of the MCP transport that carry no
// message (revisions up to 2025-11-25): opening the stream of the server's
// messages, and ending a session.
const (
	StreamOpen    = "stream/open"
	SessionDelete = "session/delete"
)

func transportMethod(e *asked) *pdp.RPC {
	rpc := &pdp.RPC{Method: StreamOpen}
	if e.Method == "DELETE" {
		rpc.Method = SessionDelete
	}
	rpc.Revision = revisionOf(e, rpc)
	if rpc.Revision < modern {
		rpc.Known, rpc.Operation = true, pdp.Discover
	}
	return rpc
}

// mcpMembers are the members of params that remit reads.
var mcpMembers = []string{"name", "uri", "taskId", "arguments", "_meta", "protocolVersion"}

// rightCase refuses a member that a reader which ignores case would take for
// one that remit reads, and remit would not.
func rightCase(params value.Value) (rule string) {
	for _, m := range params.Members() {
		for _, member := range mcpMembers {
			if m.Name != member && strings.EqualFold(m.Name, member) {
				return "params has a member in another case: " + member
			}
		}
	}
	return ""
}

// revisionMember is where a message of 2026-07-28 and later says its revision.
const revisionMember = "io.modelcontextprotocol/protocolVersion"

// modern is the first revision without sessions.
const modern = "2026-07-28"

// unsaid is the revision of a message that says none (MCP 2025-06-18, "Protocol
// Version Header"). Its single messages are read; its batches are not.
const unsaid = "2025-03-26"

// revisionOf returns the revision a message is read by: what it says itself,
// then the header, then what a message without either has to be.
func revisionOf(e *asked, rpc *pdp.RPC) string {
	if own := rpc.Params.Path("_meta", revisionMember).Text(); own != "" {
		return own
	}
	if header, _ := e.header(headerMCPVersion); header != "" {
		return header
	}
	if rpc.Method == "initialize" {
		return rpc.Params.Get("protocolVersion").Text()
	}
	return unsaid
}

// spoken reports whether every revision that the request says is read here: the
// rules of another one are not known.
func spoken(e *asked, rpc *pdp.RPC) bool {
	if own := rpc.Params.Path("_meta", revisionMember); own.Defined() && !isSpoken(own.Text()) {
		return false
	}
	if said, lines := e.header(headerMCPVersion); lines > 0 && !isSpoken(said) {
		return false
	}
	return rpc.Method != "initialize" || isSpoken(rpc.Params.Get("protocolVersion").Text())
}

func isSpoken(revision string) bool { return slices.Contains(pdp.MCPRevisions, revision) }
