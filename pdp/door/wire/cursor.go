// Package wire reads protobuf messages in place, without the generated types: for
// the doors that a message comes in by with every request. It reads what is plain
// (see [Cursor]); of everything else a door asks the generated types, so that
// both always say the same.
package wire

import (
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// A Cursor reads one protobuf message in place: what it hands out are slices of
// the text that it was made of. Its user says of every field what it expects.
//
// It is there to be right about plain messages and gives up on all others: a
// field that comes twice (of which protobuf takes the last, or merges both), one
// that is not expected, one with another encoding than its own, text that is not
// UTF-8, bytes that are no message. Those are for the generated types.
type Cursor struct {
	// Of is the message, and at how far it was read. It stays as it is: a place in
	// it is moved on more cheaply than a slice of it, most of all while the
	// collector has to be told of every pointer that changes.
	Of string
	at int
	// Tag is that of the current field: its number and its encoding.
	Tag Tag
	// Repeated are the fields that may come more than once, and Seen those that
	// came; a bit a number.
	Repeated, Seen uint64
	// Unusual says that the cursor has given up.
	Unusual bool
}

// A Tag is a field's number and encoding, as they stand on the wire.
type Tag uint64

// The encodings (protobuf, "Encoding", "Message Structure"): 1<<3|AsText is the
// tag of field 1 as text, bytes or a message.
const (
	AsVarint Tag = 0
	AsDouble Tag = 1
	AsText   Tag = 2
)

// numbers is how many field numbers a cursor can keep account of.
const numbers = 64

// Next moves on to the next field. It returns false at the end of the message,
// and where the cursor gives up.
func (c *Cursor) Next() bool {
	if c.at >= len(c.Of) || c.Unusual {
		return false
	}
	tag, ok := c.short()
	if !ok {
		tag = c.long()
	}
	c.Tag = Tag(tag)
	number := c.Tag >> 3
	if number >= numbers {
		c.Unusual = true
		return false
	}
	bit := uint64(1) << number
	if c.Seen&bit&^c.Repeated != 0 {
		c.Unusual = true
	}
	c.Seen |= bit
	return !c.Unusual
}

// Number is the value of the current field, encoded as a varint.
func (c *Cursor) Number() uint64 {
	if n, ok := c.short(); ok {
		return n
	}
	return c.long()
}

// short reads a varint of one byte, as most are. The compiler puts it where it is
// called: the call would cost more than all it does.
func (c *Cursor) short() (n uint64, ok bool) {
	if c.at >= len(c.Of) || c.Of[c.at] >= 0x80 {
		return 0, false
	}
	c.at++
	return uint64(c.Of[c.at-1]), true
}

// long reads a varint of any length.
func (c *Cursor) long() uint64 {
	n, size := protowire.ConsumeVarint([]byte(c.Of[c.at:])) // the compiler makes no copy
	if size < 0 {
		c.giveUp()
		return 0
	}
	c.at += size
	return n
}

// Double is the value of the current field, encoded in 8 bytes.
func (c *Cursor) Double() float64 {
	bits, size := protowire.ConsumeFixed64([]byte(c.Of[c.at:]))
	if size < 0 {
		c.giveUp()
		return 0
	}
	c.at += size
	return math.Float64frombits(bits)
}

// Message is the value of the current field: a message, or bytes.
func (c *Cursor) Message() string {
	size, ok := c.short()
	if !ok {
		size = c.long()
	}
	if size > uint64(len(c.Of)-c.at) {
		c.giveUp()
		return ""
	}
	from := c.at
	c.at += int(size)
	return c.Of[from:c.at]
}

// giveUp leaves the rest unread.
func (c *Cursor) giveUp() { c.Unusual, c.at = true, len(c.Of) }

// Text is the value of the current field: a string, which is UTF-8.
func (c *Cursor) Text() string {
	s := c.Message()
	if !utf8.ValidString(s) {
		c.Unusual = true
	}
	return s
}

// Expect gives up where an inner message was not plain.
func (c *Cursor) Expect(plain bool) {
	if !plain {
		c.Unusual = true
	}
}
