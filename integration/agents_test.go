package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
)

// told is what the agents' door, or a denial, says.
type told struct {
	status      int
	Session     string
	Token       string
	Header      string
	Class       string
	ExpiresIn   int `json:"expires_in_seconds"`
	Asked       int
	Actions     int
	State       string
	Task        map[string]any
	Budgets     map[string]struct{ Limit, Remaining int }
	Reasons     []struct{ Code string }
	Decision    bool
	Context     evaluated
	Evaluations []struct {
		Decision bool
		Context  evaluated
	}
}

type evaluated struct {
	Class      string
	Reasons    []string
	DecisionID string `json:"decision_id"`
}

func (a told) code() string {
	if len(a.Reasons) == 0 {
		return ""
	}
	return a.Reasons[0].Code
}

// tell asks the agents' door through Envoy.
func tell(t *testing.T, client *http.Client, method, path, body, token string) (a told) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+harness.RemitHost+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", "application/json")
	if token != "" {
		req.Header.Set("remit-session", token)
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
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatalf("%s %s: %s: %q", method, path, resp.Status, text)
	}
	a.status = resp.StatusCode
	return a
}

// in asks the sample API in the session of a token.
func in(ctx context.Context, client *http.Client, method, path string, tokens ...string) (answer, http.Header) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+harness.APIHost+path, nil)
	if err != nil {
		return answer{}, nil
	}
	for _, token := range tokens {
		req.Header.Add("remit-session", token)
	}
	return send(client, req)
}

const readTickets = `{"task":{"purpose":"answer ticket 7","systems":["tickets"],"operations":["read"],"limits":{"expires_in_seconds":3600,"actions":8}}}`

func supportAgent(t *testing.T, s *harness.Stack, agent, person, sid string, further map[string]any) *http.Client {
	t.Helper()
	token, err := s.Issuer.Token(agent, person, sid, further)
	if err != nil {
		t.Fatal(err)
	}
	return s.Client(token)
}

// The agents' door through a real Envoy: a session admitted for a task, what its
// token is good for, and what it is not.
func TestTheAgentsDoorThroughEnvoy(t *testing.T) {
	t.Parallel()
	s := startStack(t, "", withDemoPolicies)
	support := supportAgent(t, s, "support-agent", "user:ada", "", nil)

	t.Run("a task that asks for too much is not admitted", func(t *testing.T) {
		for code, body := range map[string]string{
			"task_out_of_scope": `{"task":{"purpose":"p","systems":["payroll"]}}`,
			"unreadable":        `{"task":{"purpose":"p","system":["tickets"]}}`,
		} {
			if a := tell(t, support, "POST", "/v1/sessions", body, ""); a.status < 400 || a.code() != code || a.Token != "" {
				t.Errorf("%s: %+v", code, a)
			}
		}
		if a := tell(t, s.Client(""), "POST", "/v1/sessions", readTickets, ""); a.status != 401 || a.Token != "" {
			t.Errorf("nobody: %+v", a)
		}
		stranger := supportAgent(t, s, "stranger", "user:ada", "", nil)
		if a := tell(t, stranger, "POST", "/v1/sessions", readTickets, ""); a.status != 403 || a.code() != "agent_not_registered" || a.Token != "" {
			t.Errorf("a stranger: %+v", a)
		}
	})

	opened := tell(t, support, "POST", "/v1/sessions", readTickets, "")
	if opened.status != 201 || opened.Header != "remit-session" || opened.ExpiresIn != 3600 || opened.Task["source"] != "declared" {
		t.Fatalf("%+v\n%s", opened, s.Remit.Log())
	}
	t.Run("the task narrows what the agent may do", func(t *testing.T) {
		if a, seen := in(t.Context(), support, "GET", "/v1/tickets/7", opened.Token); !a.allowed() || seen.Get("remit-session") != "" {
			t.Errorf("%+v; the tool saw %q", a, seen)
		}
		if a, _ := in(t.Context(), support, "POST", "/v1/tickets/7/notes", opened.Token); a.code != "operation_out_of_task" {
			t.Errorf("a write: %+v", a)
		}
		if a, _ := in(t.Context(), support, "POST", "/v1/tickets/7/notes"); !a.allowed() {
			t.Errorf("a write outside of the session: %+v", a)
		}
		own := tell(t, support, "GET", "/v1/sessions/current", "", opened.Token)
		if own.status != 200 || own.Actions != 2 || own.State != "open" || own.Budgets["mails"].Remaining != 2 {
			t.Errorf("the session is shown as %+v", own)
		}
	})
	t.Run("what would be allowed", func(t *testing.T) { whatWouldBeAllowed(t, s, support, opened.Token) })
	t.Run("whose token it is", func(t *testing.T) { whoseToken(t, s, support, opened) })
	t.Run("two runs of one agent", func(t *testing.T) { twoRuns(t, s) })
	t.Run("it survives a restart, and ends", func(t *testing.T) {
		s.Remit.Kill()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Remit.Start(ctx); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			if a, _ := in(t.Context(), support, "GET", "/v1/tickets/7", opened.Token); !a.allowed() {
				return fmt.Errorf("after a restart: %+v", a)
			}
			return nil
		})
		if out, err := s.Remit.Run(t.Context(), "session", "list"); err != nil || !strings.Contains(out, "admission") || !strings.Contains(out, "answer ticket 7") {
			t.Errorf("%v\n%s", err, out)
		}
		if a := tell(t, support, "DELETE", "/v1/sessions/current", "", opened.Token); a.status != 200 || a.State != "ended" || a.Session != opened.Session {
			t.Errorf("%+v", a)
		}
		if a, _ := in(t.Context(), support, "GET", "/v1/tickets/7", opened.Token); a.code != "session_ended" {
			t.Errorf("after its end: %+v", a)
		}
		if a := tell(t, support, "GET", "/v1/sessions/current", "", opened.Token); a.status != 403 || a.code() != "session_ended" {
			t.Errorf("shown after its end: %+v", a)
		}
	})
	noSecrets(t, s, opened.Token)
}

// whatWouldBeAllowed asks for a batch, and sees that asking spent nothing.
func whatWouldBeAllowed(t *testing.T, s *harness.Stack, client *http.Client, token string) {
	calls := s.API.Calls.Load()
	batch := fmt.Sprintf(`{"evaluations":[{"host":%q,"path":"/v1/tickets/7"},{"host":%q,"path":"/v1/tickets/7/notes","method":"POST"},`+
		`{"host":%q,"path":"/mcp","mcp":{"tool":"rotate_key"}},{"host":"h","path":"/a/../b"}]}`, harness.APIHost, harness.APIHost, harness.ToolsHost)
	a := tell(t, client, "POST", "/v1/decisions", batch, token)
	if a.status != 200 || len(a.Evaluations) != 4 {
		t.Fatalf("%+v", a)
	}
	for i, want := range []string{"", "operation_out_of_task", "unknown_target", "unreadable_path"} {
		got := a.Evaluations[i]
		if got.Decision != (want == "") || (want != "" && !strings.Contains(fmt.Sprint(got.Context.Reasons), want)) || got.Context.DecisionID == "" {
			t.Errorf("%d: %+v, want %q", i, got, want)
		}
	}
	if own := tell(t, client, "GET", "/v1/sessions/current", "", token); own.Asked != 4 || own.Actions != 2 {
		t.Errorf("asking left %+v", own)
	}
	if now := s.API.Calls.Load(); now != calls {
		t.Errorf("%d questions reached the tool", now-calls)
	}
	out, err := s.Remit.Run(t.Context(), "log", "show", a.Evaluations[0].Context.DecisionID)
	if err != nil || !strings.Contains(out, `"question": "supposed"`) {
		t.Errorf("the record does not say that it is a question: %v\n%s", err, out)
	}
	one := fmt.Sprintf(`{"host":%q,"path":"/v1/tickets/8"}`, harness.APIHost)
	const limit = 20 // testdata/remit.yaml, in a minute of the clock
	asked := 4
	last := told{status: http.StatusOK}
	for ; last.status == http.StatusOK && asked <= 2*limit; asked++ { // two minutes' worth: one may end meanwhile
		last = tell(t, client, "POST", "/v1/decisions", one, token)
	}
	if last.status != 429 || last.code() != "question_limit" || asked <= limit {
		t.Errorf("after %d questions: %+v", asked, last)
	}
}

// whoseToken is the table of who presents a session's token, and how.
func whoseToken(t *testing.T, s *harness.Stack, support *http.Client, opened told) {
	changed := []byte(opened.Token)
	changed[60] ^= 1
	for name, c := range map[string]struct {
		client *http.Client
		tokens []string
		status int
		code   string
	}{
		"its agent":                     {support, []string{opened.Token}, 200, ""},
		"its agent with a fresh token":  {supportAgent(t, s, "support-agent", "user:ada", "", map[string]any{"jti": "2"}), []string{opened.Token}, 200, ""},
		"its agent with another sid":    {supportAgent(t, s, "support-agent", "user:ada", "other", nil), []string{opened.Token}, 200, ""},
		"another agent":                 {supportAgent(t, s, "other-agent", "user:ada", "", nil), []string{opened.Token}, 401, "session_token"},
		"its agent, for another person": {supportAgent(t, s, "support-agent", "user:eve", "", nil), []string{opened.Token}, 401, "session_token"},
		"nobody":                        {s.Client(""), []string{opened.Token}, 401, "session_token"},
		"tampered":                      {support, []string{string(changed)}, 401, "session_token"},
		"empty":                         {support, []string{""}, 401, "session_token"},
		"twice":                         {support, []string{opened.Token, opened.Token}, 401, "session_token"},
		"a credential in its place":     {support, []string{"Bearer x"}, 401, "session_token"},
	} {
		t.Run(name, func(t *testing.T) {
			calls := s.API.Calls.Load()
			a, _ := in(t.Context(), c.client, "GET", "/v1/tickets/7", c.tokens...)
			if a.status != c.status || a.code != c.code || a.decision == "" {
				t.Errorf("%+v, want %d %s", a, c.status, c.code)
			}
			if reached := s.API.Calls.Load() > calls; reached != (c.code == "") {
				t.Errorf("the tool was reached: %v", reached)
			}
		})
	}
}

// twoRuns are separate histories, and neither sheds a label.
func twoRuns(t *testing.T, s *harness.Stack) {
	token, err := s.Issuer.Token("support-agent", "user:two", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := s.Client(token)
	const task = `{"task":{"purpose":"support"}}`
	one, two := tell(t, client, "POST", "/v1/sessions", task, ""), tell(t, client, "POST", "/v1/sessions", task, "")
	const fetch = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"fetch_page","arguments":{"url":"https://e.example"}}}`
	if status, answer := post(t, client, fetch, "remit-session", one.Token); status != 200 || strings.Contains(answer, `"isError":true`) {
		t.Fatalf("%d %s", status, answer)
	}
	if own := tell(t, client, "GET", "/v1/sessions/current", "", two.Token); own.Actions != 0 || own.Session == one.Session {
		t.Errorf("the other run has %+v", own)
	}
	three := tell(t, client, "POST", "/v1/sessions", task, "")
	for name, token := range map[string]string{"the run itself": one.Token, "a parallel run": two.Token, "a run begun after": three.Token} {
		if a, _ := in(t.Context(), client, "POST", "/v1/tickets/7/notes", token); a.code != "write_after_untrusted_content" {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Error(err)
}
