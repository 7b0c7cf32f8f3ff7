package bundles

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestTheLastGoodIsKept(t *testing.T) {
	kept := LastGood(filepath.Join(t.TempDir(), "policy"))
	if _, err := kept.Read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing was kept yet: %v", err)
	}
	for _, text := range []string{policy, "package p\n\n# \xff\x00 is what somebody wrote\n"} {
		want := &Kept{Source: "dir x", At: time.Now().UTC().Truncate(time.Second), Snapshot: Snapshot{Name: "x", Version: "git:1", Mark: "m", Files: []File{{"p.rego", []byte(text)}}}}
		if err := kept.Keep(want); err != nil {
			t.Fatal(err)
		}
		got, err := kept.Read()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	entries, err := os.ReadDir(string(kept))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v: %v", entries, err)
	}
	for path, mode := range map[string]fs.FileMode{string(kept): 0o700, filepath.Join(string(kept), keptFile): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// Any one byte that is another, and any end that is missing, is noticed.
func TestADamagedCopyIsNotUsed(t *testing.T) {
	kept := LastGood(t.TempDir())
	if err := kept.Keep(&Kept{Source: "s", Snapshot: Snapshot{Name: "x", Files: []File{{"p.rego", []byte(policy)}}}}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(string(kept), keptFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := func(what string, at int, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if k, err := kept.Read(); err == nil {
			t.Errorf("%s %d: read as %+v", what, at, k)
		}
	}
	for i := range good {
		flipped := append([]byte(nil), good...)
		flipped[i] ^= 1
		damaged("the byte", i, flipped)
		damaged("the end after", i, good[:i])
	}
	damaged("a byte more", 0, append(append([]byte(nil), good...), ' '))
}
