package integration

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/integration/sample"
)

var recordAnew = flag.Bool("record", false, "record the session of TestObserve anew")

// recordedSession is the sample session as its client sent it through Envoy:
// calls of tools made by the official MCP SDK, and requests to the API.
const recordedSession = "testdata/observe/session.jsonl"

// recordSession plays the sample session behind the sample policies and keeps it.
func recordSession(t *testing.T) {
	t.Helper()
	s := startStack(t, "", withDemoPolicies)
	s.Recording = &harness.Recording{}
	if err := sample.Play(t.Context(), s, io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := s.Recording.Write(recordedSession); err != nil {
		t.Fatal(err)
	}
}

// The pack that is tried out would deny half of a recorded session. In observe
// nothing is denied, what would be is counted and listed, and one changed line
// of the bundle enforces it, without a restart. The same for a system, whose
// neighbour stays enforced, and for a listener.
func TestObserve(t *testing.T) {
	t.Parallel()
	if *recordAnew {
		recordSession(t)
	}
	session, err := harness.ReadRecording(recordedSession)
	if err != nil {
		t.Fatal(err)
	}
	s := startStack(t, "observe")
	client := s.Client(tokenFor(t, s, "user:ada"))
	file := filepath.Join(s.Policy, "remit", "observe", "data.yaml")
	const enforced = "listeners: []\nsystems: []\npacks: []\n"
	put := func(data string, want int) {
		t.Helper()
		if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		inForce(t, client, want)
	}

	for _, c := range []struct{ place, line, change, host string }{
		{"pack careful", "packs: []", "packs: [careful]", ""},
		{"system tickets", "systems: []", "systems: [tickets]", harness.APIHost},
		{"listener agents", "listeners: []", "listeners: [agents]", ""},
	} {
		put(enforced, http.StatusForbidden)
		denied := play(t, client, session)
		if len(denied) != len(session)/2 {
			t.Fatalf("%s enforced: %d of %d were denied, want half: %v", c.place, len(denied), len(session), denied)
		}
		observed := make(map[int]bool)
		for i := range denied {
			observed[i] = c.host == "" || session[i].Host == c.host
		}
		put(strings.Replace(enforced, c.line, c.change, 1), http.StatusOK)
		before := notEnforced(t, s, c.place)
		still := play(t, client, session)
		counted := notEnforced(t, s, c.place) - before
		for i, here := range observed {
			if still[i] == here {
				t.Errorf("%s in observe: request %d, %+v: denied %v", c.place, i+1, session[i], still[i])
			}
			if here {
				counted--
			}
		}
		if len(still) > len(denied) || counted != 0 {
			t.Errorf("%s: %d denials, where %d were enforced; %d too many were counted as not enforced", c.place, len(still), len(denied), counted)
		}
		// Who is not proved is denied in observe as well.
		if nobody := play(t, s.Client(""), session); len(nobody) != len(session) {
			t.Errorf("%s in observe: nobody was denied %d of %d", c.place, len(nobody), len(session))
		}
	}
	put(enforced, http.StatusForbidden)
	if out, err := s.Remit.Run(t.Context(), "log", "tail", "-n", "0"); err != nil || !strings.Contains(out, "would deny: no_writes (pack careful)") {
		t.Errorf("the log does not say what would have been denied: %v", err)
	}
}

// inForce waits until a write to the API is answered as the policy that was
// just written says.
func inForce(t *testing.T, client *http.Client, want int) {
	t.Helper()
	got := answer{}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if got = ask(t.Context(), client, http.MethodPost, "/v1/tickets/1/notes"); got.status == want {
			return
		}
	}
	t.Fatalf("the changed policy is not in force after 30 s: a write is answered %+v, want %d", got, want)
}

// play sends a session again and returns which of its requests were denied.
func play(t *testing.T, client *http.Client, session []harness.Recorded) map[int]bool {
	t.Helper()
	denied := make(map[int]bool)
	for i := range session {
		req, err := session[i].Request()
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch told := strings.Contains(string(body), `"decision_id"`); {
		case err != nil:
			t.Fatal(err)
		case told: // a problem, or a tool's result that says why
			denied[i] = true
		case resp.StatusCode != http.StatusOK:
			t.Fatalf("request %d, %+v: status %d: %s", i+1, session[i], resp.StatusCode, body)
		}
	}
	return denied
}

// notEnforced is what `remit check` says a place would have denied.
func notEnforced(t *testing.T, s *harness.Stack, place string) int {
	t.Helper()
	out, err := s.Remit.Run(t.Context(), "check")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, after, found := strings.Cut(out, "observes: "+place+": ")
	n := 0
	if _, err := fmt.Sscanf(after, "%d denials", &n); !found || err != nil {
		t.Fatalf("remit check does not list %s:\n%s", place, out)
	}
	return n
}
