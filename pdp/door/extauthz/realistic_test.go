package extauthz

import (
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Realistic is a check as Envoy asks it with the shipped configuration: raw
// headers of a browser-like client behind a proxy, a signed token, a tool call
// and what the MCP filter says of it.
func Realistic() *authv3.CheckRequest {
	body := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search_mail","arguments":{"query":"from:ada subject:invoice after:2026-10-01","folder":"inbox","limit":25,"fields":["subject","from","date","snippet"],"include_attachments":false,"note":"` + strings.Repeat("lorem ", 15) + `"}}}`
	lines := []string{
		":authority", "tools.example.test", ":path", "/mcp", ":method", "POST", ":scheme", "https",
		"accept", "application/json, text/event-stream", "accept-encoding", "gzip, deflate, br", "accept-language", "en-GB,en;q=0.9",
		"authorization", "Bearer " + strings.Repeat("eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0", 26),
		"content-length", strconv.Itoa(len(body)), "content-type", "application/json", "mcp-protocol-version", "2025-11-25",
		"mcp-session-id", "0b9f3a0e-6a51-4f4e-9f0b-6ad1c0a1f2b3", "origin", "https://agent.example.test",
		"sec-fetch-mode", "cors", "sec-fetch-site", "same-site", "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		"x-envoy-external-address", "203.0.113.7", "x-forwarded-for", "203.0.113.7", "x-forwarded-proto", "https",
		"x-request-id", "6f1cbd6a-8f0c-9f5b-b1c9-1f1de4a5c6d7", "x-envoy-auth-partial-body", "false",
	}
	headers := &corev3.HeaderMap{}
	for i := 0; i < len(lines); i += 2 {
		headers.Headers = append(headers.Headers, &corev3.HeaderValue{Key: lines[i], RawValue: []byte(lines[i+1])})
	}
	call, err := structpb.NewStruct(map[string]any{"method": "tools/call", "method_group": "tool", "params": map[string]any{"name": "search_mail"}, "id": 7})
	if err != nil {
		panic(err)
	}
	at := func(host string, port uint32) *corev3.Address {
		return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port}}}}
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:      &authv3.AttributeContext_Peer{Address: at("203.0.113.7", 52110), Principal: "spiffe://example.test/ns/agents/sa/mail"},
		Destination: &authv3.AttributeContext_Peer{Address: at("10.0.0.3", 10000), Principal: "spiffe://example.test/ns/edge/sa/envoy"},
		Request: &authv3.AttributeContext_Request{
			Time: &timestamppb.Timestamp{Seconds: 1795600000, Nanos: 500_000_000},
			Http: &authv3.AttributeContext_HttpRequest{
				Id: "4417226419881244663", Method: "POST", HeaderMap: headers, Path: "/mcp", Host: "tools.example.test", Scheme: "https",
				Size: int64(len(body)), Protocol: "HTTP/2", RawBody: []byte(body),
			},
		},
		MetadataContext:      &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"envoy.filters.http.mcp": call}},
		RouteMetadataContext: &corev3.Metadata{},
		TlsSession:           &authv3.AttributeContext_TLSSession{Sni: "tools.example.test"},
	}}
}
