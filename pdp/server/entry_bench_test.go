package server_test

import (
	"testing"

	"github.com/remit-pdp/remit/pdp/state"
)

// BenchmarkEntry is the encoding of the entries that a decision makes: its own with
// its record, and its outcome's.
func BenchmarkEntry(b *testing.B) {
	d := newDesk(b)
	for range 2 {
		d.settle(b, d.decide(b, d.ask()).ID)
	}
	var last [2]*state.Entry
	must(b, d.store.Entries(b.Context(), 0, func(_ state.Position, e *state.Entry) error {
		last[0], last[1] = last[1], e
		return nil
	}))
	for i, name := range []string{"decision", "outcome"} {
		b.Run(name, func(b *testing.B) {
			var buffer []byte
			measured := cpuTime(b)
			for b.Loop() {
				buffer = last[i].AppendBinary(buffer[:0])
			}
			measured.report()
			b.ReportMetric(float64(len(buffer)), "bytes")
		})
	}
}
