package localstore

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/statetest"
)

// BenchmarkCommit is one turn with one commit, by one goroutine or by many on
// partitions of their own, for either durability.
func BenchmarkCommit(b *testing.B) {
	for _, durability := range []string{"os", "sync"} {
		change := func(o *Options) { o.SegmentBytes, o.Sync = 64<<20, durability == "sync" }
		b.Run(durability, func(b *testing.B) {
			s := open(b, b.TempDir(), change)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := statetest.Commit(b.Context(), s, statetest.Key(i%64), "id"); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("%s-parallel", durability), func(b *testing.B) {
			s := open(b, b.TempDir(), change)
			b.ReportAllocs()
			var goroutines atomic.Int64
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				key := statetest.Key(int(goroutines.Add(1)))
				for pb.Next() {
					if err := statetest.Commit(b.Context(), s, key, "id"); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// What revocation adds to an allow: counting itself, and looking whether a
// point covers it, with many points and with none (invariant 11).
func BenchmarkStanding(b *testing.B) {
	for _, points := range []int{0, 1, 10_000} {
		b.Run(fmt.Sprint(points, " points"), func(b *testing.B) {
			entries := make([]*state.Entry, points)
			for i := range entries {
				entries[i] = statetest.Revocation(pdp.RevokedAgent, fmt.Sprint("other", i))
			}
			var none *state.Revocations
			a := newAuthority(none.With(entries...))
			e := statetest.Entry(state.NewPartition(statetest.Key(1)), "x")
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					s := a.enter(e.Partition)
					if err := s.points.Check(e); err != nil {
						b.Error(err)
					}
					s.leave(e.Partition)
				}
			})
		})
	}
}

// BenchmarkSealing is what the sealer spends on an entry of the usual size, and on a
// short one: it reads, checks and chains it.
func BenchmarkSealing(b *testing.B) {
	for _, size := range []int{72, 533} {
		b.Run(fmt.Sprint(size, " bytes"), func(b *testing.B) {
			s := open(b, b.TempDir(), func(o *Options) { o.SegmentBytes = 64 << 20 })
			const entries = 10_000
			for range entries {
				if _, err := s.journal.append(b.Context(), kindEntry, make([]byte, size), false); err != nil {
					b.Fatal(err)
				}
			}
			written := s.journal.current.Load()
			b.ReportAllocs()
			for b.Loop() {
				var sealer sealer
				if _, _, err := readMapped(written.mapping, written.first, 0, sealer.take); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/entries, "ns/entry")
		})
	}
}

// BenchmarkAppend is an entry of the usual size written to the journal.
func BenchmarkAppend(b *testing.B) {
	s := open(b, b.TempDir(), func(o *Options) { o.SegmentBytes, o.SnapshotEvery = 64<<20, 1<<40 })
	payload := make([]byte, 533)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.journal.append(b.Context(), kindEntry, payload, false); err != nil {
			b.Fatal(err)
		}
	}
}
