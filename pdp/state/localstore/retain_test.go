package localstore

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/statetest"
)

// commits writes n entries to three partitions and takes two snapshots, so that
// no start needs what came before.
func commits(t *testing.T, s *Store, n int) {
	t.Helper()
	for i := range n {
		if err := statetest.Commit(t.Context(), s, statetest.Key(i%3), fmt.Sprintf("%d-%d", s.End(), i)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := errors.Join(statetest.Commit(t.Context(), s, statetest.Key(0), fmt.Sprint(s.End())), s.Snapshot(t.Context()), s.sealer.seal(false)); err != nil {
			t.Fatal(err)
		}
	}
}

func retaining(r Retention) func(*Options) {
	return func(o *Options) { o.SegmentBytes, o.SnapshotEvery, o.Retention = smallSegment, 1<<40, r }
}

// trimmed is a directory whose first segments were removed in order.
func trimmed(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s, err := openDir(dir, retaining(Retention{Bytes: 3 * smallSegment}))
	if err != nil {
		t.Fatal(err)
	}
	commits(t, s, 300)
	if err := errors.Join(s.retain(), s.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWhatIsKeptIsVerifiedAndReplayed(t *testing.T) {
	dir := t.TempDir()
	s, err := openDir(dir, retaining(Retention{Bytes: 3 * smallSegment}))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // horizon after horizon
		before := s.Kept()
		commits(t, s, 300)
		if err := s.retain(); err != nil {
			t.Fatal(err)
		}
		if kept := int64(s.End() - s.Kept()); s.Kept() <= before || kept < 3*smallSegment || kept > 5*smallSegment {
			t.Errorf("%d bytes are kept, from %d on (before: %d)", kept, s.Kept(), before)
		}
		if r := verified(t, dir); r.Segments > 6 || r.Seals == 0 || r.Begin != s.Kept() {
			t.Errorf("%+v", r)
		}
	}
	live := encodings(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = openDir(dir, retaining(Retention{})); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(encodings(t, s), live) {
		t.Error("the state is another after a start")
	}
	commits(t, s, 50)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	verified(t, dir)
}

// Whatever is missing or changed at the front of what is kept is noticed, by
// whoever reads it.
func TestNobodyElseTakesSegmentsAway(t *testing.T) {
	whole := trimmed(t)
	h, err := readHorizon(whole)
	if err != nil || h.first == 0 {
		t.Fatal(h.first, err)
	}
	for name, harm := range map[string]func(c *copyOf){
		"the first that is kept": func(c *copyOf) { c.remove(c.paths[0]) },
		"the horizon":            func(c *copyOf) { c.remove(filepath.Join(c.dir, horizonFile)) },
		"and a horizon made up": func(c *copyOf) {
			c.remove(c.paths[0])
			later := horizon{first: h.first + smallSegment}
			stranger, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
			if err != nil {
				c.t.Fatal(err)
			}
			keys, err := keysOf(c.dir)
			if err != nil {
				c.t.Fatal(err)
			}
			if err := later.write(c.dir, keys.Name(), stranger.Seal()); err != nil {
				c.t.Fatal(err)
			}
		},
		"a changed chain": func(c *copyOf) {
			b := append([]byte(nil), h.body...)
			b[20] ^= 1
			if err := os.WriteFile(filepath.Join(c.dir, horizonFile), b, 0o600); err != nil {
				c.t.Fatal(err)
			}
		},
		"a short one": func(c *copyOf) {
			if err := os.WriteFile(filepath.Join(c.dir, horizonFile), h.body[:30], 0o600); err != nil {
				c.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := copied(t, whole)
			harm(c)
			if err := c.verify(); !errors.Is(err, ErrCorrupt) {
				t.Errorf("verify: %v", err)
			}
			if s, err := openDir(c.dir, small); !errors.Is(err, ErrCorrupt) {
				t.Errorf("open: %v", err)
				if err == nil {
					s.Close()
				}
			}
		})
	}
}

// A crash between the horizon and the removal leaves segments that nobody reads
// any more; the next start removes them.
func TestRemovalIsFinishedByTheNextStart(t *testing.T) {
	dir := t.TempDir()
	s, err := openDir(dir, retaining(Retention{Bytes: 3 * smallSegment}))
	if err != nil {
		t.Fatal(err)
	}
	commits(t, s, 300)
	oldest := filepath.Join(dir, segmentName(0))
	text, err := os.ReadFile(oldest)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.retain(), s.Close(), os.WriteFile(oldest, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	verified(t, dir)
	open(t, dir, small)
	if _, err := os.Stat(oldest); !os.IsNotExist(err) {
		t.Errorf("the segment is still there: %v", err)
	}
}

// Without a snapshot that reaches as far the state cannot be made again: that is
// an error, not an empty state.
func TestNothingGoesThatAStartNeeds(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, retaining(Retention{Bytes: 1}))
	for i := range 200 {
		if err := statetest.Commit(t.Context(), s, statetest.Key(0), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.sealer.seal(false), s.Snapshot(t.Context()), s.retain()); err != nil || s.Kept() != 0 {
		t.Errorf("with one snapshot it begins at %d: %v", s.Kept(), err)
	}
	c := copied(t, trimmed(t))
	c.forgetSnapshots()
	if _, err := openDir(c.dir, small); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "no good snapshot") {
		t.Errorf("without snapshots: %v", err)
	}
}

func TestRetentionWaitsForTheExport(t *testing.T) {
	hour := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		retention Retention
		exported  float64 // of the journal
		removed   bool
		warned    bool
		denied    bool
	}{
		"nothing is to go":        {Retention{}, 1, false, false, false},
		"it is not too old":       {Retention{Age: 2 * time.Hour}, 1, false, false, false},
		"too old":                 {Retention{Age: time.Minute}, 1, true, false, false},
		"too much":                {Retention{Bytes: 2 * smallSegment}, 1, true, false, false},
		"too much, not exported":  {Retention{Bytes: 2 * smallSegment, MaxLag: 1 << 30}, 0, false, false, false},
		"too old, half exported":  {Retention{Age: time.Minute, MaxLag: 1 << 30}, 0.5, true, false, false},
		"too far behind":          {Retention{Bytes: 2 * smallSegment, MaxLag: 3 * smallSegment}, 0, true, true, false},
		"too far behind, denying": {Retention{Bytes: 2 * smallSegment, MaxLag: 3 * smallSegment, Deny: true}, 0, false, false, true},
		"denying, not far behind": {Retention{Deny: true, MaxLag: 1 << 30}, 0, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			var warned []string
			exported := state.Position(0)
			c.retention.Exported = func() state.Position { return exported }
			bound := c.retention.MaxLag
			s := open(t, t.TempDir(), retaining(c.retention), func(o *Options) {
				o.Retention.MaxLag = 1 << 40
				o.Now = func() time.Time { return hour }
				o.Warn = func(err error) { warned = append(warned, err.Error()) }
			})
			commits(t, s, 300)
			s.options.Retention.MaxLag = bound
			if exported = state.Position(float64(s.End()) * c.exported); c.exported == 0 {
				exported = 0
			}
			if err := s.retain(); err != nil {
				t.Fatal(err)
			}
			if removed := s.Kept() > 0; removed != c.removed || (len(warned) > 0) != c.warned {
				t.Errorf("the journal begins at %d of %d, warned: %v", s.Kept(), s.End(), warned)
			}
			if c.removed && !c.warned && s.Kept() > exported {
				t.Errorf("it begins at %d, %d is exported", s.Kept(), exported)
			}
			allow := &state.Entry{Kind: state.Decided, Record: &state.Record{ID: "allow", Effect: pdp.Allow}}
			if err := s.Append(t.Context(), allow); errors.Is(err, state.ErrBehind) != c.denied || (err != nil) != c.denied {
				t.Errorf("an allow: %v", err)
			}
			deny := &state.Entry{Kind: state.Decided, Record: &state.Record{ID: "deny", Effect: pdp.Deny}}
			if err := s.Append(t.Context(), deny); err != nil {
				t.Errorf("a denial: %v", err)
			}
			exported = s.End()
			if err := s.Append(t.Context(), allow); err != nil {
				t.Errorf("an allow when the export has caught up: %v", err)
			}
		})
	}
}

// Who reads while segments go learns it from Kept, and sees nothing half.
func TestReadingGoesOnBehindTheHorizon(t *testing.T) {
	s := open(t, t.TempDir(), retaining(Retention{Bytes: 3 * smallSegment}))
	commits(t, s, 300)
	if err := s.retain(); err != nil {
		t.Fatal(err)
	}
	var first state.Position
	next, err := s.Read(t.Context(), 0, func(at state.Position, _ *state.Entry) error {
		if first == 0 {
			first = at
		}
		return nil
	})
	if err != nil || first < s.Kept() || next < first || s.Kept() == 0 {
		t.Errorf("read from %d to %d, kept from %d: %v", first, next, s.Kept(), err)
	}
	again := 0
	if _, err := s.Read(t.Context(), first, func(at state.Position, _ *state.Entry) error {
		if again++; again == 1 && at != first {
			t.Errorf("reading on at %d begins at %d", first, at)
		}
		return nil
	}); err != nil || again == 0 {
		t.Error(again, err)
	}
}
