package pdp_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// settlement is one that notes what it is asked to commit.
type settlement struct {
	committed *[]pdp.Effects
	released  *int
	fails     error
}

func (settlement) Input(pdp.Outcome) value.Value { return value.Obj() }
func (s settlement) Release()                    { *s.released++ }
func (s settlement) Commit(_ context.Context, _ pdp.Outcome, fx pdp.Effects) error {
	*s.committed = append(*s.committed, fx)
	return s.fails
}

// An outcome settles the action it names, and with what the outcome rules say.
// Where they have no answer it settles all the same, and the session says that
// its history has a hole (invariant 12).
func TestSettle(t *testing.T) {
	broken := errors.New("disk full")
	for name, c := range map[string]struct {
		fails error
		rules func() (pdp.Effects, error)
		want  pdp.Effects
	}{
		"with effects": {nil, func() (pdp.Effects, error) { return pdp.Effects{Labels: []string{"pii"}}, nil },
			pdp.Effects{Labels: []string{"pii"}}},
		"the rules fail": {nil, func() (pdp.Effects, error) {
			return pdp.Effects{Labels: []string{"half"}}, pdp.Refuse(pdp.Unavailable, pdp.CodePolicyTimeout, "m", "")
		}, pdp.Effects{Labels: []string{pdp.LabelIncomplete}}},
		"the rules panic": {nil, func() (pdp.Effects, error) { panic("boom") },
			pdp.Effects{Labels: []string{pdp.LabelIncomplete}}},
		"the store fails": {broken, func() (pdp.Effects, error) { return pdp.Effects{}, nil }, pdp.Effects{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig()
			d := r.ask(t)
			var committed []pdp.Effects
			released := 0
			r.resume = func(_ pdp.PartitionKey, id string) (pdp.Settlement, error) {
				if id != d.ID {
					t.Errorf("resumes %s, want %s", id, d.ID)
				}
				return settlement{&committed, &released, c.fails}, nil
			}
			r.settle = func(context.Context, value.Value) (pdp.Effects, error) { return c.rules() }
			if err := r.point(t).Settle(t.Context(), pdp.Outcome{DecisionID: d.ID}); !errors.Is(err, c.fails) {
				t.Errorf("got %v, want %v", err, c.fails)
			}
			if len(committed) != 1 || !reflect.DeepEqual(committed[0], c.want) || released != 1 {
				t.Errorf("committed %+v, want %+v; released %d times", committed, c.want, released)
			}
		})
	}
}

// Whoever reaches the door can send anything: what no decision was made for
// settles nothing.
func TestSettleRefuses(t *testing.T) {
	r := newRig()
	d := r.ask(t)
	p := r.point(t)
	asked := 0
	r.resume = func(pdp.PartitionKey, string) (pdp.Settlement, error) { asked++; return nil, pdp.ErrNotInFlight }
	changed := []byte(d.ID)
	changed[3]++
	for _, id := range []string{"", "x", string(changed), d.ID + "A"} {
		if err := p.Settle(t.Context(), pdp.Outcome{DecisionID: id}); !errors.Is(err, pdp.ErrForged) {
			t.Errorf("%q: got %v", id, err)
		}
	}
	if asked != 0 {
		t.Errorf("the history was asked %d times about ids that nobody made", asked)
	}
	if err := p.Settle(t.Context(), pdp.Outcome{DecisionID: d.ID}); !errors.Is(err, pdp.ErrNotInFlight) {
		t.Errorf("got %v", err)
	}
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	if err := pdp.NewPoint(r, keys, time.Now, nil).Settle(t.Context(), pdp.Outcome{DecisionID: d.ID}); !errors.Is(err, pdp.ErrNotReady) {
		t.Errorf("without a policy: got %v", err)
	}
}
