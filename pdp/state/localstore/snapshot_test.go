package localstore

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/statetest"
)

// settled is a directory with a snapshot in the middle of its journal, and the
// state that both give together.
func settled(t *testing.T) (dir string, live map[pdp.PartitionKey]string) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, dir, small)
	for i := range 60 {
		if err := statetest.Commit(t.Context(), s, statetest.Key(i%7), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		if i == 30 {
			if err := s.Snapshot(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	live = encodings(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, live
}

// Processes that are all killed before they have written as much as is between two
// snapshots take one all the same: what has to be replayed does not get longer
// with every start.
func TestSnapshotsAreTakenHoweverShortTheRuns(t *testing.T) {
	const every = 32 << 10
	dir := t.TempDir()
	for i := 0; ; i++ {
		s := open(t, dir, func(o *Options) { o.SnapshotEvery = every })
		begun := s.End()
		for n := 0; s.End() < begun+every/3; n++ {
			if err := statetest.Commit(t.Context(), s, statetest.Key(n%7), fmt.Sprintf("%d-%d", i, n)); err != nil {
				t.Fatal(err)
			}
		}
		if i == 3 {
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
				paths, err := snapshotPaths(dir)
				if err != nil {
					t.Fatal(err)
				}
				if len(paths) > 0 {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("no snapshot after %d bytes in %d runs", s.End(), i+1)
				}
			}
		}
		// What a kill leaves is what another process would find now. A file that is
		// being made would have another name before it is copied.
		for len(s.journal.next) == 0 {
			time.Sleep(time.Millisecond)
		}
		next := t.TempDir()
		if err := errors.Join(os.CopyFS(next, os.DirFS(dir)), os.Chmod(filepath.Join(next, seedFile), 0o600)); err != nil {
			t.Fatal(err)
		}
		dir = next
	}
}

// What a kill left of a snapshot that was being written is gone with the next
// start.
func TestHalfASnapshotIsRemoved(t *testing.T) {
	dir, live := settled(t)
	half := filepath.Join(dir, snapshotName(12345)+".tmp")
	if err := os.WriteFile(half, []byte(snapshotMagic), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, small)
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if !maps.Equal(encodings(t, s), live) {
		t.Error("the state is another")
	}
}

func TestSnapshotsAreNotNeeded(t *testing.T) {
	for name, harm := range map[string]func(path string, b []byte) error{
		"untouched":  func(string, []byte) error { return nil },
		"deleted":    func(path string, _ []byte) error { return os.Remove(path) },
		"cut":        func(path string, b []byte) error { return os.WriteFile(path, b[:len(b)-9], 0o600) },
		"emptied":    func(path string, _ []byte) error { return os.WriteFile(path, nil, 0o600) },
		"changed":    func(path string, b []byte) error { b[len(b)/2] ^= 1; return os.WriteFile(path, b, 0o600) },
		"half moved": func(path string, _ []byte) error { return os.Rename(path, path+".tmp") },
	} {
		t.Run(name, func(t *testing.T) {
			dir, live := settled(t)
			paths, err := snapshotPaths(dir)
			if err != nil || len(paths) != 2 {
				t.Fatal(paths, err)
			}
			for _, path := range paths {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := harm(path, b); err != nil {
					t.Fatal(err)
				}
			}
			var warned []string
			s := open(t, dir, small, func(o *Options) { o.Warn = func(err error) { warned = append(warned, err.Error()) } })
			if got := encodings(t, s); !maps.Equal(got, live) {
				t.Error("the state is another")
			}
			told := strings.Contains(strings.Join(warned, "\n"), "the journal is replayed from further back")
			if bad := name == "cut" || name == "emptied" || name == "changed"; told != bad {
				t.Errorf("warned of %q", warned)
			}
		})
	}
}

// A snapshot of more than the journal has means that its end is gone. Written
// on, new entries would stand where the snapshot has seen others already.
func TestASnapshotBeyondTheJournalIsRefused(t *testing.T) {
	dir, _ := settled(t)
	earlier := t.TempDir()
	if err := os.CopyFS(earlier, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, small)
	if err := statetest.Commit(t.Context(), s, statetest.Key(1), "later"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The journal of before with the snapshots of after.
	old, err := os.ReadDir(earlier)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range old {
		if !strings.HasSuffix(file.Name(), ".journal") {
			continue
		}
		b, err := os.ReadFile(earlier + "/" + file.Name())
		if err == nil {
			err = os.WriteFile(dir+"/"+file.Name(), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := openDir(dir, small); !errors.Is(err, ErrCorrupt) {
		t.Errorf("it was opened: %v", err)
	}
}

// oldEntry is an entry so long ago that nothing of it matters any more.
func oldEntry(p *state.Partition, id string) *state.Entry {
	e := statetest.Entry(p, id)
	e.At, e.Effects.Charges = p.Last+1, nil
	if e.Effects.Open != nil {
		e.Effects.Open.Expires = 2
	}
	return e
}

func commitOld(t *testing.T, s *Store, key pdp.PartitionKey, id string) uint64 {
	held, err := s.Acquire(t.Context(), key)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer held.Release()
	e := oldEntry(held.State(), id)
	if err := held.Commit(t.Context(), e); err != nil {
		t.Error(err)
	}
	return e.Seq
}

// sweep goes round the shelf often enough that what can be forgotten is.
func sweep(s *Store) { sweepShelf(s.shelf) }

func sweepShelf(s *shelf) {
	for range 3 {
		for i := range s.shards {
			s.sweep(&s.shards[i])
		}
	}
}

// A partition in which nothing matters is forgotten by a sweep, begins anew, and
// replays with any snapshot or none.
func TestForgettingAPartition(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for round := range 3 {
		for i := range 3 {
			if seq := commitOld(t, s, statetest.Key(1), "x"); seq != uint64(i+1) {
				t.Errorf("round %d: entry %d is number %d", round, i+1, seq)
			}
		}
		sweep(s)
		if err := s.Snapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	commitOld(t, s, statetest.Key(1), "x")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s := open(t, dir)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		paths, err := snapshotPaths(dir)
		if err != nil || len(paths) == 0 {
			t.Fatal(err)
		}
		if err := os.Remove(paths[0]); err != nil {
			t.Fatal(err)
		}
	}
}

// Snapshots and sweeps at the same time as each other and as commits, with
// partitions that are forgotten all the time: no commit is lost, no number comes
// twice.
func TestForgettingBesideCommits(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var wait sync.WaitGroup
	var writing atomic.Int64
	writing.Store(4)
	for w := range 4 {
		wait.Go(func() {
			defer writing.Add(-1)
			for i := range 1500 {
				commitOld(t, s, statetest.Key(w%2), fmt.Sprint(w, i))
			}
		})
	}
	for range 3 {
		wait.Go(func() {
			for writing.Load() > 0 {
				if err := s.Snapshot(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 2 {
		wait.Go(func() {
			for writing.Load() > 0 {
				sweep(s)
			}
		})
	}
	wait.Wait()
	last := make(map[pdp.PartitionKey]uint64)
	err := s.Entries(t.Context(), 0, func(at state.Position, e *state.Entry) error {
		if e.Seq != 1 && e.Seq != last[e.Partition]+1 {
			t.Errorf("at %d: number %d comes after number %d", at, e.Seq, last[e.Partition])
		}
		last[e.Partition] = e.Seq
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	abandon(t, s)
	open(t, dir) // it replays
}
