package compiled

import (
	"github.com/open-policy-agent/opa/v1/ir"
)

// usage says how often each local is assigned, read and filled in some blocks,
// and which others get what it holds.
type usage struct {
	assigned, read, filled map[ir.Local]int
	aliases                map[ir.Local][]ir.Local
}

func usageOf(blocks []*ir.Block) *usage {
	u := &usage{make(map[ir.Local]int), make(map[ir.Local]int), make(map[ir.Local]int), make(map[ir.Local][]ir.Local)}
	u.blocks(blocks)
	return u
}

func (u *usage) blocks(blocks []*ir.Block) {
	for _, b := range blocks {
		if b == nil {
			continue
		}
		for _, s := range b.Stmts {
			u.statement(s)
			u.blocks(within(s))
		}
	}
}

func (u *usage) statement(s ir.Stmt) {
	if target, ok := assigns(s); ok {
		u.assigned[target]++
	}
	reads(s, func(l ir.Local) { u.read[l]++ })
	switch s := s.(type) {
	case *ir.WithStmt:
		u.assigned[s.Local]++
	case *ir.ScanStmt:
		u.assigned[s.Key]++
		u.assigned[s.Value]++
	case *ir.ArrayAppendStmt:
		u.filled[s.Array]++
	case *ir.SetAddStmt:
		u.filled[s.Set]++
	case *ir.ObjectInsertStmt:
		u.filled[s.Object]++
	case *ir.ObjectInsertOnceStmt:
		u.filled[s.Object]++
	case *ir.AssignVarStmt:
		u.alias(s.Source, s.Target)
	case *ir.AssignVarOnceStmt:
		u.alias(s.Source, s.Target)
	}
}

func (u *usage) alias(source ir.Operand, target ir.Local) {
	if from, ok := source.Value.(*ir.Local); ok {
		u.aliases[*from] = append(u.aliases[*from], target)
	}
}

// shared are the locals that some block of a function fills without having
// made them: all others are a block's own, whose number another block may use
// for something else.
func shared(blocks []*ir.Block) map[ir.Local]bool {
	found := make(map[ir.Local]bool)
	for _, b := range blocks {
		u := usageOf([]*ir.Block{b})
		for l := range u.filled {
			if u.assigned[l] == 0 {
				found[l] = true
			}
		}
	}
	return found
}

// grows reports whether what l holds is filled by more than n statements of
// its block, under any name, or by another block.
func (f *fn) grows(l ir.Local, n int) bool {
	if f.shared[l] || f.usage.filled[l] > n {
		return true
	}
	for _, other := range f.usage.aliases[l] {
		if f.shared[other] || f.usage.filled[other] > 0 {
			return true
		}
	}
	return false
}

// assigns is the local that a plain statement assigns.
func assigns(s ir.Stmt) (ir.Local, bool) {
	switch s := s.(type) {
	case *ir.AssignVarStmt:
		return s.Target, true
	case *ir.AssignVarOnceStmt:
		return s.Target, true
	case *ir.AssignIntStmt:
		return s.Target, true
	case *ir.ResetLocalStmt:
		return s.Target, true
	case *ir.MakeNullStmt:
		return s.Target, true
	case *ir.MakeNumberIntStmt:
		return s.Target, true
	case *ir.MakeNumberRefStmt:
		return s.Target, true
	case *ir.MakeArrayStmt:
		return s.Target, true
	case *ir.MakeObjectStmt:
		return s.Target, true
	case *ir.MakeSetStmt:
		return s.Target, true
	case *ir.LenStmt:
		return s.Target, true
	case *ir.DotStmt:
		return s.Target, true
	case *ir.CallStmt:
		return s.Result, true
	case *ir.CallDynamicStmt:
		return s.Result, true
	case *ir.ObjectMergeStmt:
		return s.Target, true
	default:
		return 0, false
	}
}

// reads visits the locals that a statement itself reads; what it fills, and
// what it assigns once, is read as well.
func reads(s ir.Stmt, visit func(ir.Local)) {
	operands := func(all ...ir.Operand) {
		for _, o := range all {
			if local, ok := o.Value.(*ir.Local); ok {
				visit(*local)
			}
		}
	}
	switch s := s.(type) {
	case *ir.AssignVarStmt:
		operands(s.Source)
	case *ir.AssignVarOnceStmt:
		operands(s.Source)
		visit(s.Target)
	case *ir.ReturnLocalStmt:
		visit(s.Source)
	case *ir.ResultSetAddStmt:
		visit(s.Value)
	case *ir.ScanStmt:
		visit(s.Source)
	case *ir.WithStmt:
		visit(s.Local)
		operands(s.Value)
	case *ir.CallStmt:
		operands(s.Args...)
	case *ir.CallDynamicStmt:
		for _, l := range s.Args {
			visit(l)
		}
		operands(s.Path...)
	case *ir.DotStmt:
		operands(s.Source, s.Key)
	case *ir.EqualStmt:
		operands(s.A, s.B)
	case *ir.NotEqualStmt:
		operands(s.A, s.B)
	case *ir.IsArrayStmt:
		operands(s.Source)
	case *ir.IsObjectStmt:
		operands(s.Source)
	case *ir.IsSetStmt:
		operands(s.Source)
	case *ir.IsDefinedStmt:
		visit(s.Source)
	case *ir.IsUndefinedStmt:
		visit(s.Source)
	case *ir.LenStmt:
		operands(s.Source)
	case *ir.ArrayAppendStmt:
		operands(s.Value)
		visit(s.Array)
	case *ir.SetAddStmt:
		operands(s.Value)
		visit(s.Set)
	case *ir.ObjectInsertStmt:
		operands(s.Key, s.Value)
		visit(s.Object)
	case *ir.ObjectInsertOnceStmt:
		operands(s.Key, s.Value)
		visit(s.Object)
	case *ir.ObjectMergeStmt:
		visit(s.A)
		visit(s.B)
	}
}
