package localstore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/remit-pdp/remit/pdp/state"
)

// What an entry of the journal is.
const (
	kindEntry uint8 = 1 // a state.Entry
	kindSeal  uint8 = 2
	kindVoid  uint8 = 3 // reserved when the process died, never accepted
	kindEnd   uint8 = 4 // nothing more in this segment
)

const (
	reserved   = 1 << 62
	accepted   = 1 << 63
	entryHead  = 16
	maxPayload = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func makeWord(state uint64, kind uint8, length int) uint64 {
	return state | uint64(kind)<<32 | uint64(length)
}

func wordKind(w uint64) uint8   { return uint8(w >> 32) }
func wordLength(w uint64) int64 { return int64(uint32(w)) }

// space is how many bytes an entry with this payload takes.
func space(length int64) int64 { return entryHead + (length+7)&^7 }

// checksum is over the kind and the payload.
func checksum(kind uint8, payload []byte) uint32 {
	return crc32.Update(kindSums[kind], castagnoli, payload)
}

// kindSums are the checksums of the kinds alone: to make a slice of a kind for each
// entry would be an allocation.
var kindSums = func() (sums [256]uint32) {
	for kind := range sums {
		sums[kind] = crc32.Checksum([]byte{byte(kind)}, castagnoli)
	}
	return sums
}()

// A segment begins with a header of 64 bytes: magic, the name of the keys the
// journal was made with, and the position of its first byte.
const (
	segmentHead = 64
	magic       = "remit-j2" // the last character is the format
)

// otherFormat reports whether a file that begins with head is what magic says,
// in another format.
func otherFormat(head, magic string) bool {
	kind := len(magic) - 1
	return len(head) > kind && head[:kind] == magic[:kind] && head[kind] != magic[kind]
}

func formatError(head, magic string) error {
	return fmt.Errorf("it is in the format %s, this version of remit reads %s: go on with the version that wrote it, or begin with an empty state directory: %w",
		head[:len(magic)], magic, state.ErrFormat)
}

func putHeader(b []byte, keyName string, first uint64) {
	copy(b, magic)
	copy(b[8:24], keyName)
	binary.BigEndian.PutUint64(b[24:], first)
	binary.BigEndian.PutUint32(b[32:], crc32.Checksum(b[:32], castagnoli))
}

type header struct {
	keyName string
	first   uint64
}

func readHeader(b []byte) (header, bool) {
	if len(b) < segmentHead || string(b[:8]) != magic || binary.BigEndian.Uint32(b[32:]) != crc32.Checksum(b[:32], castagnoli) {
		return header{}, false
	}
	return header{keyName: string(b[8:24]), first: binary.BigEndian.Uint64(b[24:])}, true
}
