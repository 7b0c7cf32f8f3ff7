package compiled

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// folding bounds what is evaluated beforehand: a rule that takes more is
// evaluated when it is asked, within the limits of an evaluation.
var folding = Limits{Steps: 100_000, Bytes: 16 << 20}

// fold evaluates the functions that depend on nothing but data, once, when the
// policy is compiled: their results hold for every evaluation on that data.
func (c *compiler) fold() {
	varies := c.varying()
	r := c.program.runs.Get().(*run)
	defer c.program.release(r)
	for i, planned := range c.policy.Funcs.Funcs {
		made := c.program.funcs[i]
		if made.memo < 0 || varies[planned.Name] {
			continue
		}
		r.program, r.data, r.ctx, r.limits = c.program, c.program.data, context.Background(), folding
		r.steps, r.bytes = 0, 0
		f := r.enter(made.locals)
		f.l[1] = r.data
		v, s := made.call(f)
		r.leave(f)
		if s == next {
			v = seal(kept(v))
			made.folded = &v
			continue
		}
		r.err = nil // the evaluation that needs it will fail by itself
	}
}

// varying are the functions whose results may differ between evaluations.
func (c *compiler) varying() map[string]bool {
	varies := make(map[string]bool)
	for again := true; again; {
		again = false
		for _, planned := range c.policy.Funcs.Funcs {
			if !varies[planned.Name] && c.blocksVary(planned.Blocks, varies) {
				varies[planned.Name], again = true, true
			}
		}
	}
	return varies
}

func (c *compiler) blocksVary(blocks []*ir.Block, varies map[string]bool) bool {
	for _, b := range blocks {
		if b == nil {
			continue
		}
		for _, s := range b.Stmts {
			if c.varies(s, varies) {
				return true
			}
		}
	}
	return false
}

// varies reports whether a statement reads the input, or calls what may answer
// differently another time.
func (c *compiler) varies(s ir.Stmt, varies map[string]bool) bool {
	switch s := s.(type) {
	case *ir.CallStmt:
		if callee := c.funcs[s.Func]; callee != nil {
			return varies[s.Func] || readsInput(s.Args[2:]...)
		}
		decl := ast.BuiltinMap[s.Func]
		return decl == nil || decl.Nondeterministic || readsInput(s.Args...)
	case *ir.CallDynamicStmt, *ir.WithStmt, *ir.ResultSetAddStmt:
		return true
	case *ir.BlockStmt:
		return c.blocksVary(s.Blocks, varies)
	case *ir.NotStmt:
		return c.blocksVary([]*ir.Block{s.Block}, varies)
	case *ir.ScanStmt:
		return s.Source == ir.Input || c.blocksVary([]*ir.Block{s.Block}, varies)
	case *ir.DotStmt:
		return readsInput(s.Source, s.Key)
	case *ir.AssignVarStmt:
		return readsInput(s.Source)
	case *ir.AssignVarOnceStmt:
		return readsInput(s.Source)
	case *ir.ReturnLocalStmt:
		return s.Source == ir.Input
	case *ir.EqualStmt:
		return readsInput(s.A, s.B)
	case *ir.NotEqualStmt:
		return readsInput(s.A, s.B)
	case *ir.ArrayAppendStmt:
		return readsInput(s.Value)
	case *ir.SetAddStmt:
		return readsInput(s.Value)
	case *ir.ObjectInsertStmt:
		return readsInput(s.Key, s.Value)
	case *ir.ObjectInsertOnceStmt:
		return readsInput(s.Key, s.Value)
	case *ir.ObjectMergeStmt:
		return s.A == ir.Input || s.B == ir.Input
	case *ir.LenStmt:
		return readsInput(s.Source)
	case *ir.IsArrayStmt:
		return readsInput(s.Source)
	case *ir.IsObjectStmt:
		return readsInput(s.Source)
	case *ir.IsSetStmt:
		return readsInput(s.Source)
	case *ir.IsDefinedStmt:
		return s.Source == ir.Input
	case *ir.IsUndefinedStmt:
		return s.Source == ir.Input
	case *ir.NopStmt, *ir.BreakStmt, *ir.AssignIntStmt, *ir.ResetLocalStmt, *ir.MakeNullStmt, *ir.MakeNumberIntStmt,
		*ir.MakeNumberRefStmt, *ir.MakeArrayStmt, *ir.MakeObjectStmt, *ir.MakeSetStmt:
		return false
	default:
		return true
	}
}

func readsInput(operands ...ir.Operand) bool {
	for _, o := range operands {
		if local, ok := o.Value.(*ir.Local); ok && *local == ir.Input {
			return true
		}
	}
	return false
}

// kept is v in memory of its own.
func kept(v val) val {
	switch v.k {
	case array:
		l := &list{make([]val, 0, length(v))}
		each(v, func(_, item val) bool { l.items = append(l.items, kept(item)); return true })
		return ofList(l)
	case set:
		m := newMembers(length(v))
		each(v, func(_, item val) bool { m.add(kept(item)); return true })
		return ofSet(m)
	case object:
		d := newDict(length(v))
		each(v, func(key, item val) bool { d.insert(kept(key), kept(item)); return true })
		return ofDict(d)
	default:
		return v
	}
}
