package compiled

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/remit-pdp/remit/pdp/value"
)

// statement compiles one statement; nil for one that does nothing.
func (f *fn) statement(s ir.Stmt) statement {
	switch s := s.(type) {
	case *ir.NopStmt:
		return nil
	case *ir.BlockStmt:
		return f.blockStmt(s)
	case *ir.BreakStmt:
		out := signal(s.Index)
		return func(*frame) signal { return out }
	case *ir.ReturnLocalStmt:
		from := f.local(s.Source)
		return func(f *frame) signal { f.result = f.l[from]; return done }
	case *ir.ResultSetAddStmt:
		from := f.local(s.Value)
		return func(f *frame) signal { f.result = get(f.l[from], ofStr("result")); return next }
	case *ir.ScanStmt:
		return f.scan(s)
	case *ir.NotStmt:
		return f.not(s)
	case *ir.WithStmt:
		return f.with(s)
	case *ir.CallStmt:
		return f.call(s)
	case *ir.CallDynamicStmt:
		return f.callDynamic(s)
	case *ir.DotStmt:
		return f.dot(s)
	case *ir.EqualStmt:
		return f.equal(s)
	case *ir.NotEqualStmt:
		a, b := f.operand(s.A), f.operand(s.B)
		return func(f *frame) signal { return goOn(!equal(a.of(f), b.of(f))) }
	case *ir.IsArrayStmt:
		return f.is(s.Source, array)
	case *ir.IsObjectStmt:
		return f.is(s.Source, object)
	case *ir.IsSetStmt:
		return f.is(s.Source, set)
	case *ir.IsDefinedStmt:
		from := f.local(s.Source)
		return func(f *frame) signal { return goOn(f.l[from].defined()) }
	case *ir.IsUndefinedStmt:
		from := f.local(s.Source)
		return func(f *frame) signal { return goOn(!f.l[from].defined()) }
	default:
		return f.assignment(s)
	}
}

// goOn goes on where a condition holds; else the block ends.
func goOn(holds bool) signal {
	if holds {
		return next
	}
	return broken
}

// operand is a local or a constant.
type operand struct {
	local    int
	constant val // where local is -1
}

func (f *fn) operand(o ir.Operand) operand {
	switch v := o.Value.(type) {
	case *ir.Local:
		return operand{local: f.local(*v)}
	case *ir.StringIndex:
		return operand{-1, ofStr(f.text(int(*v)))}
	case *ir.Bool:
		return operand{-1, ofBool(bool(*v))}
	default:
		f.fail("an operand of type %T", v)
		return operand{local: -1}
	}
}

func (o *operand) of(f *frame) val {
	if o.local >= 0 {
		return f.l[o.local]
	}
	return o.constant
}

func (f *fn) is(source ir.Operand, k kind) statement {
	from := f.operand(source)
	return func(f *frame) signal { return goOn(from.of(f).k == k) }
}

func (f *fn) equal(s *ir.EqualStmt) statement {
	a, b := f.operand(s.A), f.operand(s.B)
	if a.local >= 0 && b.local < 0 && b.constant.k == str {
		from, text := a.local, b.constant.s
		return func(f *frame) signal { v := &f.l[from]; return goOn(v.k == str && v.s == text) }
	}
	return func(f *frame) signal { return goOn(equal(a.of(f), b.of(f))) }
}

func (f *fn) blockStmt(s *ir.BlockStmt) statement {
	blocks := f.nested(s.Blocks...)
	return func(f *frame) signal {
		for _, block := range blocks {
			if out := runBlock(block, f).outOf(); out != next {
				return out
			}
		}
		return next
	}
}

// scan runs its block once for each item. Undefined in it is the next round.
// In the plan's count a loop is two blocks: out of the round, out of the loop.
func (f *fn) scan(s *ir.ScanStmt) statement {
	source, key, item := f.local(s.Source), f.learn(s.Key), f.learn(s.Value)
	block := f.nested(s.Block)[0]
	round := func(f *frame, k, v val) (out signal, again bool) {
		if !f.step() {
			return failed, false
		}
		f.l[key], f.l[item] = k, v
		switch s := runBlock(block, f); {
		case s == next || s == broken:
			return next, true
		case s >= done:
			return s, false
		default:
			return max(s-2, next), false
		}
	}
	return func(f *frame) (out signal) {
		again := true
		switch of := f.l[source].of.(type) {
		case *list:
			for i := 0; i < len(of.items) && again; i++ {
				out, again = round(f, ofInt(int64(i)), of.items[i])
			}
		case *members:
			of.sort()
			for i := 0; i < len(of.items) && again; i++ {
				out, again = round(f, of.items[i], of.items[i])
			}
		case *dict:
			of.sort()
			for i := 0; i < len(of.keys) && again; i++ {
				out, again = round(f, of.keys[i], of.vals[i])
			}
		case value.Object:
			for _, m := range sortedView(of) {
				if out, again = round(f, ofStr(m.Name), fromView(m.Value)); !again {
					break
				}
			}
		}
		if again {
			return next
		}
		return out
	}
}

func (f *fn) not(s *ir.NotStmt) statement {
	block := f.nested(s.Block)[0]
	return func(f *frame) signal {
		switch s := runBlock(block, f); s {
		case next:
			return broken
		case broken:
			return next
		default:
			return s.outOf()
		}
	}
}

// with replaces input or data, or a part of it, for a block. What was
// remembered of the documents before does not hold in it.
func (f *fn) with(s *ir.WithStmt) statement {
	local, v := f.local(s.Local), f.operand(s.Value)
	f.withs++
	block := f.nested(s.Block)[0]
	f.withs--
	path := make([]string, len(s.Path))
	for i, name := range s.Path {
		path[i] = f.text(name)
	}
	return func(f *frame) signal {
		before, memos, paths := f.l[local], f.memo, f.paths
		f.memo, f.paths = make([]memo, len(memos)), make([]memo, len(paths))
		f.l[local] = upsert(before, path, v.of(f))
		out := runBlock(block, f)
		f.l[local], f.memo, f.paths = before, memos, paths
		if out == next || out >= done {
			return out
		}
		if out == broken {
			return broken
		}
		return out - 1
	}
}

// upsert is v with the value at path replaced; what is no object on the way
// becomes one.
func upsert(v val, path []string, replacement val) val {
	if len(path) == 0 {
		return replacement
	}
	d := newDict(length(v) + 1)
	if v.k == object {
		each(v, func(key, item val) bool { d.insert(key, item); return true })
	}
	key := ofStr(path[0])
	d.insert(key, upsert(get(v, key), path[1:], replacement))
	return ofDict(d)
}

// conflict is the error of a rule that has two values, at a place.
func (c *compiler) conflict(at ir.Location, message string) error {
	return &topdown.Error{Code: topdown.ConflictErr, Message: message, Location: c.location(at)}
}

// location is where a statement stands in the policy.
func (c *compiler) location(l ir.Location) *ast.Location {
	file := ""
	if l.File >= 0 && l.File < len(c.policy.Static.Files) {
		file = c.policy.Static.Files[l.File].Value
	}
	return ast.NewLocation(nil, file, l.Row, l.Col)
}
