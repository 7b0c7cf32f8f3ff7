package state_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/value"
)

// forgetSnapshots leaves only the journal.
func (r *room) forgetSnapshots() {
	r.t.Helper()
	paths, err := filepath.Glob(filepath.Join(r.dir, "*.snapshot"))
	if err != nil || len(paths) == 0 {
		r.t.Fatal("no snapshot was there", err)
	}
	for _, path := range paths {
		if err := os.Remove(path); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *room) all() map[pdp.PartitionKey]string {
	r.t.Helper()
	all := make(map[pdp.PartitionKey]string)
	err := r.store.Partitions(context.Background(), func(p *state.Partition) error {
		all[p.Key] = string(p.AppendBinary(nil))
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// playOrder gives a random order about one of the sessions of the agent's
// partition, which may not be as the order takes it to be.
func (r *room) playOrder(random *rand.Rand) {
	r.t.Helper()
	held, err := r.store.Acquire(context.Background(), r.keys.Partition(r.agent.Root()))
	if err != nil {
		r.t.Fatal(err)
	}
	defer held.Release()
	sessions := slices.Sorted(maps.Keys(held.State().Sessions))
	if len(sessions) == 0 {
		return
	}
	s := held.State().Sessions[sessions[random.IntN(len(sessions))]]
	o := &pdp.SessionOrder{Kind: pdp.SessionOrderKinds[random.IntN(3)], Session: s.ID, Reason: "x", Actor: "ada"}
	labels := held.State().Agents[s.Agent].Labels
	switch {
	case s.Quarantined: // or hardly any would be released
		o.Kind = pdp.ReleaseSession
	case o.Kind == pdp.ClearLabel && len(labels) > 0:
		o.Label = labels[random.IntN(len(labels))].Name
	}
	e, err := held.State().Order(o, r.now().UnixNano())
	if err != nil {
		return
	}
	if err := held.Commit(context.Background(), e); err != nil {
		r.t.Fatal(err)
	}
}

// play makes a random step: an action of one of some agents and sessions with
// effects of every kind, an outcome, an order, or time that passes.
func (r *room) play(random *rand.Rand, open *[]string) {
	r.t.Helper()
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	switch n := random.IntN(10); {
	case n == 0:
		r.wait(time.Duration(random.Int64N(int64(40 * time.Minute))))
		return
	case n <= 3 && len(*open) > 0:
		i := random.IntN(len(*open))
		id := (*open)[i]
		*open = append((*open)[:i], (*open)[i+1:]...)
		partition, err := r.ids.Partition(id)
		if err != nil {
			r.t.Fatal(err)
		}
		s, err := r.history.Resume(context.Background(), r.declared, partition, id)
		if err != nil {
			return // it was given up on
		}
		defer s.Release()
		states := []pdp.OutcomeState{pdp.OutcomeDone, pdp.OutcomeFailed, pdp.OutcomeUnknown}
		fx := pdp.Effects{Remember: []pdp.Memo{{Fact: "last", Key: []value.Value{value.Str("outcome")}, On: pdp.OnDone}}}
		if random.IntN(4) == 0 {
			fx.Labels = []string{pick("o1", "o2")}
		}
		if err := s.Commit(context.Background(), pdp.Outcome{DecisionID: id, State: states[random.IntN(3)], ResponseBytes: 7}, fx); err != nil {
			r.t.Fatal(err)
		}
		return
	}
	r.agent = pdp.Agent{ID: pick("a", "b", "c"), Issuer: "idp", SessionClaim: pick("", "s1", "s2", fmt.Sprint("s", random.IntN(40))),
		Chain: []pdp.Principal{{ID: pick("ann", "bob")}}, Credential: pdp.Presented{Fingerprint: pick("c1", "c2", "c3")}}
	r.gen = pick("g1", "g1", "g1", "g1", "g2")
	r.admission = pdp.Admission{Admit: random.IntN(10) > 0, InheritNone: random.IntN(10) == 0, ExpiresIn: time.Duration(random.IntN(3)) * time.Hour}
	v := pdp.Verdict{Effect: pdp.Effect(random.IntN(4)) % 3}
	if random.IntN(2) == 0 {
		v.Effect = pdp.Allow
	}
	for _, budget := range []string{"life", "kept", "window"} {
		if random.IntN(3) == 0 {
			v.Charges = append(v.Charges, pdp.Charge{Budget: budget, N: int64(random.IntN(3) + 1)})
		}
	}
	for _, fact := range []string{"last", "ring", "hash"} {
		for random.IntN(2) == 0 {
			on := pdp.When(pick("attempted", "allowed", "denied", "done", "failed"))
			v.Remember = append(v.Remember, pdp.Memo{Fact: fact, Key: []value.Value{value.Int(random.Int64N(12))}, Values: []value.Value{value.Int(random.Int64N(9))}, On: on})
		}
	}
	if random.IntN(5) == 0 {
		v.Labels = []string{fmt.Sprint("l", random.IntN(100))}
	}
	if random.IntN(8) == 0 {
		r.playOrder(random)
	}
	v.Session = pdp.Directive{Quarantine: random.IntN(80) == 0, Close: random.IntN(60) == 0}
	q := question{path: fmt.Sprint("/", random.IntN(30)), verdict: v, tool: pick("", "t1", "t2"),
		envelope: pdp.Envelope{Proxy: "envoy", HTTPID: fmt.Sprint(random.IntN(500)), TrustID: random.IntN(2) == 0}}
	if d, _ := r.ask(q); d.Effect == pdp.Allow {
		*open = append(*open, d.ID)
	}
}

// State is the fold of the journal: replaying it from its beginning, from a
// snapshot, or entry by entry beside the store gives the same bytes.
func TestReplayGivesTheSameState(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			r := newRoom(t, plan{segment: 256 << 10})
			var open []string
			for step := range 1200 {
				r.play(random, &open)
				if step%300 == 299 { // live, then from a snapshot and on
					before := r.all()
					r.close()
					r.open()
					same(t, "after a restart", before, r.all())
				}
			}
			live := r.all()
			folded := make(map[pdp.PartitionKey]*state.Partition)
			err := r.store.Entries(t.Context(), 0, func(_ state.Position, e *state.Entry) error {
				if folded[e.Partition] == nil {
					folded[e.Partition] = state.NewPartition(e.Partition)
				}
				folded[e.Partition].Apply(e)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			got := make(map[pdp.PartitionKey]string)
			for key, p := range folded {
				got[key] = string(p.AppendBinary(nil))
			}
			same(t, "folded", live, got)
			r.close()
			r.forgetSnapshots()
			r.open()
			same(t, "without snapshots", live, r.all())
		})
	}
}

func same(t *testing.T, when string, want, got map[pdp.PartitionKey]string) {
	t.Helper()
	if len(want) == 0 || len(want) != len(got) {
		t.Errorf("%s: %d partitions, want %d", when, len(got), len(want))
	}
	for key := range want {
		if got[key] != want[key] {
			t.Errorf("%s: partition %s differs (%d bytes, want %d)", when, key, len(got[key]), len(want[key]))
		}
	}
}
