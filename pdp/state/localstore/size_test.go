package localstore

import (
	"context"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// listening tells a test of every entry.
type listening struct {
	unwritten
	hear func(*state.Entry)
}

type listeningHeld struct {
	state.Held
	hear func(*state.Entry)
}

func (l listening) Acquire(ctx context.Context, key pdp.PartitionKey) (state.Held, error) {
	held, err := l.unwritten.Acquire(ctx, key)
	return listeningHeld{held, l.hear}, err
}

func (h listeningHeld) Commit(ctx context.Context, e *state.Entry) error {
	h.hear(e)
	return h.Held.Commit(ctx, e)
}

// An entry of a decision, record and effects together, is at most 600 bytes
// (DESIGN 5.6), checksum and padding included.
func TestEntriesAreSmall(t *testing.T) {
	start := time.Now()
	decided, settled := 0, 0
	store := listening{unwritten{newShelf(anybody)}, func(e *state.Entry) {
		size := int(space(int64(len(e.AppendBinary(nil)))))
		switch {
		case e.Kind == state.Settled:
			settled = max(settled, size)
		case e.Effects.Open == nil:
			decided = max(decided, size)
		}
		if size > 600+200 { // a session that begins brings its task and what declares it
			t.Errorf("an entry of %d bytes: %+v", size, e.Record)
		}
	}}
	f := newTraffic(t, store, func() time.Time { start = start.Add(time.Second); return start })
	for i := range 32 {
		if err := f.act(1, i); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("a decision takes up to %d bytes, an outcome %d", decided, settled)
	if decided == 0 || decided > 600 {
		t.Errorf("a decision takes %d bytes", decided)
	}
	if settled == 0 || settled > 200 {
		t.Errorf("an outcome takes %d bytes", settled)
	}
}
