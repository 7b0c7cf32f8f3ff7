package integration

import (
	"slices"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/integration/harness"
)

// What Envoy passes on of what is hostile, and what remit then does about it:
// behind the configuration that a user copies, and behind mistakes in it.
func TestHostileRequestsThroughEnvoy(t *testing.T) {
	s := startStack(t, "", withDemoPolicies)
	for _, h := range slices.Concat(hostileRequests(), hostileMessages(), hostilePathsOfTools()) {
		h.run(t, s, h.envoy)
	}
	everythingWasDecided(t, s)
}

// Where Envoy is configured to pass on what it did not read, to send what it has
// repaired, or to trust what the client says about the body, remit refuses.
func TestMistakesInEnvoysConfigurationDeny(t *testing.T) {
	t.Parallel()
	routed := []string{asJSON, callHeaders[1], "mcp-method: tools/list"}
	bad := refused(400, remit)
	for _, c := range []struct {
		mistake, text, instead string
		requests               []hostile
	}{
		{"what is no MCP passes", "REJECT_NO_MCP", "PASS_THROUGH", []hostile{
			tool(bad, "a name twice", ambiguousBodies["name twice"]),
			tool(bad, "a batch", ambiguousBodies["batch"]),
			tool(bad, "compressed", "\x1f\x8b\x08\x00", asJSON, callHeaders[1], "content-encoding: gzip"),
			tool(bad, "text", plainCall, "content-type: text/plain", callHeaders[1]),
			tool(bad, "garbage", "{", callHeaders...),
		}},
		{"the body's method is the header's", "attribute_source: BODY", "attribute_source: HEADERS", []hostile{
			tool(bad, "a call that is routed as a list", plainCall, routed...),
		}},
		{"a repaired body", "pack_as_bytes: true", "pack_as_bytes: false", []hostile{tool(bad, "a plain call", plainCall)}},
		{"a part of the body", "allow_partial_message: false", "allow_partial_message: true", []hostile{{
			name: "more than the limit", line: "POST /v1/tickets/7/notes", headers: []string{asJSON},
			body: `{"text":"` + strings.Repeat("x", bodyLimit) + `"}`, envoy: bad,
		}}},
	} {
		t.Run(c.mistake, func(t *testing.T) {
			s := startStack(t, "", withDemoPolicies, func(o *harness.Options) { o.EnvoyReplace = append(o.EnvoyReplace, c.text, c.instead) })
			for _, h := range c.requests {
				h.run(t, s, h.envoy)
			}
			everythingWasDecided(t, s)
		})
	}
}

// bodyLimit is what integration/envoy/envoy.yaml lets Envoy buffer of a body.
const bodyLimit = 262144

// tool is a call of a tool with a body, and with headers in place of the usual
// ones where there are any.
func tool(want fate, name, body string, headers ...string) hostile {
	if len(headers) == 0 {
		headers = callHeaders
	}
	return hostile{name: name, line: "POST /mcp", host: harness.ToolsHost, headers: headers, body: body, envoy: want}
}

// reached is the fate of a request that gets to a tool.
var reached = fate{200, remit, "reached"}

// hostilePathsOfTools are other ways to write the one path that leads to tools.
func hostilePathsOfTools() (list []hostile) {
	for fate, paths := range map[fate][]string{
		reached:             {"/mcp", "//mcp", "/./mcp", "/x/../mcp", "/%6dcp", "http://tools.example.test/mcp"},
		refused(404, proxy): {"/mcp/", "/mcp;x", "/MCP", "/mcp%3fx", "/mcp%252f"},
		refused(400, proxy): {"/mcp%2f", "/mcp#x", "/mcp%00"},
	} {
		for _, path := range paths {
			h := tool(fate, "a path of the tools", plainCall)
			h.line = "POST " + path
			list = append(list, h)
		}
	}
	return list
}

// hostileMessages are messages to the tools: what Envoy's MCP filter refuses,
// and what it lets pass though a tool may read it as something else.
func hostileMessages() (list []hostile) {
	with := func(from, to string) string { return strings.Replace(plainCall, from, to, 1) }
	modern := []string{asJSON, callHeaders[1], "mcp-protocol-version: 2026-07-28"}
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"},`
	get := func(want fate, name, line string, headers ...string) hostile {
		return hostile{name: name, line: line, host: harness.ToolsHost, headers: headers, envoy: want}
	}
	noMCP := refused(400, proxy)
	bad := refused(400, remit)
	unserved := fate{405, remit, "reached"}
	return []hostile{
		tool(noMCP, "without accept", plainCall, asJSON),
		tool(noMCP, "accept JSON alone", plainCall, asJSON, "accept: application/json"),
		tool(noMCP, "an empty body", "", asJSON, callHeaders[1], "content-length: 0"),
		get(noMCP, "a plain GET", "GET /mcp"),
		get(noMCP, "OPTIONS", "OPTIONS /mcp"),
		tool(noMCP, "no jsonrpc", with(`"jsonrpc":"2.0",`, "")),
		tool(noMCP, "Method instead of method", with(`"method"`, `"Method"`)),
		tool(noMCP, "a name twice, deep", with(`"ticket":"7"`, `"ticket":"7","ticket":"8"`)),
		tool(noMCP, "a comment", plainCall+"// done"),
		tool(noMCP, "UTF-16", "\xff\xfe{\x00}\x00"),
		tool(noMCP, "a lone surrogate", with(`"7"`, `"\ud800"`)),
		tool(noMCP, "a trailing value", plainCall+" {}"),
		tool(noMCP, "deep nesting", with(`"7"`, strings.Repeat("[", 1001)+strings.Repeat("]", 1001))),
		tool(bad, "NUL in a name", with(`read_ticket`, `read\u0000ticket`)),
		tool(bad, "an id beyond doubles", with(`"id":1`, `"id":9007199254740993`)),
		tool(fate{202, remit, "reached"}, "a response of the client's", `{"jsonrpc":"2.0","id":1,"result":{}}`),
		tool(fate{200, remit, ""}, "an unknown method: an error that the client can read", with("tools/call", "tools/destroy")),
		get(unserved, "the server's stream, which it does not offer", "GET /mcp", "accept: text/event-stream"),
		get(unserved, "the end of a session, which it does not have", "DELETE /mcp", "mcp-session-id: s1"),
		tool(noMCP, "2026-07-28 without capabilities", with(`"params":{`, `"params":{`+meta), modern...),
		tool(noMCP, "2026-07-28 without its headers", with(`"params":{`, `"params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}},`), modern...),
		tool(bad, "a call that says it is a list", plainCall, asJSON, callHeaders[1], "mcp-method: tools/list"),
		tool(noMCP, "as long as the limit and one more", with(`"7"`, `"`+strings.Repeat("7", bodyLimit+1-len(plainCall)+1)+`"`)),
		tool(reached, "as long as the limit", with(`"7"`, `"`+strings.Repeat("7", bodyLimit-len(plainCall)+1)+`"`)),
		tool(reached, "its own word on what is cut", plainCall, append(slices.Clone(callHeaders), "x-envoy-auth-partial-body: true")...),
	}
}
