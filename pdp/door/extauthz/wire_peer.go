package extauthz

import (
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/door/wire"
)

// readPeer reads an AttributeContext.Peer.
func readPeer(message string, p *pdp.Peer) (plain bool) {
	c := wire.Cursor{Of: message}
	for c.Next() {
		switch c.Tag {
		case 1<<3 | wire.AsText:
			address, plain := wire.ReadAddress(c.Message())
			c.Expect(plain)
			p.Address, p.Port = address.Name, address.Port
		case 2<<3 | wire.AsText: // service: the client's own word, for the plugin's form alone
			c.Text()
		case 4<<3 | wire.AsText:
			p.Principal = c.Text()
		case 5<<3 | wire.AsText:
			p.Certificate = c.Text()
		default:
			c.Unusual = true
		}
	}
	return !c.Unusual
}
