package compiled

import (
	"github.com/open-policy-agent/opa/v1/ir"
)

// call compiles a call of a planned function or of a builtin.
func (f *fn) call(s *ir.CallStmt) statement {
	args := make([]operand, len(s.Args))
	for i, a := range s.Args {
		args[i] = f.operand(a)
	}
	to := f.local(s.Result)
	callee := f.funcs[s.Func]
	if callee == nil {
		return f.builtin(s, args, to)
	}
	return func(f *frame) signal {
		v, s := callee.with(f, args)
		if s != next {
			return s
		}
		f.l[to] = v
		return goOn(v.defined())
	}
}

// with calls with arguments of the caller's frame. The result of a function
// of the documents alone is remembered.
func (p *function) with(f *frame, args []operand) (val, signal) {
	if p.memo >= 0 {
		if p.folded != nil && args[1].of(f).of == f.program.data.of {
			return *p.folded, next
		}
		if m := &f.memo[p.memo]; m.known {
			return m.v, next
		}
	}
	callee := f.enter(p.locals)
	for i := range args {
		callee.l[p.params[i]] = args[i].of(f)
	}
	v, s := p.call(callee)
	f.leave(callee)
	if s == next && p.memo >= 0 {
		f.memo[p.memo] = memo{true, v}
	}
	return v, s
}

// callDynamic calls the function at a path that only the evaluation knows.
// Where there is none the block ends, and data is read instead; where there
// is one, its result counts, also an undefined one: three blocks further out
// the reference is undefined.
func (f *fn) callDynamic(s *ir.CallDynamicStmt) statement {
	args := make([]operand, len(s.Args))
	for i, a := range s.Args {
		args[i] = operand{local: f.local(a)}
	}
	path := make([]operand, len(s.Path))
	for i, p := range s.Path {
		path[i] = f.operand(p)
	}
	to := f.local(s.Result)
	return func(f *frame) signal {
		at := f.program.dynamic
		for i := range path {
			name := path[i].of(f)
			if !name.isString() || at.below[name.s] == nil {
				return broken
			}
			at = at.below[name.s]
		}
		if at.fn == nil {
			return broken
		}
		v, s := at.fn.with(f, args)
		if s != next {
			return s
		}
		if f.l[to] = v; !v.defined() {
			return 3
		}
		return next
	}
}
