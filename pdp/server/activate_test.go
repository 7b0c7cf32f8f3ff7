package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/server"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
)

// versioned is a bundle that says its version in four places: in two modules,
// in data and in the catalog. A decision shows all of them.
func versioned(version string) map[string]string {
	return map[string]string{
		".manifest": fmt.Sprintf(`{"revision": %q}`, version),
		"decision.rego": fmt.Sprintf(`package remit.authz

import data.remit.other

decision := {"effect": "allow", "headers": {"v-entry": %q, "v-module": other.version, "v-data": data.version.id, "v-catalog": input.target.system}}
`, version),
		"other.rego":              fmt.Sprintf("package remit.other\n\nversion := %q\n", version),
		"version/data.json":       fmt.Sprintf(`{"id": %q}`, version),
		"remit/catalog/data.yaml": fmt.Sprintf("systems:\n  %s:\n    hosts: [api.example.test]\n    sensitivity: internal\n    http:\n    - { methods: [GET], path: \"/v1/x\", operation: read }\n", version),
	}
}

// swapIn puts a version into a folder as Kubernetes does into a ConfigMap's.
func swapIn(t *testing.T, dir, version string, files map[string]string) {
	t.Helper()
	stamp := ".." + version
	for name, text := range files {
		path := filepath.Join(dir, stamp, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := os.Readlink(filepath.Join(dir, "..data")) // none the first time
	next := filepath.Join(dir, "..next")
	if err := os.Symlink(stamp, next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	for name := range files {
		top, _, _ := strings.Cut(name, "/")
		if err := os.Symlink(filepath.Join("..data", top), filepath.Join(dir, top)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	visible, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range visible { // of files that are no more
		if _, err := os.Stat(filepath.Join(dir, link.Name())); os.IsNotExist(err) {
			os.Remove(filepath.Join(dir, link.Name()))
		}
	}
	if before != "" && before != stamp {
		if err := os.RemoveAll(filepath.Join(dir, before)); err != nil {
			t.Fatal(err)
		}
	}
}

// watched is a server in this process.
type watched struct {
	dir, policy, health string
	config              *config.Config
	log                 *synced
	stop                func() error
	client              authv3.AuthorizationClient
}

// synced is a log that may be read while it is written.
type synced struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *synced) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *synced) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// prepare writes a configuration whose policy is a folder that is still empty.
func prepare(t *testing.T) *watched {
	t.Helper()
	dir, err := os.MkdirTemp("", "remit-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &watched{dir: dir, policy: filepath.Join(dir, "policy"), health: freePort(t)}
	if err := os.Mkdir(r.policy, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`listeners:
- name: agents
  address: unix:a.sock
  deadline: 20s
  identity: { none: true }
policy: { bundle: { dir: policy, poll: 100ms }, timeout: 5s }
state: { dir: data }
health: { address: %q }
shutdown: { pause: 0s, drain: 5s }
`, r.health)
	path := filepath.Join(dir, "remit.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if r.config, err = config.Load(path); err != nil {
		t.Fatal(err)
	}
	return r
}

// start serves, or returns why not.
func (r *watched) start(t *testing.T) error {
	t.Helper()
	r.log = &synced{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx, r.config, slog.New(slog.NewTextHandler(r.log, nil))) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = r.stop() })
	for {
		select {
		case err := <-ended:
			ended <- err
			return err
		case <-time.After(20 * time.Millisecond):
		}
		resp, err := http.Get("http://" + r.health + "/ready")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
	}
	conn, err := grpc.NewClient("unix:"+filepath.Join(r.dir, "a.sock"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	end := r.stop
	r.stop = sync.OnceValue(func() error { conn.Close(); return end() })
	t.Cleanup(func() { _ = r.stop() })
	r.client = authv3.NewAuthorizationClient(conn)
	return nil
}

func (r *watched) mustStart(t *testing.T) {
	t.Helper()
	if err := r.start(t); err != nil {
		t.Fatal(err)
	}
}

func (r *watched) status(t *testing.T) (s server.PolicyStatus) {
	t.Helper()
	resp, err := http.Get("http://" + r.health + "/health/policy")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// await waits until the status is as wanted.
func (r *watched) await(t *testing.T, what string, is func(server.PolicyStatus) bool) server.PolicyStatus {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		s := r.status(t)
		if is(s) {
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("never %s: %+v\n%s", what, s, r.log)
		}
	}
}

func serves(version string) func(server.PolicyStatus) bool {
	return func(s server.PolicyStatus) bool { return strings.HasPrefix(s.Generation, version+"@") }
}

// shown is a decision: its id, and the versions it was made with.
type shown struct {
	id       string
	versions map[string]string
}

// decide asks for one decision; an error unless it is an allow.
func (r *watched) decide(ctx context.Context) (shown, error) {
	request := &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{}, Destination: &authv3.AttributeContext_Peer{},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Id: "1", Method: "GET", Host: "api.example.test", Path: "/v1/x", Scheme: "https", Protocol: "HTTP/2",
		}},
	}}
	answer, err := r.client.Check(ctx, request)
	if err != nil {
		return shown{}, err
	}
	if answer.GetStatus().GetCode() != 0 {
		return shown{}, fmt.Errorf("denied: %s", answer.GetDeniedResponse().GetBody())
	}
	s := shown{answer.GetDynamicMetadata().GetFields()["decision_id"].GetStringValue(), make(map[string]string)}
	for _, h := range answer.GetOkResponse().GetHeaders() {
		if name := h.GetHeader().GetKey(); strings.HasPrefix(name, "v-") {
			s.versions[name] = h.GetHeader().GetValue() + string(h.GetHeader().GetRawValue())
		}
	}
	return s, nil
}

// generations are what the journal says that decisions were made with, and
// which activations it tells of.
func (r *watched) generations(t *testing.T) (of map[string]string, activated, refused []string) {
	t.Helper()
	journal, err := localstore.NewReader(r.config.State.Dir)
	if err != nil {
		t.Fatal(err)
	}
	of = make(map[string]string)
	err = journal.Entries(t.Context(), 0, func(_ state.Position, e *state.Entry) error {
		switch {
		case e.Record != nil:
			of[e.Record.ID] = e.Record.Generation
		case e.Kind == state.Activated && e.Problem == "":
			activated = append(activated, e.Generation)
		case e.Kind == state.Activated:
			refused = append(refused, e.Problem)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return of, activated, refused
}

// While policy is swapped 50 times, every decision is made with exactly one
// version, the one that its record names, and none fails. The end-to-end test
// does the same with a git repository, and holds a rate.
func TestSwapsAreWhole(t *testing.T) {
	const swaps, rate, workers = 50, 2200, 32
	r := prepare(t)
	swapIn(t, r.policy, "v0", versioned("v0"))
	r.mustStart(t)

	ctx, cancel := context.WithCancel(t.Context())
	begun := time.Now()
	results := make([][]shown, workers)
	failures := make(chan error, workers)
	var load sync.WaitGroup
	for w := range workers {
		load.Go(func() {
			tick := time.NewTicker(workers * time.Second / rate)
			defer tick.Stop()
			for ctx.Err() == nil {
				s, err := r.decide(t.Context())
				if err != nil {
					failures <- err
					return
				}
				results[w] = append(results[w], s)
				<-tick.C
			}
		})
	}
	for i := 1; i <= swaps; i++ {
		version := fmt.Sprintf("v%d", i)
		swapIn(t, r.policy, version, versioned(version))
		r.await(t, "serving "+version, serves(version))
	}
	took := time.Since(begun)
	cancel()
	load.Wait()
	close(failures)
	for err := range failures {
		t.Errorf("a decision failed: %v", err)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}

	of, activated, refused := r.generations(t)
	if len(activated) != swaps+1 || len(refused) != 0 {
		t.Errorf("%d activations and %d refusals are in the journal, want %d and none", len(activated), len(refused), swaps+1)
	}
	all, seen := 0, make(map[string]bool)
	for _, some := range results {
		for _, s := range some {
			all++
			version, _, _ := strings.Cut(of[s.id], "@")
			seen[version] = true
			if s.id == "" || version == "" || len(s.versions) != 4 {
				t.Fatalf("decision %q has generation %q and shows %v", s.id, of[s.id], s.versions)
			}
			for place, shows := range s.versions {
				if shows != version {
					t.Fatalf("%s was decided with %s, and %s says %s", s.id, of[s.id], place, shows)
				}
			}
		}
	}
	t.Logf("%d decisions during %d swaps in %s: %.0f a second, with %d versions", all, swaps, took.Round(time.Millisecond), float64(all)/took.Seconds(), len(seen))
	if len(seen) < swaps/2 || all < 10*swaps {
		t.Errorf("%d decisions with %d versions: nothing was decided while it was swapped", all, len(seen))
	}
}

// A bad bundle is reported with file and line, is journalled, and changes
// nothing; the next good one serves.
func TestABadBundleNeverServes(t *testing.T) {
	r := prepare(t)
	swapIn(t, r.policy, "v1", versioned("v1"))
	r.mustStart(t)
	bad := map[string]func(files map[string]string) (want string){
		"no rego": func(f map[string]string) string {
			f["other.rego"] = "package remit.other\n\nversion := \n"
			return "other.rego:4"
		},
		"misspelt input": func(f map[string]string) string {
			f["other.rego"] = "package remit.other\n\nversion := input.target.sytem\n"
			return "other.rego:3"
		},
		"bad data": func(f map[string]string) string {
			f["version/data.json"] = "{\n\"id\": 1,\n\"id\": 2}"
			return "version/data.json:1"
		},
		"bad catalog": func(f map[string]string) string {
			f["remit/catalog/data.yaml"] = "systems:\n  a:\n    hosts: [x]\n    sensitivity: odd\n"
			return "remit/catalog/data.yaml:4"
		},
		"a fact of no kind": func(f map[string]string) string {
			f["remit/memory/data.yaml"] = "seen:\n  scope: session\n"
			return "remit/memory/data.yaml:"
		},
		"network": func(f map[string]string) string {
			f["other.rego"] = "package remit.other\n\nversion := http.send({}).status\n"
			return "other.rego:3"
		},
		"no policy": func(f map[string]string) string {
			delete(f, "other.rego")
			delete(f, "decision.rego")
			f["note.txt"] = ""
			return "holds no policy"
		},
	}
	n := 1
	for name, spoil := range bad {
		n++
		files := versioned("bad")
		want := spoil(files)
		swapIn(t, r.policy, fmt.Sprintf("bad%d", n), files)
		s := r.await(t, name+" reported", func(s server.PolicyStatus) bool { return s.Refused != nil && strings.Contains(s.Refused.Problem, want) })
		if got, err := r.decide(t.Context()); err != nil || got.versions["v-entry"] != "v1" || !serves("v1")(s) {
			t.Errorf("%s: %v, %v with %s", name, got, err, s.Generation)
		}
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("%s: the log does not say %s", name, want)
		}
	}
	swapIn(t, r.policy, "v2", versioned("v2"))
	s := r.await(t, "serving v2", serves("v2"))
	if got, err := r.decide(t.Context()); err != nil || got.versions["v-entry"] != "v2" || s.Refused != nil {
		t.Errorf("after a good one: %v, %v, %+v", got, err, s.Refused)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if _, activated, refused := r.generations(t); len(activated) != 2 || len(refused) < len(bad) {
		t.Errorf("the journal tells of %d activations and %d refusals", len(activated), len(refused))
	}
}

// Without its source, or when that holds nothing good, remit serves what served
// last, and says so.
func TestTheLastGoodSurvivesARestart(t *testing.T) {
	r := prepare(t)
	swapIn(t, r.policy, "v1", versioned("v1"))
	r.mustStart(t)
	first := r.status(t)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(){
		"gone":   func() { os.RemoveAll(r.policy) },
		"empty":  func() { os.RemoveAll(r.policy); os.Mkdir(r.policy, 0o700) },
		"broken": func() { os.WriteFile(filepath.Join(r.policy, "new.rego"), []byte("package x\n\na := \n"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			spoil()
			r.mustStart(t)
			s := r.status(t)
			if got, err := r.decide(t.Context()); err != nil || got.versions["v-entry"] != "v1" {
				t.Errorf("got %v, %v", got, err)
			}
			if !s.LastGood || s.Generation != first.Generation || s.Since.IsZero() || s.Refused == nil && s.Unreachable == nil {
				t.Errorf("the status is %+v", s)
			}
			if !strings.Contains(r.log.String(), "serving the last good policy") {
				t.Errorf("the log does not say it:\n%s", r.log)
			}
			read, err := server.ReadPolicyStatus(r.config.State.Dir)
			if err != nil || read == nil || !read.LastGood {
				t.Errorf("the status file says %+v, %v", read, err)
			}
			// The source comes back.
			os.RemoveAll(r.policy)
			if err := os.Mkdir(r.policy, 0o700); err != nil {
				t.Fatal(err)
			}
			swapIn(t, r.policy, "v1", versioned("v1"))
			r.await(t, "not the last good any more", func(s server.PolicyStatus) bool { return !s.LastGood && s.Refused == nil && s.Unreachable == nil })
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A copy that is damaged, of another source, or not there is not served.
func TestWhatIsNotTheLastGood(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, r *watched, kept string)
		want  string
	}{
		"none": {func(t *testing.T, _ *watched, kept string) {
			if err := os.Remove(kept); err != nil {
				t.Fatal(err)
			}
		}, "policy"},
		"damaged": {func(t *testing.T, _ *watched, kept string) {
			text, err := os.ReadFile(kept)
			if err != nil {
				t.Fatal(err)
			}
			text = bytes.Replace(text, []byte(`"v1`), []byte(`"v2`), 1)
			text[len(text)/2] ^= 1
			if err := os.WriteFile(kept, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "is damaged"},
		"of another source": {func(_ *testing.T, r *watched, _ string) {
			r.config.Policy.Bundle = config.Bundle{Tarball: filepath.Join(r.dir, "b.tar.gz"), Poll: r.config.Policy.Bundle.Poll}
		}, "came from another source"},
	} {
		t.Run(name, func(t *testing.T) {
			r := prepare(t)
			swapIn(t, r.policy, "v1", versioned("v1"))
			r.mustStart(t)
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(r.policy); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, r, filepath.Join(r.config.State.Dir, "policy", "last-good"))
			if err := r.start(t); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
