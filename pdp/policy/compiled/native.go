package compiled

import (
	"math"
	"strings"
	"time"
)

// natives are the builtins written for this engine: those on the path of
// nearly every rule. Each leaves what it does not do exactly as OPA does to
// OPA's own.
var natives = map[string]native{
	"eq":                func(_ *run, a []val) (val, bool) { return ofBool(equal(a[0], a[1])), true },
	"equal":             func(_ *run, a []val) (val, bool) { return ofBool(equal(a[0], a[1])), true },
	"neq":               func(_ *run, a []val) (val, bool) { return ofBool(!equal(a[0], a[1])), true },
	"lt":                func(_ *run, a []val) (val, bool) { return ofBool(compare(a[0], a[1]) < 0), true },
	"lte":               func(_ *run, a []val) (val, bool) { return ofBool(compare(a[0], a[1]) <= 0), true },
	"gt":                func(_ *run, a []val) (val, bool) { return ofBool(compare(a[0], a[1]) > 0), true },
	"gte":               func(_ *run, a []val) (val, bool) { return ofBool(compare(a[0], a[1]) >= 0), true },
	"internal.member_2": func(_ *run, a []val) (val, bool) { return ofBool(contains(&a[1], &a[0])), true },
	"internal.member_3": func(_ *run, a []val) (val, bool) {
		found := get(a[2], a[0])
		return ofBool(found.defined() && equal(found, a[1])), a[2].k != undefined
	},
	"minus": minus,
	"count": func(_ *run, a []val) (val, bool) {
		return ofInt(int64(lengthOf(a[0]))), a[0].k == array || a[0].k == object || a[0].k == set || a[0].k == str
	},
	"object.get":     objectGet,
	"startswith":     func(_ *run, a []val) (val, bool) { return ofBool(strings.HasPrefix(a[0].s, a[1].s)), strs(a) },
	"endswith":       func(_ *run, a []val) (val, bool) { return ofBool(strings.HasSuffix(a[0].s, a[1].s)), strs(a) },
	"contains":       func(_ *run, a []val) (val, bool) { return ofBool(strings.Contains(a[0].s, a[1].s)), strs(a) },
	"is_object":      func(_ *run, a []val) (val, bool) { return ofBool(a[0].k == object), true },
	"is_string":      func(_ *run, a []val) (val, bool) { return ofBool(a[0].k == str), true },
	"is_number":      func(_ *run, a []val) (val, bool) { return ofBool(a[0].k == number), true },
	"is_array":       func(_ *run, a []val) (val, bool) { return ofBool(a[0].k == array), true },
	"is_set":         func(_ *run, a []val) (val, bool) { return ofBool(a[0].k == set), true },
	"is_boolean":     func(_ *run, a []val) (val, bool) { return ofBool(a[0].k == boolean), true },
	"or":             union,
	"and":            intersection,
	"object.union_n": unionN,
	"object.remove":  objectRemove,
	"sum":            sum,
	"min":            func(_ *run, a []val) (val, bool) { return extreme(a[0], -1) },
	"max":            func(_ *run, a []val) (val, bool) { return extreme(a[0], 1) },
	"object.union": func(r *run, a []val) (val, bool) {
		return r.merge(a[1], a[0]), a[0].k == object && a[1].k == object
	},
	"array.concat":           concat,
	"time.parse_duration_ns": parseDuration,
}

func strs(a []val) bool { return a[0].k == str && a[1].k == str }

// arithmetic is that of two integers whose result is one that has room: all else
// is OPA's, or of a native.
var arithmetic = map[string]func(x, y int64) (z int64, ok bool){
	"plus":  func(x, y int64) (int64, bool) { z := x + y; return z, (z > x) == (y > 0) },
	"minus": func(x, y int64) (int64, bool) { z := x - y; return z, (z < x) == (y > 0) },
	"mul": func(x, y int64) (int64, bool) {
		z := x * y
		return z, y == 0 || (z/y == x && (y != -1 || x != math.MinInt64))
	},
	"rem": func(x, y int64) (int64, bool) {
		if y == 0 || y == -1 {
			return 0, y == -1
		}
		return x % y, true
	},
}

// calculate is arithmetic with two values; not ok where it is not for them.
func calculate(do func(x, y int64) (int64, bool), x, y *val) (z val, ok bool) {
	if !x.whole || !y.whole {
		return val{}, false
	}
	n, ok := do(x.n, y.n)
	return ofInt(n), ok
}

// contains is `in`: an item of an array or a set, a value of an object.
func contains(in, v *val) bool {
	switch of := in.of.(type) {
	case *members:
		return of.has(v)
	case *list:
		for i := range of.items {
			if same(&of.items[i], v) {
				return true
			}
		}
		return false
	default:
		found := false
		each(*in, func(_, item val) bool { found = same(&item, v); return !found })
		return found
	}
}

// minus is of sets.
func minus(r *run, a []val) (val, bool) {
	if a[0].k != set || a[1].k != set {
		return val{}, false
	}
	m := r.arena.set()
	for _, item := range a[0].of.(*members).items {
		if !a[1].of.(*members).has(&item) {
			m.add(item)
		}
	}
	return ofSet(m), true
}

func union(r *run, a []val) (val, bool) {
	if a[0].k != set || a[1].k != set {
		return val{}, false
	}
	m := r.arena.set()
	for _, v := range a {
		for _, item := range v.of.(*members).items {
			m.add(item)
		}
	}
	return ofSet(m), true
}

func intersection(r *run, a []val) (val, bool) {
	if a[0].k != set || a[1].k != set {
		return val{}, false
	}
	m := r.arena.set()
	for _, item := range a[0].of.(*members).items {
		if a[1].of.(*members).has(&item) {
			m.add(item)
		}
	}
	return ofSet(m), true
}

// objectGet is object.get with one key; a path of keys is OPA's.
func objectGet(_ *run, a []val) (val, bool) {
	if a[0].k != object || a[1].k == array {
		return val{}, false
	}
	if v := get(a[0], a[1]); v.defined() {
		return v, true
	}
	return a[2], true
}

// unionN merges objects, later ones over earlier ones.
func unionN(r *run, a []val) (val, bool) {
	l, ok := a[0].of.(*list)
	if !ok {
		return val{}, false
	}
	out := ofDict(r.arena.dict())
	for _, item := range l.items {
		if item.k != object {
			return val{}, false
		}
		out = r.merge(item, out)
	}
	return out, true
}

func objectRemove(r *run, a []val) (val, bool) {
	if a[0].k != object || (a[1].k != array && a[1].k != set && a[1].k != object) {
		return val{}, false
	}
	d := r.arena.dict()
	each(a[0], func(key, item val) bool {
		if a[1].k == object {
			if get(a[1], key).defined() {
				return true
			}
		} else if contains(&a[1], &key) {
			return true
		}
		d.insert(key, item)
		return true
	})
	return ofDict(d), true
}

// extreme is the smallest (-1) or the largest (1) item; undefined of none.
func extreme(v val, sign int) (most val, ok bool) {
	if v.k != array && v.k != set {
		return val{}, false
	}
	each(v, func(_, item val) bool {
		if !most.defined() || compare(item, most)*sign > 0 {
			most = item
		}
		return true
	})
	return most, true
}

func concat(r *run, a []val) (val, bool) {
	if a[0].k != array || a[1].k != array {
		return val{}, false
	}
	l := r.arena.list(length(a[0]) + length(a[1]))
	l.items = append(append(l.items, a[0].of.(*list).items...), a[1].of.(*list).items...)
	return ofList(l), true
}

func parseDuration(_ *run, a []val) (val, bool) {
	d, err := time.ParseDuration(a[0].s)
	return ofInt(int64(d)), err == nil && a[0].k == str
}

// sum of integers that do not overflow.
func sum(_ *run, a []val) (v val, ok bool) {
	if a[0].k != array && a[0].k != set {
		return val{}, false
	}
	total, ok := int64(0), true
	each(a[0], func(_, item val) bool {
		z := total + item.n
		ok = item.whole && (z > total) == (item.n > 0) || (item.whole && item.n == 0)
		total = z
		return ok
	})
	return ofInt(total), ok
}
