package compiled

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ir"
)

// assignment compiles the statements that make values and put them somewhere.
func (f *fn) assignment(c *code, s ir.Stmt) {
	switch s := s.(type) {
	case *ir.AssignVarStmt:
		f.assignVar(c, s.Source, s.Target)
	case *ir.AssignVarOnceStmt:
		f.assignOnce(c, s)
	case *ir.AssignIntStmt:
		f.assign(c, s.Target, ofInt(s.Value))
	case *ir.ResetLocalStmt:
		f.assign(c, s.Target, val{})
	case *ir.MakeNullStmt:
		f.assign(c, s.Target, val{k: null})
	case *ir.MakeNumberIntStmt:
		f.assign(c, s.Target, ofInt(s.Value))
	case *ir.MakeNumberRefStmt:
		f.assign(c, s.Target, ofNumber(f.text(s.Index)))
	case *ir.MakeArrayStmt:
		room := int(s.Capacity)
		f.make(c, s.Target, func(f *frame) val { return ofList(f.arena.list(room)) })
	case *ir.MakeObjectStmt:
		f.make(c, s.Target, func(f *frame) val { return ofDict(f.arena.dict()) })
	case *ir.MakeSetStmt:
		f.make(c, s.Target, func(f *frame) val { return ofSet(f.arena.set()) })
	case *ir.LenStmt:
		from := f.operand(s.Source)
		f.learn(s.Target)
		to := f.local(s.Target)
		c.do(func(f *frame) signal { f.l[to] = ofInt(int64(lengthOf(from.of(f)))); return next })
	default:
		f.filling(c, s)
	}
}

// assign assigns a constant; what is known need not be assigned where nothing
// reads it.
func (f *fn) assign(c *code, target ir.Local, v val) {
	f.learn(target)
	f.known[target] = v
	if !f.isLive(target) {
		return
	}
	to := f.local(target)
	c.do(func(f *frame) signal { f.l[to] = v; return next })
}

func (f *fn) make(c *code, target ir.Local, empty func(f *frame) val) {
	f.learn(target)
	f.sure[target] = true
	to := f.local(target)
	c.do(func(f *frame) signal { f.l[to] = empty(f); return made(f, 1) })
}

func (f *fn) assignVar(c *code, source ir.Operand, target ir.Local) {
	from := f.operand(source)
	if from.kind == isConstant {
		f.assign(c, target, from.is())
		return
	}
	f.assignCopy(target, *source.Value.(*ir.Local))
	if !f.isLive(target) {
		return
	}
	to := f.local(target)
	c.do(func(f *frame) signal { f.l[to] = *from.at(f); return next })
}

// assignOnce assigns; two different values for one rule are a conflict.
func (f *fn) assignOnce(c *code, s *ir.AssignVarOnceStmt) {
	before, isKnown := f.known[s.Target]
	once := f.loops == 0 && f.whole.assigned[s.Target] == 1
	if once || (isKnown && !before.defined()) {
		f.assignVar(c, s.Source, s.Target)
		return
	}
	from, to, conflicting := f.operand(s.Source), f.reading(s.Target), f.conflicting(s.Location)
	f.learn(s.Target)
	c.do(func(f *frame) signal {
		v, at := from.at(f), &f.l[to]
		if at.defined() && !same(at, v) {
			return f.fail(conflicting)
		}
		*at = *v
		return next
	})
}

// filling compiles the statements that fill a composite.
func (f *fn) filling(c *code, s ir.Stmt) {
	switch s := s.(type) {
	case *ir.ArrayAppendStmt:
		into, from := f.reading(s.Array), f.operand(s.Value)
		c.do(func(f *frame) signal {
			l := f.l[into].of.(*list)
			l.items = append(l.items, *from.at(f))
			return made(f, 1)
		})
	case *ir.SetAddStmt:
		into, from := f.reading(s.Set), f.operand(s.Value)
		c.do(func(f *frame) signal { f.l[into].of.(*members).add(from.of(f)); return made(f, 1) })
	case *ir.ObjectInsertStmt:
		into, key, from := f.reading(s.Object), f.operand(s.Key), f.operand(s.Value)
		c.do(func(f *frame) signal { f.l[into].of.(*dict).insert(key.of(f), from.of(f)); return made(f, 2) })
	case *ir.ObjectInsertOnceStmt:
		into, key, from := f.reading(s.Object), f.operand(s.Key), f.operand(s.Value)
		twice := f.conflict(s.Location, "object keys must be unique")
		c.do(func(f *frame) signal {
			d, k, v := f.l[into].of.(*dict), key.of(f), from.at(f)
			if i := d.find(&k); i >= 0 && !same(&d.vals[i], v) {
				return f.fail(twice)
			}
			d.insert(k, *v)
			return made(f, 2)
		})
	case *ir.ObjectMergeStmt:
		a, b := f.localOperand(s.A), f.localOperand(s.B)
		f.make(c, s.Target, func(f *frame) val { return f.merge(a.of(f), b.of(f)) })
	default:
		f.fail(s.GetLocation(), "a statement of type %T", s)
	}
}

func made(f *frame, n int) signal {
	if f.made(n) {
		return next
	}
	return failed
}

// merge is a with what only b has; objects in both are merged in turn.
func (r *run) merge(a, b val) val {
	if a.k != object || b.k != object {
		return a
	}
	d := r.arena.dict()
	each(b, func(key, item val) bool { d.insert(key, item); return true })
	each(a, func(key, item val) bool {
		if other := get(b, key); other.defined() {
			item = r.merge(item, other)
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
