package state

import (
	"cmp"
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"
)

// errCorrupt says that bytes are not what the codec writes.
var errCorrupt = errors.New("corrupt encoding")

// A coder walks a structure once and writes it to buf, or reads it from there:
// one description of each structure serves both directions, so they cannot
// drift apart. Integers are varints, strings have their length in front, maps
// are written in the order of their keys. After the first error it does
// nothing.
type coder struct {
	reading bool
	buf     []byte
	err     error
}

func (c *coder) uint(v *uint64) {
	if !c.reading {
		c.buf = binary.AppendUvarint(c.buf, *v)
		return
	}
	n, size := binary.Uvarint(c.buf)
	if size <= 0 {
		c.fail()
		return
	}
	*v, c.buf = n, c.buf[size:]
}

func (c *coder) int(v *int64) {
	if !c.reading {
		c.buf = binary.AppendVarint(c.buf, *v)
		return
	}
	n, size := binary.Varint(c.buf)
	if size <= 0 {
		c.fail()
		return
	}
	*v, c.buf = n, c.buf[size:]
}

func (c *coder) flag(v *bool) {
	var n uint64
	if *v {
		n = 1
	}
	c.uint(&n)
	if n > 1 {
		c.fail()
	}
	*v = n == 1
}

func (c *coder) raw(v []byte) {
	if !c.reading {
		c.buf = append(c.buf, v...)
		return
	}
	if len(c.buf) < len(v) {
		c.fail()
		return
	}
	copy(v, c.buf)
	c.buf = c.buf[len(v):]
}

func (c *coder) fail() {
	if c.err == nil {
		c.err = errCorrupt
	}
	c.buf = nil
}

// size writes or reads how many items follow. Every item takes at least one
// byte, so a count beyond what is left is corrupt and allocates nothing.
func (c *coder) size(n int) int {
	v := uint64(n)
	c.uint(&v)
	if c.reading && v > uint64(len(c.buf)) {
		c.fail()
		return 0
	}
	return int(v)
}

func text[S ~string](c *coder, v *S) {
	n := c.size(len(*v))
	if !c.reading {
		c.buf = append(c.buf, *v...)
		return
	}
	*v = S(c.buf[:n])
	c.buf = c.buf[n:]
}

func number[N ~int | ~int8 | ~int32 | ~uint8 | ~uint32 | ~int64](c *coder, v *N) {
	n := int64(*v)
	c.int(&n)
	*v = N(n)
	if int64(*v) != n {
		c.fail()
	}
}

func list[T any](c *coder, items *[]T, item func(*coder, *T)) {
	n := c.size(len(*items))
	if c.reading {
		*items = nil
		for range n {
			var v T
			if item(c, &v); c.err != nil {
				return
			}
			*items = append(*items, v)
		}
		return
	}
	for i := range *items {
		item(c, &(*items)[i])
	}
}

func dict[K cmp.Ordered, V any](c *coder, m *map[K]V, key func(*coder, *K), item func(*coder, *V)) {
	n := c.size(len(*m))
	if c.reading {
		*m = nil
		for range n {
			var k K
			var v V
			key(c, &k)
			if item(c, &v); c.err != nil {
				return
			}
			if *m == nil {
				*m = make(map[K]V)
			}
			(*m)[k] = v
		}
		return
	}
	for _, k := range slices.Sorted(maps.Keys(*m)) {
		v := (*m)[k]
		key(c, &k)
		item(c, &v)
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
	c := coder{buf: append(dst, formatVersion)}
	item(&c, v)
	return c.buf
}

func decode[T any](b []byte, item func(*coder, *T)) (*T, error) {
	if len(b) == 0 || b[0] != formatVersion {
		return nil, errCorrupt
	}
	c := coder{reading: true, buf: b[1:]}
	v := new(T)
	item(&c, v)
	if c.err == nil && len(c.buf) > 0 {
		c.err = errCorrupt
	}
	if c.err != nil {
		return nil, c.err
	}
	return v, nil
}

// formatVersion is the first byte of every encoded entry and partition.
const formatVersion = 1

func codeFloat(c *coder, v *float64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], math.Float64bits(*v))
	c.raw(b[:])
	*v = math.Float64frombits(binary.BigEndian.Uint64(b[:]))
}
