package export

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// lines are what files hold, in the order of their names. A line that is not whole
// fails the test unless it is the last of all.
func lines(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), halfSuffix) {
			continue
		}
		file, err := os.Open(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		var in io.Reader = file
		if strings.HasSuffix(entry.Name(), gzipSuffix) {
			if in, err = gzip.NewReader(file); err != nil {
				t.Fatalf("%s: %v", entry.Name(), err)
			}
		}
		for s := bufio.NewScanner(in); s.Scan(); {
			all = append(all, s.Text())
		}
	}
	return all
}

func accept(t *testing.T, f *Files, from, to int) {
	t.Helper()
	var events [][]byte
	for _, p := range positions(from, to) {
		events = append(events, []byte(p))
	}
	if err := f.Accept(t.Context(), events); err != nil {
		t.Fatal(err)
	}
}

func openFiles(t *testing.T, s FileSettings) *Files {
	t.Helper()
	if s.Now == nil {
		s.Now = time.Now
	}
	f, err := OpenFiles(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func fileNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestFilesAreRotatedBySize(t *testing.T) {
	for _, gzipped := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "log")
		f := openFiles(t, FileSettings{Dir: dir, MaxBytes: 100, Gzip: gzipped})
		for i := range 40 {
			accept(t, f, 2*i, 2*i+2)
		}
		names := fileNames(t, dir)
		for i, name := range names {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || !gzipped && info.Size() > 100 || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v %v", name, info, err)
			}
			if closed := i < len(names)-1; strings.HasSuffix(name, gzipSuffix) != (closed && gzipped) {
				t.Errorf("gzip %v: %s is file %d of %d", gzipped, name, i+1, len(names))
			}
		}
		if len(names) < 3 || !slices.Equal(lines(t, dir), positions(0, 80)) {
			t.Errorf("gzip %v: %v hold %v", gzipped, names, lines(t, dir))
		}
	}
}

func TestFilesAreRotatedByAgeAndRemoved(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	f := openFiles(t, FileSettings{Dir: dir, MaxBytes: 1 << 20, MaxAge: time.Hour, Keep: 2, KeepAge: 2 * time.Hour, Now: func() time.Time { return now }})
	for i := range 5 {
		accept(t, f, i, i+1)
		accept(t, f, i, i+1)
		for _, name := range fileNames(t, dir) { // as if they were written now and not at once
			begun, _ := begunAt(name)
			if err := os.Chtimes(filepath.Join(dir, name), begun, begun); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(time.Hour)
		if err := f.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if names := fileNames(t, dir); len(names) != 3 || !slices.Equal(lines(t, dir), []string{"40", "40", "50", "50"}) {
		t.Errorf("%v hold %v", names, lines(t, dir))
	}
	now = now.Add(3 * time.Hour)
	if err := f.Idle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if names := fileNames(t, dir); len(names) != 1 || len(lines(t, dir)) != 0 {
		t.Errorf("%v are left after their time", names)
	}
}

// A clock that is set back does not bring the files out of order.
func TestFilesStayInOrder(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	f := openFiles(t, FileSettings{Dir: dir, MaxBytes: 1, Now: func() time.Time { return now }})
	for i := range 20 {
		accept(t, f, i, i+1)
		now = now.Add(-time.Hour)
	}
	if got := lines(t, dir); !slices.Equal(got, positions(0, 20)) {
		t.Errorf("%v", got)
	}
}

// Whatever a crash leaves, the next one goes on behind the last whole line and
// finishes what was begun.
func TestWhatACrashLeaves(t *testing.T) {
	const first, second = "decisions-20260101T000000.000000000Z.jsonl", "decisions-20260102T000000.000000000Z.jsonl"
	long := strings.Repeat("x", 200<<10)
	for name, c := range map[string]struct {
		files map[string]string // a name that ends in .gz is compressed
		want  []string
		names []string
	}{
		"nothing":              {nil, positions(7, 8), nil},
		"half a line":          {map[string]string{first: "10\n20\n3"}, []string{"10", "20", "80"}, []string{first}},
		"half a long line":     {map[string]string{first: "10\n" + long}, []string{"10", "80"}, []string{first}},
		"half the first line":  {map[string]string{first: "1"}, []string{"80"}, []string{first}},
		"an empty file":        {map[string]string{first: "10\n", second: ""}, []string{"10", "80"}, []string{first + ".gz", second}},
		"half compressed":      {map[string]string{first: "10\n", first + ".gz.tmp": "?", second: "20\n"}, []string{"10", "20", "80"}, []string{first + ".gz", second}},
		"compressed, not gone": {map[string]string{first: "10\n", first + ".gz": "10\n", second: "20\n"}, []string{"10", "20", "80"}, []string{first + ".gz", second}},
		"all closed":           {map[string]string{first: "10\n", first + ".gz": "10\n"}, []string{"10", "80"}, nil},
		"somebody else's":      {map[string]string{first: "10\n", "decisions-notes.txt.gz": "5\n"}, []string{"10", "80", "5"}, []string{first, "decisions-notes.txt.gz"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range c.files {
				path := filepath.Join(dir, file)
				if err := os.WriteFile(strings.TrimSuffix(path, gzipSuffix), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				if strings.HasSuffix(file, gzipSuffix) {
					if err := compress(strings.TrimSuffix(path, gzipSuffix)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if text, both := c.files[first]; both && c.files[first+gzipSuffix] != "" {
				if err := os.WriteFile(filepath.Join(dir, first), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f := openFiles(t, FileSettings{Dir: dir, MaxBytes: 1 << 20, Gzip: true})
			accept(t, f, 7, 8)
			if got := lines(t, dir); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
			if names := fileNames(t, dir); c.names != nil && !slices.Equal(names, c.names) {
				t.Errorf("%v, want %v", names, c.names)
			}
		})
	}
}

// What is written to a file that somebody took away, nobody would ever read.
func TestAFileThatWasTakenAway(t *testing.T) {
	dir := t.TempDir()
	f := openFiles(t, FileSettings{Dir: dir, MaxBytes: 1 << 20})
	accept(t, f, 0, 1)
	if err := os.Rename(f.file.Name(), filepath.Join(dir, "taken")); err != nil {
		t.Fatal(err)
	}
	accept(t, f, 1, 2)
	if names := fileNames(t, dir); len(names) != 2 || !slices.Equal(lines(t, dir), []string{"20", "10"}) {
		t.Errorf("%v hold %v", names, lines(t, dir))
	}
}

// What could not be written is not there twice once it can be.
func TestAFileThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	f := openFiles(t, FileSettings{Dir: dir, MaxBytes: 1 << 20})
	accept(t, f, 0, 1)
	writable := f.file
	readOnly, err := os.Open(writable.Name())
	if err != nil {
		t.Fatal(err)
	}
	f.file = readOnly
	if err := f.Accept(t.Context(), [][]byte{[]byte("20")}); err == nil {
		t.Fatal("it was written to a file that cannot be")
	}
	if err := writable.Close(); err != nil {
		t.Fatal(err)
	}
	accept(t, f, 1, 2)
	if got := lines(t, dir); !slices.Equal(got, positions(0, 2)) {
		t.Errorf("%v", got)
	}
}

// crashing is a sink that stops at a moment of a batch: the process is not there
// any more, whatever the follower does.
type crashing struct {
	*Files
	moment string
	left   int // batches before
	dead   atomic.Bool
}

var errDead = errors.New("dead")

func (c *crashing) Accept(ctx context.Context, events [][]byte) error {
	if c.left--; c.left >= 0 && !c.dead.Load() {
		return c.Files.Accept(ctx, events)
	}
	if c.dead.Swap(true) {
		return errDead
	}
	switch c.moment {
	case "in the middle of a batch":
		if err := c.Files.ready(1); err != nil {
			return err
		}
		text := strings.Join(positions(1000, 1005), "\n") // of what comes later: it must not stay
		if _, err := c.Files.file.WriteString(text[:rand.IntN(4)]); err != nil {
			return err
		}
	case "before the cursor is written":
		if err := c.Files.Accept(ctx, events); err != nil {
			return err
		}
	}
	return errDead
}

func (c *crashing) Idle(ctx context.Context) error {
	if c.dead.Load() {
		return errDead
	}
	return c.Files.Idle(ctx)
}

// The property: over crashes at every moment, rotated and compressed, what the
// files hold is exactly the events, each at least once, in order.
func TestFilesHoldEverything(t *testing.T) {
	moments := []string{"before a batch", "in the middle of a batch", "before the cursor is written", "never"}
	for seed := range 8 {
		dir, cursors, journal := t.TempDir(), t.TempDir(), &paper{}
		settings := FileSettings{Dir: dir, MaxBytes: 200, Gzip: seed%2 == 0}
		repeats := 0
		for round := range 24 {
			sink := &crashing{Files: openFiles(t, settings), moment: moments[(seed+round)%len(moments)], left: rand.IntN(3)}
			if sink.moment == "never" {
				sink.left = 1 << 30
			}
			e := exporting(t, cursors, sink)
			begun(t, e, journal)
			for range 4 {
				journal.write(rand.IntN(12))
				time.Sleep(2 * time.Millisecond)
			}
			for sink.moment != "never" && !sink.dead.Load() { // a slow disk makes few batches of much
				journal.write(1)
				time.Sleep(time.Millisecond)
			}
			ended(t, e, time.Second)
		}
		e := exporting(t, cursors, openFiles(t, settings))
		begun(t, e, journal)
		ended(t, e, 10*time.Second)
		next := 10
		for _, line := range lines(t, dir) {
			at, err := strconv.Atoi(line)
			switch {
			case err != nil || at > next || at%10 != 0:
				t.Fatalf("seed %d: %q stands where %d should", seed, line, next)
			case at < next:
				repeats++
			default:
				next += 10
			}
		}
		if next != int(journal.End()) {
			t.Errorf("seed %d: the files end at %d, the journal at %d", seed, next, journal.End())
		}
		if repeats == 0 {
			t.Errorf("seed %d: nothing came twice: no crash came before a cursor was written", seed)
		}
	}
}

func ExampleFileSettings() {
	fmt.Println(fileName(time.Date(2026, 1, 31, 9, 45, 0, 0, time.UTC)))
	// Output: decisions-20260131T094500.000000000Z.jsonl
}
