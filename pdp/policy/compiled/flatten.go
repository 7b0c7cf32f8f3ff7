package compiled

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ir"
)

// flatten writes what the planner tries in blocks of its own straight into the
// block around: it plans a reference as
//
//	{ { conditions…; break 1 }; break 1 }; what follows
//
// which goes on where the conditions hold and leaves the block around where they
// do not. Straight in it they do just that, and what is known of their locals is
// known to what follows: a reference to what nobody wrote is seen to be undefined
// when the policy is compiled, and nothing of its block is left.
func flatten(blocks []*ir.Block) []*ir.Block {
	flat := make([]*ir.Block, len(blocks))
	for i, b := range blocks {
		if b != nil {
			flat[i] = &ir.Block{Stmts: flattened(b.Stmts)}
		}
	}
	return flat
}

func flattened(stmts []ir.Stmt) (flat []ir.Stmt) {
	for _, s := range stmts {
		s = withBlocks(s, flatten)
		if tried, ok := attempt(s); ok {
			flat = append(flat, tried...)
			continue
		}
		flat = append(flat, s)
	}
	return flat
}

// withBlocks is a statement with its blocks as a change makes them.
func withBlocks(s ir.Stmt, change func([]*ir.Block) []*ir.Block) ir.Stmt {
	one := func(b *ir.Block) *ir.Block { return change([]*ir.Block{b})[0] }
	switch s := s.(type) {
	case *ir.BlockStmt:
		return &ir.BlockStmt{Blocks: change(s.Blocks), Location: s.Location}
	case *ir.NotStmt:
		return &ir.NotStmt{Block: one(s.Block), Location: s.Location}
	case *ir.WithStmt:
		return &ir.WithStmt{Local: s.Local, Path: s.Path, Value: s.Value, Block: one(s.Block), Location: s.Location}
	case *ir.ScanStmt:
		return &ir.ScanStmt{Source: s.Source, Key: s.Key, Value: s.Value, Block: one(s.Block), Location: s.Location}
	default:
		return s
	}
}

// attempt is what a statement tries, where it is an attempt and nothing else.
func attempt(s ir.Stmt) ([]ir.Stmt, bool) {
	outer, ok := endsWithBreak(s)
	if !ok || len(outer) != 1 {
		return nil, false
	}
	tried, ok := endsWithBreak(outer[0])
	if !ok || leaves(tried, 0) {
		return nil, false
	}
	return tried, true
}

// endsWithBreak are the statements of a block statement's only block before the
// break 1 that it ends with.
func endsWithBreak(s ir.Stmt) ([]ir.Stmt, bool) {
	block, ok := s.(*ir.BlockStmt)
	if !ok || len(block.Blocks) != 1 || block.Blocks[0] == nil || len(block.Blocks[0].Stmts) == 0 {
		return nil, false
	}
	stmts := block.Blocks[0].Stmts
	last, ok := stmts[len(stmts)-1].(*ir.BreakStmt)
	return stmts[:len(stmts)-1], ok && last.Index == 1
}

// leaves reports whether any of the statements, so many blocks below an attempt,
// goes on elsewhere than behind its block: where they stand matters to it.
func leaves(stmts []ir.Stmt, depth uint32) bool {
	return slices.ContainsFunc(stmts, func(s ir.Stmt) bool {
		switch s := s.(type) {
		case *ir.BreakStmt:
			return s.Index > depth
		case *ir.CallDynamicStmt:
			return true
		}
		return slices.ContainsFunc(within(s), func(b *ir.Block) bool { return b != nil && leaves(b.Stmts, depth+1) })
	})
}
