package localstore

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/statetest"
)

// An allow that was checked before the revocation and is not in the journal yet
// is waited for: neither is the revocation acknowledged before it, nor does it
// stand before it in the journal.
func TestARevocationWaitsForCommits(t *testing.T) {
	s := open(t, t.TempDir())
	under := s.authority.enter(statetest.Key(1)) // an allow has been checked
	acknowledged := make(chan error, 1)
	go func() { acknowledged <- s.Revoke(t.Context(), statetest.Revocation(pdp.RevokedAgent, "agent")) }()
	for len(s.Revocations().All(time.Now())) == 0 {
		time.Sleep(time.Millisecond)
	}
	// From here on others are refused, also while it waits.
	var revoked *state.RevokedError
	if err := statetest.Commit(t.Context(), s, statetest.Key(2), "x"); !errors.As(err, &revoked) {
		t.Errorf("while a revocation waits: %v", err)
	}
	select {
	case err := <-acknowledged:
		t.Fatalf("acknowledged beside an allow that it does not cover: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if n := len(journalOf(t, s)); n != 0 {
		t.Errorf("%d entries stand before the allow", n)
	}
	under.leave(statetest.Key(1))
	if err := <-acknowledged; err != nil {
		t.Fatal(err)
	}
	if entries := journalOf(t, s); len(entries) != 1 || entries[0].Revoking == nil {
		t.Errorf("the journal has %d entries", len(entries))
	}
}

func journalOf(t *testing.T, s *Store) (entries []*state.Entry) {
	t.Helper()
	err := s.Entries(t.Context(), 0, func(_ state.Position, e *state.Entry) error {
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// Whoever gives up waiting has revoked nothing; the next one waits for the
// same allow.
func TestARevocationThatGaveUpDoesNotCount(t *testing.T) {
	s := open(t, t.TempDir())
	under := s.authority.enter(statetest.Key(1))
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	for range 2 {
		if err := s.Revoke(short(), statetest.Revocation(pdp.RevokedAgent, "agent")); !errors.Is(err, state.ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
		if err := statetest.Commit(t.Context(), s, statetest.Key(2), "x"); err != nil {
			t.Errorf("after a revocation that gave up: %v", err)
		}
	}
	under.leave(statetest.Key(1))
	if err := s.Revoke(t.Context(), statetest.Revocation(pdp.RevokedAgent, "agent")); err != nil {
		t.Error(err)
	}
	if n := len(s.authority.retired); n != 0 {
		t.Errorf("%d standings are waited for", n)
	}
}

// What is behind in other segments is on the disk before a revocation is
// acknowledged, whatever the durability.
func TestARevocationIsSyncedWithAllBehindIt(t *testing.T) {
	before := syncFile
	defer func() { syncFile = before }()
	dir := t.TempDir()
	s := open(t, dir, small)
	synced := make(map[string]int)
	syncFile = func(f *os.File) error { synced[f.Name()]++; return before(f) }
	first := s.journal.currentPath()
	for i := 0; s.journal.currentPath() == first; i++ {
		if err := statetest.Commit(t.Context(), s, statetest.Key(i%8), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if len(synced) != 0 {
		t.Fatalf("synced before anybody asked: %v", synced)
	}
	if err := s.Revoke(t.Context(), statetest.Revocation(pdp.RevokedEverything, "")); err != nil {
		t.Fatal(err)
	}
	if synced[first] == 0 || len(synced) != 2 {
		t.Errorf("synced %v, want both segments", synced)
	}
	syncFile = before
}

// A disk that does not take it acknowledges nothing.
func TestARevocationThatIsNotOnTheDisk(t *testing.T) {
	before := syncFile
	defer func() { syncFile = before }()
	dir := t.TempDir()
	s, err := openDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	syncFile = func(*os.File) error { return errors.New("the disk is gone") }
	if err := s.Revoke(t.Context(), statetest.Revocation(pdp.RevokedEverything, "")); !errors.Is(err, state.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	syncFile = before
	if err := statetest.Commit(t.Context(), s, statetest.Key(1), "x"); !errors.Is(err, state.ErrUnavailable) {
		t.Errorf("behind an entry that is not on the disk: %v", err)
	}
	abandon(t, s)
}

// Revocations come back from the journal, from a snapshot, and from both, and
// a reader beside the process sees them.
func TestRevocationsAreReplayed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var last *state.Entry
	for i, subject := range []string{"a", "b", "c", "d"} {
		last = statetest.Revocation(pdp.RevokedAgent, subject)
		if err := s.Revoke(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			if err := s.Snapshot(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Revoke(t.Context(), statetest.Lift(last)); err != nil {
		t.Fatal(err)
	}
	want := string(s.Revocations().AppendBinary(nil))
	keys, err := keysOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	reader := &Reader{dir, keys}
	check := func(how string, r *state.Revocations) {
		if got := string(r.AppendBinary(nil)); got != want {
			t.Errorf("%s: %v, want a, b and c", how, r.All(time.Now()))
		}
	}
	beside, err := reader.Revocations()
	if err != nil {
		t.Fatal(err)
	}
	check("beside the process", beside)
	abandon(t, s)
	s = open(t, dir)
	check("from a snapshot and the journal", s.Revocations())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	check("from a snapshot", s.Revocations())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	withoutSnapshots(t, dir)
	s = open(t, dir)
	check("from the journal", s.Revocations())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	verified(t, dir)
}
