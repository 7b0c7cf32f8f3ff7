package server_test

import (
	"strconv"
	"testing"
)

// BenchmarkHistory is one whole decision, with its outcome, of a session that
// has done as many actions before: it costs the same whatever a session has
// done (invariant 11).
func BenchmarkHistory(b *testing.B) {
	d, done := newDesk(b), 0
	for _, actions := range []int{10, 1_000, 100_000} {
		b.Run(strconv.Itoa(actions), func(b *testing.B) {
			for ; done < actions; done++ {
				d.settle(b, d.decide(b, d.ask()).ID)
			}
			b.ResetTimer()
			measured := cpuTime(b)
			for range b.N {
				d.settle(b, d.decide(b, d.ask()).ID)
				done++
			}
			measured.report()
		})
	}
}
