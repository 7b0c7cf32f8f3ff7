package state_test

import (
	"context"
	"math"
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
)

// Where the export is too far behind, an action is denied rather than its evidence
// lost: the denial is recorded, spends nothing and begins no session; with the
// export caught up it goes on. What is allowed already settles all the same.
func TestNothingIsAllowedBeyondTheExport(t *testing.T) {
	exported := state.Position(math.MaxUint64)
	d := newDesk(t, func(o *localstore.Options) {
		o.Retention = localstore.Retention{Exported: func() state.Position { return exported }, MaxLag: 1, Deny: true}
	})
	d.verdict = charging("some", 1)
	before := d.ask("/x")
	exported = 0
	denied := d.ask("/y")
	if before.Effect != pdp.Allow || denied.Effect != pdp.Deny || denied.Class != pdp.Unavailable || denied.Reasons[0].Code != pdp.CodeHistoryDown {
		t.Fatalf("%+v, then %+v", before, denied)
	}
	if got := d.budget("some"); got != [2]int64{0, 1} {
		t.Errorf("the denial was charged: lo, hi = %v", got)
	}
	if err := d.settle(before.ID, pdp.OutcomeDone); err != nil {
		t.Errorf("an outcome: %v", err)
	}
	records := 0
	err := d.reader.Entries(context.Background(), 0, func(_ state.Position, e *state.Entry) error {
		if e.Record != nil && e.Record.ID == denied.ID && e.Record.Effect == pdp.Deny && e.Record.Detail != "" {
			records++
		}
		return nil
	})
	if err != nil || records != 1 {
		t.Errorf("%d records of the denial: %v", records, err)
	}
	exported = math.MaxUint64
	if after := d.ask("/z"); after.Effect != pdp.Allow {
		t.Errorf("with the export caught up: %+v", after)
	}
}
