package compiled

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"
)

// native is a builtin written for this engine, which makes what it makes in the
// run's arena. It may leave a case to OPA's by answering false.
type native func(r *run, args []val) (v val, ok bool)

// builtin compiles a call of a builtin: the engine's own where there is one,
// else the very function that topdown calls.
func (f *fn) builtin(c *code, s *ir.CallStmt) {
	own, whole, args := natives[s.Func], arithmetic[s.Func], f.operands(s.Args)
	f.learn(s.Result)
	if v := answer(own, whole, args); v.defined() {
		f.assign(c, s.Result, v)
		return
	}
	f.sure[s.Result] = true
	to := f.local(s.Result)
	called := calling(own, f.bridge(s), args, to)
	if whole == nil {
		c.do(called)
		return
	}
	c.do(func(f *frame) signal {
		z, ok := calculate(whole, args[0].at(f), args[1].at(f))
		if !ok {
			return called(f)
		}
		if !f.step() {
			return failed
		}
		f.l[to] = z
		return next
	})
}

// calling calls this engine's own builtin, where there is one and it has an
// answer, and else the very function that topdown calls.
func calling(own native, bridged func(f *frame, args []val, to int) signal, args []operand, to int) statement {
	return func(f *frame) signal {
		in := f.arguments(args)
		if own == nil {
			return bridged(f, in, to)
		}
		v, ok := own(f.run, in)
		if !ok {
			return bridged(f, in, to)
		}
		if !f.step() || !f.made(length(v)) {
			return failed
		}
		f.l[to] = v
		return goOn(v.defined())
	}
}

// answer is what a builtin of this engine says of constants; undefined where
// that is not known.
func answer(own native, whole func(x, y int64) (int64, bool), args []operand) val {
	in := make([]val, len(args))
	for i := range args {
		if in[i] = args[i].is(); args[i].kind != isConstant {
			return val{}
		}
	}
	if whole != nil {
		if z, ok := calculate(whole, &in[0], &in[1]); ok {
			return z
		}
	}
	if own == nil {
		return val{}
	}
	if v, ok := own(&run{}, in); ok {
		return seal(v)
	}
	return val{}
}

// arguments are the values of operands, until the next call.
func (f *frame) arguments(args []operand) []val {
	in := f.args[:0]
	for i := range args {
		in = append(in, *args[i].at(f))
	}
	f.args = in
	return in
}

// bridge calls OPA's implementation of a builtin. A relation's results are an
// array, as the planner expects.
func (f *fn) bridge(s *ir.CallStmt) func(f *frame, args []val, to int) signal {
	name := s.Func
	function := topdown.GetBuiltin(name)
	if function == nil {
		f.compiler.fail(&s.Location, "the builtin %s is not known", name)
	}
	relation, strict := false, f.strict
	at := f.location(s.Location)
	if decl := ast.BuiltinMap[name]; decl != nil {
		relation = decl.Relation
	}
	return func(f *frame, args []val, to int) signal {
		if !f.step() || !f.affords(name, args) {
			return failed
		}
		terms := make([]*ast.Term, len(args))
		for i := range args {
			terms[i] = toAST(args[i])
		}
		var results []val
		err := function(f.context(at), terms, func(t *ast.Term) error {
			results = append(results, fromAST(t.Value))
			return nil
		})
		var halt topdown.Halt
		switch {
		case topdown.IsCancel(err):
			return f.fail(ErrLate)
		case errors.As(err, &halt):
			return f.fail(halt.Err)
		case err != nil && strict:
			return f.fail(err)
		case err != nil:
			return broken
		case late(f.ctx, f.deadline):
			return f.fail(ErrLate)
		case relation:
			f.l[to] = ofList(&list{items: results})
		case len(results) == 0:
			return broken
		default:
			f.l[to] = results[0]
		}
		return made(f, weight(f.l[to]))
	}
}

// context is what OPA's builtins may ask of an evaluation.
func (r *run) context(at *ast.Location) topdown.BuiltinContext {
	if r.stop == nil {
		r.stop, r.cache, r.time = topdown.NewCancel(), builtins.Cache{}, r.clock()
		if !r.deadline.IsZero() {
			r.timer = time.AfterFunc(time.Until(r.deadline), r.stop.Cancel)
		}
		r.unhook = context.AfterFunc(r.ctx, r.stop.Cancel)
	}
	return topdown.BuiltinContext{Context: r.ctx, Location: at, Seed: rand.Reader, Time: r.time, Cancel: r.stop, Cache: r.cache}
}
