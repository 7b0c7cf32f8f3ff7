// Package mutant puts many changes of a program into one build of it, of which
// each run has one. A changed function is there once as it was and once for each
// of its changes; what is called by its name chooses among them by the environment
// variable Env. So a package whose hundred guards are taken out one at a time is
// compiled and linked once and not a hundred times.
//
// Nothing of it is in what ships: a changed source exists only in an overlay
// (`go build -overlay`), and the module's own files stay as they are.
package mutant

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"strconv"
	"strings"
)

// Env names the change that a run has, by its ID; without it a run has none.
const Env = "REMIT_MUTANT"

// A Change is a text that stands in one place of a source, and what stands there
// instead.
type Change struct {
	ID      string // letters and digits
	Replace string // occurs exactly once in the source
	With    string
}

// Combine returns a Go source with changes to choose from. Those that are not
// within the body of a function, or in one that recovers (which only the function
// that was deferred can), cannot be chosen at run time: alone has them, and the
// source does not. It fails where a text does not occur, or twice, and where the
// source does not parse. A source with a choice needs the file of Switch beside it.
func Combine(source string, changes []Change) (combined string, alone []Change, err error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", source, parser.SkipObjectResolution)
	if err != nil {
		return "", nil, err
	}
	within := make(map[*ast.FuncDecl][]Change)
	for _, c := range changes {
		if n := strings.Count(source, c.Replace); n != 1 {
			return "", nil, fmt.Errorf("%q occurs %d times, want once", c.Replace, n)
		}
		f := enclosing(fset, file, source, c)
		if f == nil {
			alone = append(alone, c)
			continue
		}
		within[f] = append(within[f], c)
	}
	var b strings.Builder
	done := 0
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || within[f] == nil {
			continue
		}
		t := text{source, fset}
		b.WriteString(source[done:t.offset(f.Pos())])
		t.choose(&b, f, within[f])
		done = t.offset(f.End())
	}
	b.WriteString(source[done:])
	return b.String(), alone, nil
}

// Switch is the file that a package whose sources have choices needs, by its name.
func Switch(pkg string) (name, source string) {
	return "mutant_switch.go", "package " + path.Base(pkg) + "\n\nimport \"os\"\n\nvar mutantOfThisRun = os.Getenv(\"" + Env + "\")\n"
}

// enclosing returns the function whose body has the place of a change, if the
// choice can be made there.
func enclosing(fset *token.FileSet, file *ast.File, source string, c Change) *ast.FuncDecl {
	from := strings.Index(source, c.Replace)
	to := from + len(c.Replace)
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		if from >= fset.Position(f.Body.Pos()).Offset && to <= fset.Position(f.End()).Offset && !recovers(f) && f.Name.Name != "init" {
			return f
		}
	}
	return nil
}

func recovers(f *ast.FuncDecl) (found bool) {
	ast.Inspect(f.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if ok {
			name, ok := call.Fun.(*ast.Ident)
			found = found || ok && name.Name == "recover"
		}
		return true
	})
	return found
}

// text is a source that is taken apart by its positions.
type text struct {
	source string
	fset   *token.FileSet
}

func (t text) offset(p token.Pos) int { return t.fset.Position(p).Offset }

func (t text) of(n ast.Node) string { return t.source[t.offset(n.Pos()):t.offset(n.End())] }

// choose writes a function as it was, with each change, and the choice.
func (t text) choose(b *strings.Builder, f *ast.FuncDecl, changes []Change) {
	before, after := t.source[t.offset(f.Pos()):t.offset(f.Name.Pos())], t.source[t.offset(f.Name.End()):t.offset(f.End())]
	fmt.Fprintf(b, "%s%s_was%s\n\n", before, f.Name.Name, after)
	for _, c := range changes {
		fmt.Fprintf(b, "%s%s_%s%s\n\n", before, f.Name.Name, c.ID, strings.Replace(after, c.Replace, c.With, 1))
	}
	callee, args := t.signature(b, f)
	returns := "return %s_%s%s(%s)\n"
	if f.Type.Results == nil {
		returns = "%s_%s%s(%s); return\n"
	}
	typeArgs := t.typeArgs(f)
	b.WriteString("{\nswitch mutantOfThisRun {\n")
	for _, c := range changes {
		fmt.Fprintf(b, "case %s:\n"+returns, strconv.Quote(c.ID), callee, c.ID, typeArgs, args)
	}
	fmt.Fprintf(b, "default:\n"+returns+"}\n}", callee, "was", typeArgs, args)
}

// signature writes the signature of what chooses, and returns how it calls the
// functions that it chooses among, without the ending of their names.
func (t text) signature(b *strings.Builder, f *ast.FuncDecl) (callee, args string) {
	callee = f.Name.Name
	b.WriteString("func ")
	if f.Recv != nil {
		fmt.Fprintf(b, "(mutantOf %s) ", t.of(f.Recv.List[0].Type))
		callee = "mutantOf." + callee
	}
	b.WriteString(f.Name.Name)
	if f.Type.TypeParams != nil {
		b.WriteString(t.of(f.Type.TypeParams))
	}
	var params, names []string
	for _, field := range f.Type.Params.List {
		_, variadic := field.Type.(*ast.Ellipsis)
		for range max(1, len(field.Names)) {
			name := "mutant" + strconv.Itoa(len(params))
			params = append(params, name+" "+t.of(field.Type))
			if variadic {
				name += "..."
			}
			names = append(names, name)
		}
	}
	fmt.Fprintf(b, "(%s) ", strings.Join(params, ", "))
	if f.Type.Results != nil {
		b.WriteString(t.of(f.Type.Results) + " ")
	}
	return callee, strings.Join(names, ", ")
}

// typeArgs passes a function's own type parameters on.
func (t text) typeArgs(f *ast.FuncDecl) string {
	if f.Type.TypeParams == nil {
		return ""
	}
	var names []string
	for _, field := range f.Type.TypeParams.List {
		for _, name := range field.Names {
			names = append(names, name.Name)
		}
	}
	return "[" + strings.Join(names, ", ") + "]"
}
