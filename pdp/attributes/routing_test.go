package attributes

import (
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

const (
	oldCall    = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"}}`
	modernCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`
	oldList    = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	response   = `{"jsonrpc":"2.0","id":1,"result":{}}`
)

// The headers that proxies route by say what the message says.
func TestRouting(t *testing.T) {
	modernly := header("mcp-protocol-version", "2026-07-28", "mcp-method", "tools/call", "mcp-name", "read")
	tests := []struct {
		name   string
		body   string
		change change
		about  string // "" where it is read
	}{
		{"all of them", modernCall, modernly, ""},
		{"all of them on an old message", oldCall, modernly, ""},
		{"none on an old message", oldCall, header(), ""},
		{"old, the method", oldCall, header("mcp-method", "tools/call"), ""},
		{"old, the name", oldCall, header("mcp-name", "read"), ""},
		{"old, encoded", oldCall, header("mcp-name", "=?base64?cmVhZA==?="), ""},
		{"no version", modernCall, header("mcp-method", "tools/call", "mcp-name", "read"), "version is missing"},
		{"no method", modernCall, header("mcp-protocol-version", "2026-07-28", "mcp-name", "read"), "method is missing"},
		{"no name", modernCall, header("mcp-protocol-version", "2026-07-28", "mcp-method", "tools/call"), "name is missing"},
		{"none", modernCall, header(), "missing"},
		{"modern by its header, no method", oldList, revision("2026-07-28"), "method is missing"},
		{"another version", modernCall, header("mcp-protocol-version", "2025-11-25", "mcp-method", "tools/call", "mcp-name", "read"), "not the message's revision"},
		{"the message says an older version", `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}}`, revision("2026-07-28"), "not the message's revision"},
		{"old, another method", oldCall, header("mcp-method", "tools/list"), "not the message's method"},
		{"old, the method in another case", oldCall, header("mcp-method", "Tools/Call"), "not the message's method"},
		{"old, no method at all", oldCall, header("mcp-method", ""), "not the message's method"},
		{"another method", modernCall, header("mcp-protocol-version", "2026-07-28", "mcp-method", "tools/list", "mcp-name", "read"), "not the message's method"},
		{"old, another name", oldCall, header("mcp-name", "delete"), "not what the message names"},
		{"old, the name in another case", oldCall, header("mcp-name", "Read"), "not what the message names"},
		{"a name for what names nothing", oldList, header("mcp-name", "read"), "not what the message names"},
		{"another name", modernCall, header("mcp-protocol-version", "2026-07-28", "mcp-method", "tools/call", "mcp-name", "delete"), "not what the message names"},
		{"two names joined", oldCall, header("mcp-name", "read,read"), "not what the message names"},
		{"encoded, another", oldCall, header("mcp-name", "=?base64?cmVhZQ==?="), "not what the message names"},
		{"encoded, without an end", oldCall, header("mcp-name", "=?base64?cmVhZA=="), "not what the message names"},
		{"encoded, not base64", oldCall, header("mcp-name", "=?base64?c-V_ZA==?="), "not what the message names"},
		{"encoded, no padding", oldCall, header("mcp-name", "=?base64?cmVhZA?="), "not what the message names"},
		{"encoded, spare bits", oldCall, header("mcp-name", "=?base64?cmVhZB==?="), "not what the message names"},
		{"a method on a response", response, header("mcp-method", "tools/call"), "not the message's method"},
		{"a name on a response", response, header("mcp-name", "read"), "not what the message names"},
		{"a response", response, header(), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := message(test.body, test.change)
			if test.about == "" {
				mustRead(t, e)
				return
			}
			if q := mustRefuse(t, e, CodeRPC, test.about); q.RPC != nil {
				t.Errorf("the refused message is %+v", q.RPC)
			}
		})
	}
}

func TestDecodeHeader(t *testing.T) {
	tests := []struct {
		header, want string
		ok           bool
	}{
		{"read", "read", true}, {"", "", true}, {"=?utf-8?read?=", "=?utf-8?read?=", true},
		{"=?base64??=", "", true}, {"=?base64?Z3LDtsOfZQ==?=", "größe", true},
		{"=?base64?/w==?=", "", false}, {"=?base64?cmVhZA", "", false}, {"=?base64?=", "", false}, {"=?base64?cm Vh?=", "", false},
	}
	for _, test := range tests {
		if got, ok := decodeHeader(test.header); ok != test.ok || ok && got != test.want {
			t.Errorf("%q is read as %q, %v", test.header, got, ok)
		}
	}
}

// hint adds what Envoy's MCP filter read.
func hint(namespace, text string) change {
	return func(e *pdp.Envelope) {
		v, err := value.ParseJSON([]byte(text))
		if err != nil {
			panic(err)
		}
		e.Metadata = value.Obj(value.M(namespace, v))
	}
}

// Envoy's parser is lenient: where it read something else in the same bytes,
// so may the tool.
func TestHints(t *testing.T) {
	const prompt = `{"jsonrpc":"2.0","id":"a","method":"resources/read","params":{"uri":"docs://a"}}`
	const task = `{"jsonrpc":"2.0","id":9007199254740991,"method":"tasks/get","params":{"taskId":"t"}}`
	tests := []struct{ name, body, hint, about string }{
		{"the same", oldCall, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"},"is_mcp_request":true,"status":"mcp_ok"}`, ""},
		{"nothing", oldCall, `{}`, ""},
		{"the group alone", oldCall, `{"is_exceeding_limit":false,"is_mcp_request":true}`, ""},
		{"the method alone", oldCall, `{"method":"tools/call"}`, ""},
		{"the same URI", prompt, `{"id":"a","method":"resources/read","params":{"uri":"docs://a"}}`, ""},
		{"the same task", task, `{"id":9007199254740991,"method":"tasks/get","params":{"taskId":"t"}}`, ""},
		{"a response", response, `{"id":1,"method":"__jsonrpc_response"}`, ""},
		{"another method", oldCall, `{"method":"tools/list"}`, "another method"},
		{"a response that is none", oldCall, `{"method":"__jsonrpc_response"}`, "another method"},
		{"a call that is a response", response, `{"method":"tools/call"}`, "another method"},
		{"another name", oldCall, `{"method":"tools/call","params":{"name":"delete"}}`, "another name"},
		{"the name in another case", oldCall, `{"method":"tools/call","params":{"name":"Read"}}`, "another name"},
		{"a name that is a number", oldCall, `{"method":"tools/call","params":{"name":1}}`, "another name"},
		{"another URI", prompt, `{"method":"resources/read","params":{"uri":"docs://b"}}`, "another uri"},
		{"another task", task, `{"method":"tasks/get","params":{"taskId":"u"}}`, "another taskId"},
		{"another id", oldCall, `{"id":2,"method":"tools/call"}`, "another id"},
		{"an id of another kind", oldCall, `{"id":"1","method":"tools/call"}`, "another id"},
		{"too large for it", oldCall, `{"method":"tools/call","is_exceeding_limit":true}`, "without having parsed"},
		{"not parsed", oldCall, `{"passthrough_reason":"mcp_parse_error"}`, "without having parsed"},
		{"a name twice, says Envoy", oldCall, `{"method":"tools/call","passthrough_reason":"mcp_duplicate_keys"}`, "without having parsed"},
	}
	for _, test := range tests {
		for _, namespace := range []string{"envoy.filters.http.mcp", "mcp_proxy"} {
			t.Run(test.name, func(t *testing.T) {
				e := message(test.body, hint(namespace, test.hint), revision("2025-11-25"))
				if test.about == "" {
					mustRead(t, e)
					return
				}
				mustRefuse(t, e, CodeRPC, test.about)
			})
		}
	}
	mustRead(t, message(oldCall, hint("somebody.else", `{"method":"tools/list"}`)))
}

// A message that Envoy found where remit finds none is a disagreement too;
// that the filter had nothing to do is not.
func TestHintsWhereThereIsNoMessage(t *testing.T) {
	mustRefuse(t, posted("/a", jsonType, `{"a":1}`, hint("mcp_proxy", `{"method":"tools/call"}`)), CodeRPC, "not of JSON-RPC")
	mustRefuse(t, posted("/a", "application/jsonx", `{}`, hint("envoy.filters.http.mcp", `{"method":"tools/call"}`)), CodeRPC, "not one JSON-RPC message")
	q := mustRead(t, posted("/a", jsonType, `{"a":1}`, hint("envoy.filters.http.mcp", `{"is_mcp_request":false,"passthrough_reason":"mcp_not_jsonrpc"}`)))
	if q.Protocol != pdp.HTTP {
		t.Errorf("a plain request is read as %s", q.Protocol)
	}
	if q := mustRead(t, request("GET", "/mcp", hint("envoy.filters.http.mcp", `{}`))); q.RPC.Method != StreamOpen {
		t.Errorf("a stream is read as %+v", q.RPC)
	}
}
