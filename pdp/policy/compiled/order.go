package compiled

import (
	"cmp"
	"hash/maphash"
	"math"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/remit-pdp/remit/pdp/value"
)

// compare is Rego's order over all values: null, booleans, numbers, strings,
// arrays, objects, sets.
func compare(a, b val) int {
	if a.k != b.k {
		return cmp.Compare(a.k, b.k)
	}
	switch a.k {
	case boolean:
		return cmp.Compare(a.n, b.n)
	case number:
		return compareNumbers(a, b)
	case str:
		return strings.Compare(a.s, b.s)
	case array:
		x, y := a.of.(*list).items, b.of.(*list).items
		for i := range min(len(x), len(y)) {
			if c := compare(x[i], y[i]); c != 0 {
				return c
			}
		}
		return cmp.Compare(len(x), len(y))
	case object:
		return compareObjects(materialise(a), materialise(b))
	case set:
		x, y := a.of.(*members), b.of.(*members)
		x.sort()
		y.sort()
		for i := range min(len(x.items), len(y.items)) {
			if c := compare(x.items[i], y.items[i]); c != 0 {
				return c
			}
		}
		return cmp.Compare(len(x.items), len(y.items))
	default:
		return 0
	}
}

// compareNumbers compares by value: 1, 1.0 and 1e0 are the same.
func compareNumbers(a, b val) int {
	if a.whole && b.whole {
		return cmp.Compare(a.n, b.n)
	}
	return ast.Number(a.literal()).Compare(ast.Number(b.literal()))
}

// compareObjects compares key by key in order: a smaller key first, or the
// value of the same key; then the number of keys.
func compareObjects(a, b *dict) int {
	a.sort()
	b.sort()
	for i := range min(len(a.keys), len(b.keys)) {
		if c := compare(a.keys[i], b.keys[i]); c != 0 {
			return c
		}
		if c := compare(a.vals[i], b.vals[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a.keys), len(b.keys))
}

// materialise reads a whole object.
func materialise(v val) *dict {
	if d, ok := v.of.(*dict); ok {
		return d
	}
	all := sortedView(v.of.(value.Object))
	d := newDict(len(all))
	for _, m := range all {
		d.insert(ofStr(m.Name), fromView(&m.Value))
	}
	return d
}

// same is equal without copying.
func same(a, b *val) bool {
	if a.k != b.k {
		return false
	}
	switch {
	case a.k == str:
		return a.s == b.s
	case a.k <= boolean, a.whole && b.whole:
		return a.n == b.n
	default:
		return equal(*a, *b)
	}
}

// order is compare without copying.
func order(a, b *val) int {
	if a.whole && b.whole {
		return cmp.Compare(a.n, b.n)
	}
	return compare(*a, *b)
}

// equal is compare == 0, sooner.
func equal(a, b val) bool {
	if a.k != b.k {
		return false
	}
	switch a.k {
	case str:
		return a.s == b.s
	case boolean:
		return a.n == b.n
	case number:
		if a.whole && b.whole {
			return a.n == b.n
		}
	case array, object, set:
		if isOne(a, b) {
			return true
		}
		if length(a) != length(b) {
			return false
		}
	}
	return compare(a, b) == 0
}

// isOne reports whether two composites are one in memory. Of views it does not
// know: not all of them can be compared.
func isOne(a, b val) bool {
	switch of := a.of.(type) {
	case *dict:
		return b.of == any(of)
	case *list:
		return b.of == any(of)
	case *members:
		return b.of == any(of)
	default:
		return false
	}
}

var seed = maphash.MakeSeed()

// hash is the same for values that are equal.
func hash(v val) uint64 {
	switch v.k {
	case boolean:
		return uint64(v.k)<<32 | uint64(v.n)
	case number:
		return uint64(v.k)<<32 ^ math.Float64bits(v.float()+0)
	case str:
		return maphash.String(seed, v.s)
	case array, set:
		sum := uint64(v.k)
		each(v, func(_, item val) bool { sum = sum*1099511628211 + hash(item); return true })
		return sum
	case object:
		sum := uint64(v.k)
		each(v, func(key, item val) bool { sum = (sum*1099511628211+hash(key))*31 + hash(item); return true })
		return sum
	default:
		return uint64(v.k)
	}
}
