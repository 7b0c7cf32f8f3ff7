package extauthz_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/door/extauthz"
)

// agentgateway's id is the client's traceparent: the same for every request of a
// trace, whatever the listener is configured to believe.
func TestOnlyEnvoysIDsAreBelieved(t *testing.T) {
	eachReader(t, func(t *testing.T, read reader) {
		for id, believed := range map[string]bool{
			"4417226417372816291": true, "0": true, "": false, "-1": false, "18446744073709551616": false,
			"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01": false, "7b1f": false,
		} {
			var got *pdp.Envelope
			keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
			if err != nil {
				t.Fatal(err)
			}
			s := read(extauthz.NewServer(extauthz.Settings{Listener: "l", Caller: named, TrustID: true, Deadline: time.Second, Margin: 10 * time.Millisecond},
				decider(func(_ context.Context, e *pdp.Envelope) pdp.Decision { got = e; return pdp.Decision{} }), keys, time.Now, func(any, []byte) {}))
			request := &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
				Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Id: id}},
			}}
			if _, err := s.Ask(t.Context(), request); err != nil || got.TrustID != believed || got.Network {
				t.Errorf("%q: believed %v, a connection %v, %v", id, got.TrustID, got.Network, err)
			}
		}
	})
}

// Without HTTP a check is about a connection.
func TestAConnectionIsNoRequest(t *testing.T) {
	eachReader(t, func(t *testing.T, read reader) {
		var got *pdp.Envelope
		s := door(t, read, func(_ context.Context, e *pdp.Envelope) pdp.Decision { got = e; return pdp.Decision{} })
		_, err := s.Ask(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Source:      &authv3.AttributeContext_Peer{Principal: "spiffe://example.test/a"},
			Destination: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: "10.0.0.3", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 5432}}}}},
			TlsSession:  &authv3.AttributeContext_TLSSession{Sni: "db.example.test"},
		}})
		if err != nil || !got.Network || got.ServerName != "db.example.test" || got.Destination.Port != 5432 || got.Source.Principal != "spiffe://example.test/a" || got.TrustID {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// What a gRPC client is told: a status of its own kind and nothing else.
func TestGRPCDenials(t *testing.T) {
	eachReader(t, func(t *testing.T, read reader) {
		for name, test := range map[string]struct {
			d       pdp.Decision
			status  string
			message string
		}{
			"out of scope": {pdp.Decision{ID: "id", Class: pdp.OutOfScope, Reasons: []pdp.Reason{{Code: "why", Message: "50% of Käse"}}}, "7", "50%25 of K%C3%A4se (why)"},
			"revoked":      {pdp.Decision{ID: "id", Class: pdp.Revoked}, "7", "Denied"},
			"nobody":       {pdp.Decision{ID: "id", Class: pdp.Unauthenticated}, "16", "Denied"},
			"spent":        {pdp.Decision{ID: "id", Class: pdp.BudgetSpent, Retry: 2 * time.Second}, "8", "after 2 seconds"},
			"an outage":    {pdp.Decision{Class: pdp.Unavailable}, "14", "Denied"},
			"unreadable":   {pdp.Decision{ID: "id", Class: pdp.Unreadable}, "3", "Denied"},
			"the zero one": {pdp.Decision{}, "14", "Denied"},
			"by policy":    {pdp.Decision{ID: "id", Class: pdp.OutOfScope, Response: pdp.Response{Status: 404, Body: "line\nline"}}, "5", "line%0Aline"},
			"a 200 of it":  {pdp.Decision{ID: "id", Class: pdp.OutOfScope, Response: pdp.Response{Status: 200}}, "7", "Denied"},
			"a long one":   {pdp.Decision{ID: "id", Class: pdp.OutOfScope, Reasons: []pdp.Reason{{Code: "c", Message: strings.Repeat("é", 4000)}}}, "7", "Denied"},
		} {
			t.Run(name, func(t *testing.T) {
				test.d.Reply = pdp.Reply{Protocol: pdp.GRPC, Binding: pdp.BindingGRPC}
				test.d.Response.Headers = pdp.Headers{{Name: "grpc-status", Value: "0"}, {Name: "content-type", Value: "text/html"}, {Name: "x-own", Value: "v"}}
				r := check(t, read, func(context.Context, *pdp.Envelope) pdp.Decision { return test.d })
				headers := make(map[string]string)
				for _, h := range r.GetDeniedResponse().GetHeaders() {
					if _, twice := headers[h.GetHeader().GetKey()]; twice {
						t.Errorf("header %s is there twice", h.GetHeader().GetKey())
					}
					headers[h.GetHeader().GetKey()] = h.GetHeader().GetValue()
				}
				if !denies(r) || r.GetDeniedResponse().GetStatus().GetCode() != 200 || r.GetDeniedResponse().GetBody() != "" {
					t.Errorf("got %v", r)
				}
				if headers["grpc-status"] != test.status || headers["content-type"] != "application/grpc" || headers["x-own"] != "v" || !strings.Contains(headers["grpc-message"], test.message) {
					t.Errorf("headers %v", headers)
				}
				if len(headers["grpc-message"]) > 3*1024 {
					t.Errorf("the message has %d bytes", len(headers["grpc-message"]))
				}
				encoded, err := base64.RawStdEncoding.DecodeString(headers["grpc-status-details-bin"])
				var details rpcstatus.Status
				if err != nil || proto.Unmarshal(encoded, &details) != nil || len(details.GetDetails()) < len(test.d.Reasons) {
					t.Errorf("details %v, %v", &details, err)
				}
			})
		}
	})
}

// What a client of A2A is told, in each of its bindings; and a client of MCP
// that speaks another revision.
func TestDenialsInTheProtocolsOwnForm(t *testing.T) {
	eachReader(t, func(t *testing.T, read reader) {
		a2a := pdp.Reply{Protocol: pdp.A2A, Binding: pdp.BindingJSONRPC, RPCMethod: "SendMessage", RPCID: `"x"`}
		mcp := pdp.Reply{Protocol: pdp.MCP, Binding: pdp.BindingJSONRPC, RPCMethod: "initialize", RPCID: "1", Revision: "2024-11-05"}
		later := pdp.Reply{Protocol: pdp.MCP, Binding: pdp.BindingJSONRPC, RPCMethod: "tools/call", RPCID: "1", Revision: "2027-01-01"}
		revision := []pdp.Reason{{Code: pdp.CodeRevision, Message: "speak another"}}
		for name, test := range map[string]struct {
			d      pdp.Decision
			status int32
			code   float64
			data   string
		}{
			"a message":             {pdp.Decision{ID: "id", Class: pdp.OutOfScope, Reasons: []pdp.Reason{{Code: "why"}}, Reply: a2a}, 200, 403, `[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"remit","metadata":{"class":"out_of_scope","decision_id":"id"},"reason":"WHY"}]`},
			"an outage":             {pdp.Decision{ID: "id", Class: pdp.Unavailable, Reply: a2a}, 503, 503, `[]`},
			"its version":           {pdp.Decision{ID: "id", Class: pdp.Unreadable, Reasons: revision, Reply: a2a}, 200, -32009, `[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"a2a-protocol.org","reason":"VERSION_NOT_SUPPORTED"}]`},
			"over HTTP":             {pdp.Decision{ID: "id", Class: pdp.BudgetSpent, Reply: pdp.Reply{Protocol: pdp.A2A, Binding: pdp.BindingHTTP}}, 429, 429, `[]`},
			"MCP's handshake":       {pdp.Decision{ID: "id", Class: pdp.Unreadable, Reasons: revision, Reply: mcp}, 200, -32602, `["2025-06-18","2025-11-25","2026-07-28"]`},
			"MCP of a later client": {pdp.Decision{ID: "id", Class: pdp.Unreadable, Reasons: revision, Reply: later}, 200, -32022, `["2025-06-18","2025-11-25","2026-07-28"]`},
		} {
			t.Run(name, func(t *testing.T) {
				r := check(t, read, func(context.Context, *pdp.Envelope) pdp.Decision { return test.d })
				var body struct {
					ID    any
					Error struct {
						Code    float64
						Data    json.RawMessage
						Details json.RawMessage
					}
				}
				if err := json.Unmarshal([]byte(r.GetDeniedResponse().GetBody()), &body); err != nil || !denies(r) {
					t.Fatalf("%v: %v", err, r)
				}
				data := body.Error.Data
				if body.Error.Details != nil {
					data = body.Error.Details
				}
				var object struct{ Supported json.RawMessage }
				if json.Unmarshal(data, &object) == nil && object.Supported != nil {
					data = object.Supported
				}
				if int32(r.GetDeniedResponse().GetStatus().GetCode()) != test.status || body.Error.Code != test.code || string(data) != test.data {
					t.Errorf("status %d, %s", r.GetDeniedResponse().GetStatus().GetCode(), r.GetDeniedResponse().GetBody())
				}
			})
		}
	})
}
