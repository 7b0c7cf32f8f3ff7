package bundles

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/remit-pdp/remit/pdp/value"
)

type files map[string]string

const policy = "package p\n"

// in returns the files as a file system, with a policy, which every bundle has.
func in(f files) fstest.MapFS {
	fsys := fstest.MapFS{"p.rego": {Data: []byte(policy)}}
	for name, text := range f {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func mustLoad(t *testing.T, f files) *Bundle {
	t.Helper()
	b, err := Load(in(f), "b")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func asJSON(v value.Value) string { return string(value.AppendJSON(nil, v)) }

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one about %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

func names(modules []Module) (paths []string) {
	for _, m := range modules {
		paths = append(paths, m.Path)
	}
	return paths
}

// The folder of a data file is the path of its data.
func TestLayout(t *testing.T) {
	b := mustLoad(t, files{
		"data.yaml":                   "top: 1\nremit: {settings: {a: 1}}\n",
		"remit/data.json":             `{"settings": {"b": 2}}`,
		"remit/catalog/data.yaml":     "systems: {crm: {sensitivity: internal}}\n",
		"remit/catalog/data.json":     `{"systems": {"wiki": {}}}`,
		"remit/agents/teams/data.yml": "billing: [bot]\n",
		"remit/empty/data.json":       `{}`,
		"remit/authz.rego":            "package remit.authz\n",
		"remit/authz_test.rego":       "package remit.authz_test\n",
		"remit/cases.json":            `{"not": "data"}`,
		"remit/schema.data.json":      `{"not": "data"}`,
		"README.md":                   "# no data\n",
	})
	want := `{"remit":{"agents":{"teams":{"billing":["bot"]}},"catalog":{"systems":{"crm":{"sensitivity":"internal"},"wiki":{}}},"empty":{},"settings":{"a":1,"b":2}},"top":1}`
	if got := asJSON(b.Data); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := names(b.Modules); !slices.Equal(got, []string{"b/p.rego", "b/remit/authz.rego"}) {
		t.Errorf("the modules are %q", got)
	}
	if got := names(b.Tests); !slices.Equal(got, []string{"b/remit/authz_test.rego"}) {
		t.Errorf("the tests are %q", got)
	}
	if got := string(b.Modules[0].Text); got != policy {
		t.Errorf("the policy's text is %q", got)
	}
}

func TestWithoutData(t *testing.T) {
	b := mustLoad(t, nil)
	if got := asJSON(b.Data); got != `{}` {
		t.Errorf("the data is %s", got)
	}
	if file, line := b.Locate("remit"); file != "" || line != 0 {
		t.Errorf("nothing is in %s:%d", file, line)
	}
}

// What is there in two files is an error that names both places.
func TestConflicts(t *testing.T) {
	for name, c := range map[string]struct {
		files files
		want  []string
	}{
		"the same member": {
			files{"data.json": "{\n\n\"a\": {\"b\": 1}}", "data.yaml": "x: 1\na:\n  b: 1\n"},
			[]string{"b/data.yaml:3: data.a.b is in b/data.json:3 already"},
		},
		"in two folders": {
			files{"data.yaml": "a:\n  b:\n    c: 1\n", "a/b/data.yaml": "d: 1\nc: 2\n"},
			[]string{"data.a.b.c", "b/data.yaml:3", "b/a/b/data.yaml:2"},
		},
		"object and text": {
			files{"data.yaml": "z: 1\na: text\n", "a/data.json": `{"b": 1}`},
			[]string{"data.a", "b/data.yaml:2", "b/a/data.json:1"},
		},
		"text and a folder further down": {
			files{"data.yaml": "a: {b: [1]}\n", "a/b/c/data.json": "{\"d\":\n1}"},
			[]string{"b/data.yaml:1: data.a.b is in b/a/b/c/data.json:1 already"},
		},
		"lists": {
			files{"data.json": `{"a": [1]}`, "data.yml": "a: [2]\n"},
			[]string{"b/data.yml:1: data.a is in b/data.json:1 already"},
		},
		"null counts": {
			files{"data.json": `{"a": null}`, "data.yml": "a: 1\n"},
			[]string{"data.a", "b/data.yml:1", "b/data.json:1"},
		},
		"an equal value": {
			files{"data.json": `{"a": 1}`, "data.yml": "a: 1\n"},
			[]string{"data.a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(in(c.files), "b")
			wantError(t, err, c.want...)
		})
	}
}

// Everything that is wrong is reported at once.
func TestAllProblems(t *testing.T) {
	_, err := Load(in(files{"a/data.json": "{", "b/data.yaml": "a: 1\na: 2\n", "c/data.json": `[]`, ".manifest": "nothing"}), "b")
	wantError(t, err, "b/a/data.json:1", "b/b/data.yaml: line 2", "b/c/data.json: it does not hold an object", "b/.manifest")
}

func TestNoPolicy(t *testing.T) {
	for name, fsys := range map[string]fs.FS{
		"nothing":    fstest.MapFS{},
		"data alone": fstest.MapFS{"data.json": {Data: []byte(`{"a":1}`)}},
		"tests":      fstest.MapFS{"p_test.rego": {Data: []byte(policy)}},
		"hidden":     fstest.MapFS{".p.rego": {Data: []byte(policy)}, ".git/p.rego": {Data: []byte(policy)}},
		"elsewhere":  fstest.MapFS{"p.rego.bak": {Data: []byte(policy)}, "rego": {Data: []byte(policy)}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(fsys, "b")
			wantError(t, err, "b holds no policy")
		})
	}
}

func TestHiddenFiles(t *testing.T) {
	b := mustLoad(t, files{
		".git/data.json": `{"a": 1}`, ".hidden.rego": policy, "x/..data/data.yaml": "a: 1", "x/.data.json": "{", "x/.hidden/p.rego": policy,
	})
	if got := asJSON(b.Data); got != `{}` || len(b.Modules) != 1 {
		t.Errorf("read %s and %q", got, names(b.Modules))
	}
	if b.Revision != mustLoad(t, nil).Revision {
		t.Error("hidden files are part of the revision")
	}
}

func TestManifest(t *testing.T) {
	if got := mustLoad(t, files{".manifest": `{"revision": "v7", "roots": [""]}`}).Revision; got != "v7" {
		t.Errorf("the revision is %q", got)
	}
	for _, text := range []string{`{}`, `{"revision": ""}`} {
		if got := mustLoad(t, files{".manifest": text}).Revision; !strings.HasPrefix(got, "sha256:") {
			t.Errorf("%s: the revision is %q", text, got)
		}
	}
	plain := mustLoad(t, nil).Revision
	if got := mustLoad(t, files{"x/.manifest": `{"revision": "v8"}`}).Revision; got != plain {
		t.Errorf("the manifest of a folder within counts: %q", got)
	}
	for _, text := range []string{`{"rego_version": 1}`, `{"rego_version": 1.0, "file_rego_versions": {}, "wasm": [], "roots": null}`} {
		mustLoad(t, files{".manifest": text})
	}
	for text, about := range map[string]string{
		`{"rego_version": 0}`: "rego_version is not 1", `{"rego_version": "1"}`: "rego_version is not 1", `{"file_rego_versions": {"/a.rego": 0}}`: "file_rego_versions",
		`{"wasm": [{"entrypoint": "a/allow"}]}`: "WebAssembly", `{"Revision": "x"}`: `"Revision" would be revision to OPA`, `{"WASM": []}`: "would be wasm",
	} {
		_, err := Load(in(files{".manifest": text}), "b")
		wantError(t, err, "b/.manifest", about)
	}
	for _, text := range []string{`{"revision": 7}`, `[]`, `"v7"`, `{"revision": null}`, `{"revision": "a", "revision": "b"}`, ``} {
		_, err := Load(in(files{".manifest": text}), "b")
		wantError(t, err, "b/.manifest")
	}
}

// A revision names what decisions are made with, and nothing else.
func TestRevision(t *testing.T) {
	base := files{"a.rego": "package a\n", "x/data.yaml": "k: 1\n", "a_test.rego": "package a_test\n"}
	first := mustLoad(t, base)
	if len(first.Revision) != len("sha256:")+16 {
		t.Errorf("the revision is %q", first.Revision)
	}
	elsewhere, err := Load(in(base), "another/name")
	if err != nil {
		t.Fatal(err)
	}
	if elsewhere.Revision != first.Revision || mustLoad(t, base).Revision != first.Revision {
		t.Error("the same bundle has two revisions")
	}
	same := map[string]files{
		"a test changed":    {"a_test.rego": "package other\n"},
		"a test more":       {"x/b_test.rego": "package b\n"},
		"a file that is no": {"README.md": "text", "x/cases.yaml": "a: 1"},
	}
	for name, change := range same {
		if got := mustLoad(t, merged(base, change)).Revision; got != first.Revision {
			t.Errorf("%s: another revision", name)
		}
	}
	// Where one file ends and the next begins counts.
	apart, together := mustLoad(t, files{"a.rego": "1", "b.rego": "2"}), mustLoad(t, files{"a.rego": "1b.rego2"})
	if apart.Revision == together.Revision {
		t.Error("two files have the revision of one")
	}
	seen := map[string]string{first.Revision: "the first"}
	for name, change := range map[string]files{
		"policy changed":         {"a.rego": "package a \n"},
		"data changed":           {"x/data.yaml": "k: 2\n"},
		"a comment in data":      {"x/data.yaml": "k: 1 # note\n"},
		"data moved":             {"x/data.yaml": "{}", "y/data.yaml": "k: 1\n"},
		"another policy":         {"b.rego": "package b\n"},
		"a policy of nothing":    {"b.rego": ""},
		"texts between files":    {"a.rego": "package a\nx", "x/data.yaml": "k: 1\n#"},
		"a manifest":             {".manifest": `{}`},
		"a manifest that is not": {".manifest": `{ }`},
	} {
		got := mustLoad(t, merged(base, change)).Revision
		if before, twice := seen[got]; twice {
			t.Errorf("%s has the revision of %s", name, before)
		}
		seen[got] = name
	}
}

func merged(a, b files) files {
	all := files{}
	for _, f := range []files{a, b} {
		for name, text := range f {
			all[name] = text
		}
	}
	return all
}

func write(t *testing.T, dir string, f files) {
	t.Helper()
	for name, text := range f {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoadDir(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, files{"p.rego": policy, "x/data.json": `{"a": 1}`})
	b, err := LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if file, line := b.Locate("x", "a"); file != filepath.Join(dir, "x/data.json") || line != 1 || asJSON(b.Data) != `{"x":{"a":1}}` {
		t.Errorf("%s is in %s:%d", asJSON(b.Data), file, line)
	}
	_, err = LoadDir(filepath.Join(dir, "gone"))
	wantError(t, err, "read the bundle", filepath.Join(dir, "gone"))
	_, err = LoadDir(filepath.Join(dir, "p.rego"))
	wantError(t, err, "is not a folder")
}

// A link could bring in what nobody put there, or silently leave policy out.
func TestLinks(t *testing.T) {
	outside := t.TempDir()
	write(t, outside, files{"p.rego": policy, "data.json": `{"a": 1}`})
	for name, to := range map[string]string{
		"q.rego": filepath.Join(outside, "p.rego"), "x/data.json": filepath.Join(outside, "data.json"), ".manifest": filepath.Join(outside, "data.json"),
		"folder": outside, "note.txt": filepath.Join(outside, "p.rego"), "data.yaml": filepath.Join(outside, "gone"),
		"gone.rego": "nothing.rego", "self.rego": "self.rego", "y": "../../../../../../../../etc",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, files{"p.rego": policy, "x/empty.txt": ""})
			if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			_, err := LoadDir(dir)
			wantError(t, err, filepath.Join(dir, name), "link")
		})
	}
	// Nor is a folder that holds itself read.
	dir := t.TempDir()
	write(t, dir, files{"p.rego": policy, "x/q.rego": policy})
	if err := os.Symlink("..", filepath.Join(dir, "x", "again")); err != nil {
		t.Fatal(err)
	}
	_, err := LoadDir(dir)
	wantError(t, err, filepath.Join(dir, "x", "again"), "folder above it")
	// Of the folder itself the operator has said what it is.
	link := filepath.Join(t.TempDir(), "bundle")
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	if b, err := LoadDir(link); err != nil || len(b.Modules) != 1 {
		t.Errorf("the folder itself is a link: %v", err)
	}
}

func TestOddFiles(t *testing.T) {
	fsys := in(files{"x/data.json": `{}`})
	fsys["x/data.json"].Mode = fs.ModeNamedPipe
	_, err := Load(fsys, "b")
	wantError(t, err, "b/x/data.json is not a regular file")
}

func TestLimits(t *testing.T) {
	f := in(files{"data.json": `{"a": "` + strings.Repeat("x", 92) + `"}`, "x/data.json": `{}`})
	size := int64(len(policy) + 101 + 2)
	exact := limits{file: 101, all: size, files: 3}
	if _, err := load(f, "b", exact); err != nil {
		t.Fatalf("a bundle at its limits: %v", err)
	}
	for _, c := range []struct {
		most limits
		want string
	}{
		{limits{file: 100, all: size, files: 3}, "b/data.json: it has 101 bytes; at most 100"},
		{limits{file: 101, all: size - 1, files: 3}, "b is too large"},
		{limits{file: 101, all: size, files: 2}, "b holds too many files"},
	} {
		_, err := load(f, "b", c.most)
		wantError(t, err, c.want)
	}
	// The limits that are in force.
	dir := t.TempDir()
	write(t, dir, files{"p.rego": policy, "data.json": `{}`})
	if err := os.Truncate(filepath.Join(dir, "data.json"), 64<<20+1); err != nil {
		t.Fatal(err)
	}
	_, err := LoadDir(dir)
	wantError(t, err, "data.json: it has 67108865 bytes")
}
