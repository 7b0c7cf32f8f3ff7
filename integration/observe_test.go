package integration

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
)

// A session as it was recorded: half of it are writes, which the pack that is
// tried out denies. In observe nothing is denied, what would be is counted and
// listed, and one changed line of the bundle enforces it, without a restart.
// The same for a system and for a listener.
func TestObserve(t *testing.T) {
	s := startStack(t, "observe")
	text, err := os.ReadFile(filepath.Join("testdata", "observe", "session.txt"))
	if err != nil {
		t.Fatal(err)
	}
	session := strings.Split(strings.TrimSpace(string(text)), "\n")
	half := len(session) / 2
	client := s.Client(tokenFor(t, s, "user:ada"))
	file := filepath.Join(s.Policy, "remit", "observe", "data.yaml")
	const enforced = "listeners: []\nsystems: []\npacks: []\n"

	for _, c := range []struct{ place, line, change string }{
		{"pack careful", "packs: []", "packs: [careful]"},
		{"system tickets", "systems: []", "systems: [tickets]"},
		{"listener agents", "listeners: []", "listeners: [agents]"},
	} {
		write := func(data string, want int) {
			if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			inForce(t, client, want)
		}
		write(enforced, http.StatusForbidden)
		if denied := play(t, client, session); denied != half {
			t.Errorf("%s enforced: %d of %d were denied, want %d", c.place, denied, len(session), half)
		}
		write(strings.Replace(enforced, c.line, c.change, 1), http.StatusOK)
		before := notEnforced(t, s, c.place)
		if denied := play(t, client, session); denied != 0 {
			t.Errorf("%s in observe: %d were denied", c.place, denied)
		}
		if counted := notEnforced(t, s, c.place) - before; counted != half {
			t.Errorf("%s: %d denials were counted as not enforced, want %d", c.place, counted, half)
		}
		// Who is not proved is denied in observe as well.
		if got := status(t, s.Client(""), session[2]); got == http.StatusOK {
			t.Errorf("%s in observe: nobody was allowed", c.place)
		}
	}
	if err := os.WriteFile(file, []byte(enforced), 0o600); err != nil {
		t.Fatal(err)
	}
	inForce(t, client, http.StatusForbidden)
	if out, err := s.Remit.Run(t.Context(), "log", "tail", "-n", "0"); err != nil || !strings.Contains(out, "would deny: no_writes (pack careful)") {
		t.Errorf("the log does not say what would have been denied: %v", err)
	}
}

// inForce waits until a write is answered as the policy that was just written
// says.
func inForce(t *testing.T, client *http.Client, want int) {
	t.Helper()
	got := 0
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if got = status(t, client, "POST /v1/tickets/1/notes"); got == want {
			return
		}
	}
	t.Fatalf("the changed policy is not in force after 30 s: a write is answered %d, want %d", got, want)
}

// play sends a session and counts what was denied.
func play(t *testing.T, client *http.Client, session []string) (denied int) {
	t.Helper()
	for _, request := range session {
		switch got := status(t, client, request); got {
		case http.StatusOK:
		case http.StatusForbidden:
			denied++
		default:
			t.Fatalf("%s: status %d", request, got)
		}
	}
	return denied
}

func status(t *testing.T, client *http.Client, request string) int {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+harness.APIHost+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
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
