package compiled

import (
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp/value"
)

// small is the size up to which a search by comparing beats a hash.
const small = 16

// table finds items by hash: the first index with a hash, and for each index
// the next one with the same hash, -1 for none.
type table struct {
	first map[uint64]int32
	next  []int32
}

func (t *table) put(hash uint64, i int32) {
	if t.first == nil {
		t.first = make(map[uint64]int32)
	}
	before, there := t.first[hash]
	if !there {
		before = -1
	}
	t.next = append(t.next, before)
	t.first[hash] = i
}

// dict is an object with keys of any type.
type dict struct {
	keys, vals []val
	index      table // of all entries, once there are more than small
	sorted     bool
	fixed      bool // it is constant: sorted, and so is all in it
	odd        bool // a key is not a string
	// base is set for an object of the bundle's data, which topdown reads by
	// paths of strings: see elsewhere.
	base bool
}

func newDict(n int) *dict {
	return &dict{keys: make([]val, 0, n), vals: make([]val, 0, n), sorted: true}
}

// empty makes d what newDict makes, but for the room.
func (d *dict) empty() {
	if d.index.first != nil {
		d.index = table{}
	}
	d.keys, d.vals, d.sorted, d.odd = d.keys[:0], d.vals[:0], true, false
}

func (d *dict) find(key *val) int {
	if len(d.keys) <= small {
		for i := range d.keys {
			if same(&d.keys[i], key) {
				return i
			}
		}
		return -1
	}
	i, there := d.index.first[hash(*key)]
	for there && i >= 0 {
		if same(&d.keys[i], key) {
			return int(i)
		}
		i = d.index.next[i]
	}
	return -1
}

// has reports whether there is a member of this name.
func (d *dict) has(name string) bool {
	key := ofStr(name)
	return d.find(&key) >= 0
}

// insert sets a key, also one that is there.
func (d *dict) insert(key, v val) {
	if i := d.find(&key); i >= 0 {
		d.vals[i] = v
		return
	}
	n := len(d.keys)
	d.odd = d.odd || key.k != str
	d.sorted = d.sorted && (n == 0 || compare(d.keys[n-1], key) < 0)
	d.keys, d.vals = append(d.keys, key), append(d.vals, v)
	switch {
	case n == small:
		for i := range d.keys {
			d.index.put(hash(d.keys[i]), int32(i))
		}
	case n > small:
		d.index.put(hash(key), int32(n))
	}
}

// sort puts the entries into Rego's order. Nobody else may read d meanwhile.
func (d *dict) sort() {
	if d.sorted {
		return
	}
	order := make([]int, len(d.keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compare(d.keys[a], d.keys[b]) })
	keys, vals := make([]val, len(order)), make([]val, len(order))
	for to, from := range order {
		keys[to], vals[to] = d.keys[from], d.vals[from]
	}
	d.keys, d.vals, d.sorted = keys, vals, true
	if len(keys) > small {
		d.index = table{}
		for i := range keys {
			d.index.put(hash(keys[i]), int32(i))
		}
	}
}

// members is a set.
type members struct {
	items  []val
	index  table
	sorted bool
	fixed  bool
	view   []value.Value
}

func newMembers(n int) *members { return &members{items: make([]val, 0, n), sorted: true} }

// empty makes m what newMembers makes, but for the room.
func (m *members) empty() {
	if m.index.first != nil {
		m.index = table{}
	}
	m.items, m.view, m.sorted = m.items[:0], m.view[:0], true
}

func (m *members) has(v *val) bool {
	if len(m.items) <= small {
		for i := range m.items {
			if same(&m.items[i], v) {
				return true
			}
		}
		return false
	}
	i, there := m.index.first[hash(*v)]
	for there && i >= 0 {
		if same(&m.items[i], v) {
			return true
		}
		i = m.index.next[i]
	}
	return false
}

func (m *members) add(v val) {
	if m.has(&v) {
		return
	}
	n := len(m.items)
	m.sorted = m.sorted && (n == 0 || compare(m.items[n-1], v) < 0)
	m.items = append(m.items, v)
	switch {
	case n == small:
		for i := range m.items {
			m.index.put(hash(m.items[i]), int32(i))
		}
	case n > small:
		m.index.put(hash(v), int32(n))
	}
}

func (m *members) sort() {
	if m.sorted {
		return
	}
	slices.SortFunc(m.items, compare)
	m.sorted = true
	if len(m.items) > small {
		m.index = table{}
		for i := range m.items {
			m.index.put(hash(m.items[i]), int32(i))
		}
	}
}

// seal sorts v and all in it, so that it can be read by many at once.
func seal(v val) val {
	if v.fixed() {
		return v
	}
	each(v, func(key, item val) bool { seal(key); seal(item); return true })
	switch of := v.of.(type) {
	case *dict:
		of.fixed = true
	case *list:
		of.show()
		of.fixed = true
	case *members:
		of.show()
		of.fixed = true
	}
	return v
}

// fixed reports whether a composite was sealed.
func (v val) fixed() bool {
	switch of := v.of.(type) {
	case *dict:
		return of.fixed
	case *list:
		return of.fixed
	case *members:
		return of.fixed
	default:
		return false
	}
}

// get is the member of v at key: undefined where there is none. A set has its
// members at themselves.
func get(v, key val) val {
	switch of := v.of.(type) {
	case *dict:
		if i := of.find(&key); i >= 0 {
			return of.vals[i]
		}
	case *list:
		if i, ok := key.integer(); ok && i >= 0 && i < len(of.items) {
			return of.items[i]
		}
	case *members:
		if of.has(&key) {
			return key
		}
	case value.Object:
		if key.k == str {
			member := of.Get(key.s)
			return fromView(&member)
		}
	}
	return val{}
}

// length counts the items of a composite.
func length(v val) int {
	switch of := v.of.(type) {
	case *dict:
		return len(of.keys)
	case *list:
		return len(of.items)
	case *members:
		return len(of.items)
	case value.Object:
		n := 0
		of.Range(func(string, value.Value) bool { n++; return true })
		return n
	default:
		return 0
	}
}

// each visits the items of a composite with their keys, in Rego's order, until
// visit returns false.
func each(v val, visit func(key, item val) bool) {
	switch of := v.of.(type) {
	case *dict:
		of.sort()
		for i := range of.keys {
			if !visit(of.keys[i], of.vals[i]) {
				return
			}
		}
	case *list:
		for i := range of.items {
			if !visit(ofInt(int64(i)), of.items[i]) {
				return
			}
		}
	case *members:
		of.sort()
		for i := range of.items {
			if !visit(of.items[i], of.items[i]) {
				return
			}
		}
	case value.Object:
		for _, m := range sortedView(of) {
			if !visit(ofStr(m.Name), fromView(&m.Value)) {
				return
			}
		}
	}
}

func sortedView(view value.Object) []value.Member {
	var all []value.Member
	view.Range(func(name string, v value.Value) bool { all = append(all, value.M(name, v)); return true })
	slices.SortFunc(all, func(a, b value.Member) int { return strings.Compare(a.Name, b.Name) })
	return all
}
