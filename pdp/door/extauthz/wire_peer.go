package extauthz

import (
	"math/bits"

	"github.com/remit-pdp/remit/pdp"
)

// readPeer reads an AttributeContext.Peer.
func readPeer(message string, p *pdp.Peer) (plain bool) {
	c := cursor{rest: message}
	for c.next() {
		switch c.tag {
		case 1<<3 | asText:
			c.expect(readAddress(c.message(), p))
		case 2<<3 | asText: // service: the client's own word, for the plugin's form alone
			c.text()
		case 4<<3 | asText:
			p.Principal = c.text()
		case 5<<3 | asText:
			p.Certificate = c.text()
		default:
			c.unusual = true
		}
	}
	return !c.unusual
}

// readAddress reads an Address: a socket's or a pipe's.
func readAddress(message string, p *pdp.Peer) (plain bool) {
	c := cursor{rest: message}
	for c.next() {
		switch c.tag {
		case 1<<3 | asText:
			c.expect(readSocket(c.message(), p))
		case 2<<3 | asText:
			c.expect(readOne(c.message(), &p.Address))
		default:
			c.unusual = true
		}
	}
	return !c.unusual && bits.OnesCount64(c.seen) <= 1 // one of them, not both
}

// readSocket reads a SocketAddress.
func readSocket(message string, p *pdp.Peer) (plain bool) {
	c := cursor{rest: message}
	for c.next() {
		switch c.tag {
		case 1<<3 | asVarint: // TCP or UDP
			c.number()
		case 2<<3 | asText:
			p.Address = c.text()
		case 3<<3 | asVarint:
			p.Port = uint32(c.number())
		default:
			c.unusual = true
		}
	}
	return !c.unusual
}
