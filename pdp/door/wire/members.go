package wire

import (
	"math/bits"
	"strings"
	"unicode/utf8"
)

// MaxNesting is how deep a google.protobuf.Struct may be to be plain.
const MaxNesting = 32

// Two reads a message of two fields as nearly all of them are written: field 1, of
// less than 128 bytes, and behind it the one that then names, which both have a
// length. Nobody has looked at what is in them. Where it returns false the message
// is for a [Cursor].
func Two(message string, then Tag) (first, second string, usual bool) {
	if len(message) < 2 || message[0] != 1<<3|byte(AsText) || message[1] >= 0x80 {
		return "", "", false
	}
	end := 2 + int(message[1])
	if end >= len(message) || Tag(message[end]) != then {
		return "", "", false
	}
	c := Cursor{Of: message, at: end + 1}
	second = c.Message()
	return message[2:end], second, !c.Unusual && c.at == len(message)
}

// ReadPair reads a member of a map of strings.
func ReadPair(message string) (name, text string, plain bool) {
	name, text, _, plain = readMember(message)
	return name, text, plain && utf8.ValidString(text)
}

// ReadMember reads a member of a map of messages, keyed by text.
func ReadMember(message string) (name, member string, plain bool) {
	name, member, has, plain := readMember(message)
	return name, member, plain && has
}

// readMember reads a member of a map, keyed by text; has says that there is a value.
func readMember(message string) (name, v string, has, plain bool) {
	if name, v, usual := Two(message, 2<<3|AsText); usual {
		return name, v, true, utf8.ValidString(name)
	}
	c := Cursor{Of: message}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | AsText:
			name = c.Text()
		case 2<<3 | AsText:
			v = c.Message()
		default:
			c.Unusual = true
		}
	}
	return name, v, c.Seen&(1<<2) != 0, !c.Unusual
}

// Lookup looks through a message whose only field is such a map, as those of
// google.protobuf.Struct and of envoy.config.core.v3.Metadata are, and returns
// the member of a name, "" for none. Of several the last counts, as in protobuf.
func Lookup(message, name string, isPlain func(member string) bool) (found string, plain bool) {
	c := Cursor{Of: message, Repeated: 1 << 1}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | AsText:
			key, member, plain := ReadMember(c.Message())
			c.Expect(plain && isPlain(member))
			if key == name {
				found = member
			}
		default:
			c.Unusual = true
		}
	}
	return found, !c.Unusual
}

// Find returns the member of a name in such a map that was looked through before,
// and whether there is one. Those of other names are not read again.
func Find(message, name string) (found string, ok bool) {
	for c := (Cursor{Of: message, Repeated: 1 << 1}); c.Next(); {
		entry := c.Message()
		if isOther(entry, name) {
			continue
		}
		if key, member, _ := ReadMember(entry); key == name {
			found, ok = member, true
		}
	}
	return found, ok
}

// isOther reports whether a plain member of a map begins with its name, and that is
// another one. False says nothing.
func isOther(entry, name string) bool {
	if len(entry) < 2 || entry[0] != 1<<3|byte(AsText) || entry[1] >= 0x80 {
		return false
	}
	return int(entry[1]) != len(name) || !strings.HasPrefix(entry[2:], name)
}

// IsMap looks through a message whose only field is such a map.
func IsMap(message string, isPlain func(member string) bool) (plain bool) {
	_, plain = Lookup(message, "", isPlain)
	return plain
}

// IsStruct looks through a google.protobuf.Struct.
func IsStruct(message string) (plain bool) { return IsMap(message, IsValue) }

// IsValue looks through a google.protobuf.Value.
func IsValue(message string) (plain bool) { return isValue(message, MaxNesting) }

func isValue(message string, nesting int) (plain bool) {
	if nesting == 0 {
		return false
	}
	isInner := func(m string) bool { return isValue(m, nesting-1) }
	c := Cursor{Of: message}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | AsVarint, 4<<3 | AsVarint:
			c.Number()
		case 2<<3 | AsDouble:
			c.Double()
		case 3<<3 | AsText:
			c.Text()
		case 5<<3 | AsText:
			c.Expect(IsMap(c.Message(), isInner))
		case 6<<3 | AsText:
			c.Expect(isList(c.Message(), isInner))
		default:
			c.Unusual = true
		}
	}
	return !c.Unusual && bits.OnesCount64(c.Seen) <= 1 // of one kind
}

// isList looks through a google.protobuf.ListValue.
func isList(message string, isPlain func(item string) bool) (plain bool) {
	c := Cursor{Of: message, Repeated: 1 << 1}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | AsText:
			c.Expect(isPlain(c.Message()))
		default:
			c.Unusual = true
		}
	}
	return !c.Unusual
}

// TextOf returns the text of a plain google.protobuf.Value, "" of one that is of
// another kind.
func TextOf(message string) string {
	c := Cursor{Of: message}
	if c.Next() && c.Tag == 3<<3|AsText {
		return c.Message()
	}
	return ""
}
