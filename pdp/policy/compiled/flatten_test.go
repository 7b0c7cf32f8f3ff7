package compiled

import (
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ir"
)

func try(stmts ...ir.Stmt) ir.Stmt {
	inner := &ir.BlockStmt{Blocks: []*ir.Block{{Stmts: append(stmts, &ir.BreakStmt{Index: 1})}}}
	return &ir.BlockStmt{Blocks: []*ir.Block{{Stmts: []ir.Stmt{inner, &ir.BreakStmt{Index: 1}}}}}
}

// What a block tries goes straight into it, but for what would go on elsewhere
// from there.
func TestFlatten(t *testing.T) {
	within := func(s ...ir.Stmt) ir.Stmt { return &ir.NotStmt{Block: &ir.Block{Stmts: s}} }
	nop, leave := &ir.NopStmt{}, func(n uint32) ir.Stmt { return &ir.BreakStmt{Index: n} }
	for name, c := range map[string]struct {
		of   ir.Stmt
		flat bool
	}{
		"conditions":                      {try(nop, nop), true},
		"nothing":                         {try(), true},
		"one in another":                  {try(nop, try(nop)), true},
		"a failing condition":             {try(leave(0)), true},
		"one that leaves":                 {try(leave(1)), false},
		"a block that fails":              {try(within(leave(1))), true},
		"a block that leaves":             {try(within(leave(2))), false},
		"a call of what is found later":   {try(&ir.CallDynamicStmt{}), false},
		"and one in a block":              {try(within(&ir.CallDynamicStmt{})), false},
		"two blocks that are tried":       {&ir.BlockStmt{Blocks: []*ir.Block{{}, {}}}, false},
		"a block that is not an attempt":  {&ir.BlockStmt{Blocks: []*ir.Block{{Stmts: []ir.Stmt{nop}}}}, false},
		"a block that breaks out of more": {&ir.BlockStmt{Blocks: []*ir.Block{{Stmts: []ir.Stmt{leave(2)}}}}, false},
	} {
		stmts := flatten([]*ir.Block{{Stmts: []ir.Stmt{nop, c.of, nop}}})[0].Stmts
		left := slices.ContainsFunc(stmts, func(s ir.Stmt) bool { _, isBlock := s.(*ir.BlockStmt); return isBlock })
		if left == c.flat {
			t.Errorf("%s: is flat is %v, want %v", name, !left, c.flat)
		}
	}
}
