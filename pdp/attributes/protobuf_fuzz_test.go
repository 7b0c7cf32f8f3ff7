package attributes

import (
	"strconv"
	"testing"

	"buf.build/go/hyperpb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// FuzzMessage compares the reader with protobuf's own parser and its JSON form, and
// with a parser that shares no code with it: what is read at all is what they
// read, and what is read again from the shortest way to write it.
func FuzzMessage(f *testing.F) {
	d := descriptors("kinds", "tickets", "a2a")
	names := []string{"kinds.v1.KindsService/One", "kinds.v0.OlderService/Keep", "lf.a2a.v1.A2AService/SendMessage"}
	for _, seed := range []wire{
		{}, wire{}.varint(1, 1).varint(2, 7).varint(5, 1<<63), wire{}.varint(2, 1).varint(2, 2),
		wire{}.text(17, string(wire{}.text(14, "x"))).text(19, "\x01\x02").text(20, "a").text(20, "b"),
		wire{}.text(23, string(wire{}.text(1, "k").varint(2, 1))).text(26, "x").fixed32(12, 0x3dcccccd).fixed64(13, 1),
		wire{}.text(29, string(wire{}.varint(1, 1))).text(30, string(wire{}.varint(2, 1))),
		wire{}.text(31, string(wire{}.text(1, string(wire{}.text(1, "k").text(2, string(wire{}.varint(1, 0))))))),
		wire{}.text(34, string(wire{}.text(1, "t/kinds.v1.Kinds").text(2, string(wire{}.varint(2, 7))))),
		wire{}.text(33, string(wire{}.text(1, string(wire{}.fixed64(2, 1))))).varint(22, 1).varint(22, 0),
		wire{}.text(35, string(wire{}.varint(1, 7))).text(36, string(wire{}.text(1, "x"))),
	} {
		f.Add([]byte(seed), byte(0))
	}
	tables := make([]*hyperpb.MessageType, len(names))
	for i, name := range names {
		tables[i] = hyperpb.CompileMessageDescriptor(d.method(name).Input())
	}
	f.Add([]byte(wire{}.text(1, "x").varint(4, 1)), byte(1))
	f.Add([]byte(wire{}.text(2, string(wire{}.text(1, "m").varint(4, 1).text(5, string(wire{}.text(1, "hello")))))), byte(2))
	f.Fuzz(func(t *testing.T, encoded []byte, which byte) {
		message := d.method(names[int(which)%len(names)]).Input()
		ours, rule := readMessageOf(d, message, encoded)
		if rule != "" {
			if ours.Defined() {
				t.Fatalf("refused (%s) and read: %s", rule, asJSON(ours))
			}
			return
		}
		parsed := dynamicpb.NewMessage(message)
		if err := proto.Unmarshal(encoded, parsed); err != nil {
			t.Fatalf("read %s, which protobuf does not: %v", asJSON(ours), err)
		}
		byTable := hyperpb.NewMessage(tables[int(which)%len(names)])
		if err := byTable.Unmarshal(encoded); err != nil || !proto.Equal(byTable, parsed) {
			t.Fatalf("read %s, and hyperpb reads %v: %v", asJSON(ours), byTable, err)
		}
		if unknown(parsed) {
			t.Fatalf("read %s, and there is more in it", asJSON(ours))
		}
		text, err := protojson.MarshalOptions{EmitDefaultValues: true, Resolver: dynamicpb.NewTypes(d.files)}.Marshal(parsed)
		if err != nil {
			t.Fatalf("read %s, which has no JSON form: %v", asJSON(ours), err)
		}
		theirs, err := value.DecodeJSON(text)
		if err != nil || !alike(ours, theirs) {
			t.Fatalf("read  %s\nthey: %s (%v)", asJSON(ours), text, err)
		}
		shortest, err := proto.Marshal(parsed)
		if err != nil {
			t.Fatal(err)
		}
		if again, rule := readMessageOf(d, message, shortest); rule != "" || !value.Equal(again, ours) {
			t.Fatalf("read %s, and written anew %s %s", asJSON(ours), asJSON(again), rule)
		}
	})
}

// unknown reports whether a message, or one in it, holds fields that its type
// does not have.
func unknown(m protoreflect.Message) (found bool) {
	found = len(m.GetUnknown()) > 0
	inside := func(field protoreflect.FieldDescriptor, v protoreflect.Value) {
		if field.Message() != nil && !field.IsMap() {
			found = found || unknown(v.Message())
		}
	}
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.IsList():
			for i := range v.List().Len() {
				inside(field, v.List().Get(i))
			}
		case field.IsMap():
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				inside(field.MapValue(), v)
				return !found
			})
		default:
			inside(field, v)
		}
		return !found
	})
	return found
}

// alike compares our reading with protobuf's JSON form, in which numbers of 64
// bits are strings and no decimal is said to be the only one.
func alike(ours, theirs value.Value) bool {
	switch ours.Kind() {
	case value.Number:
		literal, _ := ours.Literal()
		text, isNumber := theirs.Literal()
		if !isNumber {
			return theirs.Text() == literal
		}
		a, errA := strconv.ParseFloat(literal, 64)
		b, errB := strconv.ParseFloat(text, 64)
		return errA == nil && errB == nil && a == b
	case value.Array:
		if theirs.Kind() != value.Array || theirs.Len() != ours.Len() {
			return false
		}
		for i, item := range ours.Items() {
			if !alike(item, theirs.At(i)) {
				return false
			}
		}
		return true
	case value.Map:
		same, members := theirs.Kind() == value.Map, 0
		ours.Range(func(name string, v value.Value) bool {
			members++
			same = same && alike(v, theirs.Get(name))
			return same
		})
		theirs.Range(func(string, value.Value) bool { members--; return true })
		return same && members == 0
	default:
		return value.Equal(ours, theirs)
	}
}

// FuzzGRPC reads whole calls: nothing panics, and what was read is one frame.
func FuzzGRPC(f *testing.F) {
	f.Add(one, "application/grpc", []byte(frame(wire{}.varint(2, 7))))
	f.Add("/tickets.v1.Tickets/Attach", "application/grpc+proto", []byte(frame(nil)))
	f.Add("/lf.a2a.v1.A2AService/GetTask", "application/grpc-web", []byte{1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, path, kind string, body []byte) {
		q, err := described.Read(grpcCall(path, string(body), contentType(kind)))
		if err != nil || q.Binding != pdp.BindingGRPC || q.BodyState != pdp.BodyComplete {
			return
		}
		if !q.RPC.Known || body[0] != 0 || !q.Body.Defined() {
			t.Fatalf("read %+v of % x", q.RPC, body)
		}
	})
}
