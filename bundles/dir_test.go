package bundles

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// configMap is a folder as Kubernetes mounts a ConfigMap with a nested item:
// files are links through ..data, and ..data is swapped.
func configMap(t *testing.T, dir string, version int) {
	t.Helper()
	stamp := fmt.Sprintf("..2026_11_25_%d", version)
	write(t, filepath.Join(dir, stamp), files{
		"p.rego":              fmt.Sprintf("package p\n\nmarker := %d\n", version),
		"data.json":           fmt.Sprintf(`{"marker": %d}`, version),
		"catalog/a/data.json": fmt.Sprintf(`{"marker": %d}`, version),
	})
	next := filepath.Join(dir, "..data_tmp")
	if err := os.Symlink(stamp, next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, fmt.Sprintf("..2026_11_25_%d", version-1))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"p.rego", "data.json", "catalog"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
}

func fetch(t *testing.T, s Source, mark string) *Snapshot {
	t.Helper()
	snapshot, err := s.Fetch(t.Context(), mark)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

func parse(t *testing.T, s *Snapshot) *Bundle {
	t.Helper()
	b, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAConfigMapIsRead(t *testing.T) {
	dir := t.TempDir()
	configMap(t, dir, 1)
	b := parse(t, fetch(t, Dir(dir), ""))
	if got := asJSON(b.Data); got != `{"catalog":{"a":{"marker":1}},"marker":1}` || len(b.Modules) != 1 {
		t.Errorf("the data is %s, and there are %d modules", got, len(b.Modules))
	}
}

// Whatever moment it is read at, it is of one version.
func TestAConfigMapIsReadWhole(t *testing.T) {
	dir := t.TempDir()
	configMap(t, dir, 1)
	ctx, stop := context.WithCancel(t.Context())
	swapped := make(chan struct{})
	go func() {
		defer close(swapped)
		for version := 2; ctx.Err() == nil; version++ {
			configMap(t, dir, version)
			time.Sleep(150 * time.Millisecond)
		}
	}()
	defer func() { stop(); <-swapped }()
	seen := make(map[string]bool)
	for range 300 {
		b := parse(t, fetch(t, Dir(dir), ""))
		marker := asJSON(b.Data.Get("marker"))
		if nested := asJSON(b.Data.Path("catalog", "a", "marker")); nested != marker {
			t.Fatalf("half of %s with half of %s", marker, nested)
		}
		if got, want := string(b.Modules[0].Text), fmt.Sprintf("package p\n\nmarker := %s\n", marker); got != want {
			t.Fatalf("the data is of %s and the policy is %q", marker, got)
		}
		seen[marker] = true
		time.Sleep(5 * time.Millisecond)
	}
	if len(seen) < 5 {
		t.Errorf("only %d versions were seen: nothing was swapped while it was read", len(seen))
	}
}

func TestAFolderIsReadAgainWhenItChanged(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, files{"p.rego": policy, "data.json": `{"a": 1}`})
	old := time.Now().Add(-time.Hour)
	age := func() {
		for _, name := range []string{"p.rego", "data.json"} {
			if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	age()
	first := fetch(t, Dir(dir), "")
	if again := fetch(t, Dir(dir), first.Mark); again != nil {
		t.Error("an unchanged folder is new")
	}
	for name, change := range map[string]func(){
		"another text":             func() { write(t, dir, files{"data.json": `{"a": 2}`}) },
		"the same size and time":   func() { replace(t, dir, "data.json", `{"a": 3}`); age() },
		"one file more":            func() { write(t, dir, files{"x/q.rego": policy}) },
		"a file with another name": func() { os.Rename(filepath.Join(dir, "p.rego"), filepath.Join(dir, "r.rego")) },
	} {
		mark := fetch(t, Dir(dir), "").Mark
		change()
		if fetch(t, Dir(dir), mark) == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
	// What was just changed is read once more: it may have been again.
	write(t, dir, files{"data.json": `{"a": 5}`})
	fresh := fetch(t, Dir(dir), first.Mark)
	write(t, dir, files{"data.json": `{"a": 6}`})
	later := fetch(t, Dir(dir), fresh.Mark)
	if later == nil {
		t.Fatal("a change within a moment of the last one went unnoticed")
	}
	if got := asJSON(parse(t, later).Data); got != `{"a":6}` {
		t.Errorf("the data is %s", got)
	}
}

// replace puts a new file in the place of one, as an editor does.
func replace(t *testing.T, dir, name, text string) {
	t.Helper()
	write(t, dir, files{name + "~": text})
	if err := os.Rename(filepath.Join(dir, name+"~"), filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// A folder that never comes to rest is not read for ever.
func TestARestlessFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, files{"p.rego": policy})
	for try := 1; ; try++ {
		rested, err := fetchRestless(t, dir)
		if err == nil && rested >= quiet/2 && try < 10 {
			continue // the machine held up whoever changes it: it was at rest
		}
		wantError(t, err, dir, "never at rest")
		return
	}
}

// fetchRestless reads a folder while one of its files is replaced all the time, and
// returns for how long that was not done, at the most.
func fetchRestless(t *testing.T, dir string) (rested time.Duration, err error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		last := time.Now()
		for i := 0; ctx.Err() == nil; i++ {
			replace(t, dir, "data.json", fmt.Sprintf(`{"a": %d}`, i))
			rested, last = max(rested, time.Since(last)), time.Now()
			time.Sleep(5 * time.Millisecond)
		}
		rested = max(rested, time.Since(last))
	}()
	_, err = Dir(dir).Fetch(ctx, "another")
	stop()
	<-done
	return rested, err
}
