package extauthz

import (
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Any bytes that are a check become an envelope, and any decision becomes an
// answer that Envoy reads as what it is.
func FuzzCheck(f *testing.F) {
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		f.Fatal(err)
	}
	example, err := proto.Marshal(&authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
		Http: &authv3.AttributeContext_HttpRequest{Method: "POST", Path: "/mcp", Host: "h", Headers: map[string]string{"a": "b"}, Body: "{}"},
	}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example, uint8(2), "id", "out_of_scope", 200, `"a"`)
	f.Add([]byte{}, uint8(0), "", "", 0, "")
	s := &Server{now: time.Now}
	f.Fuzz(func(t *testing.T, wire []byte, effect uint8, id, class string, status int, rpcID string) {
		request := &authv3.CheckRequest{}
		if proto.Unmarshal(wire, request) != nil {
			return
		}
		e := s.envelope("test", request)
		value.AppendJSON(nil, e.Attributes)
		value.AppendJSON(nil, e.Metadata)
		for _, as := range []DenyAs{AsToolError, AsJSONRPCError, AsHTTP} {
			r := renderer{as, keys, time.Now}.response(pdp.Decision{
				ID: id, Effect: pdp.Effect(effect), Class: pdp.Class(class), Response: pdp.Response{Status: status},
				Reply: pdp.Reply{Protocol: pdp.MCP, RPCMethod: "tools/call", RPCID: rpcID},
			}, e.Headers)
			allows := r.GetStatus().GetCode() == 0
			if !explicit(r) || allows != (pdp.Effect(effect) == pdp.Allow && id != "") {
				t.Fatalf("effect %d, id %q became %v", effect, id, r)
			}
		}
	})
}
