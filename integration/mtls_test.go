package integration

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
)

const (
	envoyID   = "spiffe://example.test/ns/edge/sa/envoy"
	remitName = "remit.example.test"
)

// remote is a remit that Envoy reaches over TCP with mutual TLS.
type remote struct {
	authority *harness.Authority
	authz     string // HOST:PORT
	outcomes  string
	second    string // HOST:PORT of another remit's decisions, "" for none
	remit     string // further keys of the listener
	envoy     []string
}

func newRemote(t *testing.T) *remote {
	t.Helper()
	authority, err := harness.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return &remote{authority: authority, authz: freePort(t), outcomes: freePort(t)}
}

func freePort(t *testing.T) string {
	t.Helper()
	address, err := harness.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// options makes a stack of it: integration/envoy/mtls.yaml in place of the
// clusters with sockets.
func (r *remote) options(t *testing.T) func(*harness.Options) {
	return func(o *harness.Options) {
		for file, name := range map[string]string{"remit": remitName, "envoy": envoyID} {
			if _, err := r.authority.Issue(o.Dir, file, time.Hour, name); err != nil {
				t.Fatal(err)
			}
		}
		o.Remit = r.configuration(t, o, r.authz, r.outcomes)
		_, sockets := cut(t, filepath.Join(o.Root, "integration", "envoy", "envoy.yaml"))
		_, mutual := cut(t, filepath.Join(o.Root, "integration", "envoy", "mtls.yaml"))
		endpoint := "        - endpoint: { address: { socket_address: { address: 192.0.2.10, port_value: 9191 } } }\n"
		endpoints := endpointOf(r.authz)
		if r.second != "" {
			endpoints += endpointOf(r.second)
		}
		for _, change := range append([][2]string{
			{endpoint, endpoints},
			{"address: 192.0.2.10, port_value: 9192", "address: 127.0.0.1, port_value: " + portOf(r.outcomes)},
			{"/etc/envoy/remit/envoy.crt", filepath.Join(o.Dir, "envoy.crt")},
			{"/etc/envoy/remit/envoy.key", filepath.Join(o.Dir, "envoy.key")},
			{"/etc/envoy/remit/ca.crt", filepath.Join(o.Dir, "envoy.ca")},
		}, pairs(r.envoy)...) {
			if !strings.Contains(mutual, change[0]) {
				t.Fatalf("mtls.yaml does not contain %q", change[0])
			}
			mutual = strings.Replace(mutual, change[0], change[1], 1)
		}
		o.EnvoyReplace = append(o.EnvoyReplace, sockets, mutual)
	}
}

// configuration writes remit's with addresses in place of sockets, and returns
// the path.
func (r *remote) configuration(t *testing.T, o *harness.Options, authz, outcomes string) string {
	t.Helper()
	text, err := os.ReadFile(o.Remit)
	if err != nil {
		t.Fatal(err)
	}
	tls := fmt.Sprintf("tls: { cert_file: %[1]s/remit.crt, key_file: %[1]s/remit.key, client_ca_file: %[1]s/remit.ca, client_names: [ %[2]q ] }", o.Dir, envoyID)
	changed := strings.NewReplacer(
		"address: unix:authz.sock", fmt.Sprintf("address: %q\n  %s\n%s", authz, tls, r.remit),
		`outcomes: { address: "unix:outcomes.sock" }`, fmt.Sprintf("outcomes: { address: %q, %s }", outcomes, tls),
	).Replace(string(text))
	path := filepath.Join(o.Dir, "template-"+portOf(authz)+".yaml")
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// cut splits a configuration of Envoy before remit's clusters.
func cut(t *testing.T, path string) (head, clusters string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const begin = "  - name: remit_authz\n"
	head, rest, found := strings.Cut(string(text), begin)
	if !found {
		t.Fatalf("%s has no cluster remit_authz", path)
	}
	return head, begin + rest
}

func pairs(flat []string) (out [][2]string) {
	for i := 0; i < len(flat); i += 2 {
		out = append(out, [2]string{flat[i], flat[i+1]})
	}
	return out
}

func endpointOf(address string) string {
	return "        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: " + portOf(address) + " } } }\n"
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// stat is one of Envoy's counters.
func stat(t *testing.T, s *harness.Stack, name string) int {
	t.Helper()
	text, err := s.Envoy.Stats(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if key, n, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && key == name {
			value, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Fatalf("Envoy has no counter %s:\n%s", name, text)
	return 0
}

// steady asks at a steady rate until the returned function is called, which
// returns the answers.
func steady(t *testing.T, s *harness.Stack, person string) (stop func() []answer) {
	t.Helper()
	client := s.Client(tokenFor(t, s, person))
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var answers []answer
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for ctx.Err() == nil {
				a := ask(context.WithoutCancel(ctx), client, http.MethodGet, "/v1/clean")
				mu.Lock()
				answers = append(answers, a)
				mu.Unlock()
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	return func() []answer {
		cancel()
		wait.Wait()
		return answers
	}
}

// Envoy asks over mutual TLS with the configuration that a user copies: its
// verified name is in the record, outcomes arrive, connections are renewed by
// age and certificates by their files without a failed check, and under
// another name it gets nothing.
func TestMutualTLSThroughEnvoy(t *testing.T) {
	t.Parallel()
	r := newRemote(t)
	r.remit = "  connections: { max_age: 1s, max_age_grace: 5s }\n"
	s := startStack(t, "limits", r.options(t))

	stop := steady(t, s, "user:mtls")
	for range 3 {
		time.Sleep(2 * time.Second)
		if _, err := r.authority.Issue(s.Dir, "remit", time.Hour, remitName); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(3 * time.Second)
	answers := stop()
	if allowed := count(answers, answer.allowed); allowed != len(answers) || allowed < 100 {
		t.Errorf("%d of %d were allowed: %v\n%s", allowed, len(answers), codes(answers), s.Remit.Log())
	}
	connections := stat(t, s, "cluster.remit_authz.upstream_cx_total")
	t.Logf("%d checks on %d connections over three changes of the certificate, all allowed", len(answers), connections)
	if connections < 8 {
		t.Errorf("%d connections in 9 seconds: they do not age", connections)
	}
	if log := s.Remit.Log(); strings.Count(log, "new certificates are in force") < 3 {
		t.Errorf("the certificates were not reloaded:\n%s", log)
	}
	record, err := s.Remit.Run(t.Context(), "log", "tail", "-n", "0", "--json")
	if err != nil || !strings.Contains(record, `"requested_by":"`+envoyID+`"`) {
		t.Errorf("the record does not name the proxy: %v", err)
	}
	if !strings.Contains(record, `"type":"outcome"`) {
		t.Error("no outcome arrived over mutual TLS")
	}

	calls := s.API.Calls.Load()
	s.Remit.Stop()
	text, err := os.ReadFile(s.Remit.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Remit.Config, []byte(strings.ReplaceAll(string(text), envoyID, envoyID+"-of-old")), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Remit.Start(ctx); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if a := ask(t.Context(), s.Client(tokenFor(t, s, "user:mtls")), http.MethodGet, "/v1/clean"); a.status != http.StatusServiceUnavailable || a.decided() {
			t.Errorf("a proxy of another name was answered: %+v", a)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if s.API.Calls.Load() != calls {
		t.Error("a request got through without a decision")
	}
}

// Envoy's keepalive pings are not taken for an attack; a limit above them is
// what takes them for one, so that the test would notice.
func TestEnvoysPingsAreWelcome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		minPing string
		welcome bool
	}{"a limit below the interval": {"1s", true}, "a limit above the interval": {"1m", false}} {
		t.Run(name, func(t *testing.T) {
			r := newRemote(t)
			r.remit = "  connections: { min_ping: " + c.minPing + " }\n"
			r.envoy = []string{"connection_keepalive: { interval: 30s, timeout: 5s }", "connection_keepalive: { interval: 1.3s, timeout: 5s }",
				"interval: 1s\n      no_traffic_interval: 1s", "interval: 30s\n      no_traffic_interval: 30s"}
			s := startStack(t, "limits", r.options(t))
			client := s.Client(tokenFor(t, s, "user:ping"))
			if a := ask(t.Context(), client, http.MethodGet, "/v1/clean"); !a.allowed() {
				t.Fatalf("%+v\n%s", a, s.Remit.Log())
			}
			time.Sleep(9 * time.Second) // six pings without a request between them
			if a := ask(t.Context(), client, http.MethodGet, "/v1/clean"); !a.allowed() {
				t.Errorf("after the pings: %+v", a)
			}
			closed := stat(t, s, "cluster.remit_authz.upstream_cx_destroy")
			if c.welcome && closed > 0 || !c.welcome && closed == 0 {
				t.Errorf("%d connections were closed", closed)
			}
		})
	}
}

// Ended under load, one of two remits costs no request anything, because health
// says so before it stops; without the pause it does. Where it is the only one, a
// request gets its decision or 503, and never gets past it.
func TestEndedUnderLoad(t *testing.T) {
	for name, c := range map[string]struct {
		pause string
		fail  bool
	}{"health first": {"4s", false}, "no pause": {"1ms", true}} {
		t.Run(name, func(t *testing.T) {
			r := newRemote(t)
			r.second = freePort(t)
			var options *harness.Options
			s := startStack(t, "limits", r.options(t), func(o *harness.Options) {
				text, err := os.ReadFile(o.Remit)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(o.Remit, append(text, "shutdown: { pause: "+c.pause+" }\n"...), 0o600); err != nil {
					t.Fatal(err)
				}
				options = o
			})
			second := r.startSecond(t, s, options)

			failed := endTheFirst(t, s)
			// Chance has it that Envoy looks at health just before remit is gone.
			for tries := 1; c.fail && failed == 0 && tries < 5; tries++ {
				if err := s.Remit.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				failed = endTheFirst(t, s)
			}
			if (failed > 0) != c.fail {
				t.Errorf("%d requests failed", failed)
			}
			endTheLast(t, s, second)
		})
	}
}

// endTheFirst ends one of two remits under load, and returns how many requests that
// has cost their answer.
func endTheFirst(t *testing.T, s *harness.Stack) (failed int) {
	t.Helper()
	stop := steady(t, s, "user:two")
	time.Sleep(3 * time.Second)
	began := time.Now()
	s.Remit.Stop()
	took := time.Since(began)
	time.Sleep(time.Second)
	answers := stop()
	if len(answers) < 100 {
		t.Errorf("there were no more than %d requests", len(answers))
	}
	t.Logf("two remits, one ended in %s: %d requests: %v", took.Round(10*time.Millisecond), len(answers), codes(answers))
	return len(answers) - count(answers, answer.allowed)
}

// endTheLast ends the only remit under load.
func endTheLast(t *testing.T, s *harness.Stack, last *harness.Remit) {
	t.Helper()
	calls := s.API.Calls.Load()
	stop := steady(t, s, "user:one")
	time.Sleep(time.Second)
	last.Stop()
	time.Sleep(time.Second)
	answers := stop()
	allowed := count(answers, answer.allowed)
	outage := count(answers, func(a answer) bool { return a.status == http.StatusServiceUnavailable })
	if allowed == 0 || outage == 0 || allowed+outage != len(answers) {
		t.Errorf("the last one ended: %v", codes(answers))
	}
	if got := s.API.Calls.Load() - calls; got != int64(allowed) {
		t.Errorf("%d requests got through, %d were allowed", got, allowed)
	}
	t.Logf("the last remit ended: %d requests, %d allowed, then %d times 503", len(answers), allowed, outage)
}

// startSecond starts another remit with the same policies and a state of its
// own, and waits until Envoy asks it.
func (r *remote) startSecond(t *testing.T, s *harness.Stack, o *harness.Options) *harness.Remit {
	t.Helper()
	health := freePort(t)
	text, err := os.ReadFile(s.Remit.Config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(portOf(r.authz), portOf(r.second), portOf(r.outcomes), portOf(freePort(t)),
		s.Remit.Health, health, "dir: data", "dir: data2").Replace(string(text))
	dir := filepath.Join(o.Dir, "second")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	changed = strings.NewReplacer("bundle: policy", "bundle: ../policy", "jwks_file: jwks.json", "jwks_file: ../jwks.json").Replace(changed)
	path := filepath.Join(dir, "remit.yaml")
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	second, err := harness.StartRemit(ctx, o.Binary, path, health)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Stop)
	for stat(t, s, "cluster.remit_authz.membership_healthy") != 2 {
		if ctx.Err() != nil {
			t.Fatal("Envoy does not find the second remit healthy")
		}
		time.Sleep(100 * time.Millisecond)
	}
	return second
}
