package compiled

import (
	"github.com/open-policy-agent/opa/v1/ir"
)

// call compiles a call of a planned function or of a builtin.
func (f *fn) call(c *code, s *ir.CallStmt) {
	planned := f.compiler.planned[s.Func]
	if planned == nil {
		f.builtin(c, s)
		return
	}
	args := f.operands(s.Args[2:])
	consts := f.worthKnowing(args)
	callee := f.variant(planned, f.general, consts)
	f.learn(s.Result)
	switch {
	case callee.folded != nil && callee.folded.defined():
		f.assign(c, s.Result, *callee.folded)
	case callee.folded != nil:
		c.end()
	case callee.isPath && f.withs == 0:
		f.inputs[s.Result] = callee.path
		f.readPath(c, callee.path, s.Result)
	case callee.memo >= 0:
		f.callRule(c, callee, s.Result)
	default:
		f.callFunction(c, callee, args, s.Result)
	}
}

// testsRule compiles a call of a planned function whose result is only held
// against false.
func (f *fn) testsRule(c *code, s *ir.CallStmt) bool {
	planned := f.compiler.planned[s.Func]
	if planned == nil {
		return false
	}
	args := f.operands(s.Args[2:])
	callee := f.variant(planned, f.general, f.worthKnowing(args))
	if callee.folded == nil && callee.isPath && f.withs == 0 {
		return false
	}
	f.learn(s.Result)
	switch {
	case callee.folded != nil:
		c.settled(callee.folded.holds())
	case callee.memo >= 0:
		c.do(func(f *frame) signal {
			v, s := callee.result(f)
			if s != next {
				return s
			}
			return goOn(v.holds())
		})
	default:
		to := f.local(s.Result)
		c.do(func(f *frame) signal {
			into := &f.l[to]
			if s := callee.with(f, args, into); s != next {
				return s
			}
			return goOn(into.holds())
		})
	}
	return true
}

// callRule calls what depends on the documents alone.
func (f *fn) callRule(c *code, callee *function, result ir.Local) {
	f.sure[result] = true
	if f.withs == 0 {
		f.results[result] = callee
	}
	if !f.isLive(result) {
		c.do(func(f *frame) signal {
			v, s := callee.result(f)
			if s != next {
				return s
			}
			return goOn(v.defined())
		})
		return
	}
	to := f.local(result)
	c.do(func(f *frame) signal {
		v, s := callee.result(f)
		if s != next {
			return s
		}
		f.l[to] = *v
		return goOn(v.defined())
	})
}

func (f *fn) callFunction(c *code, callee *function, args []operand, result ir.Local) {
	to := f.local(result) // also where nothing reads it: the callee may call others before it has one
	f.sure[result] = true
	c.do(func(f *frame) signal {
		into := &f.l[to]
		if s := callee.with(f, args, into); s != next {
			return s
		}
		return goOn(into.defined())
	})
}

func (f *fn) operands(of []ir.Operand) []operand {
	all := make([]operand, len(of))
	for i, o := range of {
		all[i] = f.operand(o)
	}
	return all
}

// callDynamic calls the function at a path that only the evaluation knows.
// Where there is none the block ends, and data is read instead; where there
// is one, its result counts, also an undefined one: three blocks further out
// the reference is undefined.
func (f *fn) callDynamic(c *code, s *ir.CallDynamicStmt) {
	path := f.operands(s.Path)
	f.learn(s.Result)
	to, table := f.local(s.Result), f.dynamicTable(f.general)
	c.do(func(f *frame) signal {
		at := table
		for i := range path {
			name := path[i].at(f)
			if !name.isString() || at.below[name.s] == nil {
				return broken
			}
			at = at.below[name.s]
		}
		if at.fn == nil {
			return broken
		}
		v, s := at.fn.result(f)
		if s != next {
			return s
		}
		if f.l[to] = *v; !v.defined() {
			return 3
		}
		return next
	})
}
