package wire

import "math/bits"

// An Address is an envoy.config.core.v3.Address, in its spelling there.
type Address struct {
	Kind AddressKind
	Name string // the host of a socket, or the path of a pipe
	Port uint32
}

// AddressKind is the kind of an address; the zero value is that of none.
type AddressKind uint8

// The kinds of addresses, by their numbers in envoy/config/core/v3/address.proto.
const (
	Socket AddressKind = 1
	Pipe   AddressKind = 2
)

// ReadAddress reads an Address: a socket's or a pipe's.
func ReadAddress(message string) (a Address, plain bool) {
	c := Cursor{Of: message}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | AsText:
			a.Kind = Socket
			c.Expect(a.readSocket(c.Message()))
		case 2<<3 | AsText:
			a.Kind = Pipe
			c.Expect(a.readPipe(c.Message()))
		default:
			c.Unusual = true
		}
	}
	return a, !c.Unusual && bits.OnesCount64(c.Seen) <= 1 // one of them, not both
}

// readSocket reads a SocketAddress.
func (a *Address) readSocket(message string) (plain bool) {
	c := Cursor{Of: message}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | AsVarint: // TCP or UDP
			c.Number()
		case 2<<3 | AsText:
			a.Name = c.Text()
		case 3<<3 | AsVarint:
			a.Port = uint32(c.Number())
		default:
			c.Unusual = true
		}
	}
	return !c.Unusual
}

// readPipe reads a Pipe.
func (a *Address) readPipe(message string) (plain bool) {
	c := Cursor{Of: message}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | AsText:
			a.Name = c.Text()
		default:
			c.Unusual = true
		}
	}
	return !c.Unusual
}
