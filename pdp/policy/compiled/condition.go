package compiled

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ir"
)

// condition compiles the statements that only find out whether the block goes
// on. What is known beforehand is not asked again.
func (f *fn) condition(c *code, s ir.Stmt) {
	switch s := s.(type) {
	case *ir.EqualStmt:
		f.compared(c, s.A, s.B, true)
	case *ir.NotEqualStmt:
		f.compared(c, s.A, s.B, false)
	case *ir.IsArrayStmt:
		f.is(c, s.Source, array)
	case *ir.IsObjectStmt:
		f.is(c, s.Source, object)
	case *ir.IsSetStmt:
		f.is(c, s.Source, set)
	case *ir.IsDefinedStmt:
		f.definedness(c, s.Source, true)
	case *ir.IsUndefinedStmt:
		f.definedness(c, s.Source, false)
	default:
		f.assignment(c, s)
	}
}

// settled goes on, or ends the block, where that is known beforehand.
func (c *code) settled(holds bool) {
	if !holds {
		c.end()
	}
}

func (f *fn) compared(c *code, left, right ir.Operand, want bool) {
	a, b := f.operand(left), f.operand(right)
	if b.kind != isConstant {
		a, b = b, a
	}
	switch text := b.is(); {
	case a.kind == isConstant && b.kind == isConstant:
		c.settled(equal(a.is(), text) == want)
	case text.k == str && want:
		c.check(func(f *frame) signal { v := a.at(f); return goOn(v.k == str && v.s == text.s) })
	case text.k == boolean:
		c.check(func(f *frame) signal { v := a.at(f); return goOn((v.k == boolean && v.n == text.n) == want) })
	default:
		c.check(func(f *frame) signal { return goOn(same(a.at(f), b.at(f)) == want) })
	}
}

func (f *fn) is(c *code, source ir.Operand, k kind) {
	from := f.operand(source)
	if from.kind == isConstant {
		c.settled(from.is().k == k)
		return
	}
	c.check(func(f *frame) signal { return goOn(from.at(f).k == k) })
}

func (f *fn) definedness(c *code, l ir.Local, want bool) {
	from := f.localOperand(l)
	switch from.kind {
	case isConstant:
		c.settled(from.is().defined() == want)
	case isPath, isResult: // what was undefined ended the block
		c.settled(want)
	default:
		if f.isSure(l) {
			c.settled(want)
			return
		}
		c.check(func(f *frame) signal { return goOn(from.at(f).defined() == want) })
	}
}

// goOn goes on where a condition holds; else the block ends.
func goOn(holds bool) signal {
	if holds {
		return next
	}
	return broken
}

// test is a builtin of two operands that is asked for nothing but whether it is
// true. It may leave a case to OPA's by answering false.
type test func(a, b *val) (holds, ok bool)

var tests = map[string]test{
	"eq":                func(a, b *val) (bool, bool) { return same(a, b), true },
	"equal":             func(a, b *val) (bool, bool) { return same(a, b), true },
	"neq":               func(a, b *val) (bool, bool) { return !same(a, b), true },
	"lt":                func(a, b *val) (bool, bool) { return order(a, b) < 0, true },
	"lte":               func(a, b *val) (bool, bool) { return order(a, b) <= 0, true },
	"gt":                func(a, b *val) (bool, bool) { return order(a, b) > 0, true },
	"gte":               func(a, b *val) (bool, bool) { return order(a, b) >= 0, true },
	"internal.member_2": func(a, b *val) (bool, bool) { return contains(b, a), true },
	"startswith":        func(a, b *val) (bool, bool) { return strings.HasPrefix(a.s, b.s), a.k == str && b.k == str },
	"endswith":          func(a, b *val) (bool, bool) { return strings.HasSuffix(a.s, b.s), a.k == str && b.k == str },
	"contains":          func(a, b *val) (bool, bool) { return strings.Contains(a.s, b.s), a.k == str && b.k == str },
}

// kindTests are the builtins that are true of one kind of value.
var kindTests = map[string]kind{
	"is_null": null, "is_boolean": boolean, "is_number": number, "is_string": str, "is_array": array, "is_object": object, "is_set": set,
}

// holds reports whether the result of a call is held against false, and nothing
// else.
func (f *fn) holds(s *ir.CallStmt, following ir.Stmt) bool {
	asks, ok := following.(*ir.NotEqualStmt)
	return ok && isOf(asks.A, s.Result) && isFalse(asks.B) && f.private(s.Result)
}

// tests compiles a call of a builtin whose result is only held against false.
func (f *fn) tests(c *code, s *ir.CallStmt) bool {
	if k, ofKind := kindTests[s.Func]; ofKind {
		f.is(c, s.Args[0], k)
		f.learn(s.Result)
		return true
	}
	holds := tests[s.Func]
	if holds == nil {
		return false
	}
	a, b := f.operand(s.Args[0]), f.operand(s.Args[1])
	f.learn(s.Result)
	if a.kind == isConstant && b.kind == isConstant {
		if answer, ok := holds(a.constant, b.constant); ok {
			c.settled(answer)
			return true
		}
	}
	bridged, to := f.bridge(s), f.local(s.Result)
	otherwise := func(f *frame) signal {
		if s := bridged(f, []val{a.of(f), b.of(f)}, to); s != next {
			return s
		}
		return goOn(f.l[to].holds())
	}
	check := func(f *frame) signal {
		answer, ok := holds(a.at(f), b.at(f))
		if !ok {
			return otherwise(f)
		}
		return goOn(answer)
	}
	if neverFails[s.Func] {
		c.check(check)
	} else {
		c.do(check)
	}
	return true
}

// neverFails are the tests that have an answer for any two values.
var neverFails = map[string]bool{
	"eq": true, "equal": true, "neq": true, "lt": true, "lte": true, "gt": true, "gte": true, "internal.member_2": true,
}

// isOf reports whether an operand is the local that a call put its result
// into; isFalse whether it is false.
func isOf(o ir.Operand, result ir.Local) bool {
	local, ok := o.Value.(*ir.Local)
	return ok && *local == result
}

func isFalse(o ir.Operand) bool {
	b, ok := o.Value.(*ir.Bool)
	return ok && !bool(*b)
}
