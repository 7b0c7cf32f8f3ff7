package checks

import (
	"fmt"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/remit-pdp/remit/integration/harness"
)

// kind is one thing that agents ask for.
type kind struct {
	name  string
	allow bool // what must be answered
	host  string
	*template
}

// note is what an agent writes: a text as long as such texts are.
const note = "The export runs again since this morning; I have looked at the job's log with the customer and found the\\n" +
	"quota that stopped it. It is raised by half until the end of the month, and the two runs that were missed have been\\n" +
	"started by hand. I leave the ticket open until the report of Monday has arrived. Reference: " + uniqueMark + "."

// The agents' tools, as in the sample session's catalog: a call each.
var calls = []struct {
	tool, arguments string
	allow           bool
}{
	{"search_docs", `{"text":"how to raise the quota of a nightly export ` + uniqueMark + `"}`, true},
	{"read_ticket", `{"ticket":"` + ticketMark + `"}`, true},
	{"update_ticket", `{"ticket":"` + ticketMark + `","text":"` + note + `"}`, true},
	{"read_customer", `{"customer":"` + ticketMark + `"}`, true},
	{"send_mail", `{"to":"ada@example.test","text":"` + note + `"}`, true},
	{"delete_ticket", `{"ticket":"` + ticketMark + `"}`, false}, // not the agent's work
}

// hostile are bodies that a tool could read otherwise than they look.
var hostile = []struct{ name, body string }{
	{"a key twice", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"delete_ticket","name":"read_ticket","arguments":{"ticket":"` + ticketMark + `"}}}`},
	{"a key in another case", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_ticket","Name":"delete_ticket","arguments":{"ticket":"` + ticketMark + `"}}}`},
	{"not UTF-8", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_ticket","arguments":{"ticket":"` + ticketMark + "\xff\xfe" + `"}}}`},
	{"a number that no double holds", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_ticket","arguments":{"ticket":"` + ticketMark + `","limit":9007199254740993}}}`},
	{"a number without end", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_ticket","arguments":{"ticket":"` + ticketMark + `","limit":1e999}}}`},
	{"a batch", `[{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_ticket","arguments":{"ticket":"` + ticketMark + `"}}}]`},
	{"a second message behind the first", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_ticket","arguments":{}}}{"a":"` + ticketMark + `"}`},
	{"a comma too many", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_ticket","arguments":{"ticket":"` + ticketMark + `",}}}`},
	{"cut", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_ticket","arguments":{"ticket":"` + ticketMark},
	{"half of a character", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_ticket","arguments":{"ticket":"` + ticketMark + `\ud800"}}}`},
}

// makeKinds makes the templates, good and hostile, for tokens as long as token.
func makeKinds(token string) (good, bad []kind, err error) {
	mark := strings.Repeat("~", len(token))
	add := func(list *[]kind, name string, allow bool, check *authv3.CheckRequest) {
		t, made := newTemplate(check, mark)
		if made != nil && err == nil {
			err = fmt.Errorf("%s: %w", name, made)
		}
		*list = append(*list, kind{name, allow, check.Attributes.Request.Http.Host, t})
	}
	for _, c := range calls {
		body := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"` + c.tool + `","arguments":` + c.arguments + `}}`
		add(&good, c.tool, c.allow, toolCall(mark, c.tool, body))
	}
	add(&good, "GET ticket", true, request(mark, "GET", "/v1/tickets/"+ticketMark, ""))
	add(&good, "POST note", true, request(mark, "POST", "/v1/tickets/"+ticketMark+"/notes", `{"text":"`+note+`"}`))
	for _, h := range hostile {
		add(&bad, h.name, false, toolCall(mark, "read_ticket", h.body))
	}
	return good, bad, err
}

// toolCall is the check of an MCP message from an agent's SDK, with what
// Envoy's MCP filter read in it.
func toolCall(token, tool, body string) *authv3.CheckRequest {
	check := envoys("POST", harness.ToolsHost, "/mcp", token, body, [][2]string{
		{"content-type", "application/json"}, {"accept", "application/json, text/event-stream"},
		{"mcp-protocol-version", "2025-11-25"}, {"user-agent", "python-httpx/0.28.1"},
		{"accept-language", "*"}, {"sec-fetch-mode", "cors"},
	})
	check.Attributes.MetadataContext.FilterMetadata = map[string]*structpb.Struct{
		"envoy.filters.http.mcp": {Fields: map[string]*structpb.Value{
			"jsonrpc": structpb.NewStringValue("2.0"), "method": structpb.NewStringValue("tools/call"),
			"id": structpb.NewNumberValue(7), "is_mcp_request": structpb.NewBoolValue(true),
			"status": structpb.NewStringValue("mcp_ok"), "method_group": structpb.NewStringValue("tool"),
			"params": structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"name": structpb.NewStringValue(tool)}}),
		}},
	}
	return check
}

// request is the check of a call of a plain HTTP API from an agent in a
// browser.
func request(token, method, path, body string) *authv3.CheckRequest {
	return envoys(method, harness.APIHost, path, token, body, [][2]string{
		{"content-type", "application/json"}, {"accept", "application/json"},
		{"user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"},
		{"accept-language", "en-GB,en;q=0.9,de;q=0.8"}, {"cache-control", "no-cache"},
		{"sec-ch-ua", `"Chromium";v="142", "Google Chrome";v="142", "Not?A_Brand";v="99"`}, {"sec-ch-ua-platform", `"Linux"`},
		{"sec-fetch-site", "same-site"}, {"sec-fetch-mode", "cors"}, {"sec-fetch-dest", "empty"},
		{"origin", "https://desk.example.test"}, {"referer", "https://desk.example.test/tickets?view=open"},
		{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
	})
}

// envoys is a check as Envoy 1.40 makes it with integration/envoy/envoy.yaml:
// headers raw and in their order, the body as bytes.
func envoys(method, host, path, token, body string, headers [][2]string) *authv3.CheckRequest {
	all := [][2]string{{":authority", host}, {":path", path}, {":method", method}, {":scheme", "http"},
		{"authorization", "Bearer " + token}, {"accept-encoding", "gzip, deflate, br"}}
	all = append(all, headers...)
	if body != "" {
		all = append(all, [2]string{"content-length", strconv.Itoa(len(body))})
	}
	all = append(all, [][2]string{{"x-forwarded-for", "10.4.0.9"}, {"x-forwarded-proto", "http"}, {"x-envoy-internal", "true"}, {"x-request-id", requestMark}}...)
	if body != "" {
		all = append(all, [2]string{"x-envoy-auth-partial-body", "false"})
	}
	lines := make([]*corev3.HeaderValue, len(all))
	for i, h := range all {
		lines[i] = &corev3.HeaderValue{Key: h[0], RawValue: []byte(h[1])}
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: peer("10.4.0.9", 40112), Destination: peer("10.4.0.3", 10000),
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Id: streamMark, Method: method, Path: path, Host: host, Scheme: "http", Protocol: "HTTP/1.1",
			HeaderMap: &corev3.HeaderMap{Headers: lines}, Size: int64(len(body)), RawBody: []byte(body),
		}},
		MetadataContext: &corev3.Metadata{}, TlsSession: &authv3.AttributeContext_TLSSession{},
	}}
}

func peer(address string, port uint32) *authv3.AttributeContext_Peer {
	return &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: address, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}}
}
