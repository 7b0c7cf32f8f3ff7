package extauthz

import (
	"math/bits"

	"github.com/remit-pdp/remit/pdp/value"
)

// noMetadata is what filters said where they said nothing.
var noMetadata = value.Obj()

// maxNesting is how deep metadata may be to be plain.
const maxNesting = 32

// readMetadata reads the filter_metadata of a Metadata: structures by namespace.
// All of it is looked through, and what it says is read when it is asked for.
func readMetadata(message string) (v value.Value, plain bool) {
	if message == "" {
		return noMetadata, true
	}
	isStructure := func(m string) bool { return isPlainMap(m, func(m string) bool { return isPlainValue(m, maxNesting) }) }
	return value.From(wireMap{message, readStructure}), isPlainMap(message, isStructure)
}

// A wireMap is a map as it is on the wire, its keys text and its values messages.
// It is plain.
type wireMap struct {
	message string
	read    func(message string) value.Value // of a member
}

// Get implements [value.Object]. Of several members of one name the last counts,
// as in protobuf.
func (m wireMap) Get(name string) (v value.Value) {
	for c := (cursor{rest: m.message, repeated: 1 << 1}); c.next(); {
		if key, member, _ := readMember(c.message()); key == name {
			v = m.read(member)
		}
	}
	return v
}

// Range implements [value.Object], in the order of names: the order on the wire
// is another one every time.
func (m wireMap) Range(visit func(string, value.Value) bool) {
	var all []value.Member
	for c := (cursor{rest: m.message, repeated: 1 << 1}); c.next(); {
		key, member, _ := readMember(c.message())
		all = append(all, value.M(key, m.read(member)))
	}
	value.NewMembers(all).Range(visit)
}

// isPlainMap looks through a message whose only field is such a map.
func isPlainMap(message string, isPlain func(member string) bool) bool {
	c := cursor{rest: message, repeated: 1 << 1}
	for c.next() {
		switch c.tag {
		case 1<<3 | asText:
			_, member, plain := readMember(c.message())
			c.expect(plain && isPlain(member))
		default:
			c.unusual = true
		}
	}
	return !c.unusual
}

// readMember reads a member of such a map.
func readMember(message string) (name, member string, plain bool) {
	c := cursor{rest: message}
	for c.next() {
		switch c.tag {
		case 1<<3 | asText:
			name = c.text()
		case 2<<3 | asText:
			member = c.message()
		default:
			c.unusual = true
		}
	}
	return name, member, !c.unusual && c.seen&(1<<2) != 0
}

// readStructure reads a plain google.protobuf.Struct.
func readStructure(message string) value.Value { return value.From(wireMap{message, readValue}) }

// readValue reads a plain google.protobuf.Value.
func readValue(message string) (v value.Value) {
	v = value.NullValue()
	for c := (cursor{rest: message}); c.next(); {
		switch c.tag {
		case 1<<3 | asVarint:
			c.number() // null has one value
		case 2<<3 | asDouble:
			v = value.Float(c.double())
		case 3<<3 | asText:
			v = value.Str(c.message())
		case 4<<3 | asVarint:
			v = value.Of(c.number() != 0)
		case 5<<3 | asText:
			v = readStructure(c.message())
		case 6<<3 | asText:
			v = readList(c.message())
		}
	}
	return v
}

// readList reads a plain google.protobuf.ListValue.
func readList(message string) value.Value {
	items := []value.Value{}
	for c := (cursor{rest: message, repeated: 1 << 1}); c.next(); {
		items = append(items, readValue(c.message()))
	}
	return value.List(items...)
}

// isPlainValue looks through a google.protobuf.Value.
func isPlainValue(message string, nesting int) bool {
	if nesting == 0 {
		return false
	}
	isPlain := func(m string) bool { return isPlainValue(m, nesting-1) }
	c := cursor{rest: message}
	for c.next() {
		switch c.tag {
		case 1<<3 | asVarint, 4<<3 | asVarint:
			c.number()
		case 2<<3 | asDouble:
			c.double()
		case 3<<3 | asText:
			c.text()
		case 5<<3 | asText:
			c.expect(isPlainMap(c.message(), isPlain))
		case 6<<3 | asText:
			c.expect(isPlainList(c.message(), isPlain))
		default:
			c.unusual = true
		}
	}
	return !c.unusual && bits.OnesCount64(c.seen) <= 1 // of one kind
}

// isPlainList looks through a google.protobuf.ListValue.
func isPlainList(message string, isPlain func(item string) bool) bool {
	c := cursor{rest: message, repeated: 1 << 1}
	for c.next() {
		switch c.tag {
		case 1<<3 | asText:
			c.expect(isPlain(c.message()))
		default:
			c.unusual = true
		}
	}
	return !c.unusual
}
