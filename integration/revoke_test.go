package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
)

// operator runs `remit revoke` and returns what it printed.
func operator(t *testing.T, s *harness.Stack, args ...string) string {
	t.Helper()
	out, err := s.Remit.Run(t.Context(), append([]string{"revoke"}, args...)...)
	if err != nil {
		t.Fatalf("remit revoke %v: %v\n%s\n%s", args, err, out, s.Remit.Log())
	}
	return out
}

// plain is remit as it ships, without the race detector, which makes a load
// and a dozen commands slow.
func plain(t *testing.T) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := harness.BuildRemit(t.Context(), root, "remit-plain", false, "")
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// sent is one request of a load, as its client logged it.
type sent struct {
	at time.Time // before anything of it was sent
	answer
}

// load sends requests at a rate, whatever becomes of them, until stop is
// closed, and returns what the clients logged.
func load(ctx context.Context, clients []*http.Client, every time.Duration, stop chan struct{}) []sent {
	var mu sync.Mutex
	var log []sent
	var wait sync.WaitGroup
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	begin := time.Now()
	for n := 0; ; {
		select {
		case <-stop:
			wait.Wait()
			return log
		case <-ticker.C:
		}
		// A tick that came late is made up for: the rate is kept.
		for ; n < int(time.Since(begin)/every); n++ {
			client := clients[n%len(clients)]
			wait.Go(func() {
				at := time.Now()
				a := ask(ctx, client, http.MethodGet, "/v1/read/1")
				mu.Lock()
				log = append(log, sent{at, a})
				mu.Unlock()
			})
		}
	}
}

// Invariant 4 through a real Envoy: an agent that sends 500 requests a second,
// for several people, is revoked. By the clients' log nothing that was sent
// after the acknowledgement is allowed, by the journal no allow stands behind
// the revocation; another agent goes on. The agent stays revoked when remit is
// killed, until it is lifted.
func TestRevokedUnderLoad(t *testing.T) {
	s := startStackWith(t, plain(t), "revocation")
	var clients []*http.Client
	for n := range 8 {
		clients = append(clients, s.Client(tokenFor(t, s, fmt.Sprintf("user:load-%d", n))))
	}
	bystander, err := s.Issuer.Token("bystander", "user:load-0", "", nil)
	if err != nil {
		t.Fatal(err)
	}

	stop, done := make(chan struct{}), make(chan []sent)
	go func() { done <- load(t.Context(), clients, 2*time.Millisecond, stop) }()
	time.Sleep(2 * time.Second)
	acknowledged := acknowledgedAt(t, operator(t, s, "agent", "agent", "--reason", "hijacked, incident 4711"))
	time.Sleep(2 * time.Second)
	close(stop)
	log := <-done

	allowed, denied, after, first, last := 0, 0, 0, log[0].at, log[0].at
	for _, r := range log {
		if r.at.Before(first) {
			first = r.at
		}
		if r.at.After(last) {
			last = r.at
		}
		switch {
		case r.allowed():
			allowed++
		case r.code == pdp.CodeRevoked:
			denied++
		default:
			t.Errorf("a request was neither allowed nor revoked: %+v", r.answer)
		}
		if r.at.After(acknowledged) {
			if after++; r.allowed() {
				t.Errorf("a request sent %s after the acknowledgement was allowed", r.at.Sub(acknowledged))
			}
		}
	}
	rate := float64(len(log)) / last.Sub(first).Seconds()
	t.Logf("%d requests at %.0f/s: %d allowed, %d revoked; %d were sent after the acknowledgement", len(log), rate, allowed, denied, after)
	if rate < 450 || allowed < 500 || after < 500 {
		t.Errorf("that was no load of 500 a second on both sides of the revocation")
	}
	noAllowBehindRevocation(t, s, "agent", allowed)
	if a := ask(t.Context(), s.Client(bystander), http.MethodGet, "/v1/read/1"); !a.allowed() {
		t.Errorf("another agent: %+v", a)
	}

	s.Remit.Kill()
	out, err := s.Remit.Run(t.Context(), "revoke", "everything", "--reason", "too late")
	if err == nil || !strings.Contains(out, "is remit serve running") {
		t.Errorf("revoking without a server: %v\n%s", err, out)
	}
	restart(t, s)
	if a := ask(t.Context(), clients[0], http.MethodGet, "/v1/read/1"); a.code != pdp.CodeRevoked {
		t.Errorf("after a kill and a restart: %+v", a)
	}
	fresh, err := s.Issuer.Token("agent", "user:load-0", "a session of another name", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := ask(t.Context(), s.Client(fresh), http.MethodGet, "/v1/read/1"); a.code != pdp.CodeRevoked {
		t.Errorf("a revoked agent begins another session: %+v", a)
	}
	if list := operator(t, s, "list"); !strings.Contains(list, "agent agent") || !strings.Contains(list, "incident 4711") {
		t.Errorf("it is not listed:\n%s", list)
	}
	if out, err := s.Remit.Run(t.Context(), "log", "verify"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	operator(t, s, "agent", "agent", "--lift", "--reason", "rebuilt and reviewed")
	if a := ask(t.Context(), clients[0], http.MethodGet, "/v1/read/1"); !a.allowed() {
		t.Errorf("after it was lifted: %+v", a)
	}
	tail, err := s.Remit.Run(t.Context(), "log", "tail", "-n", "0")
	if err != nil || !strings.Contains(tail, "REVOKED    agent agent  by ") || !strings.Contains(tail, "LIFTED     agent agent  by ") {
		t.Errorf("the log does not tell of it: %v\n%s", err, tail[max(0, len(tail)-1000):])
	}
}

// acknowledgedAt reads when a revocation was acknowledged, by the server's
// clock, which is the clients' too.
func acknowledgedAt(t *testing.T, out string) time.Time {
	t.Helper()
	_, rest, found := strings.Cut(out, "acknowledged ")
	text, _, _ := strings.Cut(rest, "\n")
	at, err := time.Parse(time.RFC3339Nano, text)
	if !found || err != nil {
		t.Fatalf("no acknowledgement in %q: %v", out, err)
	}
	return at
}

// noAllowBehindRevocation reads the journal: all allows of an agent, as many as
// its clients were told of or more, stand before its revocation.
func noAllowBehindRevocation(t *testing.T, s *harness.Stack, agent string, told int) {
	t.Helper()
	journal, err := localstore.NewReader(s.Data)
	if err != nil {
		t.Fatal(err)
	}
	allows, revoked := 0, false
	err = journal.Entries(t.Context(), 0, func(at state.Position, e *state.Entry) error {
		switch {
		case e.Revoking != nil && e.Revoking.Subject == agent:
			revoked = true
			if e.Revoking.Reason == "" || e.Revoking.Actor == "" || e.Revoking.At.IsZero() {
				t.Errorf("the revocation does not say who, when and why: %+v", e.Revoking)
			}
		case e.Record == nil || e.Record.Agent.ID != agent || e.Record.Effect != pdp.Allow:
		case revoked:
			t.Errorf("an allow stands behind the revocation, at %d", at)
		default:
			allows++
		}
		return nil
	})
	if err != nil || !revoked || allows < told {
		t.Errorf("the journal has %d allows, the clients were told of %d; revoked: %v; %v", allows, told, revoked, err)
	}
}

// Each kind of revocation point through Envoy: what it covers is refused,
// whatever the policy says, something beside it goes on, and lifting ends it.
func TestEachRevocationThroughEnvoy(t *testing.T) {
	s := startStack(t, "revocation")
	s.Remit.Binary = plain(t) // for the commands; what serves goes on
	token := func(agent, person, sid, owner string) *http.Client {
		tok, err := s.Issuer.Token(agent, person, sid, map[string]any{"owner": owner, "jti": time.Now().String()})
		if err != nil {
			t.Fatal(err)
		}
		return s.Client(tok)
	}
	one := token("worker", "user:ada", "s1", "team-a")
	read := func(c *http.Client, thing string) answer {
		return ask(t.Context(), c, http.MethodGet, "/v1/read/"+thing)
	}
	if a := read(one, "1"); !a.allowed() {
		t.Fatalf("%+v", a)
	}
	latest := decisionLog(t, s, "user:ada")[0].Input
	for _, c := range []struct {
		kind, subject string
		beside        *http.Client // goes on
		thing         string
	}{
		{"session", latest.Session.ID, token("worker", "user:ada", "s2", "team-a"), "1"},
		{"credential", latest.Agent.Credential, token("worker", "user:ada", "s1", "team-a"), "1"},
		{"agent", "worker", token("other", "user:ada", "s1", "team-a"), "1"},
		{"owner", "team-a", token("worker", "user:ada", "s1", "team-b"), "1"},
		{"root", "user:ada", token("worker", "user:bob", "s1", "team-a"), "1"},
		{"target", "api:thing 1", one, "2"},
		{"target", "api", nil, ""},
		{"everything", "", nil, ""},
	} {
		t.Run(c.kind+" "+c.subject, func(t *testing.T) {
			args := []string{c.kind}
			if c.subject != "" {
				args = append(args, c.subject)
			}
			out := operator(t, s, append(args, "--reason", "to be seen")...)
			if !strings.Contains(out, "open sessions") {
				t.Errorf("the acknowledgement is %q", out)
			}
			if a := read(one, "1"); a.status != http.StatusForbidden || a.code != pdp.CodeRevoked {
				t.Errorf("revoked: %+v", a)
			}
			if c.beside != nil {
				if a := read(c.beside, c.thing); !a.allowed() {
					t.Errorf("beside it: %+v", a)
				}
			}
			shown, err := s.Remit.Run(t.Context(), "session", "show", latest.Session.ID)
			if sees := c.kind != "target" && c.kind != "credential"; err != nil || strings.Contains(shown, `"revoked"`) != sees {
				t.Errorf("session show: %v\n%s", err, shown)
			}
			operator(t, s, append(args, "--lift", "--reason", "seen")...)
			if a := read(one, "1"); !a.allowed() {
				t.Errorf("lifted: %+v", a)
			}
		})
	}
	for want, args := range map[string][]string{
		"required flag":       {"agent", "worker"},
		"accepts 1 arg":       {"agent", "--reason", "x"},
		"no such session":     {"session", "s_none", "--reason", "x"},
		"fingerprint":         {"credential", "not-a-fingerprint", "--reason", "x"},
		"no such revocation":  {"agent", "worker", "--lift", "--reason", "x"},
		"unknown command":     {"agents", "worker"},
		"whole seconds":       {"agent", "worker", "--for", "1ms", "--reason", "x"},
		"if any flags in the": {"agent", "worker", "--for", "1m", "--lift", "--reason", "x"},
	} {
		if out, err := s.Remit.Run(t.Context(), append([]string{"revoke"}, args...)...); err == nil || !strings.Contains(out, want) {
			t.Errorf("remit revoke %v: %v, want %q in\n%s", args, err, want, out)
		}
	}
}

// An agent whose token names no session is admitted anew after its session was
// revoked, where the policy sees what came before and may refuse.
func TestAnOwnSessionIsAdmittedAnew(t *testing.T) {
	t.Parallel()
	s := startStack(t, "revocation")
	for person, code := range map[string]string{"user:lenient": "", "user:strict": "after_revocation"} {
		tok, err := s.Issuer.Token("agent", person, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		client := s.Client(tok)
		if a := ask(t.Context(), client, http.MethodGet, "/v1/read/1"); !a.allowed() {
			t.Fatalf("%+v", a)
		}
		session := decisionLog(t, s, person)[0].Input.Session.ID
		if out := operator(t, s, "session", session, "--reason", "enough"); !strings.Contains(out, "revoke the agent") {
			t.Errorf("the operator is not told what it means: %q", out)
		}
		a := ask(t.Context(), client, http.MethodGet, "/v1/read/1")
		if a.code != code || a.allowed() != (code == "") {
			t.Errorf("%s: %+v, want %q", person, a, code)
		}
		if log := decisionLog(t, s, person); log[len(log)-1].Input.Session.ID == session {
			t.Errorf("%s: the revoked session goes on", person)
		}
	}
}

// A policy closes or quarantines its own session, with an allow or a denial:
// whatever resolves to it later is refused, also by another token that names
// it and after a restart; the outcome of what was in flight still settles.
func TestAPolicyEndsItsOwnSession(t *testing.T) {
	t.Parallel()
	s := startStack(t, "revocation", func(o *harness.Options) {
		o.EnvoyReplace = append(o.EnvoyReplace, "interval: 5s\n      no_traffic_interval: 1s", "interval: 0.2s\n      no_traffic_interval: 0.2s")
	})
	token := func(sid string) *http.Client {
		tok, err := s.Issuer.Token("agent", "user:ada", sid, map[string]any{"jti": time.Now().String()})
		if err != nil {
			t.Fatal(err)
		}
		return s.Client(tok)
	}
	cases := []struct{ path, code string }{
		{"/v1/close", pdp.CodeSessionEnded}, {"/v1/close-denied", pdp.CodeSessionEnded}, {"/v1/quarantine", pdp.CodeQuarantined},
	}
	still := func(when string) {
		for _, c := range cases {
			if a := ask(t.Context(), token("s"+c.path), http.MethodGet, "/v1/read/1"); a.code != c.code {
				t.Errorf("%s, %s: %+v, want %s", c.path, when, a, c.code)
			}
		}
	}
	for _, c := range cases {
		last := ask(t.Context(), token("s"+c.path), http.MethodPost, c.path)
		if denied := c.path == "/v1/close-denied"; last.allowed() == denied {
			t.Errorf("%s: %+v", c.path, last)
		}
		if last.allowed() {
			settles(t, s, last.decision)
		}
	}
	still("at once")
	if a := ask(t.Context(), token("another"), http.MethodGet, "/v1/read/1"); !a.allowed() {
		t.Errorf("another session: %+v", a)
	}
	s.Remit.Kill()
	restart(t, s)
	still("after a kill and a restart")
}

// settles waits for the outcome of a decision.
func settles(t *testing.T, s *harness.Stack, decision string) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for time.Now().Before(deadline) {
		out, err := s.Remit.Run(t.Context(), "log", "tail", "-n", "0", "--json")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for line := range strings.Lines(out) {
			var e struct {
				Type    string
				ID      string `json:"decision_id"`
				Outcome struct{ State string }
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			if e.Type == "outcome" && e.ID == decision && e.Outcome.State == "done" {
				return
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Errorf("decision %s does not settle", decision)
}

// The operators' socket is its owner's alone.
func TestTheOperatorsSocketIsPrivate(t *testing.T) {
	s := startStack(t, "revocation")
	info, err := os.Stat(filepath.Join(s.Data, "operators.sock"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
}
