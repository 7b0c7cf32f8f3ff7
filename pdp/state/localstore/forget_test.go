package localstore

import (
	"errors"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/statetest"
)

// neighbour is the key of the n-th partition of one shard.
func neighbour(n int) pdp.PartitionKey { return pdp.PartitionKey{2: byte(n), 15: 1} }

// a testClock is one that a test moves.
type testClock struct{ atomic.Int64 }

func newClock(start time.Time) *testClock {
	c := new(testClock)
	c.Store(start.UnixNano())
	return c
}

func (c *testClock) use(o *Options) { o.Now = func() time.Time { return time.Unix(0, c.Load()) } }

// act is one action of an agent in its own session, which is open for a minute.
func act(t *testing.T, s *Store, key pdp.PartitionKey, at time.Time, change ...func(*state.Entry)) error {
	t.Helper()
	held, err := s.Acquire(t.Context(), key)
	if err != nil {
		return err
	}
	defer held.Release()
	e := statetest.Entry(held.State(), "x")
	e.At, e.Effects.Charges = at.UnixNano(), nil
	e.Effects.Lost, e.Effects.LostMarks = held.State().Lost, held.State().LostMarks
	if o := e.Effects.Open; o != nil {
		o.Shared, o.Expires = true, at.Add(time.Minute).UnixNano()
	}
	for _, f := range change {
		f(e)
	}
	return held.Commit(t.Context(), e)
}

func labelled(e *state.Entry) { e.Effects.Labels = []string{"secret"} }
func budgeted(e *state.Entry) {
	e.Effects.Charges = []state.Charge{{Budget: "b", Scope: pdp.PerAgent, N: 1}}
}

// known says which of the first n neighbours the shelf has something of.
func known(s *Store, n int) (list []int) {
	shard := s.shelf.shard(neighbour(0))
	for i := range n {
		shard.mu.Lock()
		if shard.slots[neighbour(i)] != nil {
			list = append(list, i)
		}
		shard.mu.Unlock()
	}
	return list
}

// What nobody can miss is forgotten, and nothing else; beside a revocation that
// names its session not even that.
func TestWhatIsForgotten(t *testing.T) {
	dir, start := t.TempDir(), time.Now()
	clock := newClock(start)
	s := open(t, dir, clock.use)
	for i, change := range []func(*state.Entry){func(*state.Entry) {}, labelled, budgeted} {
		if err := act(t, s, neighbour(i), start, change); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{time.Hour, 3}, {3 * time.Hour, 2}, {32 * 24 * time.Hour, 1}, {3650 * 24 * time.Hour, 1}} {
		clock.Store(start.Add(c.after).UnixNano())
		sweep(s)
		if got := known(s, 3); len(got) != c.want || got[len(got)-1] != 2 {
			t.Errorf("after %v there are %v, want %d", c.after, got, c.want)
		}
	}
	if err := act(t, s, neighbour(3), start, func(e *state.Entry) { e.Effects.Session, e.Effects.Open.ID = "named", "named" }); err != nil {
		t.Fatal(err)
	}
	if err := s.Revoke(t.Context(), statetest.Revocation(pdp.RevokedSession, "named")); err != nil {
		t.Fatal(err)
	}
	sweep(s)
	if got := known(s, 4); len(got) != 2 {
		t.Errorf("beside a revocation there are %v", got)
	}
}

// crowded is a store with room for four partitions in a shard.
func crowded(o *Options) { o.Partitions = 4 * 1024 }

// Where there is no room counts are given up, then marks, the oldest first: what
// begins later knows it, also after a restart.
func TestGivingUp(t *testing.T) {
	dir, start := t.TempDir(), time.Now().Add(-time.Hour)
	s := open(t, dir, crowded)
	for i, change := range []func(*state.Entry){labelled, func(*state.Entry) {}, budgeted, func(*state.Entry) {}} {
		if err := act(t, s, neighbour(i), start, change); err != nil {
			t.Fatal(err)
		}
	}
	sweep(s)
	lost := func(n int) (counts, marks bool) {
		t.Helper()
		if err := act(t, s, neighbour(n), start); err != nil {
			t.Fatal(err)
		}
		held, err := s.Acquire(t.Context(), neighbour(n))
		if err != nil {
			t.Fatal(err)
		}
		defer held.Release()
		return held.State().Lost > 0, held.State().LostMarks > 0
	}
	for _, c := range []struct {
		n     int
		gone  []int
		marks bool
	}{{4, []int{1}, false}, {5, []int{1, 3}, false}} {
		// Those begun now are used: they are not asleep, and stay.
		if counts, marks := lost(c.n); !counts || marks != c.marks {
			t.Errorf("number %d: counts are lost %v, marks %v", c.n, counts, marks)
		}
		got := make(map[int]bool)
		for _, n := range known(s, 8) {
			got[n] = true
		}
		for _, n := range c.gone {
			if got[n] {
				t.Errorf("after number %d there is still number %d", c.n, n)
			}
		}
		if !got[0] || !got[2] {
			t.Errorf("after number %d there are %v", c.n, got)
		}
	}
	if counts, marks := lost(6); !counts || !marks {
		t.Errorf("number 6: counts are lost %v, marks %v", counts, marks)
	}
	if got := known(s, 1); len(got) != 0 {
		t.Error("the labelled one was not given up")
	}
	before := encodings(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, crowded)
	if got := encodings(t, s); !maps.Equal(got, before) {
		t.Error("the state is another after a restart")
	}
	if s.shelf.lostMarks.Load() == 0 || s.shelf.lostCounts.Load() == 0 {
		t.Error("what was given up is not known after a restart")
	}
}

// What is needed is not given up for anything: then no other partition begins,
// and those that are there go on.
func TestWhatIsNeededIsNotGivenUp(t *testing.T) {
	s := open(t, t.TempDir(), crowded)
	refused := -1
	for i := range 10 {
		if err := act(t, s, neighbour(i), time.Now(), budgeted); err != nil {
			if !errors.Is(err, state.ErrUnavailable) {
				t.Fatal(err)
			}
			refused = i
			break
		}
		sweep(s)
	}
	if refused != 5 { // four, and an eighth of them, rounded up
		t.Errorf("number %d was refused, want number 5", refused)
	}
	if got := known(s, refused); len(got) != refused {
		t.Errorf("there are %v", got)
	}
	if err := act(t, s, neighbour(0), time.Now(), budgeted); err != nil {
		t.Errorf("one that is there: %v", err)
	}
}

// While a snapshot is written nothing leaves the shelf that is replayed over it.
func TestASnapshotKeepsWhatIsReplayedOverIt(t *testing.T) {
	start := time.Now()
	clock := newClock(start)
	s := open(t, t.TempDir(), clock.use)
	if err := act(t, s, neighbour(0), start); err != nil {
		t.Fatal(err)
	}
	sweep(s)
	clock.Add(int64(5 * time.Hour))
	s.shelf.floor.Store(0)
	sweep(s)
	if got := known(s, 1); len(got) != 1 {
		t.Error("it was forgotten beside a snapshot")
	}
	s.shelf.floor.Store(1 << 62)
	sweep(s)
	if got := known(s, 1); len(got) != 0 {
		t.Error("it was not forgotten afterwards")
	}
}

// Few partitions are awake however many are used, and what slept is as it was.
func TestSleep(t *testing.T) {
	s := open(t, t.TempDir())
	for round := range 3 {
		for i := range 200 {
			if err := act(t, s, neighbour(i), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		shard := s.shelf.shard(neighbour(0))
		awake := 0
		shard.mu.Lock() // partitions are put to sleep meanwhile
		for i, slot := range shard.slots {
			if slot.taken || slot.partition != nil {
				awake++
			} else if p, err := state.DecodePartition(slot.asleep); err != nil || p.Key != i || p.Seq != uint64(round+1) {
				t.Errorf("%v: %v", i, err)
			}
		}
		shard.mu.Unlock()
		if awake > s.shelf.awake+4 {
			t.Errorf("%d partitions of a shard are awake, want about %d", awake, s.shelf.awake)
		}
	}
}
