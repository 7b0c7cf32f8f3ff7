package state_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state/statetest"
)

func budgets(list ...*pdp.Budget) *pdp.Declarations {
	d := &pdp.Declarations{Budgets: make(map[string]*pdp.Budget)}
	for _, b := range list {
		d.Budgets[b.Name] = b
	}
	return d
}

// Invariant 3: of N concurrent requests exactly min(K, N) are allowed, whatever
// the scope, over several sessions of an agent as well.
func TestExactlyTheLimitIsAllowed(t *testing.T) {
	const n = 256
	for _, k := range []int64{1, 10, 100, n, 1000} {
		for _, scope := range []pdp.Scope{pdp.PerSession, pdp.PerAgent, pdp.PerPartition} {
			t.Run(fmt.Sprintf("%d per %s", k, scope), func(t *testing.T) {
				r := newRoom(t, plan{declared: budgets(&pdp.Budget{Name: "b", Scope: scope, Limit: k, Window: time.Hour})})
				var wait sync.WaitGroup
				var allowed, spent atomic.Int64
				begin := make(chan struct{})
				for range n {
					wait.Go(func() {
						<-begin
						d, _, err := r.decide(t.Context(), question{verdict: charges("b", 1)})
						switch {
						case err != nil:
							t.Error(err)
						case d.Effect == pdp.Allow:
							allowed.Add(1)
						case d.Class == pdp.BudgetSpent && d.Retry > 0:
							spent.Add(1)
						default:
							t.Errorf("denied as %v %v, retry %v", d.Class, d.Reasons, d.Retry)
						}
					})
				}
				close(begin)
				wait.Wait()
				if want := min(k, n); allowed.Load() != want || spent.Load() != n-want {
					t.Errorf("%d were allowed and %d denied by the budget, want %d and %d", allowed.Load(), spent.Load(), want, n-want)
				}
			})
		}
	}
}

// Invariant 3 across sessions: what is budgeted per agent or partition is not
// renewed by another session.
func TestAnotherSessionBringsNoNewBudget(t *testing.T) {
	for scope, want := range map[pdp.Scope]string{pdp.PerSession: "", pdp.PerAgent: pdp.CodeBudgetSpent, pdp.PerPartition: pdp.CodeBudgetSpent} {
		r := newRoom(t, plan{declared: budgets(&pdp.Budget{Name: "b", Scope: scope, Limit: 3})})
		r.claim("one").act(charges("b", 3))
		got := ""
		if d := r.claim("two").act(charges("b", 1)); d.Effect != pdp.Allow {
			got = d.Reasons[0].Code
		}
		if got != want {
			t.Errorf("%s: the other session's charge came to %q, want %q", scope, got, want)
		}
	}
}

// Windows are closed: an age of exactly the window is in. The table is exact
// about lo and hi at both edges of a part of the window.
func TestWindowBoundaries(t *testing.T) {
	const window = 16 * time.Minute // parts of a minute
	for _, c := range []struct {
		after  time.Duration
		lo, hi int64
	}{
		{0, 1, 1},
		{window - time.Minute, 1, 1},
		{window - 30*time.Second, 1, 1}, // the part began within the window
		{window - 30*time.Second + 1, 0, 1},
		{window - 1, 0, 1},
		{window, 0, 1}, // the age is exactly the window
		{window + 30*time.Second - 1, 0, 1},
		{window + 30*time.Second, 0, 0}, // the whole part is out
		{time.Hour, 0, 0},
	} {
		t.Run(c.after.String(), func(t *testing.T) {
			r := newRoom(t, plan{})
			r.wait(30 * time.Second) // into the middle of a part
			r.settle(r.act(charges("window", 1)).ID, pdp.OutcomeDone)
			r.wait(c.after)
			if got := r.budget("window"); got != [2]int64{c.lo, c.hi} {
				t.Errorf("lo, hi = %v, want %d, %d", got, c.lo, c.hi)
			}
		})
	}
}

// The answer says when to try again, and then it is right.
func TestRetryAfterIsTrue(t *testing.T) {
	r := newRoom(t, plan{})
	for range 10 {
		r.act(charges("window", 1))
		r.wait(37 * time.Second)
	}
	for range 20 {
		d := r.act(charges("window", 3))
		if d.Effect == pdp.Allow {
			continue
		}
		if d.Retry <= 0 || d.Retry > 18*time.Minute {
			t.Fatalf("try again after %v", d.Retry)
		}
		r.wait(d.Retry - 1)
		if r.act(charges("window", 3)).Effect == pdp.Allow {
			t.Error("it would have been allowed earlier")
		}
		r.wait(1)
		if d := r.act(charges("window", 3)); d.Effect != pdp.Allow {
			t.Errorf("denied at the time it was told: %+v", d.Reasons)
		}
	}
	if d := r.act(charges("window", 11)); d.Effect == pdp.Allow || d.Retry != 0 {
		t.Errorf("a charge that never fits: %v, retry %v", d.Effect, d.Retry)
	}
}

// A charge of which nothing is heard stays in hi until its window has passed,
// also when the word comes that nobody knows.
func TestUnknownStaysUntilItsWindowPasses(t *testing.T) {
	for _, told := range []bool{false, true} {
		r := newRoom(t, plan{})
		d := r.act(charges("window", 4))
		if told {
			r.settle(d.ID, pdp.OutcomeUnknown)
		}
		for range 15 {
			r.wait(time.Minute)
			r.allowed()
			if got := r.budget("window"); got != [2]int64{0, 4} {
				t.Fatalf("told %v: lo, hi = %v, want 0, 4", told, got)
			}
		}
		r.wait(3 * time.Minute)
		if got := r.budget("window"); got != [2]int64{0, 0} {
			t.Errorf("told %v: lo, hi = %v after the window", told, got)
		}
	}
}

// Changing a window never makes less of what the old one still held.
func TestChangingAWindowNeverUndercounts(t *testing.T) {
	windows := []time.Duration{0, time.Minute, 16 * time.Minute, 24 * time.Hour}
	r := newRoom(t, plan{})
	for _, before := range windows {
		for _, after := range windows {
			for _, again := range windows {
				t.Run(fmt.Sprint(before, after, again), func(t *testing.T) {
					r.agent = pdp.Agent{ID: t.Name()} // another partition
					recast(t, r, before, after, again)
				})
			}
		}
	}
}

func recast(t *testing.T, r *room, windows ...time.Duration) {
	r.declared = budgets(&pdp.Budget{Name: "b", Scope: pdp.PerPartition, Limit: 1000, Window: windows[0]})
	type charge struct {
		at time.Time
		id string
	}
	var made []charge
	for i := range 5 {
		made = append(made, charge{r.now(), r.act(charges("b", 1)).ID})
		if i%2 == 0 {
			r.settle(made[i].id, pdp.OutcomeDone)
		}
		r.wait(7 * time.Second)
	}
	for i, w := range windows {
		r.gen = fmt.Sprint("g", i)
		r.declared = budgets(&pdp.Budget{Name: "b", Scope: pdp.PerPartition, Limit: 1000, Window: w})
		truth := int64(0)
		for _, c := range made {
			if w == 0 || r.now().Sub(c.at) <= w {
				truth++
			}
		}
		if got := r.budget("b"); got[1] < truth || got[0] > truth {
			t.Errorf("window %v: lo, hi = %v, truth is %d", w, got, truth)
		}
		made = append(made, charge{r.now(), r.act(charges("b", 1)).ID})
		if got := r.budget("b"); got[1] < truth+1 {
			t.Errorf("window %v: hi = %d after one more than %d", w, got[1], truth)
		}
		r.wait(time.Second)
	}
	// What the first charges come to is settled by the window they are in now.
	for i := 1; i < 5; i += 2 {
		r.settle(made[i].id, pdp.OutcomeDone)
	}
	if got := r.budget("b"); got[1] < 1 || got[0] > got[1] {
		t.Errorf("lo, hi = %v in the end", got)
	}
}

// What the store does not accept happens nowhere: no charge, no session.
func TestAFailedCommitChangesNothing(t *testing.T) {
	r := newRoom(t, plan{})
	r.allowed()
	before := r.partition()
	down := errors.New("down")
	r.faulty.Fail(func(op statetest.Op, _ int) error {
		if op == statetest.OnCommit {
			return down
		}
		return nil
	})
	if _, _, err := r.decide(t.Context(), question{verdict: charges("life", 3)}); !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
	r.faulty.Fail(nil)
	if string(r.partition()) != string(before) {
		t.Error("the partition changed")
	}
	if got := r.budget("life"); got != [2]int64{0, 0} {
		t.Errorf("lo, hi = %v", got)
	}
}

// Where denials are observed only, what a budget has no room for is allowed
// and recorded, and charged nothing: also there a budget is never exceeded.
func TestObservedBudgets(t *testing.T) {
	r := newRoom(t, plan{observe: pdp.Observe{Systems: map[string]bool{"api": true}}})
	for i := range 12 {
		d := r.act(charges("window", 1))
		if observed := len(d.WouldDeny) > 0; d.Effect != pdp.Allow || observed != (i >= 10) {
			t.Fatalf("action %d: %v, would deny %v", i, d.Effect, d.WouldDeny)
		}
	}
	if got := r.budget("window"); got[1] != 10 {
		t.Errorf("the budget of 10 was charged %d", got[1])
	}
	r.observe = pdp.Observe{}
	if d := r.act(charges("window", 1)); d.Effect == pdp.Allow {
		t.Error("enforced, the spent budget allows")
	}
}

// Invariant 11: of a budget with a window no more is kept than its window is
// counted in, however long it is charged.
func TestABudgetForgetsWhatIsOver(t *testing.T) {
	r := newRoom(t, plan{declared: generous()})
	size := 0
	for i := range 600 {
		r.settle(r.act(charges("window", 1)).ID, pdp.OutcomeDone)
		r.wait(time.Minute)
		if i == 100 {
			size = len(r.partition())
		}
	}
	if later := len(r.partition()); later > size+size/4 {
		t.Errorf("the partition is %d bytes after 600 charges, %d after 100", later, size)
	}
	if got := r.budget("window"); got[1] > 17 {
		t.Errorf("%v are spent of a window of 16 minutes, charged once a minute", got)
	}
}
