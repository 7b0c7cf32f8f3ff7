package config

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write reference.md")

const referenceHead = `# Configuration

Every key of ` + "`remit.yaml`" + ` is also a flag and an environment variable:
` + "`policy.timeout`" + ` is ` + "`--policy.timeout 50ms`" + ` and ` + "`REMIT_POLICY_TIMEOUT=50ms`" + `. An element of a list is
named by its number or its name: ` + "`listeners[0].deadline`" + ` is ` + "`--listeners.0.deadline`" + ` or
` + "`--listeners.agents.deadline`" + `, ` + "`REMIT_LISTENERS_AGENTS_DEADLINE`" + `; the number after the last one
adds an element. Lists are ` + "`a,b`" + ` or ` + "`[a, b]`" + `. A flag wins over the environment, the
environment over the file, the file over the default. ` + "`remit config show`" + ` prints what is
in force and where it was set. Secrets are not taken as flags.

Made from the comments in this folder by ` + "`go test ./pdp/config -run TestReferenceIsFresh -update`" + `.

| key | type | default | meaning |
|---|---|---|---|
`

// Every key has a meaning, and reference.md says what the types say.
func TestReferenceIsFresh(t *testing.T) {
	c := &Config{}
	for _, l := range leaves(reflect.ValueOf(c), true) {
		if v := l.at(); v.Kind() == reflect.Bool { // makes what is not there
			v.SetBool(true) // some defaults are for what is switched on
		}
	}
	c.fill()
	fillWhatIsNamed(c)
	defaults := make(map[string]string)
	for _, l := range leaves(reflect.ValueOf(c), false) {
		defaults[strings.ReplaceAll(l.key, "[0]", "[]")] = fallback(l.at())
	}
	r := reference{docs: comments(t), defaults: defaults}
	r.text.WriteString(referenceHead)
	r.structure("", reflect.TypeFor[Config]())
	for _, key := range r.missing {
		t.Errorf("%s has no comment: say what it is, above the field or behind it", key)
	}
	if len(r.defaults) > 0 {
		t.Errorf("keys that are not in the reference: %v", r.defaults)
	}
	if *update {
		if err := os.WriteFile("reference.md", []byte(r.text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if Reference() != r.text.String() {
		t.Error("reference.md is not fresh: go test ./pdp/config -run TestReferenceIsFresh -update")
	}
}

// fillWhatIsNamed fills in the defaults of what is there only where something else
// has a name: with every text that has no default, which are then taken away.
func fillWhatIsNamed(c *Config) {
	var named []reflect.Value
	for _, l := range leaves(reflect.ValueOf(c), false) {
		if v := l.at(); v.Kind() == reflect.String && v.Len() == 0 {
			v.SetString("x")
			named = append(named, v)
		}
	}
	c.fill()
	for _, v := range named {
		v.SetString("")
	}
}

// fallback is a default as the reference shows it; switches are off.
func fallback(v reflect.Value) string {
	if v.Kind() == reflect.Bool {
		return "`false`"
	}
	switch text := inOneLine(v); text {
	case `""`, "[]", "null", "{}":
		return ""
	default:
		return "`" + text + "`"
	}
}

type reference struct {
	text     strings.Builder
	docs     map[string]string // "Listener.Deadline" → comment
	defaults map[string]string // of keys that are not written yet
	missing  []string
}

func (r *reference) structure(key string, t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if options == "inline" {
			r.structure(key, f.Type)
			continue
		}
		r.key(join(key, name), f.Type, meaning(f.Name, r.docs[t.Name()+"."+f.Name]))
	}
}

func (r *reference) key(key string, t reflect.Type, meaning string) {
	switch {
	case isLeaf(t):
		if meaning == "" {
			r.missing = append(r.missing, key)
		}
		fmt.Fprintf(&r.text, "| `%s` | %s | %s | %s |\n", key, typeName(t), r.defaults[key], meaning)
		delete(r.defaults, key)
		if t.Kind() == reflect.Struct {
			r.structure(key, t)
		}
	case t.Kind() == reflect.Pointer:
		r.key(key, t.Elem(), meaning)
	case t.Kind() == reflect.Slice:
		r.key(key+"[]", t.Elem(), meaning)
	default:
		r.structure(key, t)
	}
}

// meaning is a field's comment as a sentence about its key.
func meaning(field, comment string) string {
	comment = strings.ReplaceAll(strings.Join(strings.Fields(comment), " "), "|", "\\|")
	rest, begins := strings.CutPrefix(comment, field+" ")
	if verb, object, _ := strings.Cut(rest, " "); begins {
		switch verb {
		case "is", "are":
			comment = object
		case "says", "holds", "names", "takes":
			comment = rest
		}
	}
	if first, _, _ := strings.Cut(comment, " "); first == "" || strings.Contains(first, "_") {
		return comment
	}
	return strings.TrimSuffix(strings.ToUpper(comment[:1])+comment[1:], ".")
}

// comments are the comments of every structure's fields.
func comments(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			structure, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range structure.Fields.List {
				for _, name := range f.Names {
					text := f.Doc.Text()
					if text == "" {
						text = f.Comment.Text()
					}
					found[spec.Name.Name+"."+name.Name] = text
				}
			}
			return false
		})
	}
	return found
}
