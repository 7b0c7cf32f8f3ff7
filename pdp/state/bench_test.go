package state_test

import (
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// BenchmarkTurn is one whole turn (begin, view, commit) of an allow with a
// charge and a memo, and the outcome that settles it.
func BenchmarkTurn(b *testing.B) {
	r := newRoom(b, plan{})
	verdict := pdp.Verdict{
		Effect:   pdp.Allow,
		Charges:  []pdp.Charge{{Budget: "window", N: 1}},
		Remember: []pdp.Memo{{Fact: "ring", Key: []value.Value{value.Str("k")}, On: pdp.OnDone}},
	}
	b.ReportAllocs()
	for b.Loop() {
		r.wait(2 * time.Minute) // so that the window always has room
		d := r.act(verdict)
		if d.Effect != pdp.Allow {
			b.Fatal(d.Reasons)
		}
		r.settle(d.ID, pdp.OutcomeDone)
	}
}
