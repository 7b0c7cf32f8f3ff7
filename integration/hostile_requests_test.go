package integration

import (
	"slices"
	"strings"

	"github.com/remit-pdp/remit/integration/harness"
)

const (
	apiTarget = "/v1/tickets/7"
	asJSON    = "content-type: application/json"
)

// callHeaders are those of a plain call of a tool.
var callHeaders = []string{asJSON, "accept: application/json, text/event-stream", "mcp-protocol-version: 2025-11-25"}

// hostileRequests are what every proxy is asked.
func hostileRequests() []hostile {
	return slices.Concat(hostilePaths(), hostileHeaders(), hostileCalls())
}

// same is a request that is refused by the same one behind every
// configuration.
func same(status int, by, name, line string, headers ...string) hostile {
	return hostile{name: name, line: line, headers: headers, envoy: refused(status, by), bare: refused(status, by), copied: refused(status, by)}
}

// hostilePaths are ways to write a path. Istio brings dot segments, backslashes
// and escapes that are not needed to one spelling before it asks.
func hostilePaths() (list []hostile) {
	both := passes(apiTarget)
	for name, line := range map[string]string{
		"a plain request":              "GET /v1/tickets/7",
		"dot segments":                 "GET /v1/x/../tickets/./7",
		"a backslash":                  `GET /v1\tickets\7`,
		"an escape that is not needed": "GET /v1/ticket%73/7",
		"the absolute form":            "GET http://api.example.test/v1/tickets/7",
	} {
		list = append(list, hostile{name: name, line: line, envoy: both, bare: both, copied: both})
	}
	list = append(list, hostile{name: "doubled slashes", line: "GET //v1//tickets/7", envoy: both, bare: refused(400, remit), copied: both})
	for _, path := range []string{"/v1/tickets%2f7", "/v1/tickets%2F7", "/v1%5ctickets/7", "/v1%5Ctickets/7", "/v1/..%2ftickets/7"} {
		list = append(list, hostile{name: "an escaped slash", line: "GET " + path, envoy: refused(400, proxy), bare: refused(400, remit), copied: refused(400, proxy)})
	}
	for _, path := range []string{"/v1/tickets/7;x=1", "/v1/tickets/%252e%252e/7", "/v1/tickets/%e0%80%af"} {
		list = append(list, same(400, remit, "a path that servers read differently", "GET "+path))
	}
	return append(list,
		same(400, proxy, "a fragment", "GET /v1/tickets/7#x"),
		same(400, proxy, "an escaped NUL", "GET /v1/tickets/7%00"),
		same(403, remit, "a path that nobody has described", "GET /healthz"),
		same(403, remit, "another case", "GET /V1/tickets/7"))
}

// hostileHeaders are headers that speak for remit, or that only some servers
// heed.
func hostileHeaders() []hostile {
	const get = "GET " + apiTarget
	return []hostile{
		{name: "in remit's name", line: get, envoy: passes(apiTarget), bare: passes(apiTarget), copied: passes(apiTarget),
			headers: []string{"x-remit-decision: id=forged", "X-Remit-Decision: id=forged", "x-remit-agent: root", "X-Remit-Session: s"}},
		{name: "in remit's name, with underscores", line: get, envoy: refused(400, proxy), bare: passes(apiTarget), copied: refused(400, proxy),
			headers: []string{"x_remit_decision: id=forged", "X_Remit-Agent: root"}},
		same(401, remit, "nobody", get, "authorization:"),
		same(401, remit, "nobody's preflight", "OPTIONS "+apiTarget, "authorization:", "origin: https://evil.example", "access-control-request-method: GET"),
		same(401, remit, "a bad token", get, "authorization: Bearer TOKENx"),
		same(401, remit, "a certificate by header", get, "authorization:", "x-forwarded-client-cert: By=spiffe://a;URI=spiffe://cluster.local/ns/agents/sa/support-agent"),
		same(401, remit, "two tokens", get, "authorization: Bearer TOKEN", "authorization: Bearer TOKEN"),
		// Joined by Istio they are one; sent raw they are two.
		{name: "two traces", line: get, envoy: refused(400, remit), bare: passes(apiTarget), copied: refused(400, remit),
			headers: []string{"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "traceparent: 00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
		same(400, remit, "another path", get, "x-original-url: /admin"),
		same(400, remit, "another method", get, "x-http-method-override: DELETE"),
		{name: "an upgrade", line: get, envoy: refused(403, proxy), bare: refused(400, remit), copied: refused(400, remit), headers: []string{"connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="}},
	}
}

// hostileCalls are calls of a tool that two readers could read differently.
// Envoy's MCP filter, which Istio does not have, refuses some of them by itself.
func hostileCalls() (list []hostile) {
	add := func(by, name, body string, headers ...string) {
		h := same(400, remit, name, "POST /mcp", append(headers, callHeaders[1:]...)...)
		h.host, h.body, h.envoy.by = harness.ToolsHost, body, by
		list = append(list, h)
	}
	for name, body := range ambiguousBodies {
		by := remit
		if name == "name twice" || name == "batch" {
			by = proxy
		}
		add(by, name, body, asJSON)
	}
	add(proxy, "text", plainCall, "content-type: text/plain")
	add(proxy, "two content types", plainCall, asJSON, "content-type: text/plain")
	add(remit, "compressed", plainCall, asJSON, "content-encoding: gzip")
	add(proxy, "invalid UTF-8", strings.Replace(plainCall, "7", "7\xff", 1), asJSON)
	add(proxy, "a byte order mark", "\ufeff"+plainCall, asJSON)
	add(remit, "a header that names another tool", plainCall, asJSON, "mcp-method: tools/call", "mcp-name: search_docs")
	large := same(413, proxy, "too large", "POST /mcp", callHeaders...)
	large.host, large.body = harness.ToolsHost, strings.Replace(plainCall, `"7"`, `"`+strings.Repeat("7", bodyLimit)+`"`, 1)
	large.envoy = refused(400, proxy)
	return append(list, large)
}
