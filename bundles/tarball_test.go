package bundles

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/loader"
)

// entry is one entry of an archive; a regular file where kind is 0.
type entry struct {
	name, text string
	kind       byte
}

func pack(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: 0o600, Size: int64(len(e.text)), Typeflag: tar.TypeReg}
		if e.kind != 0 {
			header.Typeflag, header.Linkname, header.Size = e.kind, "/etc/passwd", 0
			e.text = ""
		}
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// What OPA packs is read as the folder it was packed from.
func TestATarballOfOPA(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, files{"p.rego": policy, "x/data.json": `{"a": 1}`, "y/q.rego": "package y\n\nr if input.a == 1\n"})
	loaded, err := loader.NewFileLoader().AsBundle(dir)
	if err != nil {
		t.Fatal(err)
	}
	loaded.Manifest.Revision = "r7"
	var packed bytes.Buffer
	if err := bundle.NewWriter(&packed).UseModulePath(true).Write(*loaded); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bundle.tar.gz")
	if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	snapshot := fetch(t, Tarball(path), "")
	b := parse(t, snapshot)
	if b.Revision != "r7" || asJSON(b.Data) != `{"x":{"a":1}}` || len(b.Modules) != 2 {
		t.Errorf("revision %s, data %s, modules %q", b.Revision, asJSON(b.Data), names(b.Modules))
	}
	if fetch(t, Tarball(path), snapshot.Mark) != nil {
		t.Error("an unchanged tarball is new")
	}
	if err := os.WriteFile(path, pack(t, entry{name: "p.rego", text: policy}), 0o600); err != nil {
		t.Fatal(err)
	}
	if fetch(t, Tarball(path), snapshot.Mark) == nil {
		t.Error("another tarball is not noticed")
	}
}

func TestPathsInTarballs(t *testing.T) {
	for name, want := range map[string]string{
		"p.rego": "p.rego", "/p.rego": "p.rego", "./p.rego": "p.rego", "/a/b/p.rego": "a/b/p.rego", ".manifest": ".manifest", "/.manifest": ".manifest",
	} {
		if got, err := entryPath(name); got != want || err != nil {
			t.Errorf("%s is %s: %v", name, got, err)
		}
	}
	for _, name := range []string{"../p.rego", "/../p.rego", "a/../../p.rego", "a/./p.rego", "//p.rego", "a//p.rego", "..", `a\..\p.rego`, "./../p.rego", "a/..", "\xff.rego"} {
		if got, err := entryPath(name); err == nil {
			t.Errorf("%q is accepted as %s", name, got)
		}
	}
}

func TestRefusedTarballs(t *testing.T) {
	good := pack(t, entry{name: "p.rego", text: policy})
	small := limits{file: 100, all: 200, files: 3}
	for name, c := range map[string]struct {
		packed []byte
		want   string
	}{
		"no gzip":              {[]byte("package p\n"), "t is not compressed"},
		"nothing":              {nil, "t is not compressed"},
		"half":                 {good[:len(good)/2], "t is"},
		"without its checksum": {good[:len(good)-8], "t is"},
		"a wrong checksum":     {append(slices.Clone(good[:len(good)-8]), 1, 2, 3, 4, 5, 6, 7, 8), "t is"},
		"of an old form":       {zip(t, archives(t)["of an old form"]), "is archived in a form in which"},
		"of Star's form":       {zip(t, archives(t)["of Star's form"]), "is archived in a form in which"},
		"with GNU's own times": {zip(t, archives(t)["with GNU's own times"]), "is archived in a form in which"},
		"sparse":               {zip(t, archives(t)["sparse"]), "is archived in a form in which"},
		"without its end":      {zip(t, unzip(t, good)[:2*block]), "t is not a whole archive: its end is missing"},
		"with half its end":    {zip(t, unzip(t, good)[:3*block]), "t is not a whole archive: its end is missing"},
		"within its last file": {zip(t, unzip(t, good)[:block+len(policy)]), "t is not a whole archive: its end is missing"},
		"two archives":         {zip(t, append(unzip(t, good), unzip(t, good)...)), "t is damaged: something stands behind"},
		"a link":               {pack(t, entry{name: "p.rego", kind: tar.TypeSymlink}), "t/p.rego is a link"},
		"a hard link":          {pack(t, entry{name: "a/p.rego", kind: tar.TypeLink}), "t/a/p.rego is a link"},
		"a link nobody wants":  {pack(t, entry{name: "note", kind: tar.TypeSymlink}), "t/note is a link"},
		"a device":             {pack(t, entry{name: "p.rego", kind: tar.TypeChar}), "t/p.rego is a link or a device"},
		"out of the folder":    {pack(t, entry{name: "../p.rego", text: policy}), `the entry "../p.rego"`},
		"another manifest":     {pack(t, entry{name: "p.rego", text: policy}, entry{name: "x/.manifest", text: "{}"}), "t/x/.manifest is a manifest to OPA"},
		"a manifest's name":    {pack(t, entry{name: "a.manifest", text: "{}"}), "t/a.manifest is a manifest to OPA"},
		"a manifest of bytes":  {pack(t, entry{name: ".manifest.pb"}), "t/.manifest.pb is a manifest to OPA"},
		"twice":                {pack(t, entry{name: "p.rego", text: policy}, entry{name: "/p.rego", text: policy}), "t/p.rego is in the archive twice"},
		"a large file":         {pack(t, entry{name: "p.rego", text: strings.Repeat(" ", 101)}), "t/p.rego: it has 101 bytes"},
		"large together": {pack(t, entry{name: "a.rego", text: strings.Repeat(" ", 100)}, entry{name: "b.rego", text: strings.Repeat(" ", 100)}, entry{name: "c.rego", text: " "}),
			"t is too large"},
		"many": {pack(t, entry{name: "a.rego"}, entry{name: "b.rego"}, entry{name: "c.rego"}, entry{name: "d.rego"}), "too many files"},
		"much that nobody wants": {pack(t, entry{name: "a.rego"}, entry{name: "zeros", text: strings.Repeat("\x00", 1<<20)}),
			"unpacks to more bytes"},
		"much behind the end": {zip(t, append(unzip(t, good), make([]byte, 1<<20)...)), "unpacks to more bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := unpack("t", c.packed, small)
			wantError(t, err, c.want)
		})
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "gone"), t.TempDir()} {
		_, err := Tarball(path).Fetch(t.Context(), "")
		wantError(t, err, "read the bundle", path)
	}
}

func zip(t testing.TB, text []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func unzip(t testing.TB, packed []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

// Whatever the archive holds, what is taken from it is within the limits, is
// named once, and lies below the bundle's folder. Python's readers of gzip and tar
// find the same files in it, and OPA makes the same bundle of it or none.
func FuzzTarball(f *testing.F) {
	for _, e := range [][]entry{
		{{name: "p.rego", text: policy}, {name: "/x/data.json", text: `{"a": 1}`}, {name: ".manifest", text: `{"revision": "r"}`}},
		{{name: "../p.rego", text: policy}}, {{name: "a/", kind: tar.TypeDir}}, {{name: "p.rego", kind: tar.TypeSymlink}},
	} {
		f.Add(unzip(f, pack(f, e...)))
	}
	for _, archive := range archives(f) {
		f.Add(archive)
	}
	for _, manifest := range []string{`{"revision":"r","roots":["x"]}`, `{"rego_version":0}`, `{"file_rego_versions":{"/p.rego":0}}`, `{"wasm":[{"entrypoint":"p/allow","module":"/policy.wasm"}]}`, `{"Revision":"r"}`} {
		f.Add(unzip(f, pack(f, entry{name: "p.rego", text: policy}, entry{name: ".manifest", text: manifest}, entry{name: "policy.wasm", text: "\x00asm"})))
	}
	f.Add(unzip(f, pack(f, entry{name: "p.rego", text: policy}, entry{name: "patch.json", text: `{"data":[]}`})))
	f.Add(unzip(f, pack(f, entry{name: "p.rego", text: policy}, entry{name: "x/.manifest", text: `{"revision":"x"}`}, entry{name: "a.manifest", text: `{"revision":"a"}`})))
	f.Add(unzip(f, pack(f, entry{name: "p.rego", text: policy}, entry{name: "x/data.yml", text: "a: {b: yes, c: 1.0}"}, entry{name: "data.yaml", text: "x: {d: [~]}"})))
	most := limits{file: 1 << 12, all: 1 << 14, files: 16}
	py := startPython(f)
	f.Fuzz(func(t *testing.T, archive []byte) {
		packed := zip(t, archive)
		snapshot, err := unpack("t", packed, most)
		if err != nil {
			return
		}
		all, seen := int64(0), make(map[string]bool)
		for _, file := range snapshot.Files {
			if got, err := entryPath(file.Path); err != nil || got != file.Path || !Wanted(file.Path) || seen[file.Path] || int64(len(file.Text)) > most.file {
				t.Errorf("%q was taken with %d bytes", file.Path, len(file.Text))
			}
			seen[file.Path] = true
			all += int64(len(file.Text))
		}
		if all > most.all || len(snapshot.Files) > most.files {
			t.Errorf("%d files with %d bytes were taken", len(snapshot.Files), all)
		}
		py.same(t, packed, snapshot)
		if b, err := Parse(snapshot); err == nil {
			sameAsOPAReads(t, packed, b)
		}
	})
}
