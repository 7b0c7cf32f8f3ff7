package localstore

import (
	"flag"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// How many live sessions BenchmarkMillion and BenchmarkBytesPerSession have, and
// how long the first one runs.
var (
	liveSessions = flag.Int("sessions", 1_000_000, "live sessions")
	soakTime     = flag.Duration("soak", 20*time.Second, "how long BenchmarkMillion opens sessions")
)

// BenchmarkMillion has a million live sessions, opens and expires ten thousand
// a second beside the decisions that it measures, and reports
//
//	quiet-p99-us    of a turn (begin, read, commit) over a thousand sessions
//	loaded-p99-us   over a million, sessions being opened and forgotten
//	opened/s        sessions begun, and as many forgotten
//	bytes/session   heap in use at the end, garbage collected
//	heap-growth-%   over the second half of the time
//	gc-pause-p99-us, gc-pause-max-us
//
// Time passes a hundred times as fast as it does, so that sessions end and are
// forgotten while it runs.
func BenchmarkMillion(b *testing.B) {
	for b.Loop() {
		million(b)
	}
	b.ReportMetric(0, "ns/op")
}

// A crowdedStore is a store with a journal, and a clock that runs fast.
type crowdedStore struct {
	*traffic
	store *Store
	start time.Time
	speed atomic.Int64
}

func (c *crowdedStore) time() time.Time {
	return c.start.Add(time.Since(c.start) * time.Duration(c.speed.Load()))
}

func newCrowdedStore(b *testing.B) *crowdedStore {
	c := &crowdedStore{start: time.Now()}
	c.speed.Store(1)
	c.store = open(b, b.TempDir(), func(o *Options) {
		o.Now, o.SegmentBytes, o.Partitions = c.time, 64<<20, *liveSessions*3/2
		o.SnapshotEvery = math.MaxInt64
	})
	c.traffic = newTraffic(b, c.store, c.time)
	return c
}

// turns measures turns on the first n agents for a time, and returns the 99th
// percentile in microseconds.
func (c *crowdedStore) turns(b *testing.B, n int, d time.Duration, pause time.Duration) float64 {
	var took []time.Duration
	for i, end := 0, time.Now().Add(d); time.Now().Before(end); i++ {
		q := c.newCase(rand.IntN(n), 1000+i)
		begun := time.Now()
		if _, err := c.decide(q); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
		time.Sleep(pause)
	}
	slices.Sort(took)
	return float64(took[len(took)*99/100].Nanoseconds()) / 1000
}

func million(b *testing.B) {
	const perSecond = 10_000
	c := newCrowdedStore(b)
	for n := range 1000 {
		if err := c.act(n, 0); err != nil {
			b.Fatal(err)
		}
	}
	quiet := c.turns(b, 1000, *soakTime/4, 500*time.Microsecond)
	for n := 1000; n < *liveSessions; n++ {
		if err := c.act(n, 0); err != nil {
			b.Fatal(err)
		}
	}
	before := pauses()
	var opened atomic.Int64
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { // opens sessions at a rate
		defer close(done)
		begun := time.Now()
		for n := 0; ; n++ {
			due := begun.Add(time.Duration(n) * time.Second / perSecond)
			select {
			case <-stop:
				return
			case <-time.After(max(0, time.Until(due))):
			}
			if err := c.act(*liveSessions+n, 0); err != nil {
				b.Error(err)
				return
			}
			opened.Add(1)
		}
	}()
	begun := time.Now()
	half := c.turns(b, *liveSessions, *soakTime/2, 500*time.Microsecond)
	_, middle := inUse()
	loaded := c.turns(b, *liveSessions, *soakTime/2, 500*time.Microsecond)
	close(stop)
	<-done
	rate := float64(opened.Load()) / time.Since(begun).Seconds()
	p99, longest := pauses().since(before)
	_, end := inUse()
	live := c.store.shelf.len()
	b.ReportMetric(quiet, "quiet-p99-us")
	b.ReportMetric(max(half, loaded), "loaded-p99-us")
	b.ReportMetric(rate, "opened/s")
	b.ReportMetric(float64(live), "sessions")
	b.ReportMetric(float64(end)/float64(live), "bytes/session")
	b.ReportMetric(100*(float64(end)/float64(middle)-1), "heap-growth-%")
	b.ReportMetric(p99, "gc-pause-p99-us")
	b.ReportMetric(longest, "gc-pause-max-us")
	runtime.KeepAlive(c)
}

// pauseCounts are how often the world was stopped for the garbage collector, by
// how long.
type pauseCounts struct{ *metrics.Float64Histogram }

func pauses() pauseCounts {
	sample := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(sample)
	return pauseCounts{sample[0].Value.Float64Histogram()}
}

// since returns the 99th percentile and the longest in microseconds.
func (p pauseCounts) since(before pauseCounts) (p99, longest float64) {
	total, seen := uint64(0), uint64(0)
	for i, n := range p.Counts {
		total += n - before.Counts[i]
	}
	for i, n := range p.Counts {
		n -= before.Counts[i]
		if n == 0 {
			continue
		}
		longest = min(p.Buckets[i+1], p.Buckets[i]*2) * 1e6
		if seen += n; p99 == 0 && seen*100 >= total*99 {
			p99 = longest
		}
	}
	return p99, longest
}

// Turns on different partitions share no lock for longer than a look-up: with
// many at a time one costs what it costs alone.
func BenchmarkTurns(b *testing.B) {
	for _, parallel := range []bool{false, true} {
		b.Run(map[bool]string{false: "one at a time", true: "in parallel"}[parallel], func(b *testing.B) {
			shelf := newShelf(anybody)
			b.ReportAllocs()
			if !parallel {
				for i := 0; b.Loop(); i++ {
					turn(b, shelf, i)
				}
				return
			}
			var next atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for i := int(next.Add(1)) << 20; pb.Next(); i++ {
					turn(b, shelf, i)
				}
			})
		})
	}
}

func turn(b *testing.B, shelf *shelf, i int) {
	key := pdp.PartitionKey{byte(i * 7), byte(i * 13), byte(i), 15: 1}
	slot, err := shelf.take(b.Context(), key, anybody)
	if err != nil {
		b.Error(err)
		return
	}
	shelf.give(key, slot)
}

// BenchmarkAct is an action of the starter pack's with its outcome, two entries,
// without a journal and with one.
func BenchmarkAct(b *testing.B) {
	start := time.Now()
	now := func() time.Time { start = start.Add(time.Millisecond); return start }
	for _, written := range []bool{false, true} {
		b.Run(map[bool]string{false: "in memory", true: "journalled"}[written], func(b *testing.B) {
			f := newTraffic(b, unwritten{newShelf(anybody)}, now)
			if written {
				f = newTraffic(b, open(b, b.TempDir(), func(o *Options) { o.SegmentBytes, o.SnapshotEvery = 64<<20, math.MaxInt64 }), now)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := f.act(i%1000, i/1000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
