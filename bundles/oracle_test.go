package bundles

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/remit-pdp/remit/pdp/value"
)

// python is Python's reader of archives, running.
type python struct {
	in      io.WriteCloser
	answers *bufio.Reader
}

// An archived is an entry of an archive as Python reads it.
type archived struct {
	Name, Text []byte
	Kind       string
}

func startPython(tb testing.TB) *python {
	tb.Helper()
	command := exec.Command("python3", filepath.Join("testdata", "archive.py"))
	in, err := command.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := command.Start(); err != nil {
		tb.Fatalf("the tests of bundles need python3: %v", err)
	}
	tb.Cleanup(func() {
		in.Close() // which ends it
		if err := command.Wait(); err != nil {
			tb.Errorf("python3: %v", err)
		}
	})
	return &python{in, bufio.NewReader(out)}
}

func (p *python) list(t *testing.T, packed []byte) []archived {
	t.Helper()
	if _, err := p.in.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(packed))), packed...)); err != nil {
		t.Fatal(err)
	}
	line, err := p.answers.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Entries []archived
		Error   string
	}
	if err := json.Unmarshal(line, &answer); err != nil || answer.Error != "" {
		t.Fatalf("Python does not read what is read here: %s %v", answer.Error, err)
	}
	return answer.Entries
}

// same checks that an archive that is accepted holds, to Python, the same
// files with the same bytes and nothing that is neither a file nor a folder. What
// no bundle holds was left aside here.
func (p *python) same(t *testing.T, packed []byte, read *Snapshot) {
	t.Helper()
	ours := make(map[string]string)
	for _, file := range read.Files {
		ours[file.Path] = string(file.Text)
	}
	for _, entry := range p.list(t, packed) {
		file, err := entryPath(string(entry.Name))
		if err != nil || entry.Kind == "other" {
			t.Fatalf("Python reads the entry %q, which is a %s: %v", entry.Name, entry.Kind, err)
		}
		if entry.Kind == "folder" || !Wanted(file) {
			continue
		}
		if text, there := ours[file]; !there || text != string(entry.Text) {
			t.Fatalf("%q holds %q, and to Python %q", entry.Name, text, entry.Text)
		}
		delete(ours, file)
	}
	if len(ours) > 0 {
		t.Fatalf("Python does not read %q", ours)
	}
}

// sameAsOPAReads checks that an archive that makes a bundle makes the same bundle
// to OPA, or none: OPA reads the Rego in it as well. What is hidden is left aside,
// as `opa` is told to where it loads a folder.
func sameAsOPAReads(t *testing.T, packed []byte, ours *Bundle) {
	t.Helper()
	hidden := func(name string, _ fs.FileInfo, _ int) bool {
		file, err := entryPath(name)
		return err == nil && Hidden(file)
	}
	r := bundle.NewCustomReader(bundle.NewTarballLoaderWithBaseURL(bytes.NewReader(packed), "t").WithFilter(hidden)).WithSkipBundleVerification(true)
	theirs, err := r.Read()
	if err != nil {
		return
	}
	data, err := value.FromGo(theirs.Data)
	if err != nil || !value.Equal(ours.Data, data) {
		t.Fatalf("OPA reads the data %s, and it is %s here: %v", asJSON(data), asJSON(ours.Data), err)
	}
	texts := make(map[string]string)
	for _, m := range append(ours.Modules, ours.Tests...) {
		texts[strings.TrimPrefix(m.Path, "t/")] = string(m.Text)
	}
	for _, m := range theirs.Modules {
		file, err := entryPath(m.Path)
		if text, there := texts[file]; err != nil || !there || text != string(m.Raw) {
			t.Fatalf("OPA reads %q in %s, and it is %q here: %v", m.Raw, m.Path, text, err)
		}
		delete(texts, file)
	}
	if len(texts) > 0 || theirs.Type() != bundle.SnapshotBundleType {
		t.Fatalf("OPA reads another bundle: %s, without %q", theirs.Type(), texts)
	}
	m := theirs.Manifest
	if m.RegoVersion != nil && *m.RegoVersion != 1 || len(m.FileRegoVersions) > 0 || len(m.WasmResolvers) > 0 {
		t.Fatalf("OPA reads the bundle otherwise: %+v", m)
	}
	if said := theirs.Manifest.Revision; said != "" && said != ours.Revision {
		t.Fatalf("OPA reads the revision %q, and it is %q here", said, ours.Revision)
	}
}

// archives are read or refused; what is in them Go, Python and OPA write.
func archives(tb testing.TB) map[string][]byte {
	file := func(format tar.Format, name string, records map[string]string) []byte {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		text := policy
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text)), Format: format, PAXRecords: records}); err != nil {
			tb.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			tb.Fatal(err)
		}
		if err := w.Close(); err != nil {
			tb.Fatal(err)
		}
		return out.Bytes()
	}
	long := strings.Repeat("long/", 40) + "p.rego"
	plain := file(tar.FormatUSTAR, "p.rego", nil)
	contiguous, old, star, times, spaced := bytes.Clone(plain), bytes.Clone(plain), bytes.Clone(plain), file(tar.FormatGNU, "p.rego", nil), bytes.Clone(plain)
	contiguous[156] = '7'
	copy(old[257:], "\x00\x00\x00\x00\x00\x00\x00\x00")
	copy(star[508:], "tar\x00")
	copy(times[345:], "00000000017\x00")
	spaced[135] = ' ' // behind the size, as bsdtar writes it
	for _, header := range [][]byte{contiguous, old, star, times, spaced} {
		checksum(header)
	}
	return map[string][]byte{
		"plain": plain, "long in GNU's way": file(tar.FormatGNU, long, nil), "long in POSIX's way": file(tar.FormatPAX, long, nil), "long in a prefix": file(tar.FormatUSTAR, strings.Repeat("longer/", 18)+"p.rego", nil),
		"with a comment": file(tar.FormatPAX, "p.rego", map[string]string{"REMIT.x": "y"}), "not ASCII": file(tar.FormatPAX, "größe/p.rego", nil), "contiguous": contiguous, "of an old form": old, "of Star's form": star, "with GNU's own times": times, "with a space": spaced,
		"sparse":         bytes.Replace(file(tar.FormatPAX, "p.rego", map[string]string{"REM.sparse.name": "q.rego"}), []byte("REM."), []byte("GNU."), 1),
		"without an end": plain[:1024], "one block for an end": plain[:1536], "two archives": append(bytes.Clone(plain), file(tar.FormatUSTAR, "q.rego", nil)...),
		"two archives, the first without an end": append(bytes.Clone(plain[:1024]), file(tar.FormatUSTAR, "q.rego", nil)...), "a block in between": append(bytes.Clone(plain[:1536]), file(tar.FormatUSTAR, "q.rego", nil)...),
	}
}

// checksum makes the first header of an archive good again.
func checksum(header []byte) {
	copy(header[148:156], "        ")
	sum := 0
	for _, b := range header[:block] {
		sum += int(b)
	}
	copy(header[148:], fmt.Sprintf("%06o\x00 ", sum))
}

// What is read of an archive Python reads as well, and OPA.
func TestSameAsOthers(t *testing.T) {
	py := startPython(t)
	for name, archive := range archives(t) {
		for how, packed := range map[string][]byte{"": zip(t, archive), ", in two members": append(zip(t, archive[:700]), zip(t, archive[700:])...)} {
			t.Run(name+how, func(t *testing.T) {
				snapshot, err := unpack("t", packed, inForce)
				if err != nil {
					return
				}
				py.same(t, packed, snapshot)
				if b, err := Parse(snapshot); err == nil {
					sameAsOPAReads(t, packed, b)
				}
			})
		}
	}
}
