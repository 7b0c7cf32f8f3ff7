package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
)

// The official SDKs, and the revisions of MCP that each speaks.
var sdks = []struct {
	name      string
	revisions []string
}{
	{"go", []string{"2025-06-18", "2025-11-25", "2026-07-28"}},
	{"python", []string{"2025-06-18", "2025-11-25", "2026-07-28"}},
	{"typescript", []string{"2025-06-18", "2025-11-25"}}, // its version 1 ends there
}

// What can happen, in this order, and what the caller of an SDK must be shown
// of it: a result, or an error of the SDK. A session that ended does so on a
// connection of its own ("on").
var happenings = []struct {
	name, on, tool string                           // no tool: tools/list
	before         func(*testing.T, *harness.Stack) // once for all clients
	isError        bool                             // the tool's result is one
	failure        bool                             // the SDK fails: an outage, or a method that has no such result
	says           map[string]string                // by SDK, "" for all
}{
	{name: "allowed", on: "open", tool: "read_ticket", says: map[string]string{"": "the export fails"}},
	{name: "denied", on: "open", tool: "rotate_key", isError: true, says: map[string]string{"": "the target is not known (unknown_target)"}},
	{name: "allowed after a denial", on: "open", tool: "read_ticket", says: map[string]string{"": "the export fails"}},
	{name: "the last before the policy closes", on: "closed", tool: "delete_ticket", says: map[string]string{"": "deleted"}},
	{name: "closed by the policy", on: "closed", tool: "read_ticket", isError: true, says: map[string]string{"": "(session_ended)"}},
	{name: "closed by the policy, another method", on: "closed", failure: true, says: map[string]string{"": "(session_ended)"}},
	{name: "expired", on: "expired", tool: "read_ticket", isError: true, says: map[string]string{"": "(session_ended)"},
		before: func(*testing.T, *harness.Stack) { time.Sleep(3100 * time.Millisecond) }},
	{name: "remit down", on: "open", tool: "read_ticket", failure: true, says: map[string]string{
		"":   "no decision could be made",
		"go": "Service Unavailable", // all that this SDK shows of a 503
	}, before: func(_ *testing.T, s *harness.Stack) { s.Remit.Kill() }},
	{name: "remit up again", on: "open", tool: "read_ticket", says: map[string]string{"": "the export fails"}, before: backUp},
}

// backUp starts remit again and waits until Envoy has noticed.
func backUp(t *testing.T, s *harness.Stack) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Remit.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Envoy.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

// Whatever happens to an agent's session, its model is told why in words, and
// its client goes on with the connection that it has: it begins no new one and
// asks nobody to log in.
func TestOfficialClients(t *testing.T) {
	t.Parallel()
	s := startStack(t, "clients")
	clients := connectAll(t, s)
	for _, h := range happenings {
		if h.before != nil {
			h.before(t, s)
		}
		for _, c := range clients {
			t.Run(h.name+"/"+c.name(), func(t *testing.T) {
				shown := c.call(t, h.on, h.tool)
				says, special := h.says[c.sdk]
				if !special {
					says = h.says[""]
				}
				said := shown.Text
				if h.failure {
					said = shown.Error
				}
				if !strings.Contains(said, says) || shown.IsError != h.isError || (shown.Error != "") != h.failure {
					t.Errorf("the caller is shown %+v, which should say %q", shown, says)
				}
			})
		}
	}
	for _, c := range clients {
		c.untroubled(t)
	}
	if n := s.Tools.Unstamped.Load(); n != 0 {
		t.Errorf("%d requests reached the tools without a decision", n)
	}
}

// What TestOfficialClients counts is there to be counted: a client whose token
// is not good looks for where to log in.
func TestOfficialClientsLogInWhenToldTo(t *testing.T) {
	s := startStack(t, "clients")
	for sdk, agent := range startAgents(t, s) {
		tap := harness.NewTap(s.Envoy, "2025-11-25")
		t.Cleanup(tap.Stop)
		shown, err := agent.Do(t.Context(), harness.Command{Do: "connect", On: "x", URL: tap.URL, Token: "not.a.token", Revision: "2025-11-25"})
		if err != nil {
			t.Fatal(err)
		}
		if shown.Error == "" || tap.Count("Unauthorized") == 0 || tap.Count("login") == 0 {
			t.Errorf("%s: shown %+v; %d answers 401, %d looks for a login", sdk, shown, tap.Count("Unauthorized"), tap.Count("login"))
		}
	}
}

// client is an SDK that speaks one revision, with its connections.
type client struct {
	sdk, revision string
	agent         harness.Agent
	taps          map[string]*harness.Tap // by connection
}

func (c *client) name() string { return c.sdk + " " + c.revision }

func (c *client) call(t *testing.T, on, tool string) harness.Shown {
	t.Helper()
	command := harness.Command{Do: "call", On: c.revision + on, Tool: tool, Arguments: arguments(tool)}
	if tool == "" {
		command.Do = "tools"
	}
	shown, err := c.agent.Do(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	return shown
}

func arguments(tool string) map[string]any {
	if tool == "rotate_key" {
		return nil
	}
	return map[string]any{"ticket": "7"}
}

// untroubled fails the test where a client began anew or to log in.
func (c *client) untroubled(t *testing.T) {
	t.Helper()
	handshakes := 1
	if c.revision >= "2026-07-28" {
		handshakes = 0 // the revision has none
	}
	for on, tap := range c.taps {
		if got := tap.Count("initialize"); got != handshakes {
			t.Errorf("%s %s: %d times initialize, want %d", c.name(), on, got, handshakes)
		}
		if tap.Count("login") != 0 || tap.Count("Unauthorized") != 0 {
			t.Errorf("%s %s: %d looks for a login, %d answers 401", c.name(), on, tap.Count("login"), tap.Count("Unauthorized"))
		}
	}
}

// startAgents starts one process for each SDK.
func startAgents(t *testing.T, s *harness.Stack) map[string]harness.Agent {
	t.Helper()
	installed, err := harness.FetchClients(t.Context(), s.Root)
	if err != nil {
		t.Fatal(err)
	}
	agents := map[string]harness.Agent{"go": harness.NewGoAgent()}
	if agents["python"], err = installed.Python(filepath.Join(s.Dir, "python.log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(agents["python"].Stop)
	if agents["typescript"], err = installed.TypeScript(filepath.Join(s.Dir, "typescript.log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(agents["typescript"].Stop)
	return agents
}

// connectAll opens the connections of every SDK in every revision, and lists
// the tools on each as a client does before its first call.
func connectAll(t *testing.T, s *harness.Stack) (clients []*client) {
	t.Helper()
	agents := startAgents(t, s)
	for _, sdk := range sdks {
		for _, revision := range sdk.revisions {
			c := &client{sdk: sdk.name, revision: revision, agent: agents[sdk.name], taps: make(map[string]*harness.Tap)}
			for on, sid := range map[string]string{"open": "s1", "closed": "s2", "expired": "short"} {
				c.connect(t, s, on, sid)
			}
			clients = append(clients, c)
		}
	}
	return clients
}

func (c *client) connect(t *testing.T, s *harness.Stack, on, sid string) {
	t.Helper()
	tap := harness.NewTap(s.Envoy, c.revision)
	t.Cleanup(tap.Stop)
	c.taps[on] = tap
	token, err := s.Issuer.Token("agent", fmt.Sprintf("user:%s-%s-%s", c.sdk, c.revision, on), sid, nil)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := c.agent.Do(t.Context(), harness.Command{Do: "connect", On: c.revision + on, URL: tap.URL, Token: token, Revision: c.revision})
	if err != nil || shown.Error != "" || shown.Revision != c.revision {
		t.Fatalf("%s: connect: %+v, %v\n%s", c.name(), shown, err, s.Remit.Log())
	}
	listed, err := c.agent.Do(t.Context(), harness.Command{Do: "tools", On: c.revision + on})
	if err != nil || sid != "short" && listed.Tools != 8 {
		t.Fatalf("%s: tools/list: %+v, %v", c.name(), listed, err)
	}
}
