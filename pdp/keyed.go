package pdp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
)

// macKey makes keyed hashes under one secret. What HMAC makes of the key alone
// is made once and used again by whoever comes next: a decision asks for
// several, of a few bytes each. Safe for concurrent use.
type macKey struct{ atRest sync.Pool }

// macState is HMAC under one key, and room for a message.
type macState struct {
	mac     hash.Hash
	message []byte
	sum     [sha256.Size]byte
}

func newMACKey(secret []byte) *macKey {
	return &macKey{sync.Pool{New: func() any { return &macState{mac: hmac.New(sha256.New, secret)} }}}
}

// keptMessage is up to how many bytes of room are kept for the next message.
const keptMessage = 4 << 10

// keyed is HMAC-SHA256 over parts, each with its length in front (8 bytes, big
// endian), so that no two lists of parts read the same.
func keyed(key *macKey, parts ...string) [sha256.Size]byte {
	s := key.atRest.Get().(*macState)
	for _, part := range parts {
		s.message = binary.BigEndian.AppendUint64(s.message, uint64(len(part)))
		s.message = append(s.message, part...)
	}
	s.mac.Write(s.message)
	s.mac.Sum(s.sum[:0])
	sum := s.sum
	s.rest(key)
	return sum
}

// rest lets the state be used again. A part may be a secret (invariant 7), and
// a hash a name: nothing of either stays behind.
func (s *macState) rest(key *macKey) {
	clear(s.message)
	if s.message = s.message[:0]; cap(s.message) > keptMessage {
		s.message = nil
	}
	s.sum = [sha256.Size]byte{}
	s.mac.Reset()
	key.atRest.Put(s)
}
