package agents

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// desk is a decision point that answers what a test says, and keeps what it
// was asked.
type desk struct {
	answer pdp.Decision
	own    value.Value
	asked  []string
	caller *pdp.Envelope
	about  *pdp.Envelope
	task   value.Value
	before func()
}

func (d *desk) ask(what string, caller *pdp.Envelope) pdp.Decision {
	if d.before != nil {
		d.before()
	}
	d.asked, d.caller = append(d.asked, what), caller
	return d.answer
}
func (d *desk) Admit(_ context.Context, env *pdp.Envelope, task value.Value) pdp.Decision {
	d.task = task
	return d.ask("admit", env)
}
func (d *desk) End(_ context.Context, env *pdp.Envelope) pdp.Decision { return d.ask("end", env) }
func (d *desk) Own(_ context.Context, env *pdp.Envelope) (pdp.Decision, value.Value) {
	return d.ask("own", env), d.own
}
func (d *desk) Suppose(_ context.Context, caller, about *pdp.Envelope) pdp.Decision {
	d.about = about
	return d.ask("suppose", caller)
}

func (d *desk) door(t testing.TB) *Door {
	return New(Settings{Listener: "agents", Proxy: "unix:a.sock", SessionHeader: "remit-session", MaxBatch: 3, Deadline: time.Second},
		d, time.Now, func(cause any, _ []byte) { t.Log("panic:", cause) })
}

// send asks over HTTP and returns status, content type and body.
func (d *desk) send(t *testing.T, method, path, body string, headers ...string) (int, http.Header, value.Value) {
	t.Helper()
	server := httptest.NewServer(d.door(t).Handler())
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := value.ParseJSON(text)
	if err != nil && resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusMethodNotAllowed {
		t.Fatalf("%v: %s", err, text)
	}
	return resp.StatusCode, resp.Header, answer
}

func text(v value.Value) string { return string(value.AppendJSON(nil, v)) }

// What is not a task is refused before anybody is asked, with the member that
// is wrong.
func TestTasks(t *testing.T) {
	long := strings.Repeat("x", 257)
	many := `"a"` + strings.Repeat(`,"a"`, 64)
	for body, want := range map[string]string{
		`{"task":{"purpose":"ticket 7"}}`: "",
		`{"task":{"purpose":"p","tools":["t"],"systems":[],"operations":["read"],"limits":{"actions":1,"idle_seconds":1,"expires_in_seconds":2592000}}}`: "",
		``:                                       "unexpected",
		`[]`:                                     "the body must be an object",
		`{}`:                                     "task: is required",
		`{"task":7}`:                             "task: must be an object",
		`{"task":{"purpose":"p"},"tsk":1}`:       `the body: has a member that is not known: "tsk"`,
		`{"task":{}}`:                            "task.purpose: is required",
		`{"task":{"purpose":""}}`:                "task.purpose: must be a string",
		`{"task":{"purpose":"p","purpose":"q"}}`: "duplicate_key",
		`{"task":{"purpose":"p","tool":["t"]}}`:  `task: has a member that is not known: "tool"`,
		`{"task":{"purpose":"p","tools":"t"}}`:   "task.tools: must be a list",
		`{"task":{"purpose":"p","tools":[7]}}`:   "task.tools[0]: must be a string",
		`{"task":{"purpose":"p","tools":["` + long + `"]}}`:                                                "task.tools[0]: must be a string",
		`{"task":{"purpose":"p","systems":[` + many + `]}}`:                                                "task.systems: must be a list of at most 64",
		`{"task":{"purpose":"p","operations":["reed"]}}`:                                                   "task.operations: has a word",
		`{"task":{"purpose":"p","limits":{"actions":0}}}`:                                                  "task.limits.actions: must be a whole number",
		`{"task":{"purpose":"p","limits":{"expires_in_seconds":1.5}}}`:                                     "task.limits.expires_in_seconds: must be",
		`{"task":{"purpose":"p","limits":{"max":1}}}`:                                                      "task.limits: has a member",
		`{"task":{"purpose":"p","limits":[]}}`:                                                             "task.limits: must be an object",
		`{"task":{"purpose":"p","tools":["` + strings.Repeat(strings.Repeat("y", 250)+`","`, 40) + `z"]}}`: "task: is longer than",
		`{"task":{"purpose":"` + strings.Repeat("z", 300<<10) + `"}}`:                                      "longer than 262144 bytes",
		`{'task':{}}`: "unexpected",
	} {
		d := &desk{answer: pdp.Decision{ID: "id", Effect: pdp.Allow, Session: "s_1", Opened: &pdp.Opened{Token: "t", ExpiresIn: 60, Task: pdp.NoTask}}}
		status, _, answer := d.send(t, "POST", "/v1/sessions", body)
		if want == "" {
			if status != http.StatusCreated || len(d.asked) != 1 || answer.Get("token").Text() != "t" {
				t.Errorf("%s: %d %s", body, status, text(answer))
			}
			continue
		}
		message := answer.Get("reasons").At(0).Get("message").Text()
		if status != http.StatusBadRequest || len(d.asked) > 0 || (want != "unexpected" && !strings.Contains(message, want)) {
			t.Errorf("%.80s: %d %q, want %q; asked %v", body, status, message, want, d.asked)
		}
	}
}

// A description says what is asked, and cannot say who asks.
func TestDescriptions(t *testing.T) {
	for body, want := range map[string]string{
		`{"host":"h","path":"/x"}`:                               "GET h /x []",
		`{"host":"h","path":"/x","method":"PUT","body":{"a":1}}`: `PUT h /x [content-type:application/json] {"a":1}`,
		`{"host":"h","path":"/x","text":"hi"}`:                   `POST h /x [content-type:text/plain] hi`,
		`{"host":"h","path":"/x","text":"a=1","headers":{"content-type":"application/x-www-form-urlencoded"}}`: `POST h /x [content-type:application/x-www-form-urlencoded] a=1`,
		`{"host":"h","path":"/mcp","mcp":{"tool":"t","arguments":{"n":7}}}`: `POST h /mcp [content-type:application/json] ` +
			`{"id":1,"jsonrpc":"2.0","method":"tools/call","params":{"arguments":{"n":7},"name":"t"}}`,
		`{"path":"/x"}`:         "host: is required",
		`{"host":"h"}`:          "path: is required",
		`{"host":"h","path":7}`: "path: must be a string",
		`{"host":"h","path":"/x","body":1,"text":"x"}`:                    "may have one of body, text and mcp",
		`{"host":"h","path":"/x","mcp":{}}`:                               "mcp.tool: is required",
		`{"host":"h","path":"/x","mcp":{"tool":"t","args":{}}}`:           "mcp: has a member",
		`{"host":"h","path":"/x","agent":"admin"}`:                        `has a member that is not known: "agent"`,
		`{"host":"h","path":"/x","headers":{"authorization":"Bearer x"}}`: "may not say authorization",
		`{"host":"h","path":"/x","headers":{"remit-session":"x"}}`:        "may not say remit-session",
		`{"host":"h","path":"/x","headers":{"x-remit-agent":"x"}}`:        "may not say x-remit-agent",
		`{"host":"h","path":"/x","headers":{":path":"/y"}}`:               "has a name that is not",
		`{"host":"h","path":"/x","headers":{"Accept":"x"}}`:               "has a name that is not",
		`{"host":"h","path":"/x","headers":{"accept":7}}`:                 "headers.accept: must be a string",
		`{"host":"h","path":"/x","host":"other"}`:                         "duplicate_key",
		`{"evaluations":[]}`:                                              "must be a list of 1 to 3",
		`{"evaluations":[{},{},{},{}]}`:                                   "must be a list of 1 to 3",
		`{"evaluations":{}}`:                                              "must be a list of 1 to 3",
		`{"evaluations":[{"host":"h","path":"/x"}],"host":"h"}`:           `"host"`,
		`{"evaluations":[{"host":"h","path":"/x"},{"host":"h"}]}`:         "evaluations[1].path: is required",
	} {
		d := &desk{answer: pdp.Decision{ID: "id", Effect: pdp.Allow}}
		status, _, answer := d.send(t, "POST", "/v1/decisions", body, "authorization", "Bearer secret")
		if status == http.StatusOK {
			got := fmt.Sprintf("%s %s %s %v %s", d.about.Method, d.about.Host, d.about.Path, shown(d.about.Headers), d.about.Body)
			if strings.TrimSpace(got) != want {
				t.Errorf("%s became %s, want %s", body, got, want)
			}
			if _, lines := d.about.Headers.Get("authorization"); lines > 0 || len(d.about.SessionTokens) > 0 {
				t.Error("the description carries a credential")
			}
			if bearer, _ := d.caller.Headers.Get("authorization"); bearer != "Bearer secret" {
				t.Error("the caller's credential is gone")
			}
			continue
		}
		if message := answer.Get("reasons").At(0).Get("message").Text(); status != http.StatusBadRequest || !strings.Contains(message, want) || len(d.asked) > 0 {
			t.Errorf("%s: %d %q, want %q; asked %v", body, status, message, want, d.asked)
		}
	}
}

func shown(headers pdp.Headers) (list []string) {
	for _, h := range headers {
		if !strings.HasPrefix(h.Name, ":") {
			list = append(list, h.Name+":"+h.Value)
		}
	}
	return list
}

// Every decision has its answer, and none but a recorded allow is one.
func TestAnswers(t *testing.T) {
	opened := &pdp.Opened{Token: "t"}
	denial := func(class pdp.Class, code string) pdp.Decision {
		return pdp.Decision{ID: "id", Class: class, Reasons: []pdp.Reason{{Code: code, Message: "m"}}, Retry: time.Minute}
	}
	const description = `{"host":"h","path":"/x"}`
	for _, c := range []struct {
		name, method, path, body string
		answer                   pdp.Decision
		status                   int
		want                     string
	}{
		{"no token was made", "POST", "/v1/sessions", `{"task":{"purpose":"p"}}`, pdp.Decision{ID: "id", Effect: pdp.Allow}, 503, `"internal_error"`},
		{"not recorded", "POST", "/v1/sessions", `{"task":{"purpose":"p"}}`, pdp.Decision{Effect: pdp.Allow, Opened: opened}, 503, `"internal_error"`},
		{"the zero decision", "POST", "/v1/sessions", `{"task":{"purpose":"p"}}`, pdp.Decision{}, 503, `"status":503`},
		{"not admitted", "POST", "/v1/sessions", `{"task":{"purpose":"p"}}`, denial(pdp.OutOfScope, "task_out_of_scope"), 403, `"task_out_of_scope"`},
		{"not authenticated", "POST", "/v1/sessions", `{"task":{"purpose":"p"}}`, denial(pdp.Unauthenticated, "unauthenticated"), 401, `"unauthenticated"`},
		{"ended", "DELETE", "/v1/sessions/current", ``, pdp.Decision{ID: "id", Effect: pdp.Allow, Session: "s"}, 200, `"state":"ended"`},
		{"end not recorded", "DELETE", "/v1/sessions/current", ``, pdp.Decision{Effect: pdp.Allow}, 503, `"internal_error"`},
		{"nothing to show", "GET", "/v1/sessions/current", ``, pdp.Decision{Effect: pdp.Allow}, 503, `"internal_error"`},
		{"would be allowed", "POST", "/v1/decisions", description, pdp.Decision{ID: "id", Effect: pdp.Allow}, 200, `{"context":{"decision_id":"id"},"decision":true}`},
		{"would be denied", "POST", "/v1/decisions", description, denial(pdp.BudgetSpent, "budget_spent"), 200,
			`{"context":{"class":"budget_spent","decision_id":"id","reasons":["budget_spent"],"retry_after_seconds":60,"retryable":true},"decision":false}`},
		{"would be challenged", "POST", "/v1/decisions", description, pdp.Decision{ID: "id", Effect: pdp.Challenge, Class: pdp.NeedsApproval}, 200, `"decision":false`},
		{"a batch", "POST", "/v1/decisions", `{"evaluations":[` + description + `,` + description + `]}`, denial(pdp.OutOfScope, "x"), 200, `{"evaluations":[{`},
		{"who asks is not proved", "POST", "/v1/decisions", description, denial(pdp.Unauthenticated, "session_token"), 401, `"session_token"`},
		{"too many questions", "POST", "/v1/decisions", `{"evaluations":[` + description + `]}`, denial(pdp.BudgetSpent, pdp.CodeQuestionLimit), 429, `"question_limit"`},
		{"no such way", "POST", "/v1/nothing", ``, pdp.Decision{ID: "id", Effect: pdp.Allow}, 404, ""},
		{"no such method", "PUT", "/v1/sessions", ``, pdp.Decision{ID: "id", Effect: pdp.Allow}, 405, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &desk{answer: c.answer}
			status, header, answer := d.send(t, c.method, c.path, c.body)
			if status != c.status || !strings.Contains(text(answer), c.want) {
				t.Errorf("%d %s, want %d %s", status, text(answer), c.status, c.want)
			}
			if status < 404 && header.Get("cache-control") != "no-store" {
				t.Error("the answer may be cached")
			}
			if (status == 401) != (header.Get("www-authenticate") != "") || (status == 429) != (header.Get("retry-after") == "60") && status != 401 && status != 403 {
				t.Errorf("headers: %v", header)
			}
		})
	}
}

// What reaches the decision point is what was sent, and the session's token is
// not among the headers that a policy sees.
func TestTheEnvelope(t *testing.T) {
	d := &desk{answer: pdp.Decision{ID: "id", Effect: pdp.Allow}}
	d.send(t, "DELETE", "/v1/sessions/current?a=1", "", "authorization", "Bearer x", "remit-session", "one", "Remit-Session", "two")
	e := d.caller
	if e.Door != "agents" || e.Listener != "agents" || e.Method != "DELETE" || e.Path != "/v1/sessions/current?a=1" || e.TrustID {
		t.Errorf("got %+v", e)
	}
	if fmt.Sprint(e.SessionTokens) != "[one two]" {
		t.Errorf("session tokens: %q", e.SessionTokens)
	}
	if _, lines := e.Headers.Get("remit-session"); lines > 0 {
		t.Error("the token is among the headers")
	}
}

// A panic and a flood are denials (invariant 1).
func TestAPanicIsAnswered(t *testing.T) {
	d := &desk{answer: pdp.Decision{ID: "id", Effect: pdp.Allow}, before: func() { panic("boom") }}
	if status, _, answer := d.send(t, "DELETE", "/v1/sessions/current", ""); status != 503 {
		t.Errorf("%d %s", status, text(answer))
	}
}

func TestAFloodIsAnswered(t *testing.T) {
	door := (&desk{answer: pdp.Decision{ID: "id", Effect: pdp.Allow}}).door(t)
	for range maxRequests {
		door.busy <- struct{}{}
	}
	w := httptest.NewRecorder()
	door.Handler().ServeHTTP(w, httptest.NewRequest("DELETE", "/v1/sessions/current", nil))
	if w.Code != 503 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Whatever is sent, the reader neither fails nor lets a credential be described.
func FuzzRequests(f *testing.F) {
	f.Add(`{"task":{"purpose":"p","limits":{"actions":3}}}`)
	f.Add(`{"host":"h","path":"/x","headers":{"accept":"a"},"body":[1]}`)
	f.Add(`{"evaluations":[{"host":"h","path":"/x","mcp":{"tool":"t"}}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		env := &pdp.Envelope{Headers: pdp.Headers{{Name: "content-type", Value: "application/json"}}, Body: body}
		read, err := readBody(env)
		if err != nil {
			return
		}
		if task, err := readTask(read); err == nil && (task.Get("purpose").Text() == "" || len(text(task)) > maxTask) {
			t.Errorf("%s is a task", text(task))
		}
		d := &desk{answer: pdp.Decision{ID: "id", Effect: pdp.Allow}}
		if d.door(t).suppose(t.Context(), env); d.about == nil {
			return
		}
		if _, lines := d.about.Headers.Get("authorization"); lines > 0 || len(d.about.SessionTokens) > 0 || d.about.Host == "" || d.about.Path == "" {
			t.Errorf("%s is described as %+v", body, d.about)
		}
	})
}
