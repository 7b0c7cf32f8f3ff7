package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/pdp/server"
)

// gitPolicy is remit with its policy in a git repository.
type gitPolicy struct {
	git    *harness.Git
	remit  *harness.Remit
	client authv3.AuthorizationClient
	state  string
	first  string // the commit that it started with
}

const gitSecret = "hunter2-never-shown"

// gitSettings say what [startGitPolicyWith] starts.
type gitSettings struct {
	way      string // "https" or "file"
	binary   string
	identity string            // of the listener
	files    map[string]string // what the first commit holds
}

// startGitPolicy starts remit with one policy, in the folder "policy" of a
// repository.
func startGitPolicy(t *testing.T, way string) *gitPolicy {
	t.Helper()
	binary, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return startGitPolicyWith(t, gitSettings{way: way, binary: binary, identity: "{ none: true }",
		files: map[string]string{"policy/decision.rego": decisionSaying("first")}})
}

// startGitPolicyWith pushes files to a repository and starts remit with its
// folder "policy", polling every second.
func startGitPolicyWith(t *testing.T, o gitSettings) *gitPolicy {
	t.Helper()
	dir := shortDir(t)
	g, err := harness.StartGit(dir, "robot:"+gitSecret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Stop)
	p := &gitPolicy{git: g, state: filepath.Join(dir, "data")}
	for name, text := range o.files {
		p.write(t, name, text)
	}
	p.first = p.push(t)
	if err := os.WriteFile(filepath.Join(dir, "credentials"), []byte("robot:"+gitSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	from := fmt.Sprintf(`{ url: %q, ref: main, folder: policy, ca_file: ca.pem, credentials_file: credentials }`, g.URL)
	if o.way == "file" {
		from = fmt.Sprintf(`{ url: "file://%s", ref: main, folder: policy }`, g.Dir)
	}
	health, err := harness.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "remit.yaml")
	text := fmt.Sprintf(`listeners:
- { name: agents, address: "unix:a.sock", deadline: 15s, identity: %s }
policy: { bundle: { git: %s, poll: 1s }, timeout: 5s }
state: { dir: data }
health: { address: %q }
shutdown: { pause: 0s, drain: 5s }
`, o.identity, from, health)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if p.remit, err = harness.StartRemit(t.Context(), o.binary, config, health); err != nil {
		t.Fatalf("%v\n%s", err, p.remit.Log())
	}
	t.Cleanup(func() { p.remit.Stop() })
	conn, err := grpc.NewClient("unix:"+filepath.Join(dir, "a.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p.client = authv3.NewAuthorizationClient(conn)
	return p
}

func decisionSaying(what string) string {
	return fmt.Sprintf("package remit.authz\n\ndecision := {\"effect\": \"deny\", \"reasons\": [{\"code\": %q, \"message\": input.request.method}]}\n", what)
}

func (p *gitPolicy) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(p.git.Work(), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *gitPolicy) push(t *testing.T) (commit string) {
	t.Helper()
	commit, err := p.git.Push("a change")
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

func (p *gitPolicy) status(t *testing.T) (s server.PolicyStatus) {
	t.Helper()
	resp, err := http.Get("http://" + p.remit.Health + "/health/policy")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// await waits for a few polls.
func (p *gitPolicy) await(t *testing.T, what string, is func(server.PolicyStatus) bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(p.status(t)); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never %s: %+v\n%s", what, p.status(t), p.remit.Log())
		}
	}
}

// decision asks once; it returns what the policy said, and what the record of
// it says about which policy that was.
func (p *gitPolicy) decision(t *testing.T) (said, record string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	answer, err := p.client.Check(ctx, gitCheck(), grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	id := answer.GetDynamicMetadata().GetFields()["decision_id"].GetStringValue()
	record, err = p.remit.Run(t.Context(), "log", "show", id)
	if err != nil {
		t.Fatalf("log show %s: %v\n%s", id, err, record)
	}
	return answer.GetDeniedResponse().GetBody(), record
}

// A push is in force within the poll, and its commit in the next decision's
// record; a broken one is reported with file and line and serves nobody; with
// the repository gone, a restart serves the last good one.
func TestPolicyFromGit(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"https", "file"} {
		t.Run(way, func(t *testing.T) {
			p := startGitPolicy(t, way)
			p.write(t, "policy/decision.rego", decisionSaying("second"))
			second := p.push(t)
			pushed := time.Now()
			p.await(t, "serving "+second, func(s server.PolicyStatus) bool { return strings.HasPrefix(s.Generation, "git:"+second+"+") })
			t.Logf("activated %s after the push, polling every second", time.Since(pushed).Round(10*time.Millisecond))
			if said, record := p.decision(t); !strings.Contains(said, `"second"`) || !strings.Contains(record, second) {
				t.Errorf("commit %s: the policy said %s, the record %s", second, said, record)
			}

			p.write(t, "policy/broken.rego", "package broken\n\na := input.target.sytem\n")
			broken := p.push(t)
			p.await(t, "refusing "+broken, func(s server.PolicyStatus) bool {
				return s.Refused != nil && s.Refused.Revision == "git:"+broken && strings.Contains(s.Refused.Problem, "broken.rego:3") && strings.HasPrefix(s.Generation, "git:"+second+"+")
			})
			if said, record := p.decision(t); !strings.Contains(said, `"second"`) || !strings.Contains(record, second) {
				t.Errorf("after a broken commit: the policy said %s, the record %s", said, record)
			}
			if log := p.remit.Log(); !strings.Contains(log, "broken.rego:3") || !strings.Contains(log, broken) {
				t.Errorf("the log does not say what is wrong with %s:\n%s", broken, log)
			}

			p.remit.Stop()
			p.git.Stop()
			if err := os.RemoveAll(p.git.Dir); err != nil {
				t.Fatal(err)
			}
			if err := p.remit.Start(t.Context()); err != nil {
				t.Fatalf("%v\n%s", err, p.remit.Log())
			}
			if said, record := p.decision(t); !strings.Contains(said, `"second"`) || !strings.Contains(record, second) {
				t.Errorf("without the repository: the policy said %s, the record %s", said, record)
			}
			if s := p.status(t); !s.LastGood || s.Unreachable == nil || s.Since.IsZero() || !strings.HasPrefix(s.Generation, "git:"+second+"+") {
				t.Errorf("the status is %+v", s)
			}
			if log := p.remit.Log(); !strings.Contains(log, "serving the last good policy") {
				t.Errorf("the log does not say that the last good serves:\n%s", log)
			}
			// The check itself fails, since it asks the source.
			if out, err := p.remit.Run(t.Context(), "check"); err == nil || !strings.Contains(out, "serves the last good policy, git:"+second) {
				t.Errorf("remit check: %v\n%s", err, out)
			}
			p.findNoSecret(t)
		})
	}
}

// findNoSecret looks for the repository's password in everything remit wrote.
func (p *gitPolicy) findNoSecret(t *testing.T) {
	t.Helper()
	if strings.Contains(p.remit.Log(), gitSecret) {
		t.Error("the log tells the password")
	}
	err := filepath.WalkDir(p.state, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), gitSecret) {
			t.Errorf("%s tells the password", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
