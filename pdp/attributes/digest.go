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

// digester is SHA-256 and room for what is short, used again by whoever comes
// next.
type digester struct {
	hash  hash.Hash
	short []byte
	sum   [sha256.Size]byte
}

var digesters = sync.Pool{New: func() any { return &digester{hash: sha256.New()} }}

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
		d.length(len(e.Body))
	}
	d.hash.Write(d.short)
	if !e.Network {
		d.hash.Write(e.Body)
	}
	d.hash.Sum(d.sum[:0])
	sum := d.sum
	d.rest()
	return sum
}

func (d *digester) part(s string) {
	d.length(len(s))
	d.short = append(d.short, s...)
}

func (d *digester) length(n int) { d.short = binary.BigEndian.AppendUint64(d.short, uint64(n)) }

// keptShort is up to how many bytes of room are kept for the next digest.
const keptShort = 8 << 10

// rest lets d be used again. A path may hold a secret: it does not stay behind.
func (d *digester) rest() {
	clear(d.short)
	if d.short = d.short[:0]; cap(d.short) > keptShort {
		d.short = nil
	}
	d.hash.Reset()
	digesters.Put(d)
}
