package pdp_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// A rig is a decision point whose seams are scripted. Every function may be
// replaced; the ones here let everything through.
type rig struct {
	read    func(*pdp.Envelope) (pdp.Request, error)
	verify  func(context.Context, *pdp.Envelope) (pdp.Agent, error)
	find    func(*pdp.Request) pdp.Action
	begin   func(context.Context, *pdp.Case) (pdp.Turn, error)
	admit   func(context.Context, value.Value) (pdp.Admission, error)
	decide  func(context.Context, value.Value) (pdp.Verdict, error)
	view    func(*pdp.Case) pdp.Snapshot
	commit  func(context.Context, *pdp.Case, pdp.Decision) (pdp.Decision, error)
	resume  func(partition pdp.PartitionKey, id string) (pdp.Settlement, error)
	settle  func(context.Context, value.Value) (pdp.Effects, error)
	commits []pdp.Decision
	crashes int
	held    int
}

func newRig() *rig {
	r := &rig{
		read: func(*pdp.Envelope) (pdp.Request, error) { return pdp.Request{Method: "GET", Path: "/x"}, nil },
		verify: func(context.Context, *pdp.Envelope) (pdp.Agent, error) {
			return pdp.Agent{ID: "agent", Issuer: "issuer"}, nil
		},
		find:   func(*pdp.Request) pdp.Action { return pdp.Action{Operation: pdp.Read} },
		admit:  func(context.Context, value.Value) (pdp.Admission, error) { return pdp.Admission{Admit: true}, nil },
		decide: func(context.Context, value.Value) (pdp.Verdict, error) { return pdp.Verdict{Effect: pdp.Allow}, nil },
		view: func(c *pdp.Case) pdp.Snapshot {
			return pdp.Snapshot{Kept: c.Partition != pdp.PartitionKey{}, Open: true}
		},
		resume: func(pdp.PartitionKey, string) (pdp.Settlement, error) { return nil, pdp.ErrNotInFlight },
		settle: func(context.Context, value.Value) (pdp.Effects, error) { return pdp.Effects{}, nil },
	}
	r.commit = func(_ context.Context, _ *pdp.Case, d pdp.Decision) (pdp.Decision, error) {
		r.commits = append(r.commits, d)
		return d, nil
	}
	r.begin = func(context.Context, *pdp.Case) (pdp.Turn, error) { r.held++; return turn{r, new(bool)}, nil }
	return r
}

func (r *rig) Read(e *pdp.Envelope) (pdp.Request, error) { return r.read(e) }
func (r *rig) Verify(ctx context.Context, e *pdp.Envelope) (pdp.Agent, error) {
	return r.verify(ctx, e)
}
func (r *rig) Find(q *pdp.Request) pdp.Action { return r.find(q) }
func (r *rig) Begin(ctx context.Context, c *pdp.Case) (pdp.Turn, error) {
	return r.begin(ctx, c)
}
func (r *rig) Resume(_ context.Context, _ *pdp.Declarations, partition pdp.PartitionKey, id string) (pdp.Settlement, error) {
	return r.resume(partition, id)
}
func (r *rig) Admit(ctx context.Context, in value.Value) (pdp.Admission, error) {
	return r.admit(ctx, in)
}
func (r *rig) Decide(ctx context.Context, in value.Value) (pdp.Verdict, error) {
	return r.decide(ctx, in)
}
func (r *rig) Settle(ctx context.Context, in value.Value) (pdp.Effects, error) {
	return r.settle(ctx, in)
}

type turn struct {
	*rig
	released *bool
}

func (t turn) View(c *pdp.Case) pdp.Snapshot { return t.view(c) }
func (t turn) Commit(ctx context.Context, c *pdp.Case, d pdp.Decision) (pdp.Decision, error) {
	return t.commit(ctx, c, d)
}
func (t turn) Release() {
	if !*t.released {
		*t.released = true
		t.held--
	}
}

func (r *rig) point(t *testing.T) *pdp.Point {
	t.Helper()
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	p := pdp.NewPoint(r, keys, time.Now, func(any, []byte) { r.crashes++ })
	p.Activate(&pdp.Generation{ID: "g1", Reader: r, Verifier: r, Catalog: r, Policy: r, Declared: &pdp.Declarations{}})
	return p
}

func (r *rig) ask(t *testing.T) pdp.Decision {
	t.Helper()
	d := r.point(t).Decide(context.Background(), &pdp.Envelope{})
	if r.held != 0 {
		t.Errorf("%d turns were not released", r.held)
	}
	return d
}

func TestZeroValuesDeny(t *testing.T) {
	var (
		d pdp.Decision
		v pdp.Verdict
		a pdp.Admission
		s pdp.Target
	)
	if d.Effect != pdp.Deny || v.Effect != pdp.Deny || a.Admit {
		t.Error("a zero value allows")
	}
	if s.Sensitivity.Level() != 3 {
		t.Error("a target of unknown sensitivity is not restricted")
	}
	if op := pdp.Operations[pdp.Operation("").Index()]; op != pdp.Admin {
		t.Errorf("an unknown operation counts as %s", op)
	}
}

// Each step that fails, whatever way it fails, ends in a denial with its own
// reason that was recorded; and each is an allow without the failure.
func TestEveryFailureDenies(t *testing.T) {
	refused := pdp.Refuse(pdp.Unreadable, "unreadable_path", "the request cannot be read", "two spellings")
	cases := map[string]struct {
		arrange func(*rig)
		class   pdp.Class
		code    string
	}{
		"reader refuses": {func(r *rig) {
			r.read = func(*pdp.Envelope) (pdp.Request, error) { return pdp.Request{}, refused }
		}, pdp.Unreadable, "unreadable_path"},
		"reader fails": {func(r *rig) {
			r.read = func(*pdp.Envelope) (pdp.Request, error) { return pdp.Request{}, errors.New("boom") }
		}, pdp.Unavailable, pdp.CodeInternal},
		"reader panics": {func(r *rig) {
			r.read = func(*pdp.Envelope) (pdp.Request, error) { panic("boom") }
		}, pdp.Unavailable, pdp.CodeInternal},
		"credential is bad": {func(r *rig) {
			r.verify = func(context.Context, *pdp.Envelope) (pdp.Agent, error) {
				return pdp.Agent{}, pdp.Refuse(pdp.Unauthenticated, pdp.CodeUnauthenticated, "m", "expired")
			}
		}, pdp.Unauthenticated, pdp.CodeUnauthenticated},
		"verifier panics": {func(r *rig) {
			r.verify = func(context.Context, *pdp.Envelope) (pdp.Agent, error) { panic("boom") }
		}, pdp.Unavailable, pdp.CodeInternal},
		"catalog panics": {func(r *rig) {
			r.find = func(*pdp.Request) pdp.Action { panic("boom") }
		}, pdp.Unavailable, pdp.CodeInternal},
		"state refuses": {func(r *rig) {
			r.view = func(*pdp.Case) pdp.Snapshot {
				return pdp.Snapshot{Refusal: pdp.Refuse(pdp.Revoked, pdp.CodeSessionEnded, "m", ""), Kept: true, Open: true}
			}
		}, pdp.Revoked, pdp.CodeSessionEnded},
		"state panics": {func(r *rig) {
			r.view = func(*pdp.Case) pdp.Snapshot { panic("boom") }
		}, pdp.Unavailable, pdp.CodeInternal},
		"admission denied": {func(r *rig) {
			r.view = func(*pdp.Case) pdp.Snapshot { return pdp.Snapshot{Kept: true} }
			r.admit = func(context.Context, value.Value) (pdp.Admission, error) { return pdp.Admission{}, nil }
		}, pdp.OutOfScope, pdp.CodeNotAdmitted},
		"admission fails": {func(r *rig) {
			r.view = func(*pdp.Case) pdp.Snapshot { return pdp.Snapshot{Kept: true} }
			r.admit = func(context.Context, value.Value) (pdp.Admission, error) {
				return pdp.Admission{Admit: true}, pdp.Refuse(pdp.Unavailable, pdp.CodePolicyTimeout, "m", "")
			}
		}, pdp.Unavailable, pdp.CodePolicyTimeout},
		"policy says nothing": {func(r *rig) {
			r.decide = func(context.Context, value.Value) (pdp.Verdict, error) { return pdp.Verdict{}, nil }
		}, pdp.OutOfScope, ""},
		"policy fails beside an allow": {func(r *rig) {
			r.decide = func(context.Context, value.Value) (pdp.Verdict, error) {
				return pdp.Verdict{Effect: pdp.Allow}, pdp.Refuse(pdp.Unavailable, pdp.CodePolicyError, "m", "")
			}
		}, pdp.Unavailable, pdp.CodePolicyError},
		"policy challenges": {func(r *rig) {
			r.decide = func(context.Context, value.Value) (pdp.Verdict, error) {
				return pdp.Verdict{Effect: pdp.Challenge, Reasons: []pdp.Reason{{Code: "ask"}}}, nil
			}
		}, pdp.NeedsApproval, "ask"},
		"policy panics": {func(r *rig) {
			r.decide = func(context.Context, value.Value) (pdp.Verdict, error) { panic("boom") }
		}, pdp.Unavailable, pdp.CodeInternal},
		"allowed with effects for nobody": {func(r *rig) {
			r.verify = func(context.Context, *pdp.Envelope) (pdp.Agent, error) { return pdp.Agent{}, nil }
			r.decide = func(context.Context, value.Value) (pdp.Verdict, error) {
				return pdp.Verdict{Effect: pdp.Allow, Charges: []pdp.Charge{{Budget: "b", N: 1}}}, nil
			}
		}, pdp.Unauthenticated, pdp.CodeEffectsNeedAgent},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if d := newRig().ask(t); d.Effect != pdp.Allow {
				t.Fatalf("without the failure: %+v", d)
			}
			r := newRig()
			c.arrange(r)
			d := r.ask(t)
			if d.Effect == pdp.Allow || d.Class != c.class {
				t.Fatalf("got %s of class %q, want a denial of class %q", d.Effect, d.Class, c.class)
			}
			if c.code != "" && (len(d.Reasons) == 0 || d.Reasons[0].Code != c.code) {
				t.Errorf("got reasons %+v, want %s", d.Reasons, c.code)
			}
			if len(r.commits) != 1 || r.commits[0].Effect == pdp.Allow {
				t.Errorf("recorded %+v, want exactly one denial", r.commits)
			}
			if strings.HasSuffix(name, "panics") != (r.crashes == 1) {
				t.Errorf("told of %d panics", r.crashes)
			}
		})
	}
}

// What the store cannot do is a denial too, recorded outside of the partition.
func TestHistoryFailures(t *testing.T) {
	down := func(r *rig) func(context.Context, *pdp.Case) (pdp.Turn, error) {
		return func(_ context.Context, c *pdp.Case) (pdp.Turn, error) {
			if c.Partition != (pdp.PartitionKey{}) {
				return nil, errors.New("disk full")
			}
			r.held++
			return turn{r, new(bool)}, nil
		}
	}
	t.Run("no turn", func(t *testing.T) {
		r := newRig()
		r.begin = down(r)
		d := r.ask(t)
		if d.Effect != pdp.Deny || d.Reasons[0].Code != pdp.CodeHistoryDown || d.ID == "" || len(r.commits) != 1 {
			t.Errorf("got %+v with %d records", d, len(r.commits))
		}
	})
	t.Run("commit fails", func(t *testing.T) {
		r := newRig()
		commit := r.commit
		r.commit = func(ctx context.Context, c *pdp.Case, d pdp.Decision) (pdp.Decision, error) {
			if d.Effect == pdp.Allow {
				return d, errors.New("disk full")
			}
			return commit(ctx, c, d)
		}
		if d := r.ask(t); d.Effect != pdp.Deny || d.Reasons[0].Code != pdp.CodeHistoryDown || len(r.commits) != 1 {
			t.Errorf("got %+v with %d records", d, len(r.commits))
		}
	})
	t.Run("nothing can be written", func(t *testing.T) {
		r := newRig()
		r.commit = func(_ context.Context, _ *pdp.Case, d pdp.Decision) (pdp.Decision, error) {
			return d, errors.New("disk full")
		}
		if d := r.ask(t); d.Effect != pdp.Deny || d.ID != "" {
			t.Errorf("got %+v, want a denial without an id", d)
		}
	})
	t.Run("the caller's time is over", func(t *testing.T) {
		r := newRig()
		ctx, cancel := context.WithCancel(context.Background())
		begin := r.begin
		r.begin = func(ctx context.Context, c *pdp.Case) (pdp.Turn, error) {
			cancel()
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return begin(ctx, c)
		}
		d := r.point(t).Decide(ctx, &pdp.Envelope{})
		if d.Effect != pdp.Deny || d.Reasons[0].Code != pdp.CodeDeadline || len(r.commits) != 1 {
			t.Errorf("got %+v with %d records", d, len(r.commits))
		}
	})
}

func TestNothingActiveDenies(t *testing.T) {
	r := newRig()
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	d := pdp.NewPoint(r, keys, time.Now, nil).Decide(context.Background(), &pdp.Envelope{})
	if d.Effect != pdp.Deny || d.Reasons[0].Code != pdp.CodeNotReady || len(r.commits) != 1 {
		t.Errorf("got %+v with %d records", d, len(r.commits))
	}
}

// A refusal of an early step does not keep the later ones from finding out who
// asked: the denial belongs to the agent's history. The policy is not asked.
func TestRefusalsAreRemembered(t *testing.T) {
	r := newRig()
	r.read = func(*pdp.Envelope) (pdp.Request, error) {
		return pdp.Request{}, pdp.Refuse(pdp.Unreadable, pdp.CodeUnreadable, "m", "")
	}
	r.decide = func(context.Context, value.Value) (pdp.Verdict, error) {
		t.Error("the policy was asked about an unreadable request")
		return pdp.Verdict{Effect: pdp.Allow}, nil
	}
	var partition pdp.PartitionKey
	begin := r.begin
	r.begin = func(ctx context.Context, c *pdp.Case) (pdp.Turn, error) {
		partition = c.Partition
		return begin(ctx, c)
	}
	r.ask(t)
	if partition == (pdp.PartitionKey{}) {
		t.Error("the denial was not put on record under the agent's root")
	}
}

func TestRecordedAnswerIsGivenAgain(t *testing.T) {
	r := newRig()
	recorded := pdp.Decision{ID: "first", Effect: pdp.Allow}
	r.view = func(*pdp.Case) pdp.Snapshot { return pdp.Snapshot{Kept: true, Open: true, Recorded: &recorded} }
	r.decide = func(context.Context, value.Value) (pdp.Verdict, error) {
		t.Error("the policy was asked again")
		return pdp.Verdict{}, nil
	}
	if d := r.ask(t); d.ID != "first" || len(r.commits) != 0 {
		t.Errorf("got %+v with %d new records", d, len(r.commits))
	}
	// What is refused now is not allowed because it was before.
	r.read = func(*pdp.Envelope) (pdp.Request, error) {
		return pdp.Request{}, pdp.Refuse(pdp.Unreadable, pdp.CodeUnreadable, "m", "")
	}
	if d := r.ask(t); d.Effect != pdp.Deny || len(r.commits) != 1 {
		t.Errorf("refused, and got %+v with %d new records", d, len(r.commits))
	}
}

// A decision ends with the generation it began with.
func TestGenerationDoesNotChangeMidway(t *testing.T) {
	r := newRig()
	p := r.point(t)
	r.find = func(*pdp.Request) pdp.Action {
		p.Activate(&pdp.Generation{ID: "g2"}) // no seams: using it would panic
		return pdp.Action{}
	}
	if d := p.Decide(context.Background(), &pdp.Envelope{}); d.Effect != pdp.Allow || d.Generation != "g1" {
		t.Errorf("got %+v", d)
	}
}
