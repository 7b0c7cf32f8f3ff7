package attributes

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp"
)

// The digest is the same whatever fits into the room on its way, and whatever was
// there before.
func TestDigestOfAnyLength(t *testing.T) {
	for _, path := range []int{0, 1, roomForText - 40, roomForText} {
		for _, body := range []int{0, 1, roomForText - 8, roomForText - 1, roomForText, roomForText + 1, 3*roomForText + 7, 100_000} {
			e := &pdp.Envelope{Method: "POST", Host: "h", Path: strings.Repeat("p", path), Body: strings.Repeat("b", body)}
			var whole []byte
			for _, part := range []string{e.Method, e.Host, e.Path, e.Body} {
				whole = append(binary.BigEndian.AppendUint64(whole, uint64(len(part))), part...)
			}
			if digest(e) != sha256.Sum256(whole) {
				t.Errorf("a path of %d bytes and a body of %d have another digest", path, body)
			}
		}
	}
}

// Nothing of a request stays in the room.
func TestDigestLeavesNothingBehind(t *testing.T) {
	for _, n := range []int{1, roomForText, roomForText + 1, 2*roomForText - 8} {
		d := &digester{hash: sha256.New(), room: make([]byte, 0, roomForText)}
		d.part(strings.Repeat("s", n))
		d.write()
		if room := d.room[:cap(d.room)]; len(d.room) > 0 || bytes.Contains(room, []byte("s")) || cap(d.room) != roomForText {
			t.Errorf("of %d bytes some are left", n)
		}
	}
}
