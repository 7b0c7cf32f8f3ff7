package state_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/statetest"
)

// records are the journal's, in order, the session ones left out.
func (r *room) records() (list []*state.Record) {
	r.t.Helper()
	err := r.store.Entries(context.Background(), 0, func(_ state.Position, e *state.Entry) error {
		if e.Record != nil {
			list = append(list, e.Record)
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

func counted(records []*state.Record) (n int64) {
	for _, r := range records {
		n += r.Count
	}
	return n
}

// nobodysRoom records at most rate denials of nobody a second one by one.
func nobodysRoom(t *testing.T, rate int) *room {
	settings := state.Defaults
	settings.AnonymousPerSecond = rate
	r := newRoom(t, plan{settings: settings})
	r.agent = pdp.Agent{}
	return r
}

// Invariant 8: above the rate identical denials of nobody share a record with
// their count; different ones do not, allows never do, and nothing is lost.
func TestAFloodOfNobodyIsCounted(t *testing.T) {
	r := nobodysRoom(t, 10)
	var wait sync.WaitGroup
	for i := range 500 {
		wait.Go(func() {
			q := question{envelope: pdp.Envelope{Listener: fmt.Sprint("l", i%2), Proxy: "envoy"}}
			if i%50 == 0 {
				q.verdict.Effect = pdp.Allow
			}
			if _, _, err := r.decide(t.Context(), q); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if err := r.history.Close(); err != nil {
		t.Fatal(err)
	}
	records := r.records()
	allows := 0
	for _, record := range records {
		if record.Effect == pdp.Allow {
			allows++
			if record.Count != 1 {
				t.Errorf("an allow stands for %d", record.Count)
			}
		}
	}
	if n := counted(records); n != 500 || allows != 10 {
		t.Errorf("the records stand for %d decisions, %d of them allows; want 500 and 10", n, allows)
	}
	if len(records) > 10+10+2 {
		t.Errorf("%d records for a flood", len(records))
	}
}

// Within a second or so what was held back is written without anybody's help.
func TestWhatIsHeldBackIsWrittenSoon(t *testing.T) {
	r := nobodysRoom(t, 1)
	for range 5 {
		r.act(pdp.Verdict{})
	}
	if n := counted(r.records()); n != 1 {
		t.Errorf("%d are recorded at once, want 1", n)
	}
	for end := time.Now().Add(10 * time.Second); counted(r.records()) != 5; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d are recorded, want 5", counted(r.records()))
		}
	}
	r.wait(time.Second) // a new second has its own
	r.act(pdp.Verdict{})
	if n := counted(r.records()); n != 6 {
		t.Errorf("%d are recorded in the next second, want 6", n)
	}
}

// A store that is down loses nothing that was counted, and from then on a
// denial is told when it cannot be recorded.
func TestAFloodWhileTheStoreIsDown(t *testing.T) {
	r := nobodysRoom(t, 1)
	down := errors.New("down")
	fail := func(op statetest.Op, _ int) error {
		if op == statetest.OnAppend {
			return down
		}
		return nil
	}
	for range 4 {
		r.act(pdp.Verdict{})
	}
	r.faulty.Fail(fail)
	if err := r.history.Close(); !errors.Is(err, down) {
		t.Errorf("closing says %v", err)
	}
	if _, _, err := r.decide(t.Context(), question{}); !errors.Is(err, down) {
		t.Errorf("a denial that could not be recorded: %v", err)
	}
	r.faulty.Fail(nil)
	r.act(pdp.Verdict{})
	if err := r.history.Close(); err != nil {
		t.Fatal(err)
	}
	if n := counted(r.records()); n != 5 {
		t.Errorf("%d are recorded, want the 4 from before and the one after", n)
	}
}

// A denial of somebody is never aggregated.
func TestSomebodysDenialsAreRecordedOneByOne(t *testing.T) {
	r := nobodysRoom(t, 1)
	r.agent = pdp.Agent{ID: "agent"}
	for range 20 {
		r.act(pdp.Verdict{})
	}
	if records := r.records(); len(records) != 20 || counted(records) != 20 {
		t.Errorf("%d records for 20 denials", len(records))
	}
}

// Nor is one that is recorded outside of the partition, because that could not be
// had in time: each has a record, and has it before it is answered.
func TestSomebodysOutagesAreRecordedOneByOne(t *testing.T) {
	r := nobodysRoom(t, 1)
	r.agent = pdp.Agent{ID: "agent", Issuer: "idp"}
	told := make(map[string]bool)
	for range 20 {
		c := r.newCase(question{})
		c.Partition = pdp.PartitionKey{}
		c.Refusal = pdp.Refuse(pdp.Unavailable, pdp.CodeDeadline, "no decision could be made in time", "")
		turn, err := r.history.Begin(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		d, err := turn.Commit(t.Context(), c, pdp.Decision{ID: r.ids.New(c.Partition), Class: c.Refusal.Class, Reasons: []pdp.Reason{c.Refusal.Reason}})
		if err != nil {
			t.Fatal(err)
		}
		turn.Release()
		told[d.ID] = true
	}
	for _, record := range r.records() {
		if record.Count != 1 || !told[record.ID] {
			t.Errorf("record %s stands for %d", record.ID, record.Count)
		}
		delete(told, record.ID)
	}
	if len(told) != 0 {
		t.Errorf("%d answers have no record", len(told))
	}
}

// An allow that comes too late is not recorded as one, for nobody either.
func TestALateAllowOfNobody(t *testing.T) {
	r := nobodysRoom(t, 10)
	ctx, cancel := context.WithCancel(t.Context())
	c := r.newCase(question{})
	turn, err := r.history.Begin(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	d, err := turn.Commit(ctx, c, pdp.Decision{ID: "x", Effect: pdp.Allow})
	if err != nil || d.Effect == pdp.Allow || d.Reasons[0].Code != pdp.CodeDeadline {
		t.Errorf("got %+v, %v", d, err)
	}
	if records := r.records(); len(records) != 1 || records[0].Effect == pdp.Allow {
		t.Errorf("recorded %+v", records)
	}
}

// A caller cannot be denied without a record by asking for what no record has
// room for, and long names stay apart.
func TestLongNamesHaveARecord(t *testing.T) {
	for name, agent := range map[string]pdp.Agent{"nobody": {}, "somebody": {ID: "agent", Issuer: "idp"}} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t, plan{})
			r.agent = agent
			long := strings.Repeat("x", 2<<20)
			for _, end := range []string{"1", "2"} {
				c := r.newCase(question{path: "/" + long + end, tool: long + end, target: pdp.Target{ID: "api:t", System: "api", Resource: "t"}})
				c.Request.Method, c.Request.Host, c.Request.ID = long+end, long+end, long+end
				c.Request.RPC = &pdp.RPC{Method: long + end}
				c.Refusal = pdp.Refuse(pdp.Unreadable, pdp.CodeUnreadable, "m", long+end)
				turn, err := r.history.Begin(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := turn.Commit(t.Context(), c, pdp.Decision{ID: end, Reasons: []pdp.Reason{c.Refusal.Reason}}); err != nil {
					t.Error(err)
				}
				turn.Release()
			}
			records := r.records()
			if len(records) != 2 {
				t.Fatalf("%d records, want 2", len(records))
			}
			a, b := records[0], records[1]
			for i, pair := range [][2]string{{a.Path, b.Path}, {a.Tool, b.Tool}, {a.Method, b.Method}, {a.Host, b.Host},
				{a.RequestID, b.RequestID}, {a.RPC, b.RPC}, {a.Detail, b.Detail}} {
				if pair[0] == pair[1] || len(pair[0]) > 1024 {
					t.Errorf("text %d: %d bytes are kept of two, the same: %v", i, len(pair[0]), pair[0] == pair[1])
				}
			}
		})
	}
}
