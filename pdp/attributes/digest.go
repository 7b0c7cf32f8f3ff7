package attributes

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net"
	"strconv"
	"sync"

	"github.com/remit-pdp/remit/pdp"
)

// digester is SHA-256 and room for what is on its way there, used again by whoever
// comes next.
type digester struct {
	hash hash.Hash
	room []byte
	sum  [sha256.Size]byte
}

// roomForText is how much text goes into the hash at a time.
const roomForText = 2 << 10

var digesters = sync.Pool{New: func() any { return &digester{hash: sha256.New(), room: make([]byte, 0, roomForText)} }}

// digest is SHA-256 over what the tool will get: method, host, path with query
// and body, each with its length (8 bytes, big endian) in front. A tool makes
// the same from the request it got. Of a connection it is made of the name asked
// for and of the proxy's end.
func digest(e *pdp.Envelope) [sha256.Size]byte {
	d := digesters.Get().(*digester)
	if e.Network {
		end := net.JoinHostPort(e.Destination.Address, strconv.FormatUint(uint64(e.Destination.Port), 10))
		d.part(string(pdp.Network))
		d.part(e.ServerName)
		d.part(end)
	} else {
		d.part(e.Method)
		d.part(e.Host)
		d.part(e.Path)
		d.part(e.Body)
	}
	d.write()
	d.hash.Sum(d.sum[:0])
	sum := d.sum
	d.rest()
	return sum
}

func (d *digester) part(s string) {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(s)))
	d.text(string(length[:]))
	d.text(s)
}

func (d *digester) text(s string) {
	for s != "" {
		if len(d.room) == cap(d.room) {
			d.write()
		}
		n := min(len(s), cap(d.room)-len(d.room))
		d.room, s = append(d.room, s[:n]...), s[n:]
	}
}

// write empties the room into the hash. A path or a body may hold a secret: it does
// not stay behind.
func (d *digester) write() {
	d.hash.Write(d.room)
	clear(d.room)
	d.room = d.room[:0]
}

// rest lets d be used again.
func (d *digester) rest() {
	d.hash.Reset()
	digesters.Put(d)
}
