package localstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/statetest"
)

const smallSegment = 8 << 10

func small(o *Options) { o.SegmentBytes = smallSegment }

// manySegments is a directory with several segments, each with seals in it,
// ended in order.
func manySegments(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for round := range 4 {
		s, err := openDir(dir, small)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 60 {
			if err := statetest.Commit(t.Context(), s, statetest.Key(i%3), fmt.Sprintf("%d-%02d", round, i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A copyOf is a journal to be damaged: its segments, by their place.
type copyOf struct {
	t     *testing.T
	dir   string
	paths []string
	bytes [][]byte
}

func copied(t *testing.T, from string) *copyOf {
	t.Helper()
	c := &copyOf{t: t, dir: t.TempDir()}
	if err := os.CopyFS(c.dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(c.dir, seedFile), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.paths, err = filepath.Glob(filepath.Join(c.dir, "*.journal")); err != nil || len(c.paths) < 4 {
		t.Fatal(c.paths, err)
	}
	for _, path := range c.paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c.bytes = append(c.bytes, b)
	}
	return c
}

func (c *copyOf) write(i int) {
	c.t.Helper()
	if err := os.WriteFile(c.paths[i], c.bytes[i], 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *copyOf) remove(paths ...string) {
	c.t.Helper()
	for _, path := range paths {
		if err := os.Remove(path); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *copyOf) forgetSnapshots() {
	c.t.Helper()
	paths, err := snapshotPaths(c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	c.remove(paths...)
}

// entries are the offsets of a segment's entries, and last its end.
func (c *copyOf) entries(i int) (offsets []int64) {
	at := int64(segmentHead)
	for at+entryHead <= int64(len(c.bytes[i])) {
		w := binary.LittleEndian.Uint64(c.bytes[i][at:])
		if w == 0 || wordKind(w) == kindEnd {
			break
		}
		offsets = append(offsets, at)
		at += space(wordLength(w))
	}
	return append(offsets, at)
}

// last is the segment that has the last entry.
func (c *copyOf) last() int {
	i := len(c.paths) - 1
	for len(c.entries(i)) == 1 {
		i--
	}
	return i
}

func (c *copyOf) verify() error {
	c.t.Helper()
	r, err := NewReader(c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	_, err = r.Verify()
	return err
}

var damages = map[string]func(c *copyOf){
	"an entry is zeroed": func(c *copyOf) {
		e := c.entries(1)
		clear(c.bytes[1][e[2]:e[3]])
		c.write(1)
	},
	"an entry is taken out and the rest moved up": func(c *copyOf) {
		e := c.entries(1)
		end := e[len(e)-1] + entryHead
		copy(c.bytes[1][e[2]:], c.bytes[1][e[3]:end])
		clear(c.bytes[1][end-(e[3]-e[2]) : end])
		c.write(1)
	},
	"two entries change places": func(c *copyOf) {
		e := c.entries(1)
		for i := 1; ; i++ {
			if first, second := c.bytes[1][e[i]:e[i+1]], c.bytes[1][e[i+1]:e[i+2]]; len(first) == len(second) {
				kept := bytes.Clone(first)
				copy(first, second)
				copy(second, kept)
				break
			}
		}
		c.write(1)
	},
	"an entry is there twice": func(c *copyOf) {
		last := c.last()
		e := c.entries(last)
		copy(c.bytes[last][e[len(e)-1]:], c.bytes[last][e[0]:e[1]])
		copy(c.bytes[last][e[len(e)-2]:], c.bytes[last][e[0]:e[1]])
		c.write(last)
	},
	"the first segment is gone":                    func(c *copyOf) { c.remove(c.paths[0]) },
	"a segment in the middle is gone":              func(c *copyOf) { c.remove(c.paths[1]) },
	"the last segments are gone":                   func(c *copyOf) { c.remove(c.paths[c.last():]...) },
	"all segments but the first are gone":          func(c *copyOf) { c.remove(c.paths[1:]...) },
	"two segments change places":                   func(c *copyOf) { c.swap(1, 2) },
	"two segments change places, with their heads": func(c *copyOf) { c.swap(1, 2, segmentHead) },
	"a segment is emptied": func(c *copyOf) {
		clear(c.bytes[1][segmentHead:])
		c.write(1)
	},
	"a segment is cut to its entries": func(c *copyOf) {
		last := c.last()
		e := c.entries(last)
		c.bytes[last] = c.bytes[last][:e[len(e)-2]]
		c.write(last)
	},
}

func (c *copyOf) swap(a, b int, keep ...int) {
	head := 0
	if len(keep) > 0 {
		head = keep[0]
	}
	first, second := bytes.Clone(c.bytes[a][head:]), bytes.Clone(c.bytes[b][head:])
	copy(c.bytes[a][head:], second)
	copy(c.bytes[b][head:], first)
	c.write(a)
	c.write(b)
}

// Invariant 8: nothing is taken out, put in or moved unnoticed, also where the
// snapshots were taken away.
func TestDamageIsNoticed(t *testing.T) {
	dir := manySegments(t)
	if err := copied(t, dir).verify(); err != nil {
		t.Fatal(err)
	}
	for name, damage := range damages {
		for _, snapshots := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, snapshots %v", name, snapshots), func(t *testing.T) {
				c := copied(t, dir)
				if damage(c); !snapshots {
					c.forgetSnapshots()
				}
				if err := c.verify(); !errors.Is(err, ErrCorrupt) {
					t.Errorf("it was not noticed: %v", err)
				}
			})
		}
	}
}

// With a snapshot, or an entry behind it, not even the very end can be cut.
func TestACutEndIsNoticed(t *testing.T) {
	c := copied(t, manySegments(t))
	last := c.last()
	e := c.entries(last)
	clear(c.bytes[last][e[len(e)-2]:]) // the closing seal
	c.write(last)
	if err := c.verify(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("it was not noticed: %v", err)
	}
	if _, err := openDir(c.dir, small); !errors.Is(err, ErrCorrupt) {
		t.Errorf("it was opened: %v", err)
	}
}

// An entry that was accepted and sealed cannot be made to look as if it never
// was, whatever the word that says so is changed to.
func TestAcceptedStaysAccepted(t *testing.T) {
	c := copied(t, manySegments(t))
	c.forgetSnapshots()
	for i := range c.paths[:c.last()] {
		e := c.entries(i)
		for _, at := range e[:len(e)-1] {
			top := c.bytes[i][at+7]
			for _, changed := range []byte{0x00, 0x40, 0xC0, 0x01} {
				c.bytes[i][at+7] = changed
				c.write(i)
				if err := c.verify(); !errors.Is(err, ErrCorrupt) {
					t.Errorf("segment %d, byte %d made %#x: not noticed: %v", i, at+7, changed, err)
				}
			}
			c.bytes[i][at+7] = top
			c.write(i)
		}
	}
}

// Whatever space is left in a segment, a seal that goes to the next one is
// good.
func TestASealInTheNextSegment(t *testing.T) {
	dir := t.TempDir()
	for left := int64(entryHead); left < 240; left += 8 {
		s, err := openDir(dir, small)
		if err != nil {
			t.Fatal(err)
		}
		if err := statetest.Commit(t.Context(), s, statetest.Key(1), "x"); err != nil {
			t.Fatal(err)
		}
		seg := s.journal.current.Load()
		fill := int64(len(seg.bytes)) - left - seg.tail.Load() - entryHead
		if fill > 0 {
			if _, err := s.journal.append(t.Context(), kindVoid, make([]byte, fill), false); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if report := verified(t, dir); !report.Closed || report.Unsealed != 0 {
			t.Fatalf("with %d bytes left: %+v", left, report)
		}
	}
}

// A segment that is being ended, whose end is reserved and not accepted yet, is
// looked at again from that end on, not from behind it.
func TestAnEndInTheMaking(t *testing.T) {
	c := copied(t, manySegments(t))
	offsets := c.entries(0)
	at := offsets[len(offsets)-1]
	end := binary.LittleEndian.Uint64(c.bytes[0][at:])
	if wordKind(end) != kindEnd {
		t.Fatalf("there is no end at %d", at)
	}
	file, err := statSegment(c.paths[0])
	if err != nil {
		t.Fatal(err)
	}
	var v verifier
	binary.LittleEndian.PutUint64(c.bytes[0][at:], makeWord(reserved, kindEnd, 0))
	c.write(0)
	if found, err := v.segment(file, 0); found != atPending || err != nil || int64(v.end) != at || v.Pending != 0 {
		t.Errorf("found %d at %d, %d pending, %v; want the end at %d", found, v.end, v.Pending, err, at)
	}
	binary.LittleEndian.PutUint64(c.bytes[0][at:], end)
	c.write(0)
	if found, err := v.segment(file, v.end); found != atEnd || err != nil {
		t.Errorf("found %d, %v, want the end", found, err)
	}
}

// A journal can be verified and read while it is written: nothing is taken for
// damage, and a reader sees every entry once.
func TestReadingBesideWriters(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, func(o *Options) { o.SegmentBytes, o.SnapshotEvery = 16<<10, 32<<10 })
	r, err := NewReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	writing, stop := context.WithCancel(t.Context())
	for w := range 4 {
		wait.Go(func() {
			for i := 0; writing.Err() == nil; i++ {
				if err := statetest.Commit(t.Context(), s, statetest.Key(w), fmt.Sprint(w, "-", i)); err != nil {
					t.Error(err)
					return
				}
				time.Sleep(200 * time.Microsecond)
			}
		})
	}
	followed := make(map[string]int)
	var visits atomic.Int64
	following, enough := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- r.Follow(following, 0, func(_ state.Position, e *state.Entry) error {
			followed[e.Record.ID]++
			visits.Add(1)
			return nil
		})
	}()
	seals := 0
	for end := time.Now().Add(2500 * time.Millisecond); time.Now().Before(end); {
		report, err := r.Verify()
		if err != nil {
			t.Fatalf("%+v: %v", report, err)
		}
		seals = report.Seals
		if err := s.Snapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	wait.Wait()
	if seals == 0 {
		t.Error("nothing was sealed meanwhile")
	}
	var written []string
	if err := s.Entries(t.Context(), 0, func(_ state.Position, e *state.Entry) error {
		written = append(written, e.Record.ID)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); visits.Load() < int64(len(written)) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond) // it looks ten times a second: what it sees again it has seen by then
	enough()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(written, func(id string) bool { return followed[id] != 1 }); i >= 0 || len(followed) != len(written) {
		t.Errorf("of %d entries %d were followed; the first not once is number %d", len(written), len(followed), i)
	}
}
