package compiled

import (
	"github.com/open-policy-agent/opa/v1/ir"
)

// usage says how often each local is assigned and filled in some blocks, and
// which others get what it holds.
type usage struct {
	assigned, filled map[ir.Local]int
	aliases          map[ir.Local][]ir.Local
}

func usageOf(blocks []*ir.Block) *usage {
	u := &usage{make(map[ir.Local]int), make(map[ir.Local]int), make(map[ir.Local][]ir.Local)}
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
		}
	}
}

func (u *usage) statement(s ir.Stmt) {
	if target, ok := assigns(s); ok {
		u.assigned[target]++
	}
	switch s := s.(type) {
	case *ir.BlockStmt:
		u.blocks(s.Blocks)
	case *ir.NotStmt:
		u.blocks([]*ir.Block{s.Block})
	case *ir.WithStmt:
		u.assigned[s.Local]++
		u.blocks([]*ir.Block{s.Block})
	case *ir.ScanStmt:
		u.assigned[s.Key]++
		u.assigned[s.Value]++
		u.blocks([]*ir.Block{s.Block})
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

// forget drops what is known of the locals that blocks assign: they may have
// run or not, once or more often.
func (f *fn) forget(blocks ...*ir.Block) {
	for l := range usageOf(blocks).assigned {
		f.learn(l)
	}
}

// learn drops what is known of a local that is assigned anew.
func (f *fn) learn(l ir.Local) int {
	i := f.local(l)
	delete(f.inputs, i)
	delete(f.known, i)
	return i
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
