package attributes

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp"
)

// message returns a JSON-RPC message sent to the MCP server.
func message(body string, changes ...change) *pdp.Envelope {
	return posted("/mcp", jsonType, body, changes...)
}

// revision is the header that says by which revision a message is read.
func revision(r string) change { return header("mcp-protocol-version", r) }

func TestRPCRead(t *testing.T) {
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}`
	routed := func(pairs ...string) change { return header(append(pairs, "mcp-protocol-version", "2026-07-28")...) }
	tests := []struct {
		name string
		e    *pdp.Envelope
		want pdp.RPC // without params and arguments
		args string
	}{
		{"a call", message(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read","arguments":{"id":1}}}`, revision("2025-11-25")),
			pdp.RPC{Method: "tools/call", ID: "7", Name: "read", Revision: "2025-11-25", Known: true}, `{"id":1}`},
		{"a call without arguments", message(`{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"read"}}`, revision("2025-06-18")),
			pdp.RPC{Method: "tools/call", ID: `"a"`, Name: "read", Revision: "2025-06-18", Known: true}, ""},
		{"a modern call", message(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read","arguments":{},`+meta+`}}`, routed("mcp-method", "tools/call", "mcp-name", "read")),
			pdp.RPC{Method: "tools/call", ID: "7", Name: "read", Revision: "2026-07-28", Known: true}, "{}"},
		{"a name that a header cannot hold", message(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"größe",`+meta+`}}`, routed("mcp-method", "tools/call", "mcp-name", "=?base64?Z3LDtsOfZQ==?=")),
			pdp.RPC{Method: "tools/call", ID: "7", Name: "größe", Revision: "2026-07-28", Known: true}, ""},
		{"modern by its header alone", message(`{"jsonrpc":"2.0","id":7,"method":"tools/list"}`, routed("mcp-method", "tools/list")),
			pdp.RPC{Method: "tools/list", ID: "7", Revision: "2026-07-28", Known: true}, ""},
		{"a prompt", message(`{"jsonrpc":"2.0","id":0,"method":"prompts/get","params":{"name":"greet","arguments":{"who":"Ada"}}}`),
			pdp.RPC{Method: "prompts/get", ID: "0", Name: "greet", Revision: "2025-03-26", Known: true}, `{"who":"Ada"}`},
		{"a resource", message(`{"jsonrpc":"2.0","id":-1,"method":"resources/read","params":{"uri":"docs://a/b","arguments":{"x":1}}}`),
			pdp.RPC{Method: "resources/read", ID: "-1", Name: "docs://a/b", Revision: "2025-03-26", Known: true}, ""},
		{"a subscription", message(`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"docs://a"}}`),
			pdp.RPC{Method: "resources/subscribe", ID: "1", Name: "docs://a", Revision: "2025-03-26", Known: true}, ""},
		{"its end", message(`{"jsonrpc":"2.0","id":1,"method":"resources/unsubscribe","params":{"uri":"docs://a"}}`),
			pdp.RPC{Method: "resources/unsubscribe", ID: "1", Name: "docs://a", Revision: "2025-03-26", Known: true}, ""},
		{"a task", message(`{"jsonrpc":"2.0","id":1,"method":"tasks/result","params":{"taskId":"t1"}}`, revision("2025-11-25")),
			pdp.RPC{Method: "tasks/result", ID: "1", Name: "t1", Revision: "2025-11-25", Known: true}, ""},
		{"a beginning", message(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}}`),
			pdp.RPC{Method: "initialize", ID: "1", Revision: "2025-11-25", Known: true}, ""},
		{"a notification", message(`{"jsonrpc":"2.0","method":"notifications/initialized"}`),
			pdp.RPC{Method: "notifications/initialized", Revision: "2025-03-26", Known: true}, ""},
		{"an unknown method", message(`{"jsonrpc":"2.0","id":1,"method":"admin/reset","params":{"name":"x"}}`),
			pdp.RPC{Method: "admin/reset", ID: "1", Revision: "2025-03-26"}, ""},
		{"a method in another case", message(`{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"x"}}`),
			pdp.RPC{Method: "Tools/Call", ID: "1", Revision: "2025-03-26"}, ""},
		{"a response", message(`{"jsonrpc":"2.0","id":1,"result":{"a":1}}`),
			pdp.RPC{Response: true, Revision: "2025-03-26", Known: true}, ""},
		{"a response that is an error", message(`{"jsonrpc":"2.0","id":"x","error":{"code":1}}`, revision("2025-11-25")),
			pdp.RPC{Response: true, Revision: "2025-11-25", Known: true}, ""},
		{"a response where there are none", message(`{"jsonrpc":"2.0","id":1,"result":{}}`, revision("2026-07-28")),
			pdp.RPC{Response: true, Revision: "2026-07-28"}, ""},
		{"a stream", request("GET", "/mcp", revision("2025-06-18")),
			pdp.RPC{Method: StreamOpen, Revision: "2025-06-18", Known: true}, ""},
		{"a stream of no revision", request("GET", "/mcp"),
			pdp.RPC{Method: StreamOpen, Revision: "2025-03-26", Known: true}, ""},
		{"the end of a session", request("DELETE", "/mcp", revision("2025-11-25")),
			pdp.RPC{Method: SessionDelete, Revision: "2025-11-25", Known: true}, ""},
		{"a stream where there are none", request("GET", "/mcp", revision("2026-07-28")),
			pdp.RPC{Method: StreamOpen, Revision: "2026-07-28"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			q := mustRead(t, test.e)
			if q.Protocol != pdp.MCP || q.RPC == nil {
				t.Fatalf("protocol %s, message %v", q.Protocol, q.RPC)
			}
			got := *q.RPC
			args, hasArgs := asJSON(got.Arguments), got.Arguments.Defined()
			if asJSON(got.Params) != asJSON(q.Body.Get("params")) {
				t.Errorf("params are %s", asJSON(got.Params))
			}
			got.Params, got.Arguments = test.want.Params, test.want.Arguments
			if got.Method != test.want.Method || got.ID != test.want.ID || got.Name != test.want.Name ||
				got.Revision != test.want.Revision || got.Known != test.want.Known || got.Response != test.want.Response {
				t.Errorf("read  %+v\nwant %+v", got, test.want)
			}
			if hasArgs != (test.args != "") || hasArgs && args != test.args {
				t.Errorf("arguments are %s, want %s", args, test.args)
			}
		})
	}
}

func TestRPCRefuses(t *testing.T) {
	tests := []struct{ name, body, about string }{
		{"nothing that is a message", `"tools/call"`, "not one JSON-RPC message"},
		{"null", `null`, "not one JSON-RPC message"},
		{"a batch", `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, "a batch"},
		{"an empty batch", `[]`, "a batch"},
		{"a call nobody answers", `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"read","arguments":{}}}`, "notification of a method that is answered"},
		{"a notification to be answered", `{"jsonrpc":"2.0","id":1,"method":"notifications/cancelled"}`, "asks for an answer"},
		{"no version", `{"id":1,"method":"ping"}`, "not of JSON-RPC 2.0"},
		{"another version", `{"jsonrpc":"1.0","id":1,"method":"ping"}`, "not of JSON-RPC 2.0"},
		{"a version that is a number", `{"jsonrpc":2.0,"id":1,"method":"ping"}`, "not of JSON-RPC 2.0"},
		{"the version in another case", `{"JSONRPC":"2.0","id":1,"method":"ping"}`, "not of JSON-RPC 2.0"},
		{"id null", `{"jsonrpc":"2.0","id":null,"method":"ping"}`, "id is neither"},
		{"id a fraction", `{"jsonrpc":"2.0","id":1.5,"method":"ping"}`, "id is neither"},
		{"id an object", `{"jsonrpc":"2.0","id":{},"method":"ping"}`, "id is neither"},
		{"id true", `{"jsonrpc":"2.0","id":true,"method":"ping"}`, "id is neither"},
		{"a member of nobody's", `{"jsonrpc":"2.0","id":1,"method":"ping","x":1}`, "does not have"},
		{"method in another case", `{"jsonrpc":"2.0","id":1,"Method":"ping"}`, "does not have"},
		{"params in another case", `{"jsonrpc":"2.0","id":1,"method":"tools/call","Params":{"name":"a"}}`, "does not have"},
		{"params a list", `{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}`, "params are not an object"},
		{"params null", `{"jsonrpc":"2.0","id":1,"method":"ping","params":null}`, "params are not an object"},
		{"method a number", `{"jsonrpc":"2.0","id":1,"method":1}`, "method is not a name"},
		{"method null", `{"jsonrpc":"2.0","id":1,"method":null}`, "method is not a name"},
		{"no method's name", `{"jsonrpc":"2.0","id":1,"method":""}`, "method is not a name"},
		{"a control character", `{"jsonrpc":"2.0","id":1,"method":"tools/call\n"}`, "method is not a name"},
		{"a request with a result", `{"jsonrpc":"2.0","id":1,"method":"ping","result":1}`, "at once"},
		{"a request with an error", `{"jsonrpc":"2.0","id":1,"method":"ping","error":{}}`, "at once"},
		{"neither", `{"jsonrpc":"2.0","id":1}`, "neither a request nor a response"},
		{"a result and an error", `{"jsonrpc":"2.0","id":1,"result":1,"error":{}}`, "neither a request nor a response"},
		{"a result of nothing", `{"jsonrpc":"2.0","result":1}`, "neither a request nor a response"},
		{"a result with params", `{"jsonrpc":"2.0","id":1,"result":1,"params":{}}`, "neither a request nor a response"},
		{"a call without params", `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`, "params.name is not a name"},
		{"a call of nothing", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":""}}`, "params.name is not a name"},
		{"a call of a number", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}}`, "params.name is not a name"},
		{"a call of two lines", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a\nb"}}`, "params.name is not a name"},
		{"a call by URI", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"uri":"a"}}`, "params.name is not a name"},
		{"a prompt without a name", `{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{}}`, "params.name is not a name"},
		{"a resource without a URI", `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"name":"a"}}`, "params.uri is not a name"},
		{"a subscription without a URI", `{"jsonrpc":"2.0","id":1,"method":"resources/subscribe"}`, "params.uri is not a name"},
		{"the end of one without a URI", `{"jsonrpc":"2.0","id":1,"method":"resources/unsubscribe"}`, "params.uri is not a name"},
		{"a task without an id", `{"jsonrpc":"2.0","id":1,"method":"tasks/cancel","params":{}}`, "params.taskId is not a name"},
		{"arguments a list", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":[]}}`, "arguments is not an object"},
		{"arguments null", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":null}}`, "arguments is not an object"},
		{"a prompt's arguments a text", `{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"a","arguments":"x"}}`, "arguments is not an object"},
		{"arguments in another case", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Arguments":{"x":1}}}`, "another case: arguments"},
		{"the name in another case", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"NAME":"a"}}`, "another case: name"},
		{"the URI in another case", `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"Uri":"a"}}`, "another case: uri"},
		{"the task in another case", `{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskid":"a"}}`, "another case: taskId"},
		{"the task with a Kelvin sign", `{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"tas\u212aId":"a"}}`, "another case: taskId"},
		{"the meta data in another case", `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_META":{}}}`, "another case: _meta"},
		{"the revision in another case", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolversion":"x"}}`, "another case: protocolVersion"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if q := mustRefuse(t, message(test.body), CodeRPC, test.about); q.RPC != nil || q.Protocol != pdp.MCP {
				t.Errorf("read as %s %+v", q.Protocol, q.RPC)
			}
		})
	}
	mustRefuse(t, message(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}`), CodeBody, "only in case")
}

// On a path that speaks MCP everything is MCP, however it is dressed.
func TestRPCTransport(t *testing.T) {
	const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}`
	refused := map[string]*pdp.Envelope{
		"PUT":                      message(call, method("PUT")),
		"HEAD":                     request("HEAD", "/mcp"),
		"OPTIONS":                  request("OPTIONS", "/mcp"),
		"GET with a body":          message(call, method("GET")),
		"DELETE with a body":       message(call, method("DELETE")),
		"GET of an unseen body":    request("GET", "/mcp", header("content-length", "70")),
		"POST without a body":      request("POST", "/mcp"),
		"POST of an unseen body":   request("POST", "/mcp", header("content-length", "70")),
		"POST of text":             posted("/mcp", "text/plain", "tools/call"),
		"POST of bytes":            posted("/mcp", "application/octet-stream", call),
		"POST of a form":           posted("/mcp", formType, "jsonrpc=2.0&method=ping"),
		"GET with a method's name": request("GET", "/mcp", header("mcp-method", "tools/call")),
		"GET with a tool's name":   request("GET", "/mcp", header("mcp-name", "a")),
	}
	for name, e := range refused {
		t.Run(name, func(t *testing.T) { mustRefuse(t, e, CodeRPC, "") })
	}
	for _, e := range []*pdp.Envelope{
		request("GET", "/mcp", func(e *pdp.Envelope) { e.Listener = "other" }), request("GET", "/mcp/"), request("GET", "/MCP"), request("GET", "/mcp2"),
	} {
		if q := mustRead(t, e); q.Protocol != pdp.HTTP || q.RPC != nil {
			t.Errorf("%s at %s is read as %s", e.Path, e.Listener, q.Protocol)
		}
	}
	byRoute := func(e *pdp.Envelope) { e.Extensions = map[string]string{"remit_protocol": "mcp"} }
	if q := mustRead(t, request("GET", "/elsewhere", byRoute)); q.Protocol != pdp.MCP || q.RPC.Method != StreamOpen {
		t.Errorf("a route that speaks MCP: %+v", q)
	}
	mustRefuse(t, posted("/elsewhere", jsonType, `{}`, byRoute), CodeRPC, "")
	if q := mustRead(t, request("GET", "/mcp?x=1")); q.Protocol != pdp.MCP {
		t.Error("a query hides MCP")
	}
}

// A message where nobody said that there would be one is still a message.
func TestRPCUndeclared(t *testing.T) {
	const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}`
	for _, contentType := range []string{jsonType, "text/json", "application/vnd.x+json", "application/json-rpc"} {
		if q := mustRead(t, posted("/a", contentType, call)); q.Protocol != pdp.MCP || q.RPC == nil || q.RPC.Name != "a" {
			t.Errorf("%s: %s %+v", contentType, q.Protocol, q.RPC)
		}
	}
	for _, body := range []string{`{"a":1}`, `[{"a":1},[],"jsonrpc"]`, `{"params":{"jsonrpc":"2.0"}}`, `{"method":"tools/call"}`} {
		if q := mustRead(t, posted("/a", jsonType, body)); q.Protocol != pdp.HTTP || q.RPC != nil {
			t.Errorf("%s is read as %s", body, q.Protocol)
		}
	}
	refused := map[string]*pdp.Envelope{
		"a batch":                    posted("/a", jsonType, "["+call+"]"),
		"a batch behind others":      posted("/a", jsonType, `[{},1,`+call+"]"),
		"a batch in another case":    posted("/a", jsonType, `[{"JsonRPC":"2.0"}]`),
		"another case":               posted("/a", jsonType, strings.Replace(call, "jsonrpc", "JsonRpc", 1)),
		"a PUT":                      posted("/a", jsonType, call, method("PUT")),
		"a version of nothing":       posted("/a", jsonType, `{"jsonrpc":null}`),
		"a header without a message": posted("/a", jsonType, `{}`, header("mcp-method", "tools/call")),
		"a header without a body":    request("GET", "/a", header("mcp-method", "tools/call")),
	}
	for name, e := range refused {
		t.Run(name, func(t *testing.T) { mustRefuse(t, e, CodeRPC, "") })
	}
}

// What each method of a client does, by the revisions that have it. "catalog"
// leaves the operation to the catalog.
func TestMethodsOfRevisions(t *testing.T) {
	tests := []struct {
		method    string
		known     string // in 2025-06-18, 2025-11-25, 2026-07-28
		operation string
	}{
		{"initialize", "yyn", "discover"}, {"ping", "yyn", "discover"}, {"server/discover", "yyy", "discover"},
		{"tools/list", "yyy", "discover"}, {"prompts/list", "yyy", "discover"}, {"resources/list", "yyy", "discover"},
		{"resources/templates/list", "yyy", "discover"}, {"subscriptions/listen", "nny", "discover"},
		{"tools/call", "yyy", "catalog"}, {"prompts/get", "yyy", "catalog"}, {"resources/read", "yyy", "catalog"},
		{"resources/subscribe", "yyn", "catalog"}, {"resources/unsubscribe", "yyn", "catalog"},
		{"completion/complete", "yyy", "read"}, {"logging/setLevel", "yyn", "read"},
		{"tasks/get", "nyy", "read"}, {"tasks/result", "nyn", "read"}, {"tasks/list", "nyn", "read"},
		{"tasks/cancel", "nyy", "write"}, {"tasks/update", "nny", "send"},
		{"notifications/initialized", "yyn", "discover"}, {"notifications/roots/list_changed", "yyn", "discover"},
		{"notifications/tasks/status", "nyn", "discover"},
		{"notifications/cancelled", "yyy", "discover"}, {"notifications/progress", "yyy", "discover"},
		// What only a server sends, and what is no method at all.
		{"sampling/createMessage", "nnn", ""}, {"elicitation/create", "nnn", ""}, {"roots/list", "nnn", ""},
		{"notifications/message", "nnn", ""}, {"notifications/resources/updated", "nnn", ""},
		{"tools/Call", "nnn", ""}, {"stream/open", "nnn", ""}, {"session/delete", "nnn", ""},
	}
	for _, test := range tests {
		for i, r := range pdp.MCPRevisions {
			e := message(rpcText(test.method, r), revision(r))
			if r >= modern {
				header("mcp-method", test.method)(e)
				if mcpMethods[test.method].names != "" {
					header("mcp-name", "x")(e)
				}
			}
			q := mustRead(t, e)
			known, operation := test.known[i] == 'y', pdp.Operation("")
			if known && test.operation != "catalog" {
				operation = pdp.Operation(test.operation)
			}
			if q.RPC.Known != known || q.RPC.Operation != operation || q.RPC.Revision != r {
				t.Errorf("%s in %s: known %v, operation %q, revision %s", test.method, r, q.RPC.Known, q.RPC.Operation, q.RPC.Revision)
			}
		}
	}
	for method := range mcpMethods {
		if !slices.ContainsFunc(tests, func(test struct{ method, known, operation string }) bool { return test.method == method }) {
			t.Errorf("%s is in the table and not in this test", method)
		}
	}
}

// rpcText is a message of a method, with an id where it is answered.
func rpcText(method, revision string) string {
	id := `"id":1,`
	if mcpMethods[method].notification {
		id = ""
	}
	return `{"jsonrpc":"2.0",` + id + `"method":"` + method + `","params":{"name":"x","uri":"x","taskId":"x","protocolVersion":"` + revision + `"}}`
}

// Who says another revision is told which there are, by the id of its message;
// who says none is read, one message at a time.
func TestOtherRevisionsAreTold(t *testing.T) {
	for name, e := range map[string]*pdp.Envelope{
		"initialize of 2024-11-05":   message(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05"}}`),
		"initialize of 2025-03-26":   message(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-03-26"}}`),
		"initialize without":         message(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`),
		"header of 2025-03-26":       message(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, revision("2025-03-26")),
		"header of what comes later": message(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, revision("2027-01-01")),
		"header that is empty":       message(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, revision("")),
		"message of what comes later": message(`{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2027-01-01"}}}`,
			revision("2026-07-28")),
		"a number for a revision": message(`{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":20260728}}}`),
	} {
		t.Run(name, func(t *testing.T) {
			q, err := reader.Read(e)
			var refusal *pdp.Refusal
			if !errors.As(err, &refusal) || refusal.Reason.Code != pdp.CodeRevision || q.RPC == nil || q.RPC.ID != "1" {
				t.Fatalf("got %+v, %v", q.RPC, err)
			}
			if !strings.Contains(refusal.Reason.Message, "2025-06-18, 2025-11-25, 2026-07-28") {
				t.Errorf("the message does not say what to speak: %s", refusal.Reason.Message)
			}
		})
	}
	q := mustRead(t, message(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
	if q.RPC.Revision != unsaid || !q.RPC.Known {
		t.Errorf("without a revision: %+v", q.RPC)
	}
}
