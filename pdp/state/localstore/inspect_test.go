package localstore_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
)

// open makes a store in dir, with small files.
func open(t *testing.T, dir string) *localstore.Store {
	t.Helper()
	seed, err := localstore.LoadOrCreateSeed(dir)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pdp.NewKeys(seed)
	if err != nil {
		t.Fatal(err)
	}
	store, err := localstore.Open(dir, localstore.Options{Keys: keys, SegmentBytes: 64 << 10, Warn: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func inspect(t *testing.T, dir string) localstore.Inspection {
	t.Helper()
	seen, err := localstore.Inspect(dir)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func TestInspectSeesWhoHoldsTheDirectory(t *testing.T) {
	dir := t.TempDir()
	if _, err := localstore.Inspect(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	if seen := inspect(t, dir); seen.Held || seen.Segments != 0 {
		t.Errorf("an empty directory: %+v", seen)
	}
	store := open(t, dir)
	seen := inspect(t, dir)
	if !seen.Held || seen.Holder != strconv.Itoa(os.Getpid()) || seen.Segment != 64<<10 || seen.Free == 0 || seen.Owner != os.Getuid() {
		t.Errorf("held: %+v", seen)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if seen := inspect(t, dir); seen.Held {
		t.Errorf("let go: %+v", seen)
	}
	if err := open(t, dir).Close(); err != nil {
		t.Errorf("it was looked at, and cannot be opened: %v", err)
	}
}

// fill appends entries until the journal has several files.
func fill(t *testing.T, store *localstore.Store, at time.Time) {
	t.Helper()
	detail := string(make([]byte, 4<<10))
	for i := range 40 {
		e := &state.Entry{Kind: state.Decided, At: at.UnixNano(), Record: &state.Record{ID: strconv.Itoa(i), Detail: detail, Count: 1}}
		if err := store.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func verifyEnd(t *testing.T, dir string) (localstore.Ending, error) {
	t.Helper()
	r, err := localstore.NewReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r.VerifyEnd()
}

func TestTheEndOfAJournal(t *testing.T) {
	dir, at := t.TempDir(), time.Unix(1_700_000_000, 0)
	store := open(t, dir)
	if end, err := verifyEnd(t, dir); err != nil || !end.Newest.IsZero() {
		t.Errorf("nothing: %+v, %v", end, err)
	}
	fill(t, store, at)
	if end, err := verifyEnd(t, dir); err != nil || !end.Newest.Equal(at) || end.Entries == 0 || end.Entries == 40 {
		t.Errorf("while it is written: %+v, %v", end, err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	store = open(t, dir)
	fill(t, store, at)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	end, err := verifyEnd(t, dir)
	if err != nil || filepath.Ext(end.Path) != ".journal" {
		t.Fatalf("%+v, %v", end, err)
	}
	text, err := os.ReadFile(end.Path)
	if err != nil {
		t.Fatal(err)
	}
	text[200] ^= 1
	if err := os.WriteFile(end.Path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := verifyEnd(t, dir); !errors.Is(err, localstore.ErrCorrupt) {
		t.Errorf("a changed byte: %v", err)
	}
}

// The end is read while others write: first so fast that segments end between
// seals, then so slowly that seals stand in them.
func TestTheEndOfAJournalThatGrows(t *testing.T) {
	dir, stop := t.TempDir(), make(chan struct{})
	store := open(t, dir)
	var writers sync.WaitGroup
	for range 2 {
		writers.Go(func() { write(t, store, stop) })
	}
	seals := 0
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		found, err := verifyEnd(t, dir)
		if err != nil {
			t.Fatal(err)
		}
		seals += found.Seals
	}
	close(stop)
	writers.Wait()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if seals == 0 {
		t.Error("no entry was held against a seal")
	}
}

// write appends entries until stop is closed.
func write(t *testing.T, store *localstore.Store, stop <-chan struct{}) {
	for i, began := 0, time.Now(); ; i++ {
		pause := 50 * time.Microsecond
		if time.Since(began) > time.Second {
			pause = 20 * time.Millisecond
		}
		select {
		case <-stop:
			return
		case <-time.After(pause):
		}
		e := &state.Entry{Kind: state.Decided, At: int64(i), Record: &state.Record{ID: strconv.Itoa(i), Detail: "the evidence", Count: 1}}
		if err := store.Append(context.Background(), e); err != nil {
			t.Error(err)
			return
		}
	}
}
