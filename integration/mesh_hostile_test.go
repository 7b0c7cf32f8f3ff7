//go:build mesh

package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
)

// A hostile request is sent byte for byte: no client library repairs it.
type hostile struct {
	name    string
	line    string   // method and target
	host    string   // [harness.APIHost] where it is empty
	headers []string // besides host and, where none is here, authorization
	body    string
	// What must become of it behind Istio's defaults and behind the
	// configuration of integration/istio.
	bare, copied fate
}

// fate is what the client gets, who decided so, and what the server behind got.
type fate struct {
	status int
	by     string // remit or istio
	target string // path and query that reached the server; "" where nothing may
}

// Who refuses: remit says so in its answer; Istio's Envoy does it by itself.
const (
	remit = "remit"
	istio = "Istio"
)

// passes is the fate of a request that reaches the API as target.
func passes(target string) fate { return fate{http.StatusOK, remit, target} }

// refused is the fate of one that reaches nothing.
func refused(status int, by string) fate { return fate{status, by, ""} }

const apiTarget = "/v1/tickets/7"

// hostileRequests are what Istio's generated listener is asked.
func hostileRequests() []hostile {
	return slices.Concat(hostilePaths(), hostileHeaders(), hostileCalls())
}

// same is a request that is refused by the same one behind both
// configurations.
func same(status int, by, name, line string, headers ...string) hostile {
	return hostile{name: name, line: line, headers: headers, bare: refused(status, by), copied: refused(status, by)}
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
		list = append(list, hostile{name: name, line: line, bare: both, copied: both})
	}
	list = append(list, hostile{name: "doubled slashes", line: "GET //v1//tickets/7", bare: refused(400, remit), copied: both})
	for _, path := range []string{"/v1/tickets%2f7", "/v1/tickets%2F7", "/v1%5ctickets/7", "/v1%5Ctickets/7", "/v1/..%2ftickets/7"} {
		list = append(list, hostile{name: "an escaped slash", line: "GET " + path, bare: refused(400, remit), copied: refused(400, istio)})
	}
	for _, path := range []string{"/v1/tickets/7;x=1", "/v1/tickets/%252e%252e/7", "/v1/tickets/%e0%80%af"} {
		list = append(list, same(400, remit, "a path that servers read differently", "GET "+path))
	}
	return append(list,
		same(400, istio, "a fragment", "GET /v1/tickets/7#x"),
		same(400, istio, "an escaped NUL", "GET /v1/tickets/7%00"),
		same(403, remit, "a path that nobody has described", "GET /healthz"),
		same(403, remit, "another case", "GET /V1/tickets/7"))
}

// hostileHeaders are headers that speak for remit, or that only some servers
// heed.
func hostileHeaders() []hostile {
	const get = "GET " + apiTarget
	return []hostile{
		{name: "in remit's name", line: get, bare: passes(apiTarget), copied: passes(apiTarget),
			headers: []string{"x-remit-decision: id=forged", "X-Remit-Decision: id=forged", "x-remit-agent: root", "X-Remit-Session: s"}},
		{name: "in remit's name, with underscores", line: get, bare: passes(apiTarget), copied: refused(400, istio),
			headers: []string{"x_remit_decision: id=forged", "X_Remit-Agent: root"}},
		same(401, remit, "nobody", get, "authorization:"),
		same(401, remit, "a bad token", get, "authorization: Bearer TOKENx"),
		same(401, remit, "a certificate by header", get, "authorization:", "x-forwarded-client-cert: By=spiffe://a;URI=spiffe://cluster.local/ns/agents/sa/support-agent"),
		same(401, remit, "two tokens", get, "authorization: Bearer TOKEN", "authorization: Bearer TOKEN"),
		// Joined by Istio they are one; sent raw they are two.
		{name: "two traces", line: get, bare: passes(apiTarget), copied: refused(400, remit),
			headers: []string{"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "traceparent: 00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
		same(400, remit, "another path", get, "x-original-url: /admin"),
		same(400, remit, "another method", get, "x-http-method-override: DELETE"),
		same(400, remit, "an upgrade", get, "connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="),
	}
}

const asJSON = "content-type: application/json"

// callHeaders are those of a plain call of a tool.
var callHeaders = []string{asJSON, "accept: application/json, text/event-stream", "mcp-protocol-version: 2025-11-25"}

// hostileCalls are calls of a tool that two readers could read differently.
func hostileCalls() (list []hostile) {
	add := func(status int, by, name, body string, headers ...string) {
		h := same(status, by, name, "POST /mcp", append(headers, callHeaders[1:]...)...)
		h.host, h.body = harness.ToolsHost, body
		list = append(list, h)
	}
	for name, body := range ambiguousBodies {
		add(400, remit, name, body, asJSON)
	}
	add(400, remit, "text", plainCall, "content-type: text/plain")
	add(400, remit, "two content types", plainCall, asJSON, "content-type: text/plain")
	add(400, remit, "compressed", plainCall, asJSON, "content-encoding: gzip")
	add(400, remit, "invalid UTF-8", strings.Replace(plainCall, "7", "7\xff", 1), asJSON)
	add(400, remit, "a byte order mark", "\ufeff"+plainCall, asJSON)
	add(400, remit, "a header that names another tool", plainCall, asJSON, "mcp-method: tools/call", "mcp-name: search_docs")
	add(413, istio, "too large", strings.Replace(plainCall, `"7"`, `"`+strings.Repeat("7", 262144)+`"`, 1), asJSON)
	return list
}

// run sends the request and compares.
func (h hostile) run(t *testing.T, s *harness.Stack, want fate) {
	t.Run(h.name+": "+h.line, func(t *testing.T) {
		reached := s.API.Requests() + s.Tools.Requests()
		got, answer := h.send(t, s)
		if s.API.Requests()+s.Tools.Requests() == reached {
			got.target = ""
		}
		t.Logf("%+v", got)
		if got != want {
			t.Errorf("want %+v, got\n%s", want, answer)
		}
	})
}

// send writes the request to Envoy, for a person of its own, and reads the
// answer. The target is what the API says that it got, "reached" where nothing
// says so.
func (h hostile) send(t *testing.T, s *harness.Stack) (got fate, answer []byte) {
	t.Helper()
	token := meshToken(t, s, "user:"+t.Name())
	conn, err := net.DialTimeout("tcp", s.Envoy.Address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go io.WriteString(conn, h.text(token))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	var told struct {
		harness.Echo
		ID string `json:"decision_id"` // of a denial
	}
	got = fate{resp.StatusCode, istio, "reached"}
	if err := json.Unmarshal(answer, &told); err != nil {
		return got, answer
	}
	if told.ID != "" || told.Decision != "" && told.Decision != "forged" {
		got.by = remit
	}
	if told.Target != "" {
		got.target = told.Target
	}
	for name := range told.Headers {
		if name != "X-Remit-Decision" && strings.Contains(strings.ToLower(name), "remit") {
			t.Errorf("the API also got %s", name)
		}
	}
	return got, answer
}

// text is the request as it is sent. An authorization of its own replaces the
// sample agent's; one without a value is none.
func (h hostile) text(token string) string {
	host := h.host
	if host == "" {
		host = harness.APIHost
	}
	lines := []string{h.line + " HTTP/1.1", "host: " + host}
	if !slices.ContainsFunc(h.headers, func(line string) bool { return strings.HasPrefix(line, "authorization:") }) {
		lines = append(lines, "authorization: Bearer "+token)
	}
	for _, line := range h.headers {
		if line != "authorization:" {
			lines = append(lines, strings.ReplaceAll(line, "TOKEN", token))
		}
	}
	if h.body != "" {
		lines = append(lines, fmt.Sprint("content-length: ", len(h.body)))
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + h.body
}
