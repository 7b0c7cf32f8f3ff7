package integration

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/remit-pdp/remit/integration/harness"
)

// withDemoPolicies is the sample bundle over the shipped policies.
func withDemoPolicies(o *harness.Options) {
	o.Bundle, o.WithoutPacks = filepath.Join(o.Root, "integration", "demo", "bundle"), false
}

// Both revisions of MCP reach the tools through Envoy, by the official SDK,
// and a denial is a tool result that the model can read.
func TestMCPThroughEnvoy(t *testing.T) {
	s := startStack(t, "", withDemoPolicies)
	for _, revision := range []string{"2025-11-25", "2026-07-28"} {
		t.Run(revision, func(t *testing.T) {
			token, err := s.Issuer.Token("support-agent", "user:"+revision, "s1", nil)
			if err != nil {
				t.Fatal(err)
			}
			session, err := s.Connect(t.Context(), token, revision)
			if err != nil {
				t.Fatalf("%v\n%s", err, s.Remit.Log())
			}
			defer session.Close()
			if got := session.InitializeResult().ProtocolVersion; got != revision {
				t.Errorf("the revision is %s", got)
			}
			tools, err := session.ListTools(t.Context(), nil)
			if err != nil || len(tools.Tools) != 8 {
				t.Errorf("tools/list: %v, %v", tools, err)
			}
			allowed, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "read_ticket", Arguments: map[string]any{"ticket": "7"}})
			if err != nil || allowed.IsError {
				t.Errorf("read_ticket: %+v, %v", allowed, err)
			}
			denied, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "rotate_key", Arguments: map[string]any{}})
			if err != nil || !denied.IsError {
				t.Fatalf("rotate_key: %+v, %v", denied, err)
			}
			text, err := json.Marshal(denied)
			if err != nil || !strings.Contains(string(text), "unknown_target") || !strings.Contains(string(text), "decision_id") {
				t.Errorf("the denial does not explain itself: %s, %v", text, err)
			}
		})
	}
	if n := s.Tools.Unstamped.Load(); n != 0 {
		t.Errorf("%d requests reached the tools without a decision", n)
	}
}

// post sends a body to the MCP endpoint as an SDK would.
func post(t *testing.T, client *http.Client, body string, headers ...string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+harness.ToolsHost+"/mcp", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", "application/json")
	req.Header.Set("accept", "application/json, text/event-stream")
	req.Header.Set("mcp-protocol-version", "2025-11-25")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// plainCall is the call of a tool as any client writes it; ambiguousBodies are
// spellings of it that two readers could read differently.
const plainCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_ticket","arguments":{"ticket":"7"}}}`

var ambiguousBodies = map[string]string{
	"single quotes":    strings.ReplaceAll(plainCall, `"`, `'`),
	"unquoted keys":    strings.Replace(plainCall, `"method"`, `method`, 1),
	"trailing comma":   strings.Replace(plainCall, `"7"}`, `"7",}`, 1),
	"Name beside name": strings.Replace(plainCall, `"name":`, `"Name":"delete_ticket","name":`, 1),
	"name twice":       strings.Replace(plainCall, `"name":`, `"name":"delete_ticket","name":`, 1),
	"batch":            "[" + plainCall + "]",
	"lossy number":     strings.Replace(plainCall, `"7"`, `9007199254740993`, 1),
}

// Invariant 5: bodies that a real Envoy passes and that two readers could read
// differently do not reach a tool; nor does a header that speaks for remit.
func TestAmbiguousRequestsDoNotReachATool(t *testing.T) { eachReader(t, ambiguousRequests) }

func ambiguousRequests(t *testing.T, binary string) {
	s := startStackWith(t, binary, "", withDemoPolicies)
	token, err := s.Issuer.Token("support-agent", "user:ada", "s1", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := s.Client(token)
	if status, answer := post(t, client, plainCall, "x-remit-decision", "forged"); status != 200 || strings.Contains(answer, "isError\":true") {
		t.Fatalf("the plain request: %d %s", status, answer)
	}
	calls := s.Tools.Calls.Load()
	for name, body := range ambiguousBodies {
		if status, answer := post(t, client, body); status < 400 && !strings.Contains(answer, "error") {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	if now := s.Tools.Calls.Load(); now != calls {
		t.Errorf("%d ambiguous requests reached a tool", now-calls)
	}
	for name, c := range map[string]*http.Client{"nobody": s.Client(""), "a bad token": s.Client(token + "x")} {
		if status, answer := post(t, c, plainCall); status != http.StatusUnauthorized || strings.Contains(answer, "signature") {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}

// What Envoy logs settles what was allowed; what remit decides nothing about
// is not let through.
func TestOutcomesAndOutages(t *testing.T) {
	s := startStack(t, "limits")
	client := s.Client(tokenFor(t, s, "user:outcomes"))
	outcomesArrive(t, s, client, "/v1/spend/10")
	noSecrets(t, s, tokenFor(t, s, "user:outcomes"))

	calls := s.API.Calls.Load()
	s.Remit.Kill()
	if a := ask(t.Context(), client, http.MethodGet, "/v1/spend/10"); a.status != http.StatusServiceUnavailable {
		t.Errorf("without remit: %+v, want 503", a)
	}
	resp, err := client.Get("http://" + harness.APIHost + "/v1/spend/10")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if kind := resp.Header.Get("content-type"); err != nil || kind != "application/problem+json" || !strings.Contains(string(said), `"class":"unavailable"`) {
		t.Errorf("without remit: %s %s, %v", kind, said, err)
	}
	if s.API.Calls.Load() != calls {
		t.Error("a request got through without a decision")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Remit.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

// outcomes are the recorded outcomes' states by decision.
func outcomes(t *testing.T, s *harness.Stack) map[string]string {
	t.Helper()
	out, err := s.Remit.Run(t.Context(), "log", "tail", "-n", "0", "--json")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	states := make(map[string]string)
	for line := range strings.Lines(out) {
		var e struct {
			Type    string
			ID      string `json:"decision_id"`
			Outcome struct{ State string }
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Type == "outcome" {
			states[e.ID] = e.Outcome.State
		}
	}
	return states
}

// outcomesArrive sends a request that the API fulfils and one that it fails,
// and waits until both decisions are settled as that.
func outcomesArrive(t *testing.T, s *harness.Stack, client *http.Client, path string) {
	t.Helper()
	done := ask(t.Context(), client, http.MethodGet, path)
	failed := ask(t.Context(), client, http.MethodGet, path+"?fail=1")
	if !done.allowed() || failed.status != http.StatusInternalServerError || done.decision == "" || failed.decision == "" {
		t.Fatalf("got %+v and %+v", done, failed)
	}
	var states map[string]string
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if states = outcomes(t, s); states[done.decision] == "done" && states[failed.decision] == "failed" {
			return
		}
	}
	t.Errorf("outcomes: %v; want %s done and %s failed", states, done.decision, failed.decision)
}

// Invariant 7: no token, nor the part of one that is a secret, is in the state
// directory or in remit's log.
func noSecrets(t *testing.T, s *harness.Stack, token string) {
	t.Helper()
	header, _, _ := strings.Cut(token, ".")
	err := filepath.WalkDir(s.Data, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), header) {
			t.Errorf("%s holds a token", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(s.Remit.Log(), header) {
		t.Error("remit's log holds a token")
	}
}
