package outcome

import (
	"slices"
	"sync"
	"testing"

	"buf.build/go/hyperpb"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/remit-pdp/remit/pdp/door/wire"
)

// marshal is a message on the wire.
func marshal(tb testing.TB, m proto.Message) []byte {
	tb.Helper()
	message, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return message
}

// set sets every field of a message that is true or false.
func set(m protoreflect.Message) {
	for i := range m.Descriptor().Fields().Len() {
		if f := m.Descriptor().Fields().Get(i); f.Kind() == protoreflect.BoolKind {
			m.Set(f, protoreflect.ValueOfBool(true))
		}
	}
}

// field and member write what the generated types would not.
func field(number protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), slices.Concat(parts...))
}

// number is a field that is a number.
func number(n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
}

// member is a member of a map that is field 1 of its message.
func member(name string, parts ...[]byte) []byte {
	return field(1, field(1, []byte(name)), field(2, parts...))
}

// inEntry, inCommon and the others are a message with one entry with that part.
func inEntry(parts ...[]byte) []byte    { return field(2, field(1, parts...)) }
func inCommon(parts ...[]byte) []byte   { return inEntry(field(1, parts...)) }
func inRequest(parts ...[]byte) []byte  { return inEntry(field(3, parts...)) }
func inResponse(parts ...[]byte) []byte { return inEntry(field(4, parts...)) }

// inMetadata is one with members of ext_authz's namespace.
func inMetadata(members ...[]byte) []byte {
	return inCommon(field(17, member(authzNamespace, members...)))
}

// plainMessages are read off the wire.
func plainMessages(tb testing.TB) map[string][]byte {
	id := func(s string) []byte { return member(idField, field(3, []byte(s))) }
	tag := func(name, v string) []byte { return field(22, field(1, []byte(name)), field(2, []byte(v))) }
	header := func(name, v string) []byte { return field(4, field(1, []byte(name)), field(2, []byte(v))) }
	return map[string][]byte{
		"nothing":            {},
		"no entries":         field(2),
		"an empty entry":     inEntry(),
		"empty parts":        inEntry(field(1, field(16), field(17), field(13)), field(3), field(4, field(1))),
		"as Envoy sends it":  marshal(tb, messageOf(realistic())),
		"every field":        marshal(tb, messageOf(everything())),
		"several entries":    marshal(tb, messageOf(realistic(), &datav3.HTTPAccessLogEntry{}, everything(), logged(nil))),
		"to a pipe":          inCommon(field(13, field(2, field(1, []byte("/run/tool.sock"))))),
		"to an empty socket": inCommon(field(13, field(1))),
		// Of one name the last counts.
		"an id twice":             inMetadata(id("1"), id("2")),
		"an id, then no text":     inMetadata(id("1"), member(idField, number(4, 1))),
		"a namespace twice":       inCommon(field(17, member(authzNamespace, id("1")), member(authzNamespace, id("2")))),
		"a namespace, then empty": inCommon(field(17, member(authzNamespace, id("1")), member(authzNamespace))),
		"a tag twice":             inCommon(tag(idTag, "1"), tag("other", "x"), tag(idTag, "2")),
		"a header twice":          inResponse(header("content-type", "a/b"), header("content-type", "c/d")),
		"a header without value":  inResponse(header("content-type", "a/b"), field(4, field(1, []byte("content-type")))),
		"numbers too large":       inEntry(field(1, number(24, 1<<32+1), number(33, 1<<32+6)), field(4, field(1, number(1, 1<<33+200)), number(3, 1<<63))),
		"flags that are not one":  inCommon(field(16, number(2, 1<<40), number(6, 0))),
		"an intermediate entry":   inCommon(number(27, 1)),
		"long encodings":          inEntry(field(3, []byte("\x9a\x00\x83\x80\x00abc"))),
	}
}

// oddMessages are for the generated types, which take some of them.
func oddMessages(tb testing.TB) map[string][]byte {
	changed := func(change func(e *datav3.HTTPAccessLogEntry)) []byte {
		e := realistic()
		change(e)
		return marshal(tb, messageOf(e))
	}
	internal := &corev3.Address{Address: &corev3.Address_EnvoyInternalAddress{EnvoyInternalAddress: &corev3.EnvoyInternalAddress{EndpointId: "e"}}}
	tcp := &accesslogv3.StreamAccessLogsMessage{LogEntries: &accesslogv3.StreamAccessLogsMessage_TcpLogs{
		TcpLogs: &accesslogv3.StreamAccessLogsMessage_TCPAccessLogEntries{LogEntry: []*datav3.TCPAccessLogEntry{{}}},
	}}
	deep := field(3, []byte("s"))
	for range wire.MaxNesting {
		deep = field(6, field(1, deep))
	}
	plain := marshal(tb, messageOf(realistic()))
	return map[string][]byte{
		"the first of a stream":     marshal(tb, identified(messageOf(realistic()))),
		"TCP logs":                  marshal(tb, tcp),
		"logs of both kinds":        slices.Concat(plain, marshal(tb, tcp)),
		"logs of both kinds, HTTP":  slices.Concat(marshal(tb, tcp), plain),
		"logs twice":                slices.Concat(plain, plain),
		"common properties twice":   inEntry(field(1, number(24, 1)), field(1, number(33, 6))),
		"a request twice":           inEntry(field(3, field(3, []byte("a"))), field(3, number(12, 1))),
		"a response twice":          inEntry(field(4, field(6, []byte("via_upstream"))), field(4, field(1, number(1, 200)))),
		"an authority twice":        inRequest(field(3, []byte("a")), field(3, []byte("b"))),
		"details twice":             inResponse(field(6, []byte("a")), field(6, []byte("via_upstream"))),
		"a status twice":            inResponse(field(1, number(1, 200)), field(1, number(1, 500))),
		"a status twice inside":     inResponse(field(1, number(1, 200), number(1, 500))),
		"flags twice":               inCommon(field(16, number(6, 1)), field(16, field(13))),
		"a flag twice":              inCommon(field(16, number(6, 1), number(6, 0))),
		"metadata twice":            inCommon(field(17, member(authzNamespace, member(idField, field(3, []byte("1"))))), field(17)),
		"attempts twice":            inCommon(number(24, 2), number(24, 1)),
		"a tag's value twice":       inCommon(field(22, field(1, []byte(idTag)), field(2, []byte("1")), field(2, []byte("2")))),
		"a namespace's value twice": inCommon(field(17, field(1, field(1, []byte(authzNamespace)), field(2), field(2)))),
		"no value of a namespace":   inCommon(field(17, field(1, field(1, []byte(authzNamespace))))),
		"an id of two kinds":        inMetadata(member(idField, field(3, []byte("1")), number(4, 1))),
		"deep metadata":             inMetadata(member("k", deep)),
		"typed metadata":            inCommon(field(17, field(2, field(1, []byte("n")), field(2)))),
		"filter state": changed(func(e *datav3.HTTPAccessLogEntry) {
			e.CommonProperties.FilterStateObjects = map[string]*anypb.Any{"a": {}}
		}),
		"an internal address":        changed(func(e *datav3.HTTPAccessLogEntry) { e.CommonProperties.UpstreamRemoteAddress = internal }),
		"an address of both kinds":   inCommon(field(13, field(1, field(2, []byte("1.2.3.4"))), field(2, field(1, []byte("/p"))))),
		"a name of both kinds":       inCommon(field(4, field(4, field(1, field(1, []byte("a")), field(2, []byte("b")))))),
		"a field nobody knows":       inRequest(number(60, 0)),
		"a field of a high number":   inRequest(number(6000, 0)),
		"a flag nobody knows":        inCommon(field(16, number(29, 1))),
		"a flag that is a number":    inCommon(field(16, number(13, 1))),
		"a group":                    inRequest([]byte("\xf3\x03\xf4\x03")),
		"an authority of a number":   inRequest(number(3, 1)),
		"a size that is a text":      inRequest(field(12, []byte("1"))),
		"an authority not UTF-8":     inRequest(field(3, []byte{0xff})),
		"a path not UTF-8":           inRequest(field(5, []byte{0xff})),
		"a request header not UTF-8": inRequest(field(13, field(1, []byte{0xff}))),
		"details not UTF-8":          inResponse(field(6, []byte{0xff})),
		"a trailer not UTF-8":        inResponse(field(5, field(2, []byte{0xff}))),
		"a tag not UTF-8":            inCommon(field(22, field(1, []byte("a")), field(2, []byte{0xff}))),
		"a cluster not UTF-8":        inCommon(field(15, []byte{0xff})),
		"an SNI not UTF-8":           inCommon(field(4, field(3, []byte{0xff}))),
		"a subject not UTF-8":        inCommon(field(4, field(5, field(2, []byte{0xff})))),
		"an address not UTF-8":       inCommon(field(2, field(1, field(2, []byte{0xff})))),
		"metadata not UTF-8":         inCommon(field(17, member("n", member("\xff", field(3))))),
		"no field number":            {0x02, 0x00},
		"cut off":                    plain[:len(plain)-3],
		"cut off in a number":        {0x12, 0x80},
		"cut off in a time":          inCommon(field(5, []byte{0x08})),
		"cut off in an entry":        slices.Concat(plain, inEntry([]byte{0x0a, 0x02})),
		"longer than it is":          {0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"no message":                 []byte("GET / HTTP/1.1\r\n"),
	}
}

// What is plain is read off the wire, as the generated types read it.
func TestPlainMessages(t *testing.T) {
	for name, message := range plainMessages(t) {
		t.Run(name, func(t *testing.T) {
			got, plain := fromWire(string(message))
			want, err := fromTypes(string(message))
			if !plain || err != nil || !slices.Equal(got, want) {
				t.Errorf("plain: %v; off the wire %+v, by the types %+v, %v", plain, got, want, err)
			}
		})
	}
}

// What is not plain is not read off the wire: protobuf's own rules for it are the
// generated types'.
func TestOddMessages(t *testing.T) {
	for name, message := range oddMessages(t) {
		t.Run(name, func(t *testing.T) {
			if entries, plain := fromWire(string(message)); plain {
				t.Errorf("read off the wire: %+v", entries)
			}
			got, err := read(string(message))
			want, wantErr := fromTypes(string(message))
			if (err == nil) != (wantErr == nil) || !slices.Equal(got, want) {
				t.Errorf("read as %+v, %v, want %+v, %v", got, err, want, wantErr)
			}
		})
	}
}

// Each flag of a ResponseFlags means to both readers what it means.
func TestFlags(t *testing.T) {
	never := []protoreflect.Name{"no_healthy_upstream", "upstream_connection_failure", "upstream_overflow", "no_route_found"}
	fields := (&datav3.ResponseFlags{}).ProtoReflect().Descriptor().Fields()
	eachReader(t, func(t *testing.T, read func(*datav3.HTTPAccessLogEntry) entry) {
		for i := range fields.Len() {
			flags := &datav3.ResponseFlags{}
			f := fields.Get(i)
			if f.Kind() == protoreflect.BoolKind {
				flags.ProtoReflect().Set(f, protoreflect.ValueOfBool(true))
			} else {
				flags.UnauthorizedDetails = &datav3.ResponseFlags_Unauthorized{}
			}
			e := read(&datav3.HTTPAccessLogEntry{CommonProperties: &datav3.AccessLogCommon{ResponseFlags: flags}})
			if e.never != slices.Contains(never, f.Name()) || e.unauthorized != (f.Name() == "unauthorized_details") {
				t.Errorf("%s: %+v", f.Name(), e)
			}
		}
	})
}

// An id is that of the metadata, which no client can forge; the tag stands in.
func TestTheMetadatasIDComesFirst(t *testing.T) {
	eachReader(t, func(t *testing.T, read func(*datav3.HTTPAccessLogEntry) entry) {
		e := read(logged(func(e *datav3.HTTPAccessLogEntry) { e.CommonProperties.CustomTags = map[string]string{idTag: "tag"} }))
		if id := e.decision(); id != "id" {
			t.Errorf("the id is %q", id)
		}
		e = read(logged(func(e *datav3.HTTPAccessLogEntry) {
			e.CommonProperties.CustomTags = map[string]string{idTag: "tag"}
			e.CommonProperties.Metadata.FilterMetadata[authzNamespace].Fields[idField] = structpb.NewNullValue()
		}))
		if id := e.decision(); id != "tag" {
			t.Errorf("the id is %q", id)
		}
	})
}

// FuzzReaders: a message that is read off the wire is one to protobuf too, and
// says the same, by the generated types and by a parser that shares no code with
// them.
func FuzzReaders(f *testing.F) {
	for _, message := range plainMessages(f) {
		f.Add(message)
	}
	for _, message := range oddMessages(f) {
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
		if !slices.Equal(got, want) {
			t.Errorf("off the wire %+v, by the types %+v", got, want)
		}
		byTable, err := fromTable(message)
		if err != nil || !slices.Equal(got, byTable) {
			t.Errorf("off the wire %+v, by the table %+v, %v", got, byTable, err)
		}
	})
}

// logsTable is how hyperpb reads a message: by a table that it makes of the
// message's description.
var logsTable = sync.OnceValue(func() *hyperpb.MessageType {
	return hyperpb.CompileMessageDescriptor((*accesslogv3.StreamAccessLogsMessage)(nil).ProtoReflect().Descriptor())
})

// fromTable is fromTypes with hyperpb's parser in place of protobuf's own.
func fromTable(message []byte) ([]entry, error) {
	parsed := hyperpb.NewMessage(logsTable())
	if err := parsed.Unmarshal(message); err != nil {
		return nil, err
	}
	var logs accesslogv3.StreamAccessLogsMessage
	proto.Merge(&logs, parsed)
	return entriesOf(&logs), nil
}
