package integration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/integration/harness"
)

const module = "github.com/remit-pdp/remit/"

// A sourceFile is one Go file of the module.
type sourceFile struct {
	path string // slash-separated, from the module's folder
	pkg  string // its folder
	test bool
	ast  *ast.File
	text string
}

func (f sourceFile) imports() (paths []string) {
	for _, spec := range f.ast.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, `"`))
	}
	return paths
}

// within reports whether a path is one of folders or below one.
func within(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return path == folder || strings.HasPrefix(path, folder+"/")
	})
}

func sources(t *testing.T) (files []sourceFile) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	err = fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == "build" || name == "data" || (name != "." && strings.HasPrefix(entry.Name(), "."))):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		files = append(files, sourceFile{name, path.Dir(name), strings.HasSuffix(name, "_test.go"), parsed, string(text)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("found %d Go files: the walk is broken", len(files))
	}
	return files
}

// Which of our packages a package may import, besides the standard library and
// other people's. Tests are free.
func mayImport(pkg, ours string) bool {
	switch {
	case pkg == "pdp/value":
		return false
	case pkg == "pdp":
		return ours == "pdp/value"
	case within(pkg, "pdp/server", "cmd", "integration"):
		return true
	case within(pkg, "pdp/state"):
		return within(ours, "pdp/value") || ours == "pdp" || ours == "pdp/state"
	case within(pkg, "pdp") && within(ours, pkg): // a part may have rooms of its own
		return true
	case within(pkg, "pdp/door") && ours == "pdp/door/wire": // all doors read messages in one way
		return true
	case within(pkg, "pdp"):
		return slices.Contains([]string{"pdp", "pdp/value", "pdp/state"}, ours)
	case pkg == "bundles":
		return ours == "pdp/value"
	case pkg == "bundles/git":
		return ours == "bundles"
	default:
		return false
	}
}

// Who may import what of other people's; a library that is not listed may be
// imported anywhere but in pdp and pdp/value.
var libraryRooms = map[string][]string{
	"github.com/open-policy-agent/opa":               {"pdp/policy", "bundles"},
	"github.com/go-git":                              {"bundles/git"},
	"github.com/envoyproxy/go-control-plane":         {"pdp/door", "integration/bench"},
	"github.com/lestrrat-go/jwx":                     {"pdp/identity", "integration"},
	"github.com/spiffe/go-spiffe":                    {"pdp/identity"},
	"github.com/zitadel/oidc":                        {"integration"},
	"github.com/modelcontextprotocol/go-sdk":         {"pdp/catalog/toolserver", "integration"},
	"github.com/gowebpki/jcs":                        {"pdp/catalog"},
	"github.com/prometheus":                          {"pdp/telemetry"},
	"go.opentelemetry.io":                            {"pdp/telemetry", "pdp/audit/export", "integration/collector"},
	"github.com/CycloneDX":                           {"integration/dist"},
	"golang.org/x/crypto/x509roots":                  {"integration/dist"},
	"istio.io":                                       {"integration/mesh"},
	"golang.org/x/sys":                               {"pdp/state/localstore", "integration/bench"},
	"github.com/spf13":                               {"cmd"},
	"google.golang.org/grpc":                         {"pdp/door", "pdp/server", "integration/bench"},
	"google.golang.org/protobuf":                     {"pdp/door", "pdp/attributes", "pdp/audit/export", "integration/bench"},
	"github.com/remit-pdp/remit/pdp/server":          {"cmd", "integration", "pdp/server"},
	"github.com/remit-pdp/remit/pdp/state/statetest": {},
}

func TestImportRules(t *testing.T) {
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		for _, imported := range f.imports() {
			if ours, isOurs := strings.CutPrefix(imported, module); isOurs && !mayImport(f.pkg, ours) {
				t.Errorf("%s imports %s: the layout does not allow it", f.path, ours)
			}
			if (f.pkg == "pdp" || f.pkg == "pdp/value") && strings.Contains(strings.Split(imported, "/")[0], ".") && !strings.HasPrefix(imported, module) {
				t.Errorf("%s imports %s: only the standard library is allowed", f.path, imported)
			}
			for library, rooms := range libraryRooms {
				if within(imported, library) && !within(f.pkg, rooms...) {
					t.Errorf("%s imports %s, which belongs to %v", f.path, imported, rooms)
				}
			}
		}
	}
}

func TestHouseRules(t *testing.T) {
	documented := make(map[string]bool)
	for _, f := range sources(t) {
		if name := f.ast.Name.Name; slices.Contains([]string{"util", "utils", "common", "helpers", "types", "misc", "base"}, name) {
			t.Errorf("%s: package %s says nothing", f.path, name)
		}
		if f.ast.Doc != nil {
			documented[f.pkg] = true
		} else if !f.test && !documented[f.pkg] {
			documented[f.pkg] = false
		}
		if lines := strings.Count(f.text, "\n"); lines > 500 {
			t.Errorf("%s has %d lines", f.path, lines)
		}
		if f.test {
			if strings.Contains(f.text, "t.Skip"+"(") {
				t.Errorf("%s skips a test: what is missing must fail it", f.path)
			}
			continue
		}
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s has an init function", f.path)
			}
		}
		for _, spec := range f.ast.Imports {
			if spec.Name != nil && spec.Name.Name == "_" && spec.Path.Value != `"embed"` {
				t.Errorf("%s imports %s for its effects", f.path, spec.Path.Value)
			}
		}
	}
	for pkg, has := range documented {
		if !has && pkg != "integration" {
			t.Errorf("package %s has no doc comment", pkg)
		}
	}
}

// A test that the README of this folder names is there.
func TestTheTestsThatAreNamed(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]bool)
	for _, f := range sources(t) {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.test {
				there[fn.Name.Name] = true
			}
		}
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(text), -1)
	if len(named) < 20 {
		t.Fatalf("found %d names: the search is broken", len(named))
	}
	for _, m := range named {
		if !there[m[1]] {
			t.Errorf("there is no %s", m[1])
		}
	}
}
