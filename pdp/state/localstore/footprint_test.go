package localstore

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// unwritten is a store without a journal: what it holds is all it takes.
type unwritten struct{ shelf *shelf }

func (u unwritten) Acquire(ctx context.Context, key pdp.PartitionKey) (state.Held, error) {
	slot, err := u.shelf.take(ctx, key, anybody)
	if err != nil {
		return nil, err
	}
	return &unwrittenHeld{u.shelf, key, slot}, nil
}
func (u unwritten) Append(context.Context, *state.Entry) error { return nil }
func (u unwritten) Revoke(context.Context, *state.Entry) error { return nil }
func (u unwritten) Revocations() *state.Revocations            { return nil }
func (u unwritten) Partitions(ctx context.Context, visit func(*state.Partition) error) error {
	return u.shelf.partitions(ctx, visit)
}

type unwrittenHeld struct {
	shelf *shelf
	key   pdp.PartitionKey
	slot  *slot
}

func (h *unwrittenHeld) State() *state.Partition { return h.slot.partition }
func (h *unwrittenHeld) Commit(_ context.Context, e *state.Entry) error {
	h.slot.partition.Apply(e)
	return nil
}
func (h *unwrittenHeld) Release() { h.shelf.give(h.key, h.slot) }

// inUse is the heap in use, garbage collected: the bytes of its objects, and
// with the holes between them.
func inUse() (objects, spans int64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.HeapInuse)
}

// fill makes sessions of 8 actions, each of an agent and a partition of its
// own.
func fill(t testing.TB, shelf *shelf, sessions int) {
	start := time.Now()
	f := newTraffic(t, unwritten{shelf}, func() time.Time { return start })
	var next atomic.Int64
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for n := int(next.Add(1)); n <= sessions; n = int(next.Add(1)) {
				for i := range 8 {
					if err := f.act(n, i); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wait.Wait()
}

// bytesPerSession is what a session of 8 actions takes, with everything that
// leads to it: the heap of so many live sessions, divided by their number. As
// large a part of them is awake as of a million.
func bytesPerSession(t testing.TB, sessions int) (objects, spans int64) {
	objectsBefore, spansBefore := inUse()
	shelf := newShelf(anybody)
	shelf.awake = max(shelf.awake*sessions/1_000_000, 1)
	fill(t, shelf, sessions)
	if sessions < 100_000 { // the least that can be awake is too much of so few
		sweepShelf(shelf)
	}
	objects, spans = inUse()
	if live := shelf.len(); live != sessions {
		t.Fatalf("%d partitions live, want %d", live, sessions)
	}
	return (objects - objectsBefore) / int64(sessions), (spans - spansBefore) / int64(sessions)
}

func (s *shelf) len() (n int) {
	for i := range s.shards {
		s.shards[i].mu.Lock()
		n += len(s.shards[i].slots)
		s.shards[i].mu.Unlock()
	}
	return n
}

// What each of a million live sessions takes: at most 1,024 bytes (DESIGN 5.4).
func BenchmarkBytesPerSession(b *testing.B) {
	for b.Loop() {
		objects, spans := bytesPerSession(b, *liveSessions)
		b.ReportMetric(float64(objects), "bytes/session")
		b.ReportMetric(float64(spans), "bytes-with-holes/session")
	}
	b.ReportMetric(0, "ns/op")
}

func TestBytesPerSession(t *testing.T) {
	objects, _ := bytesPerSession(t, 2000)
	if objects > 1024 {
		t.Errorf("a live session of 8 actions takes %d bytes", objects)
	}
	t.Logf("%d bytes a session", objects)
}
