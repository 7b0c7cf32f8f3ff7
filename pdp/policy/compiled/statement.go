package compiled

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// statement compiles one statement.
func (f *fn) statement(c *code, s ir.Stmt) {
	switch s := s.(type) {
	case *ir.NopStmt:
	case *ir.BlockStmt:
		f.blockStmt(c, s)
	case *ir.BreakStmt:
		out := signal(s.Index)
		c.do(func(*frame) signal { return out })
	case *ir.ReturnLocalStmt:
		from := f.localOperand(s.Source)
		c.do(func(f *frame) signal { *f.into = *from.at(f); return done })
	case *ir.ResultSetAddStmt:
		from := f.localOperand(s.Value)
		c.do(func(f *frame) signal { *f.into = get(from.of(f), ofStr("result")); return next })
	case *ir.ScanStmt:
		f.scan(c, s)
	case *ir.NotStmt:
		f.not(c, s)
	case *ir.WithStmt:
		f.with(c, s)
	case *ir.CallStmt:
		f.call(c, s)
	case *ir.CallDynamicStmt:
		f.callDynamic(c, s)
	case *ir.DotStmt:
		f.dot(c, s)
	default:
		f.condition(c, s)
	}
}

func (f *fn) blockStmt(c *code, s *ir.BlockStmt) {
	var blocks [][]statement
	effects := false
	for _, b := range s.Blocks {
		if made := f.nested(b); len(made.run) > 0 {
			blocks, effects = append(blocks, made.statements()), effects || made.effects > 0
		}
	}
	if !effects {
		return // whether such a block comes to its end is all the same
	}
	if len(blocks) == 1 {
		block := blocks[0]
		c.do(func(f *frame) signal { return runBlock(block, f).outOf() })
		return
	}
	c.do(func(f *frame) signal {
		for _, block := range blocks {
			if out := runBlock(block, f).outOf(); out != next {
				return out
			}
		}
		return next
	})
}

// scan runs its block once for each item. Undefined in it is the next round.
func (f *fn) scan(c *code, s *ir.ScanStmt) {
	source := f.localOperand(s.Source)
	if of := source.is(); of.defined() && length(of) == 0 {
		return
	}
	made := f.loop(s)
	if made.effects == 0 {
		return
	}
	l := &loop{source: source, key: -1, item: -1, block: made.statements()}
	if f.isLive(s.Key) {
		l.key = f.local(s.Key)
	}
	if f.isLive(s.Value) {
		l.item = f.local(s.Value)
	}
	c.do(l.run)
}

// loop compiles the block of a loop.
func (f *fn) loop(s *ir.ScanStmt) *code {
	f.learn(s.Key)
	f.learn(s.Value)
	f.loops++
	defer func() { f.loops-- }()
	return f.nested(s.Block)
}

func (f *fn) not(c *code, s *ir.NotStmt) {
	made := f.nested(s.Block)
	if made.never() {
		return
	}
	if made.always() {
		c.end()
		return
	}
	add := c.check
	if made.effects > 0 {
		add = c.do
	}
	block := made.statements()
	if len(block) == 1 {
		only := block[0]
		add(func(f *frame) signal { return only(f).not() })
		return
	}
	add(func(f *frame) signal { return runBlock(block, f).not() })
}

// not is what a signal of a block means around it, where the block must not come
// to its end.
func (s signal) not() signal {
	switch s {
	case next:
		return broken
	case broken:
		return next
	default:
		return s.outOf()
	}
}

// with replaces input or data, or a part of it, for a block. What was
// remembered of the documents before does not hold in it.
func (f *fn) with(c *code, s *ir.WithStmt) {
	v := f.operand(s.Value)
	made := f.replaced(s)
	if made.always() {
		return
	}
	path := make([]string, len(s.Path))
	for i, name := range s.Path {
		path[i] = f.text(name)
	}
	block, ofInput := made.statements(), s.Local == ir.Input
	c.do(func(f *frame) signal {
		r := f.run
		input, data, memos, paths := r.input, r.data, r.memo, r.paths
		usedMemo, usedPaths := r.usedMemo, r.usedPaths
		if replacement := *v.at(f); ofInput {
			r.input = upsert(input, path, replacement)
		} else {
			r.data = upsert(data, path, replacement)
		}
		r.memo, r.paths = make([]memo, len(memos)), make([]place, len(paths))
		out := runBlock(block, f)
		r.input, r.data, r.memo, r.paths = input, data, memos, paths
		r.usedMemo, r.usedPaths = usedMemo, usedPaths // what was used in it is gone
		if out == next || out == broken || out >= done {
			return out
		}
		return out - 1
	})
}

// replaced compiles the block of a with. In it nothing is known of the document
// that is replaced.
func (f *fn) replaced(s *ir.WithStmt) *code {
	general, data, isKnown := f.general, f.known[ir.Data], !f.general
	if s.Local == ir.Data {
		f.general, f.readsData = true, true
		delete(f.known, ir.Data)
	}
	f.learn(s.Local) // copies of it go on to hold what it was
	f.withs++
	made := f.nested(s.Block)
	f.withs--
	if f.general = general; isKnown {
		f.known[ir.Data] = data
	}
	return made
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
