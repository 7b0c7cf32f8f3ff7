package localstore

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp/state/statetest"
)

// The status tells how much was written and is left, and, before the room is
// used up, that no further file can be made.
func TestStatus(t *testing.T) {
	dir := t.TempDir()
	s, err := openDir(dir, func(o *Options) { o.SegmentBytes = 64 << 10 })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := mustStatus(t, s)
	if before.Problem != nil || before.Free == 0 || before.Room <= 0 || before.Partitions != 0 || !before.Snapshot.IsZero() {
		t.Errorf("an empty store is %+v", before)
	}
	for i := range 3 {
		if err := statetest.Commit(t.Context(), s, statetest.Key(i), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := mustStatus(t, s)
	if after.Written <= before.Written || after.Room >= before.Room || after.Partitions != 3 || time.Since(after.Snapshot) > time.Minute {
		t.Errorf("after three commits: %+v, before: %+v", after, before)
	}

	gone := dir + ".gone"
	if err := os.Rename(dir, gone); err != nil {
		t.Fatal(err)
	}
	for i := 0; mustStatusOf(s).Problem == nil; i++ {
		if i == 10_000 {
			t.Fatal("the status does not tell that no further file can be made")
		}
		if err := statetest.Commit(t.Context(), s, statetest.Key(1), fmt.Sprint(i)); err != nil {
			t.Fatalf("refused before the status told of a problem: %v", err)
		}
	}
	if err := os.Rename(gone, dir); err != nil {
		t.Fatal(err)
	}
}

func mustStatus(t *testing.T, s *Store) Status {
	t.Helper()
	status, err := s.Status()
	if err != nil {
		t.Fatal(err)
	}
	return status
}

func mustStatusOf(s *Store) Status {
	status, _ := s.Status() // the folder is away
	return status
}
