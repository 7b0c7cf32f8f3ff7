package attributes

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/remit-pdp/remit/pdp/value"
)

// The bounds of one message: how deep it nests, and how many values it holds.
const (
	maxDepth  = 64
	maxValues = 1 << 16
)

// readMessageOf reads an encoded message as the object that its JSON form would
// be (field names as in JSON; fields without presence always there). It is not
// protobuf's own parser, because that repairs: it merges what is there twice,
// takes the last member of a oneof and skips what it does not know, and parsers
// differ in how. Only what has exactly one reading is read; the rule that is
// broken is returned otherwise. Numbers stay numbers, 64 bits wide too.
func readMessageOf(types *Descriptors, message protoreflect.MessageDescriptor, encoded []byte) (value.Value, string) {
	r := &protobufReader{types: types}
	v := r.message(message, encoded)
	if r.rule != "" {
		return value.Nothing, r.rule
	}
	return v, ""
}

// protobufReader reads one message; rule is the first that was broken.
type protobufReader struct {
	types         *Descriptors
	depth, values int
	rule          string
}

func (r *protobufReader) fail(format string, args ...any) {
	if r.rule == "" {
		r.rule = fmt.Sprintf(format, args...)
	}
}

// A record is what a message holds of one field.
type record struct {
	values []value.Value
	keys   map[string]bool // of a map
	packed bool
}

// message reads an encoded message.
func (r *protobufReader) message(message protoreflect.MessageDescriptor, encoded []byte) value.Value {
	if r.depth++; r.depth > maxDepth {
		r.fail("the message nests deeper than %d", maxDepth)
		return value.Nothing
	}
	defer func() { r.depth-- }()
	found := make(map[protoreflect.FieldNumber]*record)
	chosen := make(map[protoreflect.FullName]bool) // oneofs that have a member
	for len(encoded) > 0 && r.rule == "" {
		encoded = r.field(message, encoded, found, chosen)
	}
	required := message.RequiredNumbers()
	for i := range required.Len() {
		if found[required.Get(i)] == nil {
			r.fail("message %s lacks a required field", message.FullName())
		}
	}
	if r.rule != "" {
		return value.Nothing
	}
	return r.wellKnown(message, assemble(message, found))
}

// field reads one field of message into found, and returns what follows it.
func (r *protobufReader) field(message protoreflect.MessageDescriptor, encoded []byte, found map[protoreflect.FieldNumber]*record, chosen map[protoreflect.FullName]bool) []byte {
	number, wire, n := protowire.ConsumeTag(encoded)
	if n < 0 || n != protowire.SizeTag(number) {
		r.fail("message %s has a tag that is not one", message.FullName())
		return nil
	}
	encoded = encoded[n:]
	field := message.Fields().ByNumber(number)
	if field == nil {
		r.fail("message %s has a field %d that no descriptor set knows", message.FullName(), number)
		return nil
	}
	have := found[number]
	if have == nil {
		have = &record{}
		found[number] = have
	} else if !field.IsList() && !field.IsMap() {
		r.fail("field %s is there twice", field.FullName())
	}
	if oneof := field.ContainingOneof(); oneof != nil && !oneof.IsSynthetic() {
		if chosen[oneof.FullName()] {
			r.fail("oneof %s has two members", oneof.FullName())
		}
		chosen[oneof.FullName()] = true
	}
	switch {
	case field.IsMap():
		return r.entry(field, wire, encoded, have)
	case field.IsList() && wire == protowire.BytesType && wireOf(field.Kind()) != protowire.BytesType:
		return r.packed(field, encoded, have)
	case have.packed:
		r.fail("field %s is packed and not packed", field.FullName())
	}
	v, rest := r.single(field, wire, encoded)
	have.values = append(have.values, v)
	return rest
}

// packed reads a block of a repeated field of numbers. There is one: nobody
// writes more.
func (r *protobufReader) packed(field protoreflect.FieldDescriptor, encoded []byte, have *record) []byte {
	block, rest := r.bytes(field, encoded)
	if len(have.values) > 0 || have.packed {
		r.fail("field %s is packed more than once, or packed and not packed", field.FullName())
	}
	have.packed = true
	for len(block) > 0 && r.rule == "" {
		var v value.Value
		v, block = r.single(field, wireOf(field.Kind()), block)
		have.values = append(have.values, v)
	}
	return rest
}

// entry reads one entry of a map, which is encoded as a message.
func (r *protobufReader) entry(field protoreflect.FieldDescriptor, wire protowire.Type, encoded []byte, have *record) []byte {
	if wire != protowire.BytesType {
		r.fail("field %s has the wrong wire type", field.FullName())
		return nil
	}
	block, rest := r.bytes(field, encoded)
	entry := r.message(field.Message(), block)
	if r.rule != "" {
		return nil
	}
	key := mapKey(entry.Get("key"))
	if have.keys == nil {
		have.keys = make(map[string]bool)
	}
	if have.keys[key] {
		r.fail("field %s has a key twice", field.FullName())
	}
	have.keys[key] = true
	mapped := entry.Get("value")
	if !mapped.Defined() { // a message that is not there is an empty one
		mapped = r.message(field.MapValue().Message(), nil)
	}
	have.values = append(have.values, value.Str(key), mapped)
	return rest
}

// mapKey is a key as the name of an object's member.
func mapKey(v value.Value) string {
	if s, ok := v.Str(); ok {
		return s
	}
	return string(value.AppendJSON(nil, v)) // an integer or a boolean
}

// single reads one value of a field.
func (r *protobufReader) single(field protoreflect.FieldDescriptor, wire protowire.Type, encoded []byte) (value.Value, []byte) {
	if r.values++; r.values > maxValues {
		r.fail("the message holds more than %d values", maxValues)
		return value.Nothing, nil
	}
	if wire != wireOf(field.Kind()) || field.Kind() == protoreflect.GroupKind {
		r.fail("field %s has the wrong wire type", field.FullName())
		return value.Nothing, nil
	}
	switch wire {
	case protowire.VarintType:
		n, size := protowire.ConsumeVarint(encoded)
		if size < 0 || size != protowire.SizeVarint(n) {
			r.fail("field %s is not written in the shortest way", field.FullName())
			return value.Nothing, nil
		}
		return r.varint(field, n), encoded[size:]
	case protowire.BytesType:
		block, rest := r.bytes(field, encoded)
		return r.block(field, block), rest
	default:
		return r.fixed(field, wire, encoded)
	}
}

// bytes takes a block with its length in front.
func (r *protobufReader) bytes(field protoreflect.FieldDescriptor, encoded []byte) (block, rest []byte) {
	length, n := protowire.ConsumeVarint(encoded)
	if n < 0 || n != protowire.SizeVarint(length) || length > uint64(len(encoded)-n) {
		r.fail("field %s does not end, or its length is not written in the shortest way", field.FullName())
		return nil, nil
	}
	encoded = encoded[n:]
	return encoded[:length], encoded[length:]
}

// block reads a string, bytes or a message.
func (r *protobufReader) block(field protoreflect.FieldDescriptor, block []byte) value.Value {
	switch field.Kind() {
	case protoreflect.StringKind:
		if !utf8.Valid(block) {
			r.fail("field %s is not UTF-8", field.FullName())
			return value.Nothing
		}
		return value.Str(string(block))
	case protoreflect.BytesKind:
		return encodeBytes(block)
	default:
		if r.rule != "" {
			return value.Nothing
		}
		return r.message(field.Message(), block)
	}
}
