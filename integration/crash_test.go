package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
)

// A client that is told something before remit is killed must find it true
// afterwards, and what was committed without being told counts as well. Each
// round has a person, and so a partition, of its own; remit is killed at a
// random moment of it and started again. The rounds are shared out among a few
// stacks: most of a round is waiting until Envoy has found remit again.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	const rounds, stacks = 20, 4
	var tallies [stacks]tally
	t.Run("stacks", func(t *testing.T) {
		for n := range stacks {
			t.Run(fmt.Sprint(n+1), func(t *testing.T) {
				t.Parallel()
				s := startStack(t, "limits", patient, settlingSoon)
				for i := n; i < rounds; i += stacks {
					k := []int{1, 10, 100}[i%3]
					t.Run(fmt.Sprintf("round %d, budget %d", i+1, k), func(t *testing.T) {
						// Somewhere in each twentieth of the answers of a round.
						kill := (int64(i)*asked + rand.Int64N(asked)) / rounds
						playRound(t, s, fmt.Sprintf("user:crash-%d", i), k, i/stacks%2 == 0, kill).check(t, s, k, &tallies[n])
					})
				}
				if out, err := s.Remit.Run(t.Context(), "log", "verify"); err != nil {
					t.Errorf("after %d kills: %v\n%s", rounds/stacks, err, out)
				}
			})
		}
	})
	var all tally
	for _, one := range tallies {
		all.add(one)
	}
	t.Logf("over %d kills: %+v", rounds, all)
	if all.Unanswered == 0 || all.Labels == 0 || all.Facts == 0 || all.Labels+all.Facts == 2*rounds {
		t.Errorf("no kill came at a moment that matters: %+v", all)
	}
}

// tally says what the kills came upon.
type tally struct {
	Unanswered    int // requests that remit did not answer
	Untold        int // allows that were committed and never told
	Labels, Facts int // that were there before the kill
}

func (t *tally) add(other tally) {
	t.Unanswered += other.Unanswered
	t.Untold += other.Untold
	t.Labels += other.Labels
	t.Facts += other.Facts
}

// The moment that matters most, made certain: remit dies between the commit of
// an allow and its answer. What nobody was told of counts: a charge, a right for
// one use, a label, and a fact that something depends on.
func TestKilledBetweenCommitAndAnswer(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	overlay := overlayOf(t, root, "pdp/door/extauthz/workers.go", "c.answer <- w.decide(c)", `answer := w.decide(c)
	if strings.Contains(c.message, "?die=1") {
		syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	}
	c.answer <- answer`, `"runtime/debug"`, `"runtime/debug"
	"strings"`, `"sync/atomic"`, `"sync/atomic"
	"syscall"`)
	binary, err := harness.BuildRemit(t.Context(), root, "remit-dies", false, overlay)
	if err != nil {
		t.Fatal(err)
	}
	s := startStackWith(t, binary, "limits", patient, settlingSoon)
	for _, c := range []struct {
		name, method, path string
		// after is asked when remit is back, and comes out as code says: "" is an
		// allow.
		after, code string
	}{
		{"a charge", http.MethodGet, "/v1/spend/1", "/v1/spend/1", "budget_spent"},
		{"a right for one use", http.MethodPost, "/v1/once/7", "/v1/once/7", "right_used"},
		{"a label", http.MethodGet, "/v1/taint", "/v1/clean", "send_after_untrusted_content"},
		{"a fact", http.MethodPost, "/v1/approve/7", "/v1/use/7", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			person := "user:dies-of-" + strings.ReplaceAll(c.name, " ", "-")
			client := s.Client(tokenFor(t, s, person))
			if a := ask(t.Context(), client, c.method, c.path+"?die=1"); a.allowed() || a.decided() {
				t.Fatalf("the answer came although remit was to die before it: %+v", a)
			}
			s.Remit.Kill() // it is dead; this waits for it
			restart(t, s)
			if a := ask(t.Context(), client, c.method, c.after); a.code != c.code || a.allowed() != (c.code == "") {
				t.Errorf("what nobody was told of does not count: %+v, want %q", a, c.code)
			}
			if n := allows(about(t, decisionLog(t, s, person), c.path)); n != 1 {
				t.Errorf("%d records of the allow that nobody was told of, want 1", n)
			}
		})
	}
}

// settlingSoon makes Envoy report outcomes at once.
func settlingSoon(o *harness.Options) {
	o.EnvoyReplace = append(o.EnvoyReplace, "interval: 5s\n      no_traffic_interval: 1s", "interval: 0.2s\n      no_traffic_interval: 0.2s")
}

// round is what the client of one round was told.
type round struct {
	person           string
	spent, right     []answer
	taint, approval  answer   // asked for while remit is killed
	clean, dependent []answer // asked for when it is back
}

// asked is how much a round asks for before the kill.
const asked = 256 + 32

// playRound asks for everything at once, kills remit when some of it was
// answered, starts it again and asks for everything again, and for what depends
// on it. The label and the fact are asked for first, or just as remit is killed.
func playRound(t *testing.T, s *harness.Stack, person string, k int, first bool, kill int64) *round {
	t.Helper()
	client := s.Client(tokenFor(t, s, person))
	var answered counter
	answered.next, client.Transport = client.Transport, &answered
	r := &round{person: person}
	var wait sync.WaitGroup
	burst := func() {
		wait.Go(func() {
			r.spent = append(r.spent, askAll(t.Context(), client, 256, http.MethodGet, fmt.Sprintf("/v1/spend/%d", k))...)
		})
		wait.Go(func() { r.right = append(r.right, askAll(t.Context(), client, 32, http.MethodPost, "/v1/once/7")...) })
	}
	marks := func() {
		wait.Go(func() { r.approval = ask(t.Context(), client, http.MethodPost, "/v1/approve/7") })
		wait.Go(func() { r.taint = ask(t.Context(), client, http.MethodGet, "/v1/taint") })
	}
	if first {
		marks()
		answered.await(t.Context(), 1) // the other may be on its way
	}
	burst()
	if !first {
		wait.Go(func() {
			answered.await(t.Context(), kill) // and so before the kill or after it
			marks()
		})
	}
	wait.Go(func() {
		answered.await(t.Context(), kill)
		s.Remit.Kill()
	})
	wait.Wait()
	restart(t, s)
	r.clean = askAll(t.Context(), client, 16, http.MethodGet, "/v1/clean")
	r.dependent = askAll(t.Context(), client, 16, http.MethodPost, "/v1/use/7")
	burst()
	wait.Wait()
	return r
}

// counter counts the answers that a client gets.
type counter struct {
	next http.RoundTripper
	n    atomic.Int64
}

// RoundTrip implements [http.RoundTripper].
func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	defer c.n.Add(1)
	return c.next.RoundTrip(r)
}

// await waits until n answers came, and a little while beyond.
func (c *counter) await(ctx context.Context, n int64) {
	for c.n.Load() < n && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(rand.N(5 * time.Millisecond))
}

// check compares what the client was told with the records, and what is allowed
// now with what they say happened, whether the client was told of it or not.
func (r *round) check(t *testing.T, s *harness.Stack, k int, all *tally) {
	t.Helper()
	log := decisionLog(t, s, r.person)
	told := func(what, path string, answers ...answer) (recorded int) {
		records, allowed := about(t, log, path), 0
		for _, a := range answers {
			if !a.decided() {
				all.Unanswered++
				continue
			}
			rec, found := records[a.decision]
			switch {
			case !found:
				t.Errorf("%s: decision %s was told and is not in the records", what, a.decision)
			case rec.Result.Allowed != a.allowed():
				t.Errorf("%s: decision %s was told as %+v and recorded as %+v", what, a.decision, a, rec.Result)
			}
			if a.allowed() {
				allowed++
			}
		}
		all.Untold += allows(records) - allowed
		return allows(records)
	}
	if n := told("budget", fmt.Sprintf("/v1/spend/%d", k), r.spent...); n != k {
		t.Errorf("budget: %d allows are recorded, want exactly %d", n, k)
	}
	if n := told("one-use right", "/v1/once/7", r.right...); n != 1 {
		t.Errorf("one-use right: %d allows are recorded, want exactly 1", n)
	}
	tainted, approved := told("label", "/v1/taint", r.taint), told("fact", "/v1/approve/7", r.approval)
	all.Labels += tainted
	all.Facts += approved
	if n, want := told("after the label", "/v1/clean", r.clean...), len(r.clean)*(1-tainted); n != want {
		t.Errorf("label: %d were allowed, want %d, after %d were recorded to bring it in: %v", n, want, tainted, codes(r.clean))
	}
	if n, want := told("after the fact", "/v1/use/7", r.dependent...), len(r.dependent)*approved; n != want {
		t.Errorf("fact: %d were allowed, want %d, after %d were recorded to establish it: %v", n, want, approved, codes(r.dependent))
	}
	sessionAgrees(t, s, log)
}

// restart starts remit again and waits until Envoy has found it.
func restart(t *testing.T, s *harness.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Remit.Start(ctx); err != nil {
		t.Fatal(err)
	}
	// Envoy may still believe what it found before, either way: remit is back
	// when it has answered through it for a while.
	client := s.Client(tokenFor(t, s, "user:probe"))
	for answered := 0; answered < 5; time.Sleep(100 * time.Millisecond) {
		if answered++; !ask(ctx, client, http.MethodGet, "/v1/clean").decided() {
			answered = 0
		}
		if ctx.Err() != nil {
			t.Fatalf("remit does not answer through Envoy again\n%s", s.Remit.Log())
		}
	}
}

// record is a line of the decision log.
type record struct {
	Type   string `json:"type"`
	ID     string `json:"decision_id"`
	Result struct {
		Allowed bool `json:"allowed"`
	} `json:"result"`
	Input struct {
		Agent struct {
			Chain      []struct{ ID string }
			Credential string
		}
		Session struct{ ID string }
		Request struct{ Path string }
	} `json:"input"`
}

// decisionLog reads the records of decisions for a person.
func decisionLog(t *testing.T, s *harness.Stack, person string) (records []record) {
	t.Helper()
	out, err := s.Remit.Run(t.Context(), "log", "tail", "-n", "0", "--json")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(out) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if r.Type == "decision" && len(r.Input.Agent.Chain) > 0 && r.Input.Agent.Chain[0].ID == person {
			records = append(records, r)
		}
	}
	return records
}

// about are the records of decisions about a path, by id.
func about(t *testing.T, log []record, path string) map[string]record {
	t.Helper()
	found := make(map[string]record)
	for _, r := range log {
		if r.Input.Request.Path != path {
			continue
		}
		if _, twice := found[r.ID]; twice {
			t.Errorf("decision %s has two records", r.ID)
		}
		found[r.ID] = r
	}
	return found
}

func allows(records map[string]record) (n int) {
	for _, r := range records {
		if r.Result.Allowed {
			n++
		}
	}
	return n
}

// sessionAgrees compares the state of a session with its records.
func sessionAgrees(t *testing.T, s *harness.Stack, log []record) {
	t.Helper()
	allowed := 0
	for _, r := range log {
		if r.Result.Allowed {
			allowed++
		}
	}
	out, err := s.Remit.Run(t.Context(), "session", "show", log[0].Input.Session.ID)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var shown struct{ Actions, Allowed int }
	if err := json.Unmarshal([]byte(out), &shown); err != nil {
		t.Fatal(err)
	}
	if shown.Actions != len(log) || shown.Allowed != allowed {
		t.Errorf("the store says %d actions, %d allowed; the records say %d and %d", shown.Actions, shown.Allowed, len(log), allowed)
	}
}

// overlayOf is an overlay of one file: old and new texts in turn.
func overlayOf(t *testing.T, root, file string, replace ...string) string {
	t.Helper()
	var changes []harness.Change
	for i := 0; i < len(replace); i += 2 {
		changes = append(changes, harness.Change{File: file, Replace: replace[i], With: replace[i+1]})
	}
	overlay, err := harness.Overlay(root, t.TempDir(), changes...)
	if err != nil {
		t.Fatal(err)
	}
	return overlay
}
