package localstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/statetest"
)

const crashWriters = 8

// writeChild commits from many goroutines until it is killed, and tells what
// was accepted, a line each. Small segments make segments end all the time.
func writeChild(dir string) error {
	s, err := openDir(dir, func(o *Options) { o.SegmentBytes, o.SnapshotEvery = 32<<10, 64<<10 })
	if err != nil {
		return err
	}
	fmt.Println("open")
	failed := make(chan error)
	var n atomic.Int64
	for w := range crashWriters {
		go func() {
			for {
				id := fmt.Sprintf("%d-%d", os.Getpid(), n.Add(1))
				if err := statetest.Commit(context.Background(), s, statetest.Key(w/2), id); err != nil {
					failed <- err
				}
				fmt.Println(id) // one write(2), after the commit
			}
		}()
	}
	go func() { // snapshots at any moment, too
		for {
			if err := s.Snapshot(context.Background()); err != nil {
				failed <- err
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return <-failed
}

// Whatever moment the process is killed at: what it was told is accepted is
// there, once, in an order without holes, and nothing half.
func TestKilledWhileCommitting(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	acknowledged := make(map[string]bool)
	for round := range 20 {
		killed(t, dir, time.Duration(random.IntN(60_000))*time.Microsecond, acknowledged)
		s, err := openDir(dir, func(o *Options) { o.SegmentBytes = 32 << 10 })
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		live := encodings(t, s)
		if round%5 == 4 { // an orderly end between crashes
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		} else {
			abandon(t, s)
		}
		whole(t, dir, acknowledged, live)
	}
	if len(acknowledged) < 1000 {
		t.Errorf("only %d entries were acknowledged: the test says little", len(acknowledged))
	}
}

// killed runs the child, kills it after a while, and adds what it was told.
func killed(t *testing.T, dir string, after time.Duration, acknowledged map[string]bool) {
	t.Helper()
	c := child(t, "write", dir)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "open" {
		t.Fatalf("the child says %q", lines.Text())
	}
	time.AfterFunc(after, func() { c.Process.Kill() })
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "error") {
			t.Fatal(lines.Text())
		}
		acknowledged[lines.Text()] = true
	}
	if err := c.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the child was to be killed: %v", err)
	}
}

// abandon ends a store as a crash would: nothing is sealed, no snapshot taken.
func abandon(t *testing.T, s *Store) {
	t.Helper()
	s.closed.Store(true)
	close(s.stop)
	s.done.Wait()
	close(s.sealer.stop)
	<-s.sealer.done
	if err := errors.Join(s.journal.close(), s.lock.Close()); err != nil {
		t.Fatal(err)
	}
}

// whole checks the journal against what was acknowledged, and its fold against
// the live state.
func whole(t *testing.T, dir string, acknowledged map[string]bool, live map[pdp.PartitionKey]string) {
	t.Helper()
	verified(t, dir)
	r, err := NewReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	folded := make(map[pdp.PartitionKey]*state.Partition)
	err = r.Entries(t.Context(), 0, func(_ state.Position, e *state.Entry) error {
		if found[e.Record.ID] {
			t.Errorf("%s is there twice", e.Record.ID)
		}
		found[e.Record.ID] = true
		p := folded[e.Partition]
		if p == nil {
			p = state.NewPartition(e.Partition)
			folded[e.Partition] = p
		}
		if e.Seq != p.Seq+1 {
			t.Errorf("number %d of partition %s comes after number %d", e.Seq, e.Partition, p.Seq)
		}
		p.Apply(e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for id := range acknowledged {
		if !found[id] {
			t.Fatalf("%s was acknowledged and is gone", id)
		}
	}
	// What was accepted and never told: one at most for each writer and crash.
	if more := len(found) - len(acknowledged); more > crashWriters*20 {
		t.Errorf("%d entries were never acknowledged", more)
	}
	for key, p := range folded {
		if string(p.AppendBinary(nil)) != live[key] {
			t.Errorf("partition %s: snapshot and journal give another state than the whole journal", key)
		}
	}
}

// freezeChild reserves space for an entry and never accepts it, then accepts
// others behind it: what a process killed in the middle of a copy leaves.
func freezeChild(dir string) error {
	s, err := openDir(dir)
	if err != nil {
		return err
	}
	for i := range 3 {
		if err := statetest.Commit(context.Background(), s, statetest.Key(1), fmt.Sprint("before ", i)); err != nil {
			return err
		}
	}
	seg := s.journal.current.Load()
	at := seg.tail.Load()
	if !seg.swap(at, 0, makeWord(reserved, kindEntry, 100)) {
		return errors.New("the tail is taken")
	}
	copy(seg.bytes[at+entryHead:], strings.Repeat("half", 20))
	for i := range 3 {
		if err := statetest.Commit(context.Background(), s, statetest.Key(2), fmt.Sprint("behind ", i)); err != nil {
			return err
		}
	}
	os.Exit(0)
	return nil
}

// A torn entry is nothing, and what was accepted behind it counts.
func TestATornEntryIsSteppedOver(t *testing.T) {
	dir := t.TempDir()
	if out, err := child(t, "freeze", dir).Output(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if report := verified(t, dir); report.Pending != 1 || report.Entries != 6 {
		t.Errorf("%+v, want one pending entry among six", report)
	}
	s := open(t, dir)
	live := encodings(t, s)
	if len(live) != 2 {
		t.Errorf("%d partitions, want 2", len(live))
	}
	if err := statetest.Commit(t.Context(), s, statetest.Key(1), "after"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if report := verified(t, dir); report.Voids != 1 || report.Pending != 0 || report.Entries != 7 || !report.Closed || report.Unsealed != 0 {
		t.Errorf("%+v", report)
	}
}
