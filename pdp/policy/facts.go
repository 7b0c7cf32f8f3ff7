package policy

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/remit-pdp/remit/pdp"
)

var (
	libraryRoot = ast.MustParseRef("data.remit")
	historyRoot = ast.MustParseRef("data.remit.history")
	budgetRoot  = ast.MustParseRef("data.remit.budget")
)

// undeclared reports what policies read of facts and budgets although nobody
// declares it: it would always read as lost, and so deny for ever.
func undeclared(compiler *ast.Compiler, declared *pdp.Declarations) (found Problems) {
	for _, m := range compiler.Modules {
		if m.Package.Path.HasPrefix(libraryRoot) {
			continue
		}
		found = append(found, directMemory(m)...)
		ast.WalkExprs(m, func(e *ast.Expr) bool {
			if e.IsCall() {
				found = append(found, undeclaredIn(e.Operator(), e, declared)...)
			}
			return false
		})
	}
	return found
}

// undeclaredIn looks at one call of the library.
func undeclaredIn(operator ast.Ref, e *ast.Expr, declared *pdp.Declarations) (found Problems) {
	names := constants(e.Operands())
	switch {
	case operator.HasPrefix(budgetRoot):
		if name, ok := names(0); ok && declared.Budgets[name] == nil {
			found = append(found, at(e.Location, "declare it in data.remit.budgets", "no budget %q is declared", name))
		}
	case operator.HasPrefix(historyRoot):
		// fact and lookup, once or (since) twice.
		for i := range 2 {
			found = append(found, undeclaredFact(e.Location, names, 2*i, declared)...)
			if operator[len(operator)-1].Value.Compare(ast.String("surely_since")) != 0 &&
				operator[len(operator)-1].Value.Compare(ast.String("possibly_since")) != 0 {
				break
			}
		}
	}
	return found
}

func undeclaredFact(loc *ast.Location, names func(int) (string, bool), i int, declared *pdp.Declarations) Problems {
	name, ok := names(i)
	if !ok {
		return nil
	}
	fact := declared.Facts[name]
	if fact == nil {
		return Problems{at(loc, "declare it in data.remit.memory", "no fact %q is declared", name)}
	}
	if lookup, ok := names(i + 1); ok && fact.Lookup[lookup] == nil {
		return Problems{at(loc, "declare it in data.remit.memory", "%s", fmt.Sprintf("fact %q has no lookup %q", name, lookup))}
	}
	return nil
}

// constants returns the operands that are written out as strings.
func constants(operands []*ast.Term) func(int) (string, bool) {
	return func(i int) (string, bool) {
		if i >= len(operands) {
			return "", false
		}
		s, ok := operands[i].Value.(ast.String)
		return string(s), ok
	}
}

// directMemory reports references to input.memory outside the library: read
// raw, a cell that was lost looks like one that never was.
func directMemory(m *ast.Module) (found Problems) {
	ast.WalkRefs(m, func(r ast.Ref) bool {
		if len(r) >= 2 && r[0].Equal(ast.InputRootDocument) && r[1].Equal(ast.StringTerm("memory")) {
			found = append(found, at(r[0].Location, "ask data.remit.history, whose answers are safe when something was lost",
				"input.memory is read directly"))
		}
		return false
	})
	return found
}
