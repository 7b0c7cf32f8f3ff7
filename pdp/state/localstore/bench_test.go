package localstore

import (
	"fmt"
	"sync/atomic"
	"testing"

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
