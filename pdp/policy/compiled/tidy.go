package compiled

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ir"
)

// tidy joins blocks of a function that are one rule: the planner writes
//
//	{ reset x; conditions…; x := value }   { is x defined?; result := x }
//
// whose second block goes on exactly where the first one came to its end. A
// function that is one rule, and so cannot have two results, ends with it.
func tidy(blocks []*ir.Block) []*ir.Block {
	var joined []*ir.Block
	for i := 0; i < len(blocks); i++ {
		if joins(blocks, i) {
			joined = append(joined, &ir.Block{Stmts: slices.Concat(blocks[i].Stmts, blocks[i+1].Stmts)})
			i++
			continue
		}
		joined = append(joined, blocks[i])
	}
	if len(joined) == 2 && endsWithResult(joined[0], joined[1]) {
		return []*ir.Block{{Stmts: slices.Concat(joined[0].Stmts, joined[1].Stmts)}}
	}
	return joined
}

// endsWithResult reports whether a rule's last statement makes what the next
// block returns: what that would return otherwise is undefined.
func endsWithResult(rule, returning *ir.Block) bool {
	if len(rule.Stmts) == 0 || len(returning.Stmts) != 1 {
		return false
	}
	last, isOnce := rule.Stmts[len(rule.Stmts)-1].(*ir.AssignVarOnceStmt)
	returned, returns := returning.Stmts[0].(*ir.ReturnLocalStmt)
	return isOnce && returns && last.Target == returned.Source && usageOf([]*ir.Block{rule}).assigned[last.Target] == 1
}

// joins reports whether block i+1 goes on where block i ends.
func joins(blocks []*ir.Block, i int) bool {
	if i+1 >= len(blocks) || len(blocks[i].Stmts) < 2 || len(blocks[i+1].Stmts) == 0 {
		return false
	}
	first, isReset := blocks[i].Stmts[0].(*ir.ResetLocalStmt)
	last, isOnce := blocks[i].Stmts[len(blocks[i].Stmts)-1].(*ir.AssignVarOnceStmt)
	asks, isAsked := blocks[i+1].Stmts[0].(*ir.IsDefinedStmt)
	if !isReset || !isOnce || !isAsked || first.Target != last.Target || asks.Source != last.Target {
		return false
	}
	if usageOf(blocks[i : i+1]).assigned[last.Target] != 2 {
		return false
	}
	for _, later := range blocks[i+2:] {
		if resets(later, last.Target) {
			return true
		}
		if u := usageOf([]*ir.Block{later}); u.read[last.Target] > 0 {
			return false
		}
	}
	return true
}

func resets(b *ir.Block, l ir.Local) bool {
	if len(b.Stmts) == 0 {
		return false
	}
	first, ok := b.Stmts[0].(*ir.ResetLocalStmt)
	return ok && first.Target == l
}

// exposed are the locals of a function that some block reads without having
// assigned them on every way there: they begin undefined, or hold what another
// block left. All others are a block's own, and share room with those of the
// other blocks.
func exposed(blocks []*ir.Block) map[ir.Local]bool {
	found := make(map[ir.Local]bool)
	for _, b := range blocks {
		expose(b, make(map[ir.Local]bool), found)
	}
	return found
}

// expose walks a block; assigned are the locals that certainly are by then,
// and those of the loop whose block it is.
func expose(b *ir.Block, assigned, found map[ir.Local]bool, loop ...ir.Local) {
	if b == nil {
		return
	}
	var mine []ir.Local
	assign := func(l ir.Local) {
		if !assigned[l] {
			assigned[l] = true
			mine = append(mine, l)
		}
	}
	for _, l := range loop {
		assign(l)
	}
	for _, s := range b.Stmts {
		reads(s, func(l ir.Local) {
			if !assigned[l] {
				found[l] = true
			}
		})
		var own []ir.Local
		if scan, isScan := s.(*ir.ScanStmt); isScan {
			own = []ir.Local{scan.Key, scan.Value}
		}
		for _, inner := range within(s) {
			expose(inner, assigned, found, own...)
		}
		if target, ok := assigns(s); ok {
			assign(target)
		}
	}
	for _, l := range mine {
		delete(assigned, l)
	}
}

// within are the blocks of a statement.
func within(s ir.Stmt) []*ir.Block {
	switch s := s.(type) {
	case *ir.BlockStmt:
		return s.Blocks
	case *ir.NotStmt:
		return []*ir.Block{s.Block}
	case *ir.WithStmt:
		return []*ir.Block{s.Block}
	case *ir.ScanStmt:
		return []*ir.Block{s.Block}
	default:
		return nil
	}
}
