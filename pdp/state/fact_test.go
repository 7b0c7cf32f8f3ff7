package state_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

func TestLastIsSettledPendingOrUnknown(t *testing.T) {
	r := newRoom(t, plan{})
	r.expect(r.cell("last", "/a"), map[string]any{"keyed": true, "settled": false, "pending": 0, "unknown": 0, "settled_seq": 0,
		"values": "[]", "lost_until_ns": 0, "complete_from_ns": 0, "latest_seq": 0, "kind": `"last"`, "ttl_ns": int64(time.Hour)})
	first, _ := r.ask(remembering("last", "/a", pdp.OnDone))
	began := r.now().UnixNano()
	r.expect(r.cell("last", "/a"), map[string]any{"settled": false, "pending": 1, "unknown": 0, "latest_seq": 1, "latest_at_ns": began})
	r.wait(time.Minute) // at exactly its time it is pending
	r.expect(r.cell("last", "/a"), map[string]any{"pending": 1, "unknown": 0})
	r.wait(1)
	r.expect(r.cell("last", "/a"), map[string]any{"settled": false, "pending": 0, "unknown": 1})
	r.settle(first.ID, pdp.OutcomeDone) // late, and still true
	r.expect(r.cell("last", "/a"), map[string]any{"settled": true, "settled_at_ns": began, "settled_seq": 1, "pending": 0, "unknown": 0})

	// Two in flight that settle in the other order: the later one stays.
	second, _ := r.ask(remembering("last", "/a", pdp.OnDone))
	third, _ := r.ask(remembering("last", "/a", pdp.OnDone))
	r.settle(third.ID, pdp.OutcomeDone)
	r.settle(second.ID, pdp.OutcomeDone)
	r.expect(r.cell("last", "/a"), map[string]any{"settled_seq": 4, "latest_seq": 4, "pending": 0})
	fourth, _ := r.ask(remembering("last", "/a", pdp.OnDone))
	r.settle(fourth.ID, pdp.OutcomeFailed)
	r.expect(r.cell("last", "/a"), map[string]any{"settled_seq": 4, "latest_seq": 4, "pending": 0})
	r.expect(r.cell("last", "/b"), map[string]any{"settled": false})
}

// On which event a memo stands, for every event and every way of an action.
func TestOnWhichEvent(t *testing.T) {
	type way struct {
		effect  pdp.Effect
		outcome pdp.OutcomeState
	}
	done, failed, unknown := way{pdp.Allow, pdp.OutcomeDone}, way{pdp.Allow, pdp.OutcomeFailed}, way{pdp.Allow, pdp.OutcomeUnknown}
	ways := []way{{pdp.Deny, ""}, {pdp.Challenge, ""}, {pdp.Allow, ""}, done, failed, unknown}
	r := newRoom(t, plan{})
	for on, stands := range map[pdp.When]string{
		// settled "s", open "o", not there "-", in the order of ways
		pdp.OnAttempted: "ssssss",
		pdp.OnAllowed:   "--ssss",
		pdp.OnDenied:    "ss----",
		pdp.OnDone:      "--os-o",
		pdp.OnFailed:    "--o-so",
	} {
		for i, w := range ways {
			for _, fact := range []string{"last", "ring"} {
				t.Run(fmt.Sprintf("%s %s %s %s", fact, on, w.effect, w.outcome), func(t *testing.T) {
					r.agent = pdp.Agent{ID: t.Name()} // another partition
					q := remembering(fact, "/a", on)
					q.verdict.Effect = w.effect
					d, _ := r.ask(q)
					if w.outcome != "" {
						r.settle(d.ID, w.outcome)
					}
					if got := standing(r.cell(fact, "/a")); got != stands[i:i+1] {
						t.Errorf("it is %q, want %q", got, stands[i:i+1])
					}
				})
			}
		}
	}
}

func standing(cell value.Value) string {
	if cell.Get("kind").Text() == "ring" {
		switch entries := cell.Get("entries"); {
		case entries.Len() == 0:
			return "-"
		case entries.At(0).Get("state").Text() == "settled":
			return "s"
		default:
			return "o"
		}
	}
	if settled, _ := cell.Get("settled").Bool(); settled {
		return "s"
	}
	if n, _ := cell.Get("pending").Int(); n > 0 {
		return "o"
	}
	return "-"
}

// A key that had to make room is visible as lost, up to when it was used last;
// one that was never there while another was lost is not clean either.
func TestEvictionIsVisible(t *testing.T) {
	r := newRoom(t, plan{})
	times := make(map[string]int64)
	for i := range 10 { // keys: 8
		path := fmt.Sprint("/", i)
		r.ask(remembering("last", path, pdp.OnAllowed))
		times[path] = r.now().UnixNano()
		r.wait(time.Second)
	}
	for _, path := range []string{"/0", "/1", "/never"} {
		r.expect(r.cell("last", path), map[string]any{"settled": false, "lost_until_ns": times["/1"]})
	}
	r.expect(r.cell("last", "/2"), map[string]any{"settled": true, "lost_until_ns": times["/1"]})
	// A key that is used again is not the oldest any more.
	r.ask(remembering("last", "/2", pdp.OnAllowed))
	r.ask(remembering("last", "/10", pdp.OnAllowed))
	r.expect(r.cell("last", "/2"), map[string]any{"settled": true})
	r.expect(r.cell("last", "/3"), map[string]any{"settled": false, "lost_until_ns": times["/3"]})
}

// Too many that wait under one key: those pushed out are visible as lost.
func TestTooManyPendingAreVisible(t *testing.T) {
	r := newRoom(t, plan{})
	var at []int64
	var ids []string
	for range 11 { // 8 may wait
		d, _ := r.ask(remembering("last", "/a", pdp.OnDone))
		at, ids = append(at, r.now().UnixNano()), append(ids, d.ID)
		r.wait(time.Second)
	}
	r.expect(r.cell("last", "/a"), map[string]any{"pending": 8, "lost_until_ns": at[2]})
	for _, id := range ids {
		r.settle(id, pdp.OutcomeFailed)
	}
	r.expect(r.cell("last", "/a"), map[string]any{"settled": false, "pending": 0, "lost_until_ns": at[2]})
}

func TestRingKeepsAResidue(t *testing.T) {
	r := newRoom(t, plan{})
	var at []int64
	for i := range 6 { // ring: 4
		q := remembering("ring", "/a", pdp.OnAllowed)
		q.verdict.Remember[0].Values = []value.Value{value.Int(int64(i + 1))}
		r.ask(q)
		at = append(at, r.now().UnixNano())
		r.wait(time.Second)
	}
	ring := r.cell("ring", "/a")
	r.expect(ring.Get("residue"), map[string]any{"count": 2, "sum": 3, "latest_at_ns": at[1]})
	r.expect(ring.Get("entries").At(0), map[string]any{"at_ns": at[5], "value": 6, "state": `"settled"`, "seq": 6})
	r.expect(ring.Get("entries").At(3), map[string]any{"at_ns": at[2], "value": 3})
	if n := ring.Get("entries").Len(); n != 4 {
		t.Errorf("%d entries", n)
	}
}

// A key lives for its time after its last use, closed, and what has run out
// makes room without being lost.
func TestTimeToLive(t *testing.T) {
	r := newRoom(t, plan{}).claim("s")
	r.ask(remembering("last", "/a", pdp.OnAllowed))
	r.wait(time.Hour)
	r.expect(r.cell("last", "/a"), map[string]any{"settled": true})
	r.wait(1)
	r.expect(r.cell("last", "/a"), map[string]any{"settled": false, "lost_until_ns": 0})
	for i := range 8 {
		r.ask(remembering("last", fmt.Sprint("/", i), pdp.OnAllowed))
	}
	r.expect(r.cell("last", "/0"), map[string]any{"settled": true, "lost_until_ns": 0})
}

// Since when a fact is complete: always where its scope began with it, else
// since the decision that first knew it, also when it was left out meanwhile or
// is kept in another way.
func TestCompleteFrom(t *testing.T) {
	base := pdp.Fact{Name: "f", Kind: pdp.FactLast, Scope: pdp.PerPartition, TTL: time.Hour, Keys: 8,
		Lookup: map[string][][]string{"here": {{"request", "path"}}}}
	for name, change := range map[string]func(*pdp.Fact){
		"the same":            func(*pdp.Fact) {},
		"more keys":           func(f *pdp.Fact) { f.Keys = 9 },
		"another kind":        func(f *pdp.Fact) { f.Kind, f.Ring = pdp.FactRing, 3 },
		"another scope":       func(f *pdp.Fact) { f.Scope = pdp.PerAgent },
		"longer kept":         func(f *pdp.Fact) { f.TTL = 2 * time.Hour },
		"clear keys":          func(f *pdp.Fact) { f.Clear = true },
		"left out meanwhile":  nil,
		"left out of outcome": nil,
		"without a decision":  nil,
		"in a session of now": func(f *pdp.Fact) { f.Scope = pdp.PerSession },
	} {
		t.Run(name, func(t *testing.T) {
			fact := base
			with := func(gen string, f *pdp.Fact) *pdp.Declarations {
				d := &pdp.Declarations{Facts: map[string]*pdp.Fact{}}
				if f != nil {
					d.Facts["f"] = f
				}
				return d
			}
			r := newRoom(t, plan{declared: with("g1", &fact)})
			id := r.allowed().ID
			r.expect(r.cell("f", "/a"), map[string]any{"complete_from_ns": 0})
			r.wait(time.Minute)
			if change == nil {
				r.gen, r.declared = "g2", with("g2", nil)
				switch name {
				case "left out meanwhile":
					r.allowed()
				case "left out of outcome": // whose rules could not note it
					r.settle(id, pdp.OutcomeDone)
				}
				r.wait(time.Minute)
			}
			changed := base
			if change != nil {
				change(&changed)
			}
			r.gen, r.declared = "g3", with("g3", &changed)
			want := r.now().UnixNano()
			switch name {
			case "the same", "more keys", "without a decision":
				want = 0
			case "in a session of now":
				r.claim("new").allowed()
				want = 0
			}
			r.expect(r.cell("f", "/a"), map[string]any{"complete_from_ns": want})
			r.allowed()
			r.wait(time.Minute)
			r.expect(r.cell("f", "/a"), map[string]any{"complete_from_ns": want})
		})
	}
}

// A request that has not got the key reads as one that nobody can tell about.
func TestAKeyThatIsNotThere(t *testing.T) {
	d := standard()
	d.Facts["last"].Lookup["here"] = [][]string{{"action", "arguments", "id"}}
	r := newRoom(t, plan{declared: d})
	r.expect(r.cell("last", "/a"), map[string]any{"keyed": false, "settled": false, "pending": 0})
}

// Invariant 7: keys and values of a fact that is not clear are nowhere in the
// partition, and are recognised all the same.
func TestFingerprintedFacts(t *testing.T) {
	for fact, clear := range map[string]bool{"last": true, "hash": false} {
		r := newRoom(t, plan{})
		q := remembering(fact, "/very-secret-path", pdp.OnAllowed)
		q.verdict.Remember[0].Values = []value.Value{value.Str("very-secret-value"), value.Int(3)}
		q.target = pdp.Target{ID: "t"}
		r.ask(q)
		kept := string(r.partition())
		for _, secret := range []string{"very-secret-path", "very-secret-value"} {
			if strings.Contains(kept, secret) != clear {
				t.Errorf("%s: %s is kept readable: %v", fact, secret, !clear)
			}
		}
		cell := r.cell(fact, "/very-secret-path")
		r.expect(cell, map[string]any{"settled": true})
		if got := cell.Get("values").At(0).Text(); (got == "very-secret-value") != clear || got == "" {
			t.Errorf("%s: the value reads %q", fact, got)
		}
		r.expect(r.cell(fact, "/other"), map[string]any{"settled": false})
	}
}

// A table whose last key was dropped is written to again, also after a restart.
func TestAnEmptiedTableIsWrittenAgain(t *testing.T) {
	r := newRoom(t, plan{})
	d, _ := r.ask(remembering("last", "/a", pdp.OnDone))
	r.settle(d.ID, pdp.OutcomeFailed)
	r.close()
	r.open()
	r.ask(remembering("last", "/a", pdp.OnAllowed))
	r.expect(r.cell("last", "/a"), map[string]any{"settled": true})
}
