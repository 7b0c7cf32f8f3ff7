package compiled

import (
	"github.com/open-policy-agent/opa/v1/ir"
)

// code is a block as far as it is compiled.
type code struct {
	run []statement
	// effects is how many statements there are up to the last one that does
	// something besides finding out whether the block goes on.
	effects int
	// over says that nothing after the statements is ever reached: the last one
	// is not defined, whatever the input.
	over bool
}

// check adds a statement that does nothing but end the block, or not; a local
// that it sets is of no use where the block ends.
func (c *code) check(s statement) { c.run = append(c.run, s) }

// do adds a statement.
func (c *code) do(s statement) {
	c.run = append(c.run, s)
	c.effects = len(c.run)
}

// end ends the block where it is: checks before are not needed.
func (c *code) end() {
	c.over = true
	c.run = c.run[:c.effects]
}

// statements are what is to be run for the block.
func (c *code) statements() []statement {
	if c.over && len(c.run) > 0 {
		return append(c.run, func(*frame) signal { return broken })
	}
	return c.run
}

// never reports that running the block does nothing, and always that it does
// nothing and always comes to its end.
func (c *code) never() bool  { return c.over && len(c.run) == 0 }
func (c *code) always() bool { return !c.over && len(c.run) == 0 }

// outermost compiles the blocks of a function. Nothing that one has learnt
// of locals holds in the next.
func (f *fn) outermost(blocks []*ir.Block) [][]statement {
	all := make([][]statement, len(blocks))
	for i, b := range blocks {
		f.usage, f.own = usageOf(blocks[i:i+1]), make(map[ir.Local]int)
		all[i] = f.block(b).statements()
		f.forget(b)
	}
	return all
}

// nested compiles a block within one. What it learns holds in it alone.
func (f *fn) nested(b *ir.Block) *code {
	f.forget(b)
	made := f.block(b)
	f.forget(b)
	return made
}

func (f *fn) block(b *ir.Block) *code {
	c := &code{}
	if b == nil {
		return c
	}
	for i := 0; i < len(b.Stmts) && !c.over; {
		i += f.several(c, b.Stmts[i:])
	}
	return c
}

// several compiles the first of statements, or as many as are one to this
// engine, and returns how many.
func (f *fn) several(c *code, stmts []ir.Stmt) int {
	if made, n := f.hoist(stmts); n > 0 {
		made.add(c)
		return n
	}
	if call, ok := stmts[0].(*ir.CallStmt); ok && len(stmts) > 1 && f.holds(call, stmts[1]) && (f.tests(c, call) || f.testsRule(c, call)) {
		return 2
	}
	if dot, ok := stmts[0].(*ir.DotStmt); ok && len(stmts) > 1 && f.leadsTo(dot, stmts[1]) {
		return 1
	}
	f.statement(c, stmts[0])
	return 1
}

// private reports whether a local is read once in its block, and by no other.
func (f *fn) private(l ir.Local) bool { return f.usage.read[l] == 1 && !f.exposed[l] }
