package pdp

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"sync/atomic"
)

func putUint64(b []byte, n uint64) { binary.BigEndian.PutUint64(b, n) }

// A decision id is 40 bytes, in 54 characters of base64url: the partition (16),
// a number that no other id of this process has (8, from a random start), 4
// bytes of the process' random name, and 12 bytes of HMAC over the rest. It
// tells where the action is in flight, and nobody else can make one.
const (
	idBody = 16 + 8 + 4
	idSize = idBody + 12
	idText = (idSize*8 + 5) / 6
)

// idEncoding reads an id in one spelling only.
var idEncoding = base64.RawURLEncoding.Strict()

// IDs makes and reads decision ids. Safe for concurrent use.
type IDs struct {
	keys    *Keys
	process [4]byte
	next    atomic.Uint64
}

// NewIDs returns a maker of decision ids keyed with k.
func NewIDs(k *Keys) *IDs {
	ids := &IDs{keys: k}
	var start [8]byte
	rand.Read(ids.process[:]) // never fails since Go 1.24
	rand.Read(start[:])
	ids.next.Store(binary.BigEndian.Uint64(start[:]))
	return ids
}

// New returns a new decision id for an action in partition p.
func (ids *IDs) New(p PartitionKey) string {
	var id [idSize]byte
	copy(id[:16], p[:])
	putUint64(id[16:24], ids.next.Add(1))
	copy(id[24:idBody], ids.process[:])
	mac := keyed(ids.keys.id, string(id[:idBody]))
	copy(id[idBody:], mac[:])
	var text [idText]byte
	idEncoding.Encode(text[:], id[:])
	return string(text[:])
}

// Partition returns the partition that a decision id was made for, and
// [ErrForged] for an id that was not made with these keys.
func (ids *IDs) Partition(id string) (PartitionKey, error) {
	if len(id) != idText {
		return PartitionKey{}, ErrForged
	}
	var raw [idSize]byte
	if n, err := idEncoding.Decode(raw[:], []byte(id)); err != nil || n != idSize {
		return PartitionKey{}, ErrForged
	}
	mac := keyed(ids.keys.id, string(raw[:idBody]))
	if !hmac.Equal(raw[idBody:], mac[:idSize-idBody]) {
		return PartitionKey{}, ErrForged
	}
	return PartitionKey(raw[:16]), nil
}

// NewName returns a name that nobody can guess and nothing else has: prefix and
// 16 letters and digits.
func NewName(prefix string) string {
	var b [10]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return prefix + strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}
