package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/remit-pdp/remit/pdp"
)

// errCorrupt says that bytes are not what the codec writes.
var errCorrupt = errors.New("corrupt encoding")

// ErrFormat says that something was written in another format than this
// version reads. It is not damaged.
var ErrFormat = errors.New("another format")

// A coder walks a structure once and writes it to out, or reads it from in:
// one description of each structure serves both directions, so they cannot
// drift apart. Integers are varints, strings have their length in front, maps
// are written in the order of their keys. A word that has a number is written
// as its number. What is read are slices of in. After the first error it does
// nothing.
type coder struct {
	reading bool
	out     []byte
	in      string
	err     error
	origin  int64    // moments are written as distances from it
	before  int64    // what beside coded last
	digest  [32]byte // coded last
	// partition is the entry's.
	partition pdp.PartitionKey
	lexicon
}

var coders = sync.Pool{New: func() any { return new(coder) }}

func newCoder() *coder {
	c := coders.Get().(*coder)
	c.reset()
	c.reading, c.out, c.in, c.err, c.origin, c.before, c.digest, c.partition = false, nil, "", nil, 0, 0, [32]byte{}, pdp.PartitionKey{}
	return c
}

func (c *coder) release() {
	c.out, c.in = nil, ""
	coders.Put(c)
}

func (c *coder) uint(v *uint64) {
	if c.reading {
		*v = c.readUint()
		return
	}
	c.writeUint(*v)
}

func (c *coder) writeUint(n uint64) {
	if n < 0x80 { // most are
		c.out = append(c.out, byte(n))
		return
	}
	c.out = binary.AppendUvarint(c.out, n)
}

func (c *coder) readUint() (n uint64) {
	for i := 0; i < len(c.in) && i < binary.MaxVarintLen64; i++ {
		b := c.in[i]
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			if i == binary.MaxVarintLen64-1 && b > 1 {
				break
			}
			c.in = c.in[i+1:]
			return n
		}
	}
	c.fail()
	return 0
}

func (c *coder) int(v *int64) {
	if c.reading {
		*v = unzigzag(c.readUint())
		return
	}
	c.writeUint(zigzag(*v))
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }

// moment codes a time as its distance from the origin, and 0 as 0: most times
// of a structure are close to each other.
func (c *coder) moment(v *int64) {
	var n uint64
	if !c.reading && *v != 0 {
		n = zigzag(*v-c.origin) + 1
	}
	if c.uint(&n); c.reading {
		if *v = 0; n != 0 {
			*v = unzigzag(n-1) + c.origin
		}
	}
}

// beside codes a number that is likely to be the one that it coded before.
func (c *coder) beside(v *int64) {
	distance := *v - c.before
	c.int(&distance)
	*v = c.before + distance
	c.before = *v
}

// flag codes a boolean.
func (c *coder) flag(v *bool) {
	switch {
	case c.reading:
		c.flags(v)
	case *v:
		c.out = append(c.out, 1)
	default:
		c.out = append(c.out, 0)
	}
}

// flags codes up to 8 booleans in a byte.
func (c *coder) flags(flags ...*bool) {
	var b [1]byte
	for i, f := range flags {
		if *f {
			b[0] |= 1 << i
		}
	}
	c.raw(b[:])
	if b[0]>>len(flags) != 0 {
		c.fail()
	}
	for i, f := range flags {
		*f = b[0]>>i&1 == 1
	}
}

func (c *coder) raw(v []byte) {
	if !c.reading {
		c.out = append(c.out, v...)
		return
	}
	if len(c.in) < len(v) {
		c.fail()
		return
	}
	copy(v, c.in)
	c.in = c.in[len(v):]
}

func (c *coder) fail() {
	if c.err == nil {
		c.err = errCorrupt
	}
	c.in = ""
}

// hash codes a number that is as likely to be large as small.
func (c *coder) hash(v *uint64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], *v)
	c.raw(b[:])
	*v = binary.BigEndian.Uint64(b[:])
}

// size writes or reads how many items follow. Every item takes at least one
// byte, so a count beyond what is left is corrupt and allocates nothing.
func (c *coder) size(n int) int {
	if !c.reading {
		c.writeUint(uint64(n))
		return n
	}
	v := c.readUint()
	if v > uint64(len(c.in)) {
		c.fail()
		return 0
	}
	return int(v)
}

func text[S ~string](c *coder, v *S) {
	if !c.reading {
		c.writeText(string(*v))
		return
	}
	n := c.size(0)
	*v = S(c.in[:n])
	c.in = c.in[n:]
}

func (c *coder) writeText(v string) {
	c.writeUint(uint64(len(v)))
	c.out = append(c.out, v...)
}

// fixed codes a string of n bytes.
func (c *coder) fixed(v *string, n int) {
	switch {
	case !c.reading:
		c.out = append(c.out, *v...)
	case len(c.in) < n:
		c.fail()
	default:
		*v, c.in = c.in[:n], c.in[n:]
	}
}

// fingerprintBytes is the length of [pdp.Keys.FingerprintBytes].
const fingerprintBytes = 16

// sum codes a digest; one that is the same as the last takes one byte.
func (c *coder) sum(v *[32]byte) {
	same := *v == c.digest
	if c.flag(&same); same {
		*v = c.digest
		return
	}
	c.raw(v[:])
	c.digest = *v
}

func number[N ~int | ~int8 | ~int32 | ~uint8 | ~uint32 | ~int64](c *coder, v *N) {
	if !c.reading {
		c.writeUint(zigzag(int64(*v)))
		return
	}
	n := unzigzag(c.readUint())
	*v = N(n)
	if int64(*v) != n {
		c.fail()
	}
}

// counts codes numbers of which most are 0: a mask, and the others.
func (c *coder) counts(counts []uint32) {
	var mask [1]byte
	for i, n := range counts {
		if n != 0 {
			mask[0] |= 1 << i
		}
	}
	c.raw(mask[:])
	if mask[0]>>len(counts) != 0 {
		c.fail()
	}
	for i := range counts {
		if counts[i] = counts[i] * uint32(mask[0]>>i&1); mask[0]>>i&1 == 1 {
			number(c, &counts[i])
		}
	}
}

// atOnce is how many items are made room for before the first one was read.
const atOnce = 64

func list[T any](c *coder, items *[]T, item func(*coder, *T)) {
	n := c.size(len(*items))
	if !c.reading {
		for i := range *items {
			item(c, &(*items)[i])
		}
		return
	}
	*items = nil
	if n == 0 {
		return
	}
	read := make([]T, 0, min(n, atOnce))
	for range n {
		var none T
		read = append(read, none)
		if item(c, &read[len(read)-1]); c.err != nil {
			return
		}
	}
	*items = read
}

// dict codes a map in the order of its keys.
func dict[K comparable, V any](c *coder, m *map[K]V, compare func(a, b K) int, key func(*coder, *K), item func(*coder, *V)) {
	n := c.size(len(*m))
	if !c.reading {
		for _, k := range sortedKeys(*m, compare) {
			v := (*m)[k]
			key(c, &k)
			item(c, &v)
		}
		return
	}
	*m = nil
	for range n {
		var k K
		var v V
		key(c, &k)
		if item(c, &v); c.err != nil {
			return
		}
		if *m == nil {
			*m = make(map[K]V, min(n, atOnce))
		}
		(*m)[k] = v
	}
}

func sortedKeys[K comparable, V any](m map[K]V, compare func(a, b K) int) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compare)
	return keys
}

// pointer codes what a pointer points to, which is never nil.
func pointer[T any](item func(*coder, *T)) func(*coder, **T) {
	return func(c *coder, v **T) {
		if c.reading {
			*v = new(T)
		}
		item(c, *v)
	}
}

// optional writes or reads something that may be absent.
func optional[T any](c *coder, v **T, item func(*coder, *T)) {
	present := *v != nil
	c.flag(&present)
	if !present {
		*v = nil
		return
	}
	if c.reading {
		*v = new(T)
	}
	item(c, *v)
}

func encode[T any](dst []byte, v *T, item func(*coder, *T)) []byte {
	c := newCoder()
	defer c.release()
	c.out = append(dst, formatVersion)
	item(c, v)
	return c.out
}

// decode reads what encode wrote; what it returns are slices of s.
func decode[T any](s string, item func(*coder, *T)) (*T, error) {
	if len(s) == 0 {
		return nil, errCorrupt
	}
	if s[0] != formatVersion {
		return nil, fmt.Errorf("written in format %d, this version of remit reads format %d: %w", s[0], formatVersion, ErrFormat)
	}
	c := newCoder()
	defer c.release()
	c.reading, c.in = true, s[1:]
	v := new(T)
	item(c, v)
	if c.err == nil && len(c.in) > 0 {
		c.err = errCorrupt
	}
	if c.err != nil {
		return nil, c.err
	}
	return v, nil
}

// formatVersion is the first byte of every encoded entry and partition.
const formatVersion = 4

func codeFloat(c *coder, v *float64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], math.Float64bits(*v))
	c.raw(b[:])
	*v = math.Float64frombits(binary.BigEndian.Uint64(b[:]))
}

// quantity codes a number that is mostly a small whole one.
func quantity(c *coder, v *float64) {
	whole := int64(*v)
	small := float64(whole) == *v && whole >= 0 && whole < 1<<32 && !math.Signbit(*v)
	if c.flag(&small); !small {
		codeFloat(c, v)
		return
	}
	n := uint64(whole)
	c.uint(&n)
	*v = float64(n)
}
