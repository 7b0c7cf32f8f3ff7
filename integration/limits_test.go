package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/remit-pdp/remit/integration/harness"
)

// An answer is what one request through Envoy came back with.
type answer struct {
	status   int    // 0: no answer at all
	decision string // decision id; "" where remit did not answer
	code     string // reason code of a denial
}

func (a answer) allowed() bool { return a.status == http.StatusOK }

// decided reports whether remit answered: an outage of remit is Envoy's 503.
func (a answer) decided() bool { return a.decision != "" }

// ask sends one request to the sample API through Envoy.
func ask(ctx context.Context, client *http.Client, method, path string) answer {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+harness.APIHost+path, nil)
	if err != nil {
		return answer{}
	}
	a, _ := send(client, req)
	return a
}

// send sends a request to the sample API, and returns with the answer the
// headers that the API got with it.
func send(client *http.Client, req *http.Request) (answer, http.Header) {
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, nil
	}
	// An allow's id comes back from the API, which echoes the stamp it was
	// sent; a denial's id is in the denial.
	var told struct {
		Decision string `json:"decision"`
		ID       string `json:"decision_id"`
		Headers  http.Header
		Reasons  []struct{ Code string }
	}
	if err := json.Unmarshal(body, &told); err != nil {
		return answer{status: resp.StatusCode}, nil
	}
	a := answer{status: resp.StatusCode, decision: told.Decision + told.ID}
	if len(told.Reasons) > 0 {
		a.code = told.Reasons[0].Code
	}
	return a, told.Headers
}

// askAll sends n requests at the same time and returns their answers.
func askAll(ctx context.Context, client *http.Client, n int, method, path string) []answer {
	answers := make([]answer, n)
	begin := make(chan struct{})
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() {
			<-begin
			answers[i] = ask(ctx, client, method, path)
		})
	}
	close(begin)
	wait.Wait()
	return answers
}

func count(answers []answer, is func(answer) bool) (n int) {
	for _, a := range answers {
		if is(a) {
			n++
		}
	}
	return n
}

// Of 256 concurrent requests in one partition exactly min(K, 256) are allowed,
// through a real Envoy, for a budget, a one-use right, a label and a fact.
func TestConcurrentLimits(t *testing.T) {
	s := startStack(t, "limits", patient)
	const n = 256
	for _, k := range []int{1, 10, 100} {
		t.Run(fmt.Sprintf("budget of %d", k), func(t *testing.T) {
			client := s.Client(tokenFor(t, s, fmt.Sprintf("user:budget-%d", k)))
			answers := askAll(t.Context(), client, n, http.MethodGet, fmt.Sprintf("/v1/spend/%d", k))
			if allowed := count(answers, answer.allowed); allowed != k {
				t.Errorf("%d of %d were allowed, want %d; codes: %v\n%s", allowed, n, k, codes(answers), s.Remit.Log())
			}
			if spent := count(answers, func(a answer) bool { return a.code == "budget_spent" }); spent != n-k {
				t.Errorf("%d were told that the budget is spent, want %d; codes: %v", spent, n-k, codes(answers))
			}
		})
	}
	t.Run("one-use right", func(t *testing.T) {
		client := s.Client(tokenFor(t, s, "user:right"))
		if allowed := count(askAll(t.Context(), client, n, http.MethodPost, "/v1/once/7"), answer.allowed); allowed != 1 {
			t.Errorf("a right for one use was used %d times", allowed)
		}
	})
	t.Run("label", func(t *testing.T) {
		client := s.Client(tokenFor(t, s, "user:label"))
		if a := ask(t.Context(), client, http.MethodGet, "/v1/clean"); !a.allowed() {
			t.Fatalf("before the label: %+v", a)
		}
		if a := ask(t.Context(), client, http.MethodGet, "/v1/taint"); !a.allowed() {
			t.Fatalf("picking up the label: %+v", a)
		}
		if allowed := count(askAll(t.Context(), client, n, http.MethodGet, "/v1/clean"), answer.allowed); allowed != 0 {
			t.Errorf("%d were allowed after the label was picked up", allowed)
		}
	})
	t.Run("fact", func(t *testing.T) {
		client := s.Client(tokenFor(t, s, "user:fact"))
		if allowed := count(askAll(t.Context(), client, 16, http.MethodPost, "/v1/use/7"), answer.allowed); allowed != 0 {
			t.Errorf("%d were allowed without the approval", allowed)
		}
		if a := ask(t.Context(), client, http.MethodPost, "/v1/approve/7"); !a.allowed() {
			t.Fatalf("approval: %+v", a)
		}
		if allowed := count(askAll(t.Context(), client, n, http.MethodPost, "/v1/use/7"), answer.allowed); allowed != n {
			t.Errorf("%d of %d were allowed after the approval", allowed, n)
		}
	})
}

// patient makes Envoy wait for a remit that has more to decide at once than the
// machine can: how many are allowed must not depend on who gave up.
func patient(o *harness.Options) {
	for i, text := range o.EnvoyReplace {
		o.EnvoyReplace[i] = strings.ReplaceAll(text, "timeout: 20s", "timeout: 60s")
	}
	o.EnvoyReplace = append(o.EnvoyReplace, "- timeout: 1s", "- timeout: 30s")
}

func codes(answers []answer) map[string]int {
	found := make(map[string]int)
	for _, a := range answers {
		found[fmt.Sprintf("%d %s", a.status, a.code)]++
	}
	return found
}
