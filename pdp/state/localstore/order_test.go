package localstore

import (
	"errors"
	"os"
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/statetest"
)

// ordering are orders that a session can be given one after the other.
var ordering = []struct {
	kind  pdp.SessionOrderKind
	label string
}{{pdp.ClearLabel, "secret"}, {pdp.ReleaseSession, ""}, {pdp.CloseSession, ""}}

// quarantine commits an action that leaves a label and quarantines its session.
func quarantine(t *testing.T, s *Store) {
	t.Helper()
	held, err := s.Acquire(t.Context(), statetest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	e := statetest.Entry(held.State(), "x")
	e.Effects.Labels, e.Effects.Quarantine = []string{"secret"}, true
	if err := held.Commit(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// Every order is on the disk before it is acknowledged, whatever the durability.
func TestAnOrderIsSynced(t *testing.T) {
	before := syncFile
	defer func() { syncFile = before }()
	s := open(t, t.TempDir())
	quarantine(t, s)
	synced := 0
	syncFile = func(f *os.File) error { synced++; return before(f) }
	for i, o := range ordering {
		if err := statetest.Order(t, s, statetest.Key(1), o.kind, o.label); err != nil || synced != i+1 {
			t.Errorf("%s: synced %d times, want %d: %v", o.kind, synced, i+1, err)
		}
	}
	syncFile = before
}

// A disk that does not take an order acknowledges nothing, and the session is
// as it was.
func TestAnOrderThatIsNotOnTheDisk(t *testing.T) {
	before := syncFile
	defer func() { syncFile = before }()
	s, err := openDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	quarantine(t, s)
	syncFile = func(*os.File) error { return errors.New("the disk is gone") }
	if err := statetest.Order(t, s, statetest.Key(1), pdp.ReleaseSession, ""); !errors.Is(err, state.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	syncFile = before
	held, err := s.Acquire(t.Context(), statetest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	if !held.State().Sessions["s"].Quarantined {
		t.Error("it was released without an acknowledgement")
	}
	held.Release()
	abandon(t, s)
}

// What was ordered comes back from the journal, from a snapshot, and from both,
// after a crash and after an orderly end, and the journal is as it was written.
func TestOrdersAreReplayed(t *testing.T) {
	for name, c := range map[string]struct {
		snapshot, crash, forget bool
	}{
		"from the journal":                {crash: true},
		"from a snapshot and the journal": {snapshot: true, crash: true},
		"from a snapshot":                 {},
		"without the snapshot":            {forget: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			quarantine(t, s)
			for i, o := range ordering {
				if err := statetest.Order(t, s, statetest.Key(1), o.kind, o.label); err != nil {
					t.Fatal(err)
				}
				if c.snapshot && i == 0 {
					if err := s.Snapshot(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			live := encodings(t, s)
			if c.crash {
				abandon(t, s)
			} else if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if c.forget {
				withoutSnapshots(t, dir)
			}
			again := encodings(t, open(t, dir))
			if key := statetest.Key(1); again[key] != live[key] || live[key] == "" {
				t.Error("the partition is another one")
			}
			if report := verified(t, dir); report.Entries != 1+len(ordering) {
				t.Errorf("%d entries, want %d", report.Entries, 1+len(ordering))
			}
		})
	}
}

func withoutSnapshots(t *testing.T, dir string) {
	t.Helper()
	paths, err := snapshotPaths(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
