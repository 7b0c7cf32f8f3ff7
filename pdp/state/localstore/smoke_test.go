package localstore

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"sync"
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

func testKeys(t testing.TB) *pdp.Keys {
	t.Helper()
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func commit(t testing.TB, s *Store, key pdp.PartitionKey, id string) {
	t.Helper()
	h, err := s.Acquire(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	e := &state.Entry{Kind: state.Decided, At: 1, Partition: key, Seq: h.State().Seq + 1,
		Record: &state.Record{ID: id, Effect: pdp.Allow, Count: 1},
		Effects: &state.Effects{Agent: pdp.Principal{ID: "a"}, Session: "s", Action: state.Acted{Effect: pdp.Allow},
			Flight: &state.Flight{Deadline: 1 << 60}}}
	if h.State().Seq == 0 {
		e.Effects.Open = &state.Opening{ID: "s", Ref: state.Ref{By: state.ByAgent}, Expires: 1 << 62, Task: `{}`}
	}
	if err := h.Commit(context.Background(), e); err != nil {
		t.Fatal(err)
	}
}

func TestSmoke(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		s, err := Open(dir, Options{Keys: testKeys(t), SegmentBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		for g := range 8 {
			wait.Go(func() {
				for i := range 1000 {
					commit(t, s, pdp.PartitionKey{byte(g)}, fmt.Sprint(round, g, i))
				}
			})
		}
		wait.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		report, err := Verify(dir, testKeys(t).Name(), testKeys(t).Seal().Public().(ed25519.PublicKey))
		if err != nil || report.Entries != 8000*(round+1) || !report.Closed || report.Unsealed != 0 {
			t.Fatalf("%+v, %v", report, err)
		}
	}
}
