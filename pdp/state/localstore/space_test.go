package localstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/statetest"
)

// fullChild commits until no further segment can be made, because no file may
// be larger than a few bytes: what is left of the journal is used up, then
// everything is refused and nothing changes; when there is space again it goes
// on.
func fullChild(dir string) error {
	signal.Ignore(unix.SIGXFSZ) // what a full disk does not send
	const segment = 64 << 10
	s, err := openDir(dir, func(o *Options) { o.SegmentBytes = segment })
	if err != nil {
		return err
	}
	if err := limitFiles(1 << 10); err != nil {
		return err
	}
	ctx := context.Background()
	accepted := uint64(0)
	var refused error
	for range 10_000 {
		if refused = statetest.Commit(ctx, s, statetest.Key(1), fmt.Sprint(accepted)); refused != nil {
			break
		}
		accepted++
	}
	if !errors.Is(refused, state.ErrUnavailable) {
		return fmt.Errorf("after %d entries the store says %v", accepted, refused)
	}
	// What is left may have room for a smaller entry than the one refused.
	smaller := 0
	for s.Append(ctx, &state.Entry{Record: &state.Record{ID: "smaller"}}) == nil {
		smaller++
	}
	for range 20 {
		if err := statetest.Commit(ctx, s, statetest.Key(1), "refused"); !errors.Is(err, state.ErrUnavailable) {
			return fmt.Errorf("a full disk says %v", err)
		}
		if err := s.Append(ctx, &state.Entry{Record: &state.Record{ID: "refused"}}); !errors.Is(err, state.ErrUnavailable) {
			return fmt.Errorf("a full disk says %v", err)
		}
	}
	held, err := s.Acquire(ctx, statetest.Key(1))
	if err != nil {
		return err
	}
	seq := held.State().Seq
	held.Release()
	if seq != accepted {
		return fmt.Errorf("%d entries were accepted, the state is at %d", accepted, seq)
	}
	if err := limitFiles(unix.RLIM_INFINITY); err != nil {
		return err
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		err := statetest.Commit(ctx, s, statetest.Key(1), "space again")
		if err == nil {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("there is space again: %w", err)
		}
	}
	fmt.Println("accepted", accepted+uint64(smaller))
	return s.Close()
}

func limitFiles(size uint64) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	limit.Cur = min(size, limit.Max)
	return unix.Setrlimit(unix.RLIMIT_FSIZE, &limit)
}

func TestAFullDiskRefusesAndDropsNothing(t *testing.T) {
	dir := t.TempDir()
	out, err := child(t, "full", dir).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var accepted int
	if _, err := fmt.Sscanf(string(out), "accepted %d", &accepted); err != nil || accepted < 100 {
		t.Fatalf("the child says %q: %v", out, err)
	}
	r, err := NewReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = r.Entries(t.Context(), 0, func(_ state.Position, e *state.Entry) error {
		if e.Record.ID == "refused" {
			t.Error("what was refused is in the journal")
		}
		n++
		return nil
	})
	if err != nil || n != accepted+1 {
		t.Errorf("%d entries are there, %d were accepted: %v", n, accepted+1, err)
	}
	verified(t, dir)
}

// A segment that is never made ends the wait, by the context or by itself, and
// so does the end of the store.
func TestWaitingForSpaceEnds(t *testing.T) {
	s := open(t, t.TempDir(), func(o *Options) { o.SegmentBytes = 8 << 10 })
	p := <-s.journal.next // nobody makes another one
	defer func() { s.journal.next <- p }()
	full := s.journal.current.Load()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.journal.rotate(ctx, full); !errors.Is(err, state.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	before := patience
	patience = 20 * time.Millisecond
	defer func() { patience = before }()
	if err := s.journal.rotate(t.Context(), full); !errors.Is(err, state.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

// An entry that fits in no segment is refused, and makes none.
func TestATooLargeEntryIsRefused(t *testing.T) {
	dir := t.TempDir()
	const size = 16 << 10
	s := open(t, dir, func(o *Options) { o.SegmentBytes = size })
	for _, n := range []int{size / 2, size - 200, size, maxPayload + 1} {
		e := &state.Entry{Kind: state.Decided, Record: &state.Record{ID: "x", Detail: strings.Repeat("x", n), Count: 1}}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		err := s.Append(ctx, e)
		cancel()
		if fits := len(e.AppendBinary(nil)) <= size-segmentHead-3*entryHead; (err == nil) != fits {
			t.Errorf("an entry with %d bytes: %v", n, err)
		}
	}
	list, err := segments(dir, s.journal.keyName)
	if err != nil || len(list) > 6 {
		t.Errorf("%d segments: %v", len(list), err)
	}
}

// A disk that does not take what it is given is not written to any more: what
// came behind an entry that did not count could not be replayed.
func TestAFailedSyncStopsTheJournal(t *testing.T) {
	dir := t.TempDir()
	before := syncFile
	defer func() { syncFile = before }()
	fail := false
	syncFile = func(f *os.File) error {
		if fail {
			return unix.EIO
		}
		return before(f)
	}
	s, err := openDir(dir, func(o *Options) { o.Sync = true })
	if err != nil {
		t.Fatal(err)
	}
	if err := statetest.Commit(t.Context(), s, statetest.Key(1), "good"); err != nil {
		t.Fatal(err)
	}
	fail = true
	if err := statetest.Commit(t.Context(), s, statetest.Key(1), "bad"); !errors.Is(err, state.ErrUnavailable) || !errors.Is(err, unix.EIO) {
		t.Errorf("got %v", err)
	}
	fail = false
	if err := statetest.Commit(t.Context(), s, statetest.Key(1), "worse"); !errors.Is(err, state.ErrUnavailable) {
		t.Errorf("behind an entry that did not count: %v", err)
	}
	abandon(t, s)
	if err := open(t, dir).Close(); err != nil { // it can be opened again
		t.Error(err)
	}
}

// Closing a session and revoking are on the disk before it counts, whatever the durability.
func TestAnEndOfAuthorityIsSynced(t *testing.T) {
	before := syncFile
	defer func() { syncFile = before }()
	s := open(t, t.TempDir())
	synced := 0
	syncFile = func(f *os.File) error { synced++; return before(f) }
	for _, c := range []struct {
		change func(*state.Effects)
		want   int
	}{
		{func(*state.Effects) {}, 0},
		{func(fx *state.Effects) { fx.Close = true }, 1},
		{func(fx *state.Effects) { fx.Quarantine = true }, 2},
	} {
		held, err := s.Acquire(t.Context(), pdp.PartitionKey{1})
		if err != nil {
			t.Fatal(err)
		}
		e := statetest.Entry(held.State(), "x")
		c.change(e.Effects)
		if err := held.Commit(t.Context(), e); err != nil || synced != c.want {
			t.Errorf("synced %d times, want %d: %v", synced, c.want, err)
		}
		held.Release()
	}
	e := statetest.Revocation(pdp.RevokedAgent, "agent")
	for want, e := range []*state.Entry{3: e, 4: statetest.Lift(e)} {
		if e == nil {
			continue
		}
		if err := s.Revoke(t.Context(), e); err != nil || synced != want {
			t.Errorf("revoking: synced %d times, want %d: %v", synced, want, err)
		}
	}
	syncFile = before
}
