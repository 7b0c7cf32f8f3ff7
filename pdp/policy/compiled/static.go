package compiled

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// varying are the functions whose results may differ between evaluations on
// the same data.
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
			if c.statementVaries(s, varies) || c.blocksVary(within(s), varies) {
				return true
			}
		}
	}
	return false
}

// statementVaries reports whether a statement reads the input, or calls what
// may answer differently another time.
func (c *compiler) statementVaries(s ir.Stmt, varies map[string]bool) bool {
	switch s := s.(type) {
	case *ir.CallStmt:
		if c.planned[s.Func] != nil {
			return varies[s.Func] || readsInput(&ir.CallStmt{Args: s.Args[2:]})
		}
		decl := ast.BuiltinMap[s.Func]
		return decl == nil || decl.Nondeterministic || readsInput(s)
	case *ir.CallDynamicStmt, *ir.WithStmt, *ir.ResultSetAddStmt:
		return true
	default:
		return readsInput(s)
	}
}

func readsInput(s ir.Stmt) (found bool) {
	reads(s, func(l ir.Local) { found = found || l == ir.Input })
	return found
}
