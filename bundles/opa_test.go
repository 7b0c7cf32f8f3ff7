package bundles

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/loader"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/remit-pdp/remit/pdp/value"
)

// sameAsOPA checks that the stock loader reads a folder as LoadDir does.
func sameAsOPA(t *testing.T, dir string) {
	t.Helper()
	ours, err := LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := loader.NewFileLoader().WithFilter(loader.GlobExcludeName(".*", 1)).AsBundle(dir)
	if err != nil {
		t.Fatal(err)
	}
	data, err := value.FromGo(theirs.Data)
	if err != nil {
		t.Fatal(err)
	}
	if !value.Equal(ours.Data, data) {
		t.Errorf("%s\nwe read  %s\nOPA reads %s", dir, asJSON(ours.Data), asJSON(data))
	}
	var modules []string
	for _, m := range theirs.Modules {
		modules = append(modules, filepath.Join(dir, strings.TrimPrefix(m.Path, dir)))
	}
	read := append(names(ours.Modules), names(ours.Tests)...)
	slices.Sort(read)
	slices.Sort(modules)
	if !slices.Equal(read, modules) {
		t.Errorf("%s\nwe read  %q\nOPA reads %q", dir, read, modules)
	}
}

func TestSameAsOPA(t *testing.T) {
	sameAsOPA(t, filepath.Join("..", "policies"))
	dir := t.TempDir()
	write(t, dir, files{
		"data.json": `{"a": {"b": [1, 1.5, "x", null, true]}, "n": 9007199254740991}`, "a/data.yaml": "c: {d: e}\n", "a/c/data.yml": "f: [g]\n",
		"other.json": `{"a": 1}`, "other.yaml": "a: 1\n", "x y/z.w/data.json": `{"k": "v"}`, ".hidden/data.json": `{"a": 1}`,
		"p.rego": policy, "a/q.rego": "package a.q\n", "a/q_test.rego": "package a.q_test\n", "note.txt": "x",
	})
	sameAsOPA(t, dir)
	for text := range goodYAML {
		dir := t.TempDir()
		write(t, dir, files{"x/data.yaml": text, "p.rego": policy})
		sameAsOPA(t, dir)
	}
}

// FuzzParseData checks that no text makes a data file's reader panic, and that
// what is accepted as JSON is what encoding/json reads, and what is accepted as
// YAML what OPA reads.
func FuzzParseData(f *testing.F) {
	for text := range goodYAML {
		f.Add([]byte(text))
	}
	for _, text := range []string{
		`{"a":{"b":[1,-0,1.50,1e2]},"":"\u00e9\ud834\udd1e\n"}`, "{\n\t\"a\": 1,\n\t\"a\": 2}", `{"a":9007199254740993}`, `{"a":{"b":{"c":[[[]]]}}}`,
		"a: &a [*a]\n", "a: &x {b: 1}\n<<: *x\n", "a: 1\n---\nb: 2\n", "a: 0x1F\nb: .nan\n", "%YAML 1.1\n---\na: yes\n", "a: !!binary aGk=\n",
		"? {a: b}\n: c\n", "\xff\xfea\x00:\x00 \x001\x00", "- - - a\n- b: c\n", "a: \"\\\n  b\"\n", "[", "{a", "'", "&", "*", "!", "|\n", "a: >+2\n    b\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if parsed, err := parseData("b/data.json", "x/data.json", text); err == nil {
			d := json.NewDecoder(bytes.NewReader(text))
			d.UseNumber()
			var other any
			if err := d.Decode(&other); err != nil {
				t.Fatalf("%q is JSON to us alone: %v", text, err)
			}
			same(t, text, parsed, other)
		}
		if parsed, err := parseData("b/data.yaml", "x/data.yaml", text); err == nil {
			var other any
			if err := util.Unmarshal(text, &other); err != nil {
				t.Fatalf("%q is YAML to us alone: %v", text, err)
			}
			same(t, text, parsed, other)
		}
	})
}

func same(t *testing.T, text []byte, f dataFile, other any) {
	t.Helper()
	read, err := value.FromGo(other)
	if err != nil || !value.Equal(f.data, read) {
		t.Fatalf("%q: %v\nwe read     %s\nothers read %s", text, err, asJSON(f.data), asJSON(read))
	}
	located(t, f, f.data, nil)
}

// located checks that every datum is found.
func located(t *testing.T, f dataFile, v value.Value, at []string) {
	t.Helper()
	if line, depth := f.find(at); line < 1 || depth != len(at) {
		t.Fatalf("%q is found in line %d at depth %d", at, line, depth)
	}
	if len(at) == 3 {
		return
	}
	v.Range(func(name string, member value.Value) bool {
		located(t, f, member, append(at[:len(at):len(at)], name))
		return true
	})
}
