package telemetry

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Every code that remit itself gives (a constant Code… of a part) is a label.
func TestOwnCodesAreKnown(t *testing.T) {
	known, found := newCodes(nil), 0
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", name), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, "Code") || len(spec.Values) != 1 {
				return true
			}
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				code, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Error(err)
				}
				found++
				if known.label(code) != code {
					t.Errorf("%s: %q is not among remit's own codes", name, code)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 25 {
		t.Errorf("found %d codes: the search is broken", found)
	}
}

// The shipped policies' codes are labels.
func TestShippedCodesAreKnown(t *testing.T) {
	var texts [][]byte
	err := filepath.WalkDir(filepath.Join("..", "..", "policies"), func(name string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".rego" || strings.HasSuffix(name, "_test.rego") {
			return err
		}
		text, err := os.ReadFile(name)
		texts = append(texts, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c := newCodes(texts)
	for code, want := range map[string]string{
		"nothing_allows": "nothing_allows", "within_task": "within_task", "repeated_call": "repeated_call",
		"send_after_untrusted_content": "*_after_*", "tickets.delete_everything": other, "%s_after_%s": "%s_after_%s",
	} {
		if got := c.label(code); got != want {
			t.Errorf("%s counts as %s, want %s", code, got, want)
		}
	}
}
