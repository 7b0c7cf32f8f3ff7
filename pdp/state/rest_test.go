package state_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/value"
)

// held gives a test the agent's partition.
func (r *room) held(read func(*state.Partition)) {
	r.t.Helper()
	held, err := r.store.Acquire(r.t.Context(), r.keys.Partition(r.agent.Root()))
	if err != nil {
		r.t.Fatal(err)
	}
	defer held.Release()
	read(held.State())
}

func (r *room) rest() (rest state.Rest) {
	r.t.Helper()
	r.held(func(p *state.Partition) { rest = p.Rest() })
	return rest
}

// What is given up when nothing of it is wanted any more is not missed: whoever
// comes later finds what nobody's history would show, but for what was counted
// over the agent's life.
func TestNothingIsMissedOfWhatIsForgotten(t *testing.T) {
	missed := func(s pdp.Snapshot, now int64) string {
		text := fmt.Sprint(s.Open, s.Refusal)
		for _, name := range []string{"state", "new", "labels", "actions", "denied", "in_flight", "windows", "after_revocation"} {
			text += "\nsession " + name + " " + string(value.AppendJSON(nil, s.Session.Get(name)))
		}
		for _, name := range []string{"open_sessions", "windows"} {
			text += "\nagent " + name + " " + string(value.AppendJSON(nil, s.Activity.Get(name)))
		}
		s.Memory.Range(func(name string, lookups value.Value) bool {
			lookups.Get("here").Range(func(member string, v value.Value) bool {
				// What no window of the fact reaches back to says nothing.
				if at, _ := v.Int(); strings.HasSuffix(member, "_ns") && member != "ttl_ns" && at < now-int64(time.Hour) {
					v = value.Int(0)
				}
				text += "\n" + name + " " + member + " " + string(value.AppendJSON(nil, v))
				return true
			})
			return true
		})
		return text + "\n" + string(value.AppendJSON(nil, s.Budgets))
	}
	compared := 0
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 11))
		r := newRoom(t, plan{})
		var open []string
		for range 1 + random.IntN(25) {
			r.play(random, &open)
		}
		r.gen = "g1"
		for _, root := range []string{"ann", "bob"} {
			for _, agent := range []string{"a", "b", "c"} {
				r.agent = pdp.Agent{ID: agent, Issuer: "idp", SessionClaim: []string{"", "another"}[random.IntN(2)], Chain: []pdp.Principal{{ID: root}}}
				rest := r.rest()
				if rest.Wanted < rest.Needed {
					t.Fatalf("needed longer than wanted: %+v", rest)
				}
				if time.Duration(rest.Wanted-r.clock.Load()) > 1000*24*time.Hour {
					continue // a budget of the agent's life
				}
				compared++
				before := r.clock.Load()
				r.clock.Store(max(rest.Wanted, before) + 1)
				got := missed(r.view(question{}), r.clock.Load())
				r.agent.Chain = []pdp.Principal{{ID: "nobody ever heard of"}}
				want := missed(r.view(question{}), r.clock.Load())
				for i, line := range strings.Split(got, "\n") {
					if clean := strings.Split(want, "\n")[i]; line != clean {
						t.Errorf("seed %d, %s for %s: %s\nwithout a history: %s", seed, agent, root, line, clean)
					}
				}
				r.clock.Store(before)
			}
		}
	}
	if compared < 20 {
		t.Errorf("only %d histories could be compared", compared)
	}
}

// How long what is kept.
func TestRest(t *testing.T) {
	const second = int64(time.Second)
	month := int64(31 * 24 * time.Hour)
	for _, c := range []struct {
		name   string
		act    func(r *room)
		needed int64 // after the act, to the second
		wanted int64
		marks  bool
	}{
		{"the agent's own session", func(r *room) { r.settled(pdp.Verdict{Effect: pdp.Allow}) }, 30 * 60, 7200, false},
		{"in flight", func(r *room) { r.allowed() }, 3660, 7200, false},
		{"closed", func(r *room) {
			r.settled(pdp.Verdict{Effect: pdp.Allow, Session: pdp.Directive{Close: true}})
		}, 8 * 3600, 8 * 3600, false},
		{"quarantined", func(r *room) {
			r.settled(pdp.Verdict{Effect: pdp.Allow, Session: pdp.Directive{Quarantine: true}})
		}, 8 * 3600, 8 * 3600, false},
		{"a label", func(r *room) { r.settled(labelling("secret")) }, 30 * 60, month / second, true},
		{"a denial", func(r *room) { r.act(pdp.Verdict{}) }, 30 * 60, month / second, true},
		{"a claim's session", func(r *room) { r.claim("s").settled(pdp.Verdict{Effect: pdp.Allow}) }, 8 * 3600, 8*3600 + month/second, true},
		{"a claim's session, closed", func(r *room) {
			r.claim("s").settled(pdp.Verdict{Effect: pdp.Allow, Session: pdp.Directive{Close: true}})
		}, 8*3600 + month/second, 8*3600 + month/second, true},
		{"a budget with a window", func(r *room) { r.settled(charges("window", 1)) }, 17 * 60, 7200, false},
		{"a fact of the agent", func(r *room) { r.settled(remembering("ring", "/x", pdp.OnAllowed).verdict) }, 3600, 7200, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRoom(t, plan{})
			c.act(r)
			rest := r.rest()
			needed, wanted := (rest.Needed-r.clock.Load())/second, (rest.Wanted-r.clock.Load())/second
			if c.name == "a budget with a window" {
				c.needed = 30 * 60 // the session is open longer
			}
			if needed != c.needed || wanted != c.wanted || rest.Marks != c.marks {
				t.Errorf("needed %ds, wanted %ds, marks %v; want %d, %d, %v", needed, wanted, rest.Marks, c.needed, c.wanted, c.marks)
			}
		})
	}
	r := newRoom(t, plan{})
	r.settled(charges("kept", 1))
	if rest := r.rest(); rest.Needed < 1<<62 {
		t.Errorf("a budget of the agent's life is needed until %v", time.Unix(0, rest.Needed))
	}
}

// settled is an allow whose outcome came.
func (r *room) settled(v pdp.Verdict) {
	r.t.Helper()
	d := r.act(v)
	if d.Effect != pdp.Allow {
		r.t.Fatalf("denied: %+v", d.Reasons)
	}
	r.settle(d.ID, pdp.OutcomeDone)
}

// A losing store has given up partitions: which ones is not known.
type losing struct {
	state.Store
	counts, marks int64
}

func (l *losing) Acquire(ctx context.Context, key pdp.PartitionKey) (state.Held, error) {
	held, err := l.Store.Acquire(ctx, key)
	if err == nil && held.State().Seq == 0 {
		held.State().Lose(l.counts, l.marks)
	}
	return held, err
}

// Where counts may have been given up, nobody takes those of an agent that comes
// now for complete; where labels may have been, its session is not clean. So it
// is until they would have ended, and after a restart.
func TestWhatWasGivenUpIsVisible(t *testing.T) {
	r := newRoom(t, plan{})
	now := r.clock.Load()
	store := &losing{Store: r.store, counts: now - int64(5*time.Minute)}
	r.history = state.New(store, r.keys, r.settings, r.now)
	const unknown = 1<<53 - 1
	windows := func(when string, want ...int64) {
		t.Helper()
		for i, name := range []string{"1m", "10m", "1h"} {
			if hi := whole(t, r.view(question{}).Activity.Path("windows", name, "actions", "hi")); hi != want[i] {
				t.Errorf("%s: up to %d actions within %s, want %d", when, hi, name, want[i])
			}
		}
	}
	incomplete := func(when string, want bool) {
		t.Helper()
		if got := r.view(question{}).Session.Path("labels", pdp.LabelIncomplete).Defined(); got != want {
			t.Errorf("%s: the history is incomplete: %v", when, got)
		}
	}
	windows("before the first action", 0, unknown, unknown)
	incomplete("counts were given up", false)
	r.expect(r.view(question{}).Activity, map[string]any{"complete_from_ns": now})
	r.allowed()
	windows("after it", 1, unknown, unknown)
	r.wait(6 * time.Minute)
	windows("later", 0, 1, unknown)
	r.expect(r.view(question{}).Activity, map[string]any{"complete_from_ns": now})

	r.agent.ID, store.marks = "other", r.clock.Load()
	incomplete("labels were given up", true)
	first := r.allowed()
	incomplete("in the session", true)
	r.close()
	r.open()
	incomplete("after a restart", true)
	if again := r.allowed(); again.Session != first.Session {
		t.Fatal("another session")
	}
	r.history = state.New(&losing{Store: r.store, marks: store.marks}, r.keys, r.settings, r.now)
	r.agent.ID = "third"
	r.wait(31*24*time.Hour + 1)
	incomplete("when no label could reach it any more", false)
}

// An agent that goes through sessions leaves little behind, and none of them
// begins again.
func TestSessionsThatEndedStayEnded(t *testing.T) {
	settings := state.Defaults
	settings.MaxPerMinute, settings.MaxOpen = 1<<20, 1<<20
	r := newRoom(t, plan{settings: settings, segment: 16 << 20, declared: &pdp.Declarations{}})
	r.admission.ExpiresIn = time.Minute
	for i := range 200 {
		r.claim(fmt.Sprint("s", i)).settled(pdp.Verdict{Effect: pdp.Allow})
		r.wait(time.Second)
	}
	r.held(func(p *state.Partition) {
		if len(p.Sessions) > 130 || len(p.Ended) == 0 {
			t.Errorf("%d sessions, %d ended", len(p.Sessions), len(p.Ended))
		}
	})
	for _, wait := range []time.Duration{0, time.Hour, 30 * 24 * time.Hour} {
		r.wait(wait)
		for _, i := range []int{0, 1, 60, 100} {
			if code := r.claim(fmt.Sprint("s", i)).denied(); code != pdp.CodeSessionEnded {
				t.Fatalf("session %d after %v: %q", i, wait, code)
			}
		}
	}
}
