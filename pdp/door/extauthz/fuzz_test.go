package extauthz

import (
	"bytes"
	"cmp"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"buf.build/go/hyperpb"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/door/wire"
	"github.com/remit-pdp/remit/pdp/value"
)

// marshal is a message on the wire.
func marshal(tb testing.TB, m proto.Message) []byte {
	tb.Helper()
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return wire
}

// checkOf is a check of an HTTP request.
func checkOf(r *authv3.AttributeContext_HttpRequest) *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: r}}}
}

// plainChecks are read off the wire.
func plainChecks(tb testing.TB) map[string][]byte {
	pipe := &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/run/a.sock"}}}
	values, err := structpb.NewStruct(map[string]any{"a": nil, "b": true, "c": 1.5, "d": "s", "e": []any{1, "x", []any{}}, "f": map[string]any{"g": map[string]any{}}})
	if err != nil {
		tb.Fatal(err)
	}
	return map[string][]byte{
		"nothing":       {},
		"no attributes": marshal(tb, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{}}),
		"a connection": marshal(tb, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			Source: &authv3.AttributeContext_Peer{Address: pipe, Service: "s", Principal: "p", Certificate: "c"}, TlsSession: &authv3.AttributeContext_TLSSession{Sni: "n"},
		}}),
		"as Envoy sends it": marshal(tb, Realistic()),
		"an empty request":  marshal(tb, checkOf(&authv3.AttributeContext_HttpRequest{})),
		"joined headers": marshal(tb, checkOf(&authv3.AttributeContext_HttpRequest{
			Headers: map[string]string{":path": "/", "Accept": "a,b", "empty": "", "": "nameless"}, Body: "text", Size: -1, Id: "00-4bf", Query: "q", Fragment: "f",
		})),
		"lines": marshal(tb, checkOf(&authv3.AttributeContext_HttpRequest{HeaderMap: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
			{Key: "a", Value: "1"}, {Key: "A", RawValue: []byte{0xff}}, {Key: "b", Value: "text", RawValue: []byte("raw")}, {},
		}}, Body: "text", RawBody: []byte{0, 0xff}})),
		"lines not as usual": inAttributes(4, field(2, field(13,
			field(1, field(1, []byte("X-\u00dcber")), field(3, []byte("1"))),
			field(1, field(3, []byte("2")), field(1, []byte("B"))),
			field(1, field(1, bytes.Repeat([]byte("N"), 200)), field(3, []byte("3"))),
			field(1, field(1, []byte("c")), []byte("\x1a\x81\x00v")),
			field(1, field(3, []byte("nameless"))), field(1, field(1, []byte("D"))), field(1, field(1), field(3)),
		))),
		"an empty header map": marshal(tb, checkOf(&authv3.AttributeContext_HttpRequest{HeaderMap: &corev3.HeaderMap{}, Headers: map[string]string{"a": "b"}})),
		"metadata": marshal(tb, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			MetadataContext:      &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"x": values, "y": {}}},
			RouteMetadataContext: &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"z": values}},
			ContextExtensions:    map[string]string{"k": "v", "l": ""},
		}}),
		// Of one name the last counts.
		"a name twice in metadata": inAttributes(11, entry("n",
			entry("k", field(3, []byte("1"))), entry("k", field(3, []byte("2"))), entry("l", field(3, nil)))),
		"a namespace twice":          inAttributes(11, entry("n", entry("k", field(3))), entry("n")),
		"a name twice in extensions": field(1, field(10, field(1, []byte("k")), field(2, []byte("1"))), field(10, field(1, []byte("k")), field(2, []byte("2")))),
		"a value of no kind":         inAttributes(11, entry("n", entry("k"))),
		"not a number":               inAttributes(11, entry("n", entry("k", []byte("\x11\x01\x00\x00\x00\x00\x00\xf8\x7f")))),
		"long encodings":             inAttributes(4, field(2, []byte("\x48\x81\x80\x00"), []byte("\xa2\x80\x00\x81\x00/"))),
	}
}

// oddChecks are for the generated types, which take some of them.
func oddChecks(tb testing.TB) map[string][]byte {
	request := func(parts ...[]byte) []byte { return inAttributes(4, field(2, parts...)) }
	internal := &corev3.Address{Address: &corev3.Address_EnvoyInternalAddress{EnvoyInternalAddress: &corev3.EnvoyInternalAddress{EndpointId: "e"}}}
	named := &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{PortSpecifier: &corev3.SocketAddress_NamedPort{NamedPort: "http"}}}}
	deep := field(3, []byte("s"))
	for range wire.MaxNesting {
		deep = field(6, field(1, deep))
	}
	return map[string][]byte{
		"attributes twice":             slices.Concat(inAttributes(4, field(2, field(2, []byte("GET")))), inAttributes(4, field(2, field(4, []byte("/"))))),
		"a request twice":              field(1, field(4, field(2)), field(4)),
		"HTTP twice":                   inAttributes(4, field(2, field(2, []byte("GET"))), field(2, field(4, []byte("/")))),
		"a path twice":                 request(field(4, []byte("/a")), field(4, []byte("/b"))),
		"a header twice":               request(field(3, field(1, []byte("a")), field(2, []byte("1"))), field(3, field(1, []byte("a")), field(2, []byte("2")))),
		"a header twice but for case":  request(field(3, field(1, []byte("a"))), field(3, field(1, []byte("A")))),
		"headers in both forms":        request(field(3, field(1, []byte("a"))), field(13, field(1, field(1, []byte("b"))))),
		"headers in both forms, lines": request(field(13, field(1, field(1, []byte("b")))), field(3, field(1, []byte("a")))),
		"a key twice in a pair":        request(field(3, field(1, []byte("a")), field(1, []byte("b")))),
		"labels":                       marshal(tb, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Source: &authv3.AttributeContext_Peer{Labels: map[string]string{"a": "b"}}}}),
		"an internal address":          marshal(tb, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Source: &authv3.AttributeContext_Peer{Address: internal}}}),
		"a named port":                 marshal(tb, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Source: &authv3.AttributeContext_Peer{Address: named}}}),
		"an address of both kinds":     inAttributes(1, field(1, field(1, field(2, []byte("1.2.3.4"))), field(2, field(1, []byte("/p"))))),
		"typed metadata":               inAttributes(11, field(2, field(1, []byte("n")), field(2))),
		"a value of two kinds":         inAttributes(11, entry("n", entry("k", field(3, []byte("s")), []byte("\x20\x01")))),
		"deep metadata":                inAttributes(11, entry("n", entry("k", deep))),
		"a field nobody knows":         request([]byte("\xf2\x03\x00")),
		"a field of a high number":     request([]byte("\x82\xd0\x0f\x00")),
		"a group":                      request([]byte("\xf3\x03\xf4\x03")),
		"a path that is a number":      request([]byte("\x20\x01")),
		"a size that is a text":        request(field(9, []byte("1"))),
		"a path that is not UTF-8":     request(field(4, []byte{'/', 0xff})),
		"a body that is not UTF-8":     request(field(11, []byte{0xff})),
		"a query that is not UTF-8":    request(field(7, []byte{0xff})),
		"a service that is not UTF-8":  inAttributes(1, field(2, []byte{0xff})),
		"a value that is not UTF-8":    inAttributes(11, entry("n", entry("k", field(3, []byte{0xff})))),
		"route metadata not UTF-8":     inAttributes(13, entry("n", entry("\xff"))),
		"a line with a field more":     request(field(13, field(1, field(1, []byte("a")), field(3, []byte("1")), field(4)))),
		"a line with a name twice":     request(field(13, field(1, field(1, []byte("a")), field(1, []byte("b")), field(3, []byte("1"))))),
		"a line cut off":               request(field(13, field(1, field(1, []byte("a")), []byte{0x1a, 2, '1'}))),
		"a name that is not UTF-8":     request(field(13, field(1, field(1, []byte{'A', 0xff}), field(3, []byte("1"))))),
		"no field number":              {0x02, 0x00},
		"cut off":                      request(field(4, []byte("/abc")))[:8],
		"cut off in a number":          {0x0a, 0x80},
		"longer than it is":            {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"no message":                   []byte("GET / HTTP/1.1\r\n"),
	}
}

// field, entry and inAttributes write what the generated types would not.
func field(number protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), slices.Concat(parts...))
}

// entry is a member of a map that is field 1 of its message.
func entry(name string, parts ...[]byte) []byte {
	return field(1, field(1, []byte(name)), field(2, parts...))
}

func inAttributes(number protowire.Number, parts ...[]byte) []byte {
	return field(1, field(number, parts...))
}

// same reports whether two envelopes say the same.
func same(a, b *pdp.Envelope) bool {
	plain := func(e pdp.Envelope) pdp.Envelope {
		e.Metadata = value.Nothing
		if e.HeadersJoined { // from a map, which has no order
			e.Headers = slices.SortedFunc(slices.Values(e.Headers), func(a, b pdp.Header) int { return cmp.Compare(a.Name, b.Name) })
		}
		if len(e.Headers) == 0 {
			e.Headers = nil
		}
		if len(e.Extensions) == 0 {
			e.Extensions = nil
		}
		return e
	}
	return value.Equal(a.Metadata, b.Metadata) && reflect.DeepEqual(plain(*a), plain(*b))
}

// What is plain is read off the wire, as the generated types read it.
func TestPlainChecks(t *testing.T) {
	for name, message := range plainChecks(t) {
		t.Run(name, func(t *testing.T) {
			got, plain := fromWire(string(message))
			want, err := fromTypes(string(message))
			if !plain || err != nil || !same(got, want) {
				t.Errorf("plain: %v; off the wire %+v, by the types %+v, %v", plain, got, want, err)
			}
			if byTable, err := fromTable(message); err != nil || !same(got, byTable) {
				t.Errorf("off the wire %+v, by the table %+v, %v", got, byTable, err)
			}
		})
	}
}

// What is not plain is not read off the wire: protobuf's own rules for it are the
// generated types'.
func TestOddChecks(t *testing.T) {
	for name, message := range oddChecks(t) {
		t.Run(name, func(t *testing.T) {
			if e, plain := fromWire(string(message)); plain {
				t.Errorf("read off the wire: %+v", e)
			}
			got, err := readCheck(string(message))
			want, wantErr := fromTypes(string(message))
			if (err == nil) != (wantErr == nil) || err == nil && !same(got, want) {
				t.Errorf("read as %+v, %v, want %+v, %v", got, err, want, wantErr)
			}
		})
	}
}

// FuzzReaders: a check that is read off the wire is one to protobuf too, and says
// the same, by the generated types and by a parser that shares no code with them.
func FuzzReaders(f *testing.F) {
	for _, message := range plainChecks(f) {
		f.Add(message)
	}
	for _, message := range oddChecks(f) {
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		got, plain := fromWire(string(message))
		if !plain {
			return
		}
		want, err := fromTypes(string(message))
		if err != nil {
			t.Fatalf("protobuf refuses it: %v", err)
		}
		if !same(got, want) {
			t.Errorf("off the wire %+v, by the types %+v", got, want)
		}
		if a, b := value.AppendJSON(nil, got.Metadata), value.AppendJSON(nil, want.Metadata); string(a) != string(b) {
			t.Errorf("metadata is written as %s and as %s", a, b)
		}
		byTable, err := fromTable(message)
		if err != nil || !same(got, byTable) {
			t.Errorf("off the wire %+v, by the table %+v, %v", got, byTable, err)
		}
	})
}

// checkTable is how hyperpb reads a check: by a table that it makes of the
// message's description.
var checkTable = sync.OnceValue(func() *hyperpb.MessageType {
	return hyperpb.CompileMessageDescriptor((*authv3.CheckRequest)(nil).ProtoReflect().Descriptor())
})

// fromTable is fromTypes with hyperpb's parser in place of protobuf's own.
func fromTable(message []byte) (*pdp.Envelope, error) {
	parsed := hyperpb.NewMessage(checkTable())
	if err := parsed.Unmarshal(message); err != nil {
		return nil, err
	}
	var check authv3.CheckRequest
	proto.Merge(&check, parsed)
	return envelopeOf(&check), nil
}

// FuzzCheck: any bytes become an envelope, and any decision becomes an answer that
// Envoy reads as what it is, whichever way it is written.
func FuzzCheck(f *testing.F) {
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(marshal(f, Realistic()), uint8(2), "id", "out_of_scope", 200, `"a"`, "x-a", "1", "x-b")
	f.Add([]byte{}, uint8(0), "", "", 0, "", "", "", "")
	f.Add([]byte{}, uint8(2), "id", "", 0, "", "x-a", "\xff", "")
	clock := func() time.Time { return time.Unix(1_800_000_000, 0) }
	s := &Server{now: clock, read: readCheck}
	f.Fuzz(func(t *testing.T, message []byte, effect uint8, id, class string, status int, rpcID, name, v, removed string) {
		e, _ := s.envelope("test", string(message))
		value.AppendJSON(nil, e.Attributes)
		value.AppendJSON(nil, e.Metadata)
		d := &pdp.Decision{
			ID: id, Effect: pdp.Effect(effect), Class: pdp.Class(class),
			Response: pdp.Response{
				Status: status, Headers: pdp.Headers{{Name: name, Value: v}, {Name: name, Value: v}}, ResponseHeaders: pdp.Headers{{Name: v, Value: name}},
				RemoveHeaders: []string{removed},
			},
			Reply: pdp.Reply{Protocol: pdp.MCP, RPCMethod: "tools/call", RPCID: rpcID},
		}
		for _, as := range []DenyAs{AsToolError, AsJSONRPCError, AsHTTP} {
			r := renderer{as, keys, clock}
			sameAnswer(t, r.render(d, e.Headers), r.response(d, e.Headers))
		}
	})
}

// sameAnswer compares what leaves with what the generated types make of the same
// decision; where protobuf cannot write that, what leaves is a denial.
func sameAnswer(t *testing.T, leaves rendered, want *authv3.CheckResponse) {
	t.Helper()
	var got authv3.CheckResponse
	if err := proto.Unmarshal(leaves, &got); err != nil || !explicit(leaves) {
		t.Fatalf("%x is not explicit, %v", leaves, err)
	}
	if _, err := proto.Marshal(want); err != nil {
		if got.GetDeniedResponse() == nil {
			t.Fatalf("allowed although it cannot be written: %v", &got)
		}
		return
	}
	if !proto.Equal(&got, want) {
		t.Fatalf("%v leaves, want %v", &got, want)
	}
}
