package compiled

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ir"
)

// assignment compiles the statements that make values and put them somewhere.
func (f *fn) assignment(s ir.Stmt) statement {
	switch s := s.(type) {
	case *ir.AssignVarStmt:
		from, to := f.operand(s.Source), f.local(s.Target)
		return func(f *frame) signal { f.l[to] = from.of(f); return next }
	case *ir.AssignVarOnceStmt:
		return f.assignOnce(s)
	case *ir.AssignIntStmt:
		return f.constant(s.Target, ofInt(s.Value))
	case *ir.ResetLocalStmt:
		return f.constant(s.Target, val{})
	case *ir.MakeNullStmt:
		return f.constant(s.Target, val{k: null})
	case *ir.MakeNumberIntStmt:
		return f.constant(s.Target, ofInt(s.Value))
	case *ir.MakeNumberRefStmt:
		return f.constant(s.Target, ofNumber(f.text(s.Index)))
	case *ir.MakeArrayStmt:
		to, room := f.local(s.Target), int(s.Capacity)
		return func(f *frame) signal { f.l[to] = ofList(f.arena.list(room)); return made(f, 1) }
	case *ir.MakeObjectStmt:
		to := f.local(s.Target)
		return func(f *frame) signal { f.l[to] = ofDict(f.arena.dict()); return made(f, 1) }
	case *ir.MakeSetStmt:
		to := f.local(s.Target)
		return func(f *frame) signal { f.l[to] = ofSet(f.arena.set()); return made(f, 1) }
	case *ir.LenStmt:
		from, to := f.operand(s.Source), f.local(s.Target)
		return func(f *frame) signal { f.l[to] = ofInt(int64(lengthOf(from.of(f)))); return next }
	default:
		return f.filling(s)
	}
}

// filling compiles the statements that fill a composite.
func (f *fn) filling(s ir.Stmt) statement {
	switch s := s.(type) {
	case *ir.ArrayAppendStmt:
		into, from := f.local(s.Array), f.operand(s.Value)
		return func(f *frame) signal {
			l := f.l[into].of.(*list)
			l.items = append(l.items, from.of(f))
			return made(f, 1)
		}
	case *ir.SetAddStmt:
		into, from := f.local(s.Set), f.operand(s.Value)
		return func(f *frame) signal { f.l[into].of.(*members).add(from.of(f)); return made(f, 1) }
	case *ir.ObjectInsertStmt:
		into, key, from := f.local(s.Object), f.operand(s.Key), f.operand(s.Value)
		return func(f *frame) signal { f.l[into].of.(*dict).insert(key.of(f), from.of(f)); return made(f, 2) }
	case *ir.ObjectInsertOnceStmt:
		into, key, from := f.local(s.Object), f.operand(s.Key), f.operand(s.Value)
		twice := f.conflict(s.Location, "object keys must be unique")
		return func(f *frame) signal {
			d, k, v := f.l[into].of.(*dict), key.of(f), from.of(f)
			if i := d.find(k); i >= 0 && !equal(d.vals[i], v) {
				return f.fail(twice)
			}
			d.insert(k, v)
			return made(f, 2)
		}
	case *ir.ObjectMergeStmt:
		a, b, to := f.local(s.A), f.local(s.B), f.local(s.Target)
		return func(f *frame) signal { f.l[to] = merge(f.l[a], f.l[b]); return next }
	default:
		f.fail("a statement of type %T", s)
		return nil
	}
}

func made(f *frame, n int) signal {
	if f.made(n) {
		return next
	}
	return failed
}

func (f *fn) constant(target ir.Local, v val) statement {
	to := f.local(target)
	return func(f *frame) signal { f.l[to] = v; return next }
}

// assignOnce assigns; two different values for one rule are a conflict.
func (f *fn) assignOnce(s *ir.AssignVarOnceStmt) statement {
	from, to, conflicting := f.operand(s.Source), f.local(s.Target), f.conflicting(s.Location)
	return func(f *frame) signal {
		v := from.of(f)
		if f.l[to].defined() && !equal(f.l[to], v) {
			return f.fail(conflicting)
		}
		f.l[to] = v
		return next
	}
}

// merge is a with what only b has; objects in both are merged in turn.
func merge(a, b val) val {
	if a.k != object || b.k != object {
		return a
	}
	d := newDict(length(a) + length(b))
	each(b, func(key, item val) bool { d.insert(key, item); return true })
	each(a, func(key, item val) bool {
		if other := get(b, key); other.defined() {
			item = merge(item, other)
		}
		d.insert(key, item)
		return true
	})
	return ofDict(d)
}

// lengthOf is count: of a string its characters.
func lengthOf(v val) int {
	if v.k == str {
		return len([]rune(v.s))
	}
	return length(v)
}

// conflicting is the error of a rule or function with two values.
func (f *fn) conflicting(at ir.Location) error {
	if f.planned == nil {
		return f.conflict(at, "conflicting values")
	}
	_, name, _ := strings.Cut(f.planned.Name, ".")
	if len(f.planned.Params) > 2 {
		return f.conflict(at, "function "+name+" produced conflicting values for the same inputs")
	}
	return f.conflict(at, "rule "+name+" produced conflicting values")
}
