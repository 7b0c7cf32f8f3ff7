package telemetry

import (
	"syscall"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// What measuring adds to every decision (answers: counting and timing the answer
// and counting what the store accepts) and to one in 16 (steps): the difference
// to the same without. The budget is half a microsecond of CPU together.
func BenchmarkMeasuring(b *testing.B) {
	m := New()
	m.Know([][]byte{[]byte(`"within_task"`)})
	f := &fake{decision: pdp.Decision{Effect: pdp.Allow, Reasons: []pdp.Reason{{Code: "within_task"}}}}
	b.Run("answers=no", func(b *testing.B) { decide(b, f, &fakeStore{}) })
	b.Run("answers=yes", func(b *testing.B) { decide(b, newAnswers(m, "agents", f), m.Store(&fakeStore{})) })

	p := m.NewPoints(f, keys(b), time.Now, nil)
	p.Activate(&pdp.Generation{Reader: f, Verifier: f, Catalog: f, Policy: &fakePolicy{}, Declared: &pdp.Declarations{}})
	b.Run("steps=no", func(b *testing.B) { decide(b, p.plain, &fakeStore{}) })
	b.Run("steps=yes", func(b *testing.B) { decide(b, p.timed, &fakeStore{}) })
}

// decide makes decisions and commits an entry for each.
func decide(b *testing.B, decider Decider, store state.Store) {
	ctx, env := b.Context(), &pdp.Envelope{Received: time.Now()}
	entry := &state.Entry{Kind: state.Decided, Effects: &state.Effects{Flight: &state.Flight{}}}
	b.ReportAllocs()
	defer cpuTime(b)()
	for b.Loop() {
		decider.Decide(ctx, env)
		h, err := store.Acquire(ctx, pdp.PartitionKey{})
		if err != nil {
			b.Error(err)
		}
		if err := h.Commit(ctx, entry); err != nil {
			b.Error(err)
		}
	}
}

// cpuTime reports what the process used: other processes change it less than
// the time that went by.
func cpuTime(b *testing.B) (report func()) {
	b.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := used()
	return func() { b.ReportMetric(float64(used()-start)/float64(b.N), "cpu-ns/op") }
}
