package extauthz

import (
	"github.com/remit-pdp/remit/pdp/door/wire"
	"github.com/remit-pdp/remit/pdp/value"
)

// noMetadata is what filters said where they said nothing.
var noMetadata = value.Obj()

// readMetadata reads the filter_metadata of a Metadata: structures by namespace.
// All of it is looked through, and what it says is read when it is asked for.
func readMetadata(message string) (v value.Value, plain bool) {
	if message == "" {
		return noMetadata, true
	}
	return value.From(wireMap{message, readStructure}), wire.IsMap(message, wire.IsStruct)
}

// A wireMap is a map as it is on the wire, its keys text and its values messages.
// It is plain.
type wireMap struct {
	message string
	read    func(message string) value.Value // of a member
}

// Get implements [value.Object]. Of several members of one name the last counts,
// as in protobuf.
func (m wireMap) Get(name string) value.Value {
	if member, ok := wire.Find(m.message, name); ok {
		return m.read(member)
	}
	return value.Nothing
}

// Range implements [value.Object], in the order of names: the order on the wire
// is another one every time.
func (m wireMap) Range(visit func(string, value.Value) bool) {
	var all []value.Member
	for c := (wire.Cursor{Of: m.message, Repeated: 1 << 1}); c.Next(); {
		key, member, _ := wire.ReadMember(c.Message())
		all = append(all, value.M(key, m.read(member)))
	}
	value.NewMembers(all).Range(visit)
}

// readStructure reads a plain google.protobuf.Struct.
func readStructure(message string) value.Value { return value.From(wireMap{message, readValue}) }

// readValue reads a plain google.protobuf.Value.
func readValue(message string) (v value.Value) {
	v = value.NullValue()
	for c := (wire.Cursor{Of: message}); c.Next(); {
		switch c.Tag {
		case 1<<3 | wire.AsVarint:
			c.Number() // null has one value
		case 2<<3 | wire.AsDouble:
			v = value.Float(c.Double())
		case 3<<3 | wire.AsText:
			v = value.Str(c.Message())
		case 4<<3 | wire.AsVarint:
			v = value.Of(c.Number() != 0)
		case 5<<3 | wire.AsText:
			v = readStructure(c.Message())
		case 6<<3 | wire.AsText:
			v = readList(c.Message())
		}
	}
	return v
}

// readList reads a plain google.protobuf.ListValue.
func readList(message string) value.Value {
	items := []value.Value{}
	for c := (wire.Cursor{Of: message, Repeated: 1 << 1}); c.Next(); {
		items = append(items, readValue(c.Message()))
	}
	return value.List(items...)
}
