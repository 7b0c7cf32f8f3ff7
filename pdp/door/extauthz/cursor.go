package extauthz

import (
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// A cursor reads one protobuf message in place: what it hands out are slices of
// the text that it was made of. Its user says of every field what it expects.
//
// It is there to be right about plain messages and gives up on all others: a
// field that comes twice (of which protobuf takes the last, or merges both), one
// that is not expected, one with another encoding than its own, text that is not
// UTF-8, bytes that are no message. Those are for the generated types.
type cursor struct {
	rest string
	// tag is that of the current field: its number and its encoding.
	tag tag
	// repeated are the fields that may come more than once, and seen those that
	// came; a bit a number.
	repeated, seen uint64
	// unusual says that the cursor has given up.
	unusual bool
}

// A tag is a field's number and encoding, as they stand on the wire.
type tag uint64

// The encodings (protobuf, "Encoding", "Message Structure"): 1<<3|asText is the
// tag of field 1 as text, bytes or a message.
const (
	asVarint tag = 0
	asDouble tag = 1
	asText   tag = 2
)

// numbers is how many field numbers a cursor can keep account of.
const numbers = 64

// next moves on to the next field. It returns false at the end of the message,
// and where the cursor gives up.
func (c *cursor) next() bool {
	if c.rest == "" || c.unusual {
		return false
	}
	c.tag = tag(c.number())
	number := c.tag >> 3
	if number >= numbers {
		c.unusual = true
		return false
	}
	bit := uint64(1) << number
	if c.seen&bit&^c.repeated != 0 {
		c.unusual = true
	}
	c.seen |= bit
	return !c.unusual
}

// number is the value of the current field, encoded as a varint.
func (c *cursor) number() uint64 {
	if c.rest != "" && c.rest[0] < 0x80 { // most are one byte
		n := c.rest[0]
		c.rest = c.rest[1:]
		return uint64(n)
	}
	n, size := protowire.ConsumeVarint([]byte(c.rest)) // the compiler makes no copy
	if size < 0 {
		c.unusual, c.rest = true, ""
		return 0
	}
	c.rest = c.rest[size:]
	return n
}

// double is the value of the current field, encoded in 8 bytes.
func (c *cursor) double() float64 {
	bits, size := protowire.ConsumeFixed64([]byte(c.rest))
	if size < 0 {
		c.unusual, c.rest = true, ""
		return 0
	}
	c.rest = c.rest[size:]
	return math.Float64frombits(bits)
}

// message is the value of the current field: a message, or bytes.
func (c *cursor) message() string {
	size := c.number()
	if size > uint64(len(c.rest)) {
		c.unusual, c.rest = true, ""
		return ""
	}
	m := c.rest[:size]
	c.rest = c.rest[size:]
	return m
}

// text is the value of the current field: a string, which is UTF-8.
func (c *cursor) text() string {
	s := c.message()
	if !utf8.ValidString(s) {
		c.unusual = true
	}
	return s
}

// expect gives up where an inner message was not plain.
func (c *cursor) expect(plain bool) {
	if !plain {
		c.unusual = true
	}
}
