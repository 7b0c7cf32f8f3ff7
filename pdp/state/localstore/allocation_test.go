package localstore

import (
	"testing"

	"github.com/remit-pdp/remit/pdp"
)

// Neither who writes an entry nor who seals it allocates anything: there are thousands
// in a second.
func TestTheJournalAllocatesNothing(t *testing.T) {
	s := open(t, t.TempDir(), func(o *Options) { o.SegmentBytes = 4 << 20 })
	payload := make([]byte, 500)
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := s.journal.append(t.Context(), kindEntry, payload, false); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("an entry is written with %v allocations", n)
	}
	written := s.journal.current.Load()
	if n := testing.AllocsPerRun(10, func() {
		sealer := sealer{pace: new(pdp.Pace)}
		if _, _, err := readMapped(written.mapping, written.first, 0, sealer.take); err != nil || !sealer.fresh {
			t.Fatal(err)
		}
	}); n > 10 {
		t.Errorf("a thousand entries are sealed with %v allocations", n)
	}
}
