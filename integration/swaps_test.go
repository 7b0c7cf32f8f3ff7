package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/remit-pdp/remit/pdp/server"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
)

// versionedPolicy is a bundle that says its version in five places: in two
// modules, in data, in the catalog, and in the name of the budget that every
// action is charged to, which a decision with the declarations of another
// version could not be.
func versionedPolicy(version string) map[string]string {
	return map[string]string{
		"policy/decision.rego": fmt.Sprintf(`package remit.authz

import data.remit.other

decision := {
	"effect": "allow",
	"charge": {%q: 1},
	"headers": {"v-entry": %[1]q, "v-module": other.version, "v-data": data.version.id, "v-catalog": input.target.system},
}
`, version),
		"policy/admission.rego":          "package remit.admission\n\ndecision := {\"admit\": true}\n",
		"policy/other.rego":              fmt.Sprintf("package remit.other\n\nversion := %q\n", version),
		"policy/version/data.json":       fmt.Sprintf(`{"id": %q}`, version),
		"policy/remit/budgets/data.yaml": fmt.Sprintf("%s: { scope: session, limit: 1000000 }\n", version),
		"policy/remit/catalog/data.yaml": fmt.Sprintf("systems:\n  %s:\n    hosts: [api.example.test]\n    sensitivity: internal\n    http:\n    - { methods: [GET], path: \"/v1/x\", operation: read }\n", version),
	}
}

// versionedAnswer is what one decision showed.
type versionedAnswer struct {
	id       string
	versions []string
	took     time.Duration
	err      error
}

// versionedCheck asks once, as one of 64 workloads: so many that what nobody
// reports the outcome of does not fill the room of one.
func (p *gitPolicy) versionedCheck(ctx context.Context, n int) (a versionedAnswer) {
	request := gitCheck()
	request.Attributes.Source.Principal = fmt.Sprintf("spiffe://prod.example.test/agent-%d", n%64)
	request.Attributes.Request.Http.Id = fmt.Sprint(n)
	begun := time.Now()
	answer, err := p.client.Check(ctx, request)
	a.took = time.Since(begun)
	switch {
	case err != nil:
		a.err = err
	case answer.GetStatus().GetCode() != 0 || answer.GetOkResponse() == nil:
		a.err = fmt.Errorf("denied: %s", answer.GetDeniedResponse().GetBody())
	}
	a.id = answer.GetDynamicMetadata().GetFields()["decision_id"].GetStringValue()
	for _, h := range answer.GetOkResponse().GetHeaders() {
		if strings.HasPrefix(h.GetHeader().GetKey(), "v-") {
			a.versions = append(a.versions, h.GetHeader().GetValue()+string(h.GetHeader().GetRawValue()))
		}
	}
	return a
}

// checksAt asks at a rate until stop is closed, and returns all answers and how
// long it asked. It slows down where a thousand requests wait for an answer.
func (p *gitPolicy) checksAt(ctx context.Context, rate int, stop chan struct{}) (answers []versionedAnswer, lasted time.Duration) {
	var mu sync.Mutex
	var wait sync.WaitGroup
	waiting := make(chan struct{}, 1000)
	ask := func(n int) {
		defer func() { <-waiting }()
		a := p.versionedCheck(ctx, n)
		mu.Lock()
		answers = append(answers, a)
		mu.Unlock()
	}
	begin := time.Now()
	for n := 0; ; n++ {
		// What is late is made up for, so that the rate is kept.
		time.Sleep(time.Until(begin.Add(time.Duration(n) * time.Second / time.Duration(rate))))
		select {
		case <-stop:
			lasted = time.Since(begin)
			wait.Wait()
			return answers, lasted
		case waiting <- struct{}{}:
			wait.Go(func() { ask(n) })
		}
	}
}

// While a git repository is pushed to 50 times, each of 2,000 requests a second
// is decided with exactly one commit, the one that its record names, and none
// fails. The race detector's clients manage a fifth of that, and ten pushes.
func TestSwapsFromGitUnderLoad(t *testing.T) {
	swaps, rate, least := 50, 2050, 2000.0
	if underRace {
		swaps, rate, least = 10, 400, 360
	}
	p := startGitPolicyWith(t, gitSettings{
		way: "https", binary: plain(t), files: versionedPolicy("v0"),
		identity: "{ spiffe: { trust_domains: [ prod.example.test ], certificate: optional } }",
	})
	versions := map[string]string{p.first: "v0"} // by commit
	stop, done := make(chan struct{}), make(chan struct{})
	var answers []versionedAnswer
	var lasted time.Duration
	go func() {
		defer close(done)
		answers, lasted = p.checksAt(t.Context(), rate, stop)
	}()
	for i := 1; i <= swaps; i++ {
		version := fmt.Sprintf("v%d", i)
		for name, text := range versionedPolicy(version) {
			p.write(t, name, text)
		}
		commit := p.push(t)
		versions[commit] = version
		p.await(t, "serving "+commit, func(s server.PolicyStatus) bool { return strings.HasPrefix(s.Generation, "git:"+commit+"+") })
	}
	close(stop)
	<-done
	p.remit.Stop()

	seen := p.eachIsOf(t, answers, versions)
	took := make([]time.Duration, len(answers))
	for i, a := range answers {
		took[i] = a.took
	}
	slices.Sort(took)
	reached := float64(len(answers)) / lasted.Seconds()
	t.Logf("%d requests at %.0f/s during %d swaps in %s, decided with %d commits; p50 %s, p99 %s, slowest %s", len(answers), reached, swaps,
		lasted.Round(time.Second), seen, took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
	if reached < least || seen != swaps+1 {
		t.Errorf("%.0f requests a second with %d commits is less than %.0f with all %d", reached, seen, least, swaps+1)
	}
}

// eachIsOf compares what each answer showed with the commit that the journal
// has of it, and returns how many commits decided.
func (p *gitPolicy) eachIsOf(t *testing.T, answers []versionedAnswer, versions map[string]string) int {
	t.Helper()
	journal, err := localstore.NewReader(p.state)
	if err != nil {
		t.Fatal(err)
	}
	commits := make(map[string]string) // by decision
	err = journal.Entries(t.Context(), 0, func(_ state.Position, e *state.Entry) error {
		if e.Record != nil {
			commit, _, _ := strings.Cut(strings.TrimPrefix(e.Record.Generation, "git:"), "+")
			commits[e.Record.ID] = commit
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	seen, bad := make(map[string]bool), 0
	for _, a := range answers {
		want := versions[commits[a.id]]
		if a.err == nil && want != "" && slices.Equal(a.versions, []string{want, want, want, want}) {
			seen[want] = true
			continue
		}
		if bad++; bad <= 10 {
			t.Errorf("decision %q of commit %q (%s) shows %v: %v", a.id, commits[a.id], want, a.versions, a.err)
		}
	}
	if bad > 0 {
		t.Errorf("%d of %d answers are not of one commit, or failed", bad, len(answers))
	}
	return len(seen)
}

// gitCheck is a check that the policies from git are asked about.
func gitCheck() *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{}, Destination: &authv3.AttributeContext_Peer{},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Id: "1", Method: "GET", Host: "api.example.test", Path: "/v1/x", Scheme: "https", Protocol: "HTTP/2",
		}},
	}}
}
