package outcome

import (
	"context"
	"runtime"
	"testing"
	"time"

	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"

	"github.com/remit-pdp/remit/pdp"
)

// batch is a message as Envoy sends them under load.
func batch(tb testing.TB, n int) string {
	entries := make([]*datav3.HTTPAccessLogEntry, n)
	for i := range entries {
		entries[i] = realistic()
	}
	return string(marshal(tb, messageOf(entries...)))
}

// perEntry measures f, which does something to n entries.
func perEntry(b *testing.B, n int, f func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		f()
	}
	runtime.ReadMemStats(&after)
	each := float64(b.N * n)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/each, "ns/entry")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/each, "allocs/entry")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/each, "B/entry")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRead reads a message of 100 entries, by both readers; and take is what
// the door does with what was read.
func BenchmarkRead(b *testing.B) {
	const n = 100
	message := batch(b, n)
	entries, plain := fromWire(message)
	if !plain {
		b.Fatal("what Envoy sends is not plain")
	}
	b.Run("wire", func(b *testing.B) { perEntry(b, n, func() { fromWire(message) }) })
	b.Run("types", func(b *testing.B) { perEntry(b, n, func() { fromTypes(message) }) })
	door := NewAccessLog(settler(func(context.Context, pdp.Outcome) error { return nil }), time.Now, nil)
	door.Watch("unix:/run/remit/agents.sock", func(Passage) {})
	b.Run("take", func(b *testing.B) { perEntry(b, n, func() { door.take(b.Context(), entries) }) })
}

// A plain message is read with one allocation, which holds its entries.
func TestReadingOffTheWireCopiesNothing(t *testing.T) {
	message := batch(t, 100)
	if n := testing.AllocsPerRun(100, func() { fromWire(message) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
