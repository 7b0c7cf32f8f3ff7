// Package sample is one agent's session, request by request, and what must
// become of each: the demonstration shows it, and the end-to-end tests play it
// behind every proxy that remit is proved behind.
package sample

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/remit-pdp/remit/integration/harness"
)

// Who acts in the sample session, and for whom.
const (
	Agent  = "support-agent"
	Person = "user:ada"
)

// A step is one request of the sample session, and what it is there to show.
type step struct {
	shows string
	wait  time.Duration // before the request
	ask   func(context.Context) (answer, error)
	want  string // "allowed" or the reason code of the denial
}

// An answer is what came back through Envoy.
type answer struct {
	request string
	denied  string // reason code; "" for an allow
	message string
}

// Play sends the sample session through Envoy and prints it to out. A step that
// does not come out as announced is an error. The policies must be those of
// integration/demo/bundle.
func Play(ctx context.Context, s *harness.Stack, out io.Writer) error {
	token, err := s.Issuer.Token(Agent, Person, "demo-1", nil)
	if err != nil {
		return err
	}
	session, err := s.Connect(ctx, token, "")
	if err != nil {
		return fmt.Errorf("connect to the tools: %w", err)
	}
	defer session.Close()

	fmt.Fprintf(out, "\nagent %s, acting for %s, through Envoy at %s\n\n", Agent, Person, s.Envoy.Address)
	for i, step := range steps(session, s.Client(token)) {
		if err := pause(ctx, out, step.wait); err != nil {
			return err
		}
		got, err := step.ask(ctx)
		if err != nil {
			return fmt.Errorf("step %d (%s): %w", i+1, step.shows, err)
		}
		print(out, i+1, step, got)
		if verdict(got) != step.want {
			return fmt.Errorf("step %d (%s): got %s, want %s\nremit's log ends with:\n%s", i+1, step.shows, verdict(got), step.want, s.Remit.Log())
		}
	}
	return nil
}

func verdict(a answer) string {
	if a.denied == "" {
		return "allowed"
	}
	return a.denied
}

func print(out io.Writer, n int, step step, a answer) {
	word := "ALLOW"
	if a.denied != "" {
		word = "DENY "
	}
	fmt.Fprintf(out, "%2d. %s  %-68s %s\n", n, word, a.request, step.shows)
	if a.denied != "" {
		fmt.Fprintf(out, "           %s: %s\n", a.denied, a.message)
	}
}

func pause(ctx context.Context, out io.Writer, d time.Duration) error {
	if d == 0 {
		return nil
	}
	fmt.Fprintf(out, "    ... %s later\n", d)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// call is a step that calls a tool by MCP.
func call(session *mcp.ClientSession, tool string, arguments map[string]any) func(context.Context) (answer, error) {
	return func(ctx context.Context) (answer, error) {
		a := answer{request: fmt.Sprintf("%s(%s)", tool, brief(arguments))}
		result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: arguments})
		if err != nil {
			return a, err
		}
		if !result.IsError {
			return a, nil
		}
		explanation, err := json.Marshal(result.Meta["remit/denial"])
		if err != nil {
			return a, err
		}
		a.denied, a.message = firstReason(explanation)
		return a, nil
	}
}

// request is a step that asks the plain HTTP API.
func request(client *http.Client, method, path string) func(context.Context) (answer, error) {
	return func(ctx context.Context) (answer, error) {
		a := answer{request: method + " " + path}
		req, err := http.NewRequestWithContext(ctx, method, "http://"+harness.APIHost+path, nil)
		if err != nil {
			return a, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return a, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode >= 400 {
			a.denied, a.message = firstReason(body)
		}
		return a, err
	}
}

// firstReason reads code and message of the first reason of a denial.
func firstReason(denial []byte) (code, message string) {
	var d struct {
		Reasons []struct{ Code, Message string }
	}
	if err := json.Unmarshal(denial, &d); err != nil || len(d.Reasons) == 0 {
		return "unexplained", string(denial)
	}
	return d.Reasons[0].Code, d.Reasons[0].Message
}

func brief(arguments map[string]any) string {
	var parts []string
	for _, name := range []string{"ticket", "customer", "url", "to", "text"} {
		if v, ok := arguments[name]; ok {
			parts = append(parts, fmt.Sprint(v))
		}
	}
	return strings.Join(parts, ", ")
}
