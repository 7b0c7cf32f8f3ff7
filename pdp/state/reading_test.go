package state_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Windows are read as intervals: what the running part has is certain, what the
// part before it has is possible, what is older is gone.
func TestWindowsAreIntervals(t *testing.T) {
	r := newRoom(t, plan{})
	r.allowed()
	r.act(pdp.Verdict{Effect: pdp.Deny})
	r.allowed()
	for _, at := range []struct {
		later          time.Duration
		minute, tenMin [2]int64
	}{
		{0, [2]int64{3, 3}, [2]int64{3, 3}},
		{59 * time.Second, [2]int64{3, 3}, [2]int64{3, 3}},
		{time.Second, [2]int64{0, 3}, [2]int64{3, 3}},
		{59 * time.Second, [2]int64{0, 3}, [2]int64{3, 3}},
		{time.Second, [2]int64{0, 0}, [2]int64{3, 3}},
		{8 * time.Minute, [2]int64{0, 0}, [2]int64{0, 3}},
		{10 * time.Minute, [2]int64{0, 0}, [2]int64{0, 0}},
	} {
		r.wait(at.later)
		s := r.view(question{})
		for whose, windows := range map[string]value.Value{"session": s.Session.Get("windows"), "agent": s.Activity.Get("windows")} {
			t.Run(fmt.Sprint(r.now().Format(time.TimeOnly), " ", whose), func(t *testing.T) {
				if got := between(t, windows.Path("1m", "actions")); got != at.minute {
					t.Errorf("in a minute %v, want %v", got, at.minute)
				}
				if got := between(t, windows.Path("10m", "actions")); got != at.tenMin {
					t.Errorf("in ten minutes %v, want %v", got, at.tenMin)
				}
			})
		}
	}

	// What an action finds in the running part stays, as the part before it.
	r.allowed()
	r.wait(time.Minute)
	r.act(pdp.Verdict{Effect: pdp.Deny})
	window := r.view(question{}).Session.Path("windows", "1m")
	for name, want := range map[string][2]int64{"actions": {1, 2}, "denied": {1, 1}, "by_operation.read": {0, 1}} {
		if got := between(t, window.Path(strings.Split(name, ".")...)); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func between(t testing.TB, interval value.Value) [2]int64 {
	t.Helper()
	return [2]int64{whole(t, interval.Get("lo")), whole(t, interval.Get("hi"))}
}

// An outcome is that of its own action, in whichever order they come.
func TestTheLatestActionsHaveTheirOutcomes(t *testing.T) {
	r := newRoom(t, plan{})
	var ids []string
	for range 4 {
		ids = append(ids, r.allowed().ID)
	}
	r.settle(ids[2], pdp.OutcomeFailed)
	r.settle(ids[0], pdp.OutcomeDone)
	r.settle(ids[3], pdp.OutcomeDone)
	var got []string
	for _, action := range r.view(question{}).Session.Get("recent").Items() {
		got = append(got, action.Get("outcome").Text())
	}
	if want := "[done failed pending done]"; fmt.Sprint(got) != want {
		t.Errorf("the latest first: %v, want %s", got, want)
	}
}

// What outcome rules read of an action is that action's, whatever the session
// did before and after.
func TestAnOutcomeIsReadWithItsAction(t *testing.T) {
	r := newRoom(t, plan{})
	ids := make(map[string]string)
	for _, name := range []string{"one", "two", "one-more"} {
		d, _ := r.ask(question{tool: "tool-" + name, verdict: pdp.Verdict{Effect: pdp.Allow},
			target: pdp.Target{ID: name, System: "system-" + name, Resource: "/" + name, Known: true, Sensitivity: pdp.Internal}})
		ids[name] = d.ID
	}
	for name, id := range ids {
		partition, err := r.ids.Partition(id)
		if err != nil {
			t.Fatal(err)
		}
		settlement, err := r.history.Resume(t.Context(), r.declared, partition, id)
		if err != nil {
			t.Fatal(err)
		}
		input := settlement.Input(pdp.Outcome{DecisionID: id, State: pdp.OutcomeDone})
		for path, want := range map[string]string{"action.tool": "tool-" + name, "target.system": "system-" + name, "target.resource": "/" + name} {
			if got := input.Path(strings.Split(path, ".")...).Text(); got != want {
				t.Errorf("%s: %s is %q, want %q", name, path, got, want)
			}
		}
		settlement.Release()
	}
}

// One fact has a cell for each of its lookups, and a cell has no key where a
// part of it is not there.
func TestEachLookupHasItsCell(t *testing.T) {
	path, method, missing := []string{"request", "path"}, []string{"request", "method"}, []string{"request", "rpc", "method"}
	fact := &pdp.Fact{Name: "seen", Kind: pdp.FactRing, Scope: pdp.PerSession, TTL: time.Hour, Keys: 8, Ring: 4, Lookup: map[string][][]string{
		"path": {path}, "both": {path, method}, "first_missing": {missing, path}, "last_missing": {path, missing},
	}}
	r := newRoom(t, plan{declared: &pdp.Declarations{Facts: map[string]*pdp.Fact{"seen": fact}}})
	noting := func(key ...value.Value) question {
		return question{path: "/a", verdict: pdp.Verdict{Effect: pdp.Allow, Remember: []pdp.Memo{{Fact: "seen", Key: key, On: pdp.OnAllowed}}}}
	}
	r.ask(noting(value.Str("/a")))
	r.ask(noting(value.Str("/a"), value.Str("GET")))
	r.ask(noting(value.Str("/a"), value.Str("GET")))
	seen := r.view(question{path: "/a"}).Memory.Get("seen")
	for lookup, want := range map[string]struct {
		entries int
		keyed   bool
	}{"path": {1, true}, "both": {2, true}, "first_missing": {0, false}, "last_missing": {0, false}} {
		cell := seen.Get(lookup)
		if keyed, _ := cell.Get("keyed").Bool(); cell.Get("entries").Len() != want.entries || keyed != want.keyed {
			t.Errorf("%s has %d entries, keyed: %t", lookup, cell.Get("entries").Len(), keyed)
		}
	}
}
