package attributes

import (
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// described is a reader with the services of testdata behind the listener
// "agents".
var described = New(Settings{Descriptors: map[string]*Descriptors{"agents": descriptors("kinds", "tickets", "a2a")}})

func descriptors(names ...string) *Descriptors {
	var sets [][]byte
	for _, name := range names {
		set, err := os.ReadFile("testdata/" + name + ".binpb")
		if err != nil {
			panic(err)
		}
		sets = append(sets, set)
	}
	d, err := NewDescriptors(sets...)
	if err != nil {
		panic(err)
	}
	return d
}

// wire builds an encoded message.
type wire []byte

func (w wire) varint(number protowire.Number, n uint64) wire {
	return protowire.AppendVarint(protowire.AppendTag(w, number, protowire.VarintType), n)
}

func (w wire) text(number protowire.Number, s string) wire {
	return protowire.AppendString(protowire.AppendTag(w, number, protowire.BytesType), s)
}

func (w wire) fixed32(number protowire.Number, n uint32) wire {
	return protowire.AppendFixed32(protowire.AppendTag(w, number, protowire.Fixed32Type), n)
}

func (w wire) fixed64(number protowire.Number, n uint64) wire {
	return protowire.AppendFixed64(protowire.AppendTag(w, number, protowire.Fixed64Type), n)
}

func (w wire) raw(bytes ...byte) wire { return append(w, bytes...) }

// frame puts a message into a gRPC frame.
func frame(message []byte) string {
	return string(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))) + string(message)
}

// grpcCall is a gRPC request as Envoy buffers it.
func grpcCall(path, body string, changes ...change) *pdp.Envelope {
	e := posted(path, "application/grpc", body, header("te", "trailers", partialHeader, "false"))
	e.Protocol = "HTTP/2"
	for _, c := range changes {
		c(e)
	}
	return e
}

func contentType(to string) change {
	return func(e *pdp.Envelope) {
		for i := range e.Headers {
			if e.Headers[i].Name == "content-type" {
				e.Headers[i].Value = to
			}
		}
	}
}

func without(name string) change {
	return func(e *pdp.Envelope) {
		e.Headers = slices.DeleteFunc(e.Headers, func(h pdp.Header) bool { return h.Name == name })
	}
}

const one, getTicket = "/kinds.v1.KindsService/One", "/tickets.v1.Tickets/GetTicket"

func TestGRPCRead(t *testing.T) {
	ticket := frame(wire{}.text(1, "T-7"))
	for _, test := range []struct {
		name      string
		e         *pdp.Envelope
		state     pdp.BodyState
		known     bool
		streaming string
		arguments string
	}{
		{"a unary call", grpcCall(getTicket, ticket), pdp.BodyComplete, true, "none", `{"ticketId":"T-7"}`},
		{"an empty message", grpcCall(getTicket, frame(nil)), pdp.BodyComplete, true, "none", `{"ticketId":""}`},
		{"its type spelt out", grpcCall(getTicket, ticket, contentType("application/grpc+proto")), pdp.BodyComplete, true, "none", `{"ticketId":"T-7"}`},
		{"its type in another case", grpcCall(getTicket, ticket, contentType("Application/GRPC; x=y")), pdp.BodyComplete, true, "none", `{"ticketId":"T-7"}`},
		{"grpc-web", grpcCall(getTicket, ticket, contentType("application/grpc-web+proto")), pdp.BodyComplete, true, "none", `{"ticketId":"T-7"}`},
		{"may be compressed and is not", grpcCall(getTicket, ticket, header("grpc-encoding", "gzip")), pdp.BodyComplete, true, "none", `{"ticketId":"T-7"}`},
		{"streamed answers", grpcCall("/tickets.v1.Tickets/WatchTicket", ticket), pdp.BodyComplete, true, "server", `{"ticketId":"T-7"}`},
		{"another encoding", grpcCall(getTicket, frame([]byte(`{}`)), contentType("application/grpc+json")), pdp.BodyUnreadable, true, "none", ""},
		{"grpc-web in text", grpcCall(getTicket, "AAAAAAA=", contentType("application/grpc-web-text")), pdp.BodyUnreadable, true, "none", ""},
		{"an unknown method", grpcCall("/tickets.v1.Tickets/Other", ticket), pdp.BodyUnreadable, false, "", ""},
		{"an unknown service", grpcCall("/other.v1.Tickets/GetTicket", ticket), pdp.BodyUnreadable, false, "", ""},
		{"a client's stream", grpcCall("/tickets.v1.Tickets/Attach", "", without(partialHeader)), pdp.BodyUnseen, true, "client", ""},
		{"a client's stream, cut", grpcCall("/tickets.v1.Tickets/Attach", "\x00\x00", without(partialHeader), header(partialHeader, "true")), pdp.BodyUnseen, true, "client", ""},
		{"a conversation", grpcCall("/kinds.v1.KindsService/Chat", frame(nil)), pdp.BodyUnseen, true, "both", ""},
		{"a call that was not buffered", grpcCall(getTicket, "", without(partialHeader)), pdp.BodyUnseen, true, "none", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			q, err := described.Read(test.e)
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			service, method, _ := strings.Cut(test.e.Path[1:], "/")
			rpc := q.RPC
			if q.Protocol != pdp.GRPC || q.Binding != pdp.BindingGRPC || q.BodyState != test.state || rpc == nil {
				t.Fatalf("read %+v", q)
			}
			if rpc.Service != service || rpc.Method != method || rpc.Name != service+"/"+method || rpc.Known != test.known || rpc.Streaming != test.streaming {
				t.Errorf("read %+v", rpc)
			}
			if test.arguments == "" && rpc.Arguments.Defined() || test.arguments != "" && asJSON(rpc.Arguments) != test.arguments {
				t.Errorf("arguments are %s", asJSON(rpc.Arguments))
			}
		})
	}
}

func TestGRPCRefuses(t *testing.T) {
	ticket := frame(wire{}.text(1, "T-7"))
	for name, test := range map[string]struct {
		e           *pdp.Envelope
		code, about string
	}{
		"a GET":                      {grpcCall(getTicket, "", method("GET")), CodeGRPC, "is a POST"},
		"a path of one part":         {grpcCall("/tickets.v1.Tickets", ticket), CodeGRPC, "/package.Service/Method"},
		"a path of three":            {grpcCall("/x"+getTicket, ticket), CodeGRPC, "/package.Service/Method"},
		"a path with a query":        {grpcCall(getTicket+"?x=1", ticket), CodeGRPC, "/package.Service/Method"},
		"a service that is no name":  {grpcCall("/tickets.v1-Tickets/Get", ticket), CodeGRPC, "/package.Service/Method"},
		"a service with a gap":       {grpcCall("/tickets..Tickets/Get", ticket), CodeGRPC, "/package.Service/Method"},
		"a method that is no name":   {grpcCall("/tickets.v1.Tickets/7Get", ticket), CodeGRPC, "/package.Service/Method"},
		"a call without a message":   {grpcCall(getTicket, ""), CodeGRPC, "no message"},
		"a body that was cut":        {grpcCall(getTicket, ticket[:6], without(partialHeader), header(partialHeader, "true")), CodeTruncated, ""},
		"a prefix that was cut":      {grpcCall(getTicket, ticket[:4]), CodeGRPC, "frame's prefix"},
		"a message that was cut":     {grpcCall(getTicket, ticket[:len(ticket)-1]), CodeGRPC, "ends within a message"},
		"two messages":               {grpcCall(getTicket, ticket+ticket), CodeGRPC, "more than one message"},
		"a byte behind the message":  {grpcCall(getTicket, ticket+"\x00"), CodeGRPC, "more than one message"},
		"a compressed message":       {grpcCall(getTicket, "\x01"+ticket[1:]), CodeGRPC, "compressed"},
		"a flag that is none":        {grpcCall(getTicket, "\x80"+ticket[1:]), CodeGRPC, "flag"},
		"an encoded body":            {grpcCall(getTicket, ticket, header("content-encoding", "gzip")), CodeBody, "encoded"},
		"a body of another length":   {grpcCall(getTicket, ticket, header("content-length", "7")), CodeBody, "content-length"},
		"a repaired body":            {grpcCall(getTicket, ticket, func(e *pdp.Envelope) { e.BodyLossy = true }), CodeBody, "pack_as_bytes"},
		"two encodings":              {grpcCall(getTicket, ticket, header("grpc-encoding", "gzip", "grpc-encoding", "identity")), CodeHeader, "grpc-encoding"},
		"a message of another kind":  {grpcCall(getTicket, frame(wire{}.varint(1, 7))), CodeGRPC, "wire type"},
		"a field that nobody knows":  {grpcCall(getTicket, frame(wire{}.text(1, "T-7").text(2, "x"))), CodeGRPC, "field 2"},
		"a dot segment in the path":  {grpcCall("/tickets.v1.Tickets/../Get", ticket), CodePath, ""},
		"a message that is no proto": {grpcCall(getTicket, frame([]byte(`{"ticketId":"7"}`))), CodeGRPC, ""},
	} {
		t.Run(name, func(t *testing.T) {
			q := refusedBy(t, described, test.e, test.code, test.about)
			if q.Binding != pdp.BindingGRPC || q.Protocol != pdp.GRPC {
				t.Errorf("the client would not be answered in its own way: %+v", q)
			}
			if q.BodyState == pdp.BodyComplete || q.Body.Defined() {
				t.Errorf("something was read: %+v", q)
			}
		})
	}
}

// Invariant 5: of a message that parsers of protobuf read in different ways,
// nothing is read.
func TestMessageRefuses(t *testing.T) {
	entry := func(w wire) string { return string(w) }
	deep := ""
	for range maxDepth {
		deep = string(wire{}.text(17, deep))
	}
	for name, test := range map[string]struct {
		message wire
		about   string
	}{
		"a scalar twice":                   {wire{}.varint(2, 1).varint(2, 2), "there twice"},
		"a string twice, the same":         {wire{}.text(14, "x").text(14, "x"), "there twice"},
		"a message twice":                  {wire{}.text(17, "").text(17, ""), "there twice"},
		"an optional twice":                {wire{}.varint(18, 1).varint(18, 1), "there twice"},
		"two members of a oneof":           {wire{}.text(26, "x").varint(28, 1), "two members"},
		"a field that nobody knows":        {wire{}.varint(99, 1), "field 99"},
		"one deeper":                       {wire{}.text(17, entry(wire{}.varint(99, 1))), "field 99"},
		"one in a map":                     {wire{}.text(23, entry(wire{}.text(1, "k").varint(2, 1).varint(3, 1))), "field 3"},
		"a key twice":                      {wire{}.text(23, entry(wire{}.text(1, "k").varint(2, 1))).text(23, entry(wire{}.text(1, "k").varint(2, 2))), "key twice"},
		"the empty key twice":              {wire{}.text(23, "").text(23, entry(wire{}.text(1, ""))), "key twice"},
		"an entry's key twice":             {wire{}.text(23, entry(wire{}.text(1, "k").text(1, "l"))), "there twice"},
		"a map that is a number":           {wire{}.varint(23, 1), "wire type"},
		"a group":                          {wire{}.raw(0x93, 0x01, 0x94, 0x01), "wire type"},
		"a tag of field 0":                 {wire{}.raw(0x00, 0x00), "a tag"},
		"a tag in more bytes than needed":  {wire{}.raw(0x90, 0x00, 0x01), "a tag"},
		"a number in more bytes":           {wire{}.raw(0x10, 0x81, 0x00), "shortest"},
		"a length in more bytes":           {wire{}.raw(0x72, 0x81, 0x00, 'x'), "shortest"},
		"a number that does not end":       {wire{}.raw(0x10, 0x81), "shortest"},
		"a text that does not end":         {wire{}.raw(0x72, 0x02, 'x'), "does not end"},
		"a double that does not end":       {wire{}.raw(0x69, 0x01), "does not end"},
		"an int32 that is larger":          {wire{}.varint(2, 1<<32), "does not fit"},
		"a negative int32 in 32 bits":      {wire{}.varint(2, 0xffffffff), "does not fit"},
		"a uint32 that is larger":          {wire{}.varint(4, 1<<32), "does not fit"},
		"a sint32 that is larger":          {wire{}.varint(6, 1<<32), "does not fit"},
		"a boolean that is 2":              {wire{}.varint(1, 2), "does not fit"},
		"an enum without a name":           {wire{}.varint(16, 7), "its enum does not have"},
		"an enum that is larger":           {wire{}.varint(16, 1<<32|1), "its enum does not have"},
		"a text that is not UTF-8":         {wire{}.text(14, "a\xff"), "not UTF-8"},
		"a map's key that is not UTF-8":    {wire{}.text(23, entry(wire{}.text(1, "\xff"))), "not UTF-8"},
		"a float that is not a number":     {wire{}.fixed32(12, 0x7fc00000), "finite"},
		"an infinite double":               {wire{}.fixed64(13, 0x7ff0000000000000), "finite"},
		"a string as a number":             {wire{}.varint(14, 1), "wire type"},
		"a number as a string":             {wire{}.text(2, "1"), "wire type"},
		"two blocks of numbers":            {wire{}.text(19, "\x01").text(19, "\x02"), "packed more than once"},
		"numbers, then a block":            {wire{}.varint(19, 1).text(19, "\x02"), "packed and not packed"},
		"a block, then numbers":            {wire{}.text(19, "\x01").varint(19, 2), "packed and not packed"},
		"a block that ends within":         {wire{}.text(19, "\x81"), "shortest"},
		"a time after the year 9999":       {wire{}.text(29, entry(wire{}.varint(1, 253402300800))), "no valid content"},
		"a time with too many nanoseconds": {wire{}.text(29, entry(wire{}.varint(2, 1e9))), "no valid content"},
		"a duration in two directions":     {wire{}.text(30, entry(wire{}.varint(1, 1).varint(2, ^uint64(0)))), "no valid content"},
		"a JSON value that is none":        {wire{}.text(32, ""), "no valid content"},
		"an Any of a type nobody knows":    {wire{}.text(34, entry(wire{}.text(1, "type.googleapis.com/x.Y"))), "google.protobuf.Any"},
		"an Any without a type":            {wire{}.text(34, ""), "google.protobuf.Any"},
		"an Any with what nobody knows":    {wire{}.text(34, entry(wire{}.text(1, "t/kinds.v1.Kinds").text(2, string(wire{}.varint(99, 1))))), "field 99"},
		"a message that is too deep":       {wire{}.text(17, deep), "deeper"},
		"too many values":                  {wire{}.text(19, strings.Repeat("\x01", maxValues+1)), "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			refusedBy(t, described, grpcCall(one, frame(test.message)), CodeGRPC, test.about)
		})
	}
	for name, message := range map[string]wire{
		"a required field that is missing": {},
		"a group of proto2":                wire{}.text(1, "x").raw(0x13, 0x14),
		"an extension":                     wire{}.text(1, "x").varint(100, 1),
	} {
		t.Run(name, func(t *testing.T) {
			refusedBy(t, described, grpcCall("/kinds.v0.OlderService/Keep", frame(message)), CodeGRPC, "")
		})
	}
}

func refusedBy(t *testing.T, r *Reader, e *pdp.Envelope, code, about string) pdp.Request {
	t.Helper()
	q, err := r.Read(e)
	refusal, is := err.(*pdp.Refusal)
	if !is {
		t.Fatalf("not refused: error %v, request %+v, body %s", err, q, asJSON(q.Body))
	}
	if refusal.Class != pdp.Unreadable || refusal.Reason.Code != code || !strings.Contains(refusal.Detail, about) {
		t.Fatalf("refused as %s %s %q, want %s about %q", refusal.Class, refusal.Reason.Code, refusal.Detail, code, about)
	}
	return q
}

func TestMessageReads(t *testing.T) {
	for name, test := range map[string]struct {
		message wire
		path    string
		want    string
	}{
		"64 bits stay a number":    {wire{}.varint(5, 1<<64-1), "aUint64", "18446744073709551615"},
		"and below zero":           {wire{}.varint(3, 1<<63), "anInt64", "-9223372036854775808"},
		"a float reads as in JSON": {wire{}.fixed32(12, 0x3dcccccd), "aFloat", "0.1"},
		"a large float":            {wire{}.fixed32(12, 0x7f7fffff), "aFloat", "3.4028235e+38"},
		"a double":                 {wire{}.fixed64(13, 0x3fb999999999999a), "aDouble", "0.1"},
		"an enum by its name":      {wire{}.varint(16, ^uint64(0)), "colour", `"COLOUR_DARK"`},
		"bytes as base64":          {wire{}.text(15, "\xff"), "someBytes", `"/w=="`},
		"no presence, a default":   {wire{}, "colour", `"COLOUR_UNSPECIFIED"`},
		"presence, nothing":        {wire{}, "maybe", ""},
		"presence of zero":         {wire{}.varint(18, 0), "maybe", "0"},
		"a block of numbers":       {wire{}.text(19, "\x01\x02"), "numbers", "[1,2]"},
		"numbers one by one":       {wire{}.varint(19, 1).varint(19, 2), "numbers", "[1,2]"},
		"a map of messages":        {wire{}.text(24, string(wire{}.varint(1, 7))), "byNumber.7.aBool", "false"},
		"a time":                   {wire{}.text(29, string(wire{}.varint(1, 1).varint(2, 500000000))), "at", `"1970-01-01T00:00:01.500Z"`},
		"a duration":               {wire{}.text(30, string(wire{}.varint(1, ^uint64(0)).varint(2, ^uint64(0)))), "during", `"-1.000000001s"`},
		"JSON null":                {wire{}.text(32, string(wire{}.varint(1, 0))), "anything", "null"},
		"an Any":                   {wire{}.text(34, string(wire{}.text(1, "t/kinds.v1.Kinds").text(2, string(wire{}.varint(2, 7))))), "packed.anInt32", "7"},
		"a wrapped number":         {wire{}.text(35, string(wire{}.varint(1, 7))), "wrapped", "7"},
		"nothing at all":           {wire{}.text(37, ""), "nothing", "{}"},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := described.Read(grpcCall(one, frame(test.message)))
			if err != nil {
				t.Fatal(err)
			}
			got := q.Body.Path(strings.Split(test.path, ".")...)
			if test.want == "" && got.Defined() || test.want != "" && asJSON(got) != test.want {
				t.Errorf("%s is %s, want %s", test.path, asJSON(got), test.want)
			}
			if !value.Equal(q.Body, q.RPC.Arguments) {
				t.Error("the body and the arguments differ")
			}
		})
	}
}

func TestDescriptorsRefuse(t *testing.T) {
	kinds, err := os.ReadFile("testdata/kinds.binpb")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(kinds), "a_string", "b_string", 1)
	for name, test := range map[string]struct {
		sets  [][]byte
		about string
	}{
		"no set":                {[][]byte{[]byte("{}")}, "set 1 is not a FileDescriptorSet"},
		"nothing":               {nil, "no service"},
		"two about one file":    {[][]byte{kinds, []byte(changed)}, "set 2 has another kinds.proto"},
		"one without an import": {[][]byte{kinds[strings.Index(string(kinds), "kinds.proto")-4:]}, ""},
	} {
		if _, err := NewDescriptors(test.sets...); err == nil || !strings.Contains(err.Error(), test.about) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewDescriptors(kinds, kinds); err != nil {
		t.Errorf("the same set twice: %v", err)
	}
}
