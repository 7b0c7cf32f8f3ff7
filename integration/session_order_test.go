package integration

import (
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/door/operators"
)

// A caller is the sample agent, for a person and in a session of its token.
type caller struct {
	t      *testing.T
	s      *harness.Stack
	person string
	client *http.Client
}

func newCaller(t *testing.T, s *harness.Stack, person, sid string) *caller {
	t.Helper()
	token, err := s.Issuer.Token("agent", person, sid, map[string]any{"jti": time.Now().String()})
	if err != nil {
		t.Fatal(err)
	}
	return &caller{t, s, person, s.Client(token)}
}

// expect sends a request, checks what becomes of it ("" is an allow), and returns
// the session that it was decided in.
func (c *caller) expect(when, method, path, code string) string {
	c.t.Helper()
	if a := ask(c.t.Context(), c.client, method, path); a.code != code || a.allowed() != (code == "") {
		c.t.Fatalf("%s: %s %s: %+v, want %q", when, method, path, a, code)
	}
	log := decisionLog(c.t, c.s, c.person)
	return log[len(log)-1].Input.Session.ID
}

// ordered runs an order about a session and returns what it printed.
func ordered(t *testing.T, s *harness.Stack, args ...string) string {
	t.Helper()
	out, err := s.Remit.Run(t.Context(), append(append([]string{"session"}, args...), "--reason", "looked at, 4711")...)
	if err != nil || !strings.Contains(out, ", acknowledged 2") {
		t.Fatalf("remit session %v: %v\n%s\n%s", args, err, out, s.Remit.Log())
	}
	return out
}

// looksTheSame holds what the operators' door shows of a session against what the
// state directory does.
func looksTheSame(t *testing.T, s *harness.Stack, id string) {
	t.Helper()
	door := operators.NewClient(filepath.Join(s.Data, "operators.sock"))
	shown, err := door.Session(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Remit.Run(t.Context(), "session", "show", id)
	if err != nil {
		t.Fatal(err, out)
	}
	var there, here struct {
		ID, State, Partition string
		Actions, Denied      int
		Agent                struct{ ID string }
	}
	if err := errors.Join(json.Unmarshal(shown, &there), json.Unmarshal([]byte(out), &here)); err != nil || there != here || there.ID != id || there.Actions == 0 {
		t.Errorf("the door shows %+v, the state directory %+v: %v", there, here, err)
	}
	list, err := door.Sessions(t.Context())
	if err != nil || len(list.Sessions) < 2 || list.Truncated {
		t.Errorf("the door lists %d sessions: %v", len(list.Sessions), err)
	}
}

// What an operator orders through the real thing: a label that denies is cleared,
// and what another session picked up itself still denies there; a quarantine is
// released, and the session goes on; a session is closed, and gives way to a new
// one or, where a token names it, to none. All of it is there after a kill.
func TestAnOperatorOrdersAboutASession(t *testing.T) {
	t.Parallel()
	s := startStack(t, "revocation")
	own, other := newCaller(t, s, "user:ada", ""), newCaller(t, s, "user:ada", "s2")

	first := own.expect("at first", http.MethodPost, "/v1/send", "")
	own.expect("the page", http.MethodGet, "/v1/page", "")
	own.expect("after the page", http.MethodPost, "/v1/send", "send_after_untrusted_content")
	second := other.expect("the other session's page", http.MethodGet, "/v1/page", "")
	if out := ordered(t, s, "clear-label", first, "untrusted-content"); !strings.Contains(out, second) {
		t.Errorf("the operator is not told who keeps the label: %s", out)
	}
	if again := own.expect("cleared", http.MethodPost, "/v1/send", ""); again != first {
		t.Errorf("session %s, and then %s", first, again)
	}
	other.expect("what it picked up itself", http.MethodPost, "/v1/send", "send_after_untrusted_content")

	looksTheSame(t, s, first)

	own.expect("into quarantine", http.MethodPost, "/v1/quarantine", "")
	own.expect("in quarantine", http.MethodGet, "/v1/read/1", pdp.CodeQuarantined)
	ordered(t, s, "release", first)
	if again := own.expect("released", http.MethodPost, "/v1/send", ""); again != first {
		t.Errorf("session %s, and then %s", first, again)
	}

	ordered(t, s, "close", second)
	other.expect("closed", http.MethodGet, "/v1/read/1", pdp.CodeSessionEnded)

	s.Remit.Kill()
	restart(t, s)
	other.expect("closed, after a kill", http.MethodGet, "/v1/read/1", pdp.CodeSessionEnded)
	if again := own.expect("released and cleared, after a kill", http.MethodPost, "/v1/send", ""); again != first {
		t.Errorf("session %s, and then %s", first, again)
	}

	if out := ordered(t, s, "close", first); !strings.Contains(out, "admitted to a new one") {
		t.Errorf("the operator is not told what it means: %s", out)
	}
	if next := own.expect("a new session", http.MethodGet, "/v1/read/1", ""); next == first || next == second {
		t.Errorf("the closed session %s goes on", next)
	}
	own.expect("what the other session picked up reaches it", http.MethodPost, "/v1/send", "send_after_untrusted_content")
	if out, err := s.Remit.Run(t.Context(), "log", "verify"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	tail, err := s.Remit.Run(t.Context(), "log", "tail", "-n", "0")
	for _, want := range []string{"CLEARED    untrusted-content off session " + first + "  by ", "RELEASED   session " + first, "CLOSED     session " + second, ": looked at, 4711"} {
		if err != nil || !strings.Contains(tail, want) {
			t.Errorf("the log does not tell of %q: %v", want, err)
		}
	}
}
