package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/door/envoyconfig"
	"github.com/remit-pdp/remit/pdp/identity"
	"github.com/remit-pdp/remit/pdp/server"
	"github.com/remit-pdp/remit/pdp/state/localstore"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

const remitYAML = `listeners:
- name: agents
  address: unix:authz.sock
  identity: { jwt: { issuer: "https://idp.example.test", audience: [ a ], jwks_url: "https://idp.example.test/keys", algorithms: [ ES256 ] } }
outcomes: { address: "unix:outcomes.sock" }
policy: { bundle: policy }
state: { dir: data }
`

// load reads a configuration from a folder of its own.
func load(t *testing.T, text string) *config.Loaded {
	t.Helper()
	short, err := os.MkdirTemp("", "d") // the path of a socket has 107 bytes at the most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	dir := filepath.Join(short, "remit")
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "data"), 0o700), os.WriteFile(filepath.Join(dir, "remit.yaml"), []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	c, err := config.Read(config.Sources{File: filepath.Join(dir, "remit.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// healthy are the signs of a remit that serves and lacks nothing.
func healthy(t *testing.T) *signs {
	c := load(t, remitYAML)
	for _, d := range doors(c.Config) {
		path := strings.TrimPrefix(d.address, "unix:")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if err := os.Chmod(path, d.mode); err != nil {
			t.Fatal(err)
		}
	}
	return &signs{
		now: noon, options: Options{Config: c}, config: c.Config,
		generation: "one", issuers: []identity.IssuerStatus{{Issuer: "https://idp.example.test", Keys: 2, Held: true, Usable: true, Algs: []string{"ES256"}, Clock: &identity.Clock{Said: noon, Sent: noon, Received: noon}}},
		state: localstore.Inspection{Mode: fs.ModeDir | 0o700, Owner: os.Getuid(), Held: true, Holder: "7", Segments: 1, Segment: 64 << 20, Free: 1 << 40},
		end:   localstore.Ending{Path: "a.journal", Entries: 1, Seals: 1, Newest: noon},
		live: live{answers: true, ready: true, policy: &server.PolicyStatus{Generation: "one", Since: noon}, metrics: samples(`remit_decisions_total{listener="agents",reason="a \"quoted\" one"} 5
remit_connections 1
remit_outcome_streams 1
remit_actions_allowed_total 1000
remit_outcomes_total{late="no",state="unknown"} 1
remit_envoy_requests_total{authz="ok"} 5
`)},
	}
}

func TestHealthy(t *testing.T) {
	r := judged(healthy(t))
	if r.Count(Error)+r.Count(Warning) > 0 {
		t.Errorf("%+v", r.Findings)
	}
	for _, e := range examinations {
		if said := e.judge(healthy(t)); len(said) == 0 && e.area != "envoy" {
			t.Errorf("%s has nothing to say", e.area)
		}
	}
}

// metric sets the value of one series.
func metric(line string) func(*signs) {
	return func(s *signs) { s.live.metrics = append(s.live.metrics, samples(line)...) }
}

func TestWhatIsNotGoodIsFound(t *testing.T) {
	for _, c := range []struct {
		name           string
		change         func(*signs)
		severity       Severity
		area, what, do string
	}{
		{"a bad certificate", func(s *signs) { s.certificateErr = errors.New("outcomes.tls: no such file") }, Error, "configuration", "outcomes.tls", "certificate"},
		{"a certificate that ends", func(s *signs) { s.ending = []error{errors.New("ends soon")} }, Warning, "configuration", "ends soon", "new one"},

		{"a bad bundle", func(s *signs) {
			s.policyErr = errors.Join(errors.New("a"), errors.New("packs/x.rego:3: no"))
		}, Error, "policy", "packs/x.rego:3", "remit check"},
		{"rarely meant", func(s *signs) { s.unmeant = []error{errors.New("empty catalog")} }, Warning, "policy", "empty catalog", "meant"},
		{"the last good one", func(s *signs) { s.live.policy.LastGood = true }, Warning, "policy", "the last good policy: one", "source"},
		{"another one", func(s *signs) { s.live.policy.Generation = "other" }, Warning, "policy", "another generation: other", "restart remit"},
		{"a refused one", func(s *signs) { s.live.policy.Refused = &server.PolicyProblem{Problem: "x.rego:1: no"} }, Error, "policy", "refuses", "correct"},
		{"a source that is away", func(s *signs) {
			s.live.policy.Unreachable = &server.PolicyProblem{Problem: "no route"}
			s.live.policy.Source = "git"
		}, Error, "policy", "no route", "make git readable"},

		{"an issuer that is down", func(s *signs) { s.issuers[0].Err = errors.New("refused") }, Error, "keys", "refused", "jwks_ca_file"},
		{"an issuer that is down while its keys last", func(s *signs) {
			s.issuers[0].Err = errors.New("refused")
			metric(`remit_issuer_keys_usable{issuer="https://idp.example.test"} 1`)(s)
		}, Warning, "keys", "refused", "jwks_ca_file"},
		{"an issuer without keys", func(s *signs) { s.issuers[0].Keys = 0 }, Error, "keys", "no key", "publish"},
		{"a key of no use", func(s *signs) { s.unused = []error{errors.New("issuer https://idp.example.test: key 1 is RS256")} }, Warning, "keys", "key 1 is RS256", "algorithms"},

		{"no state", func(s *signs) { s.stateErr = fs.ErrNotExist; s.live = live{} }, Warning, "store", "no state yet", "state.dir"},
		{"state of another remit", func(s *signs) { s.state.Held = false }, Error, "store", "does not use this state", "configuration"},
		{"state that others write", func(s *signs) { s.state.Mode = fs.ModeDir | 0o777 }, Error, "store", "mode 777", "chmod 700"},
		{"state that others read", func(s *signs) { s.state.Mode = fs.ModeDir | 0o755 }, Warning, "store", "mode 755", "chmod 700"},
		{"a seed that others read", func(s *signs) { s.seedErr = errors.New("mode 644") }, Error, "store", "mode 644", "600"},
		{"a seed of another user", func(s *signs) { s.seedErr = fs.ErrPermission }, Error, "store", "permission", "as the user"},
		{"a process that hangs", func(s *signs) { s.live = live{err: errors.New("refused")} }, Error, "store", "process 7", "kill -QUIT"},
		{"nobody serves", func(s *signs) { s.live = live{err: errors.New("refused")}; s.state.Held = false }, Warning, "store", "nobody has it open", "remit serve"},
		{"a full disk", func(s *signs) { s.state.Free = 1 << 20 }, Error, "store", "0 more segments", "room"},
		{"a disk that is nearly full", func(s *signs) { s.state.Free = 200 << 20 }, Warning, "store", "3 more segments of 64 MiB", "room"},
		{"a changed journal", func(s *signs) { s.endErr = localstore.ErrCorrupt }, Error, "journal", "corrupt", "remit log verify"},

		{"a clock that is off", off(31 * time.Second), Error, "clock", "31s ahead", "NTP"},
		{"a clock that is a little off", off(2 * time.Second), Warning, "clock", "2s ahead", "NTP"},
		{"a clock that was set back", func(s *signs) { s.end.Newest = noon.Add(time.Hour) }, Error, "clock", "1h0m0s in the future", "NTP"},

		{"a socket that everybody opens", func(s *signs) { chmod(s, "outcomes.sock", 0o666) }, Error, "sockets", "outcomes: mode 666", "chmod 660"},
		{"an operators' socket of the group", func(s *signs) { chmod(s, "data/operators.sock", 0o660) }, Error, "sockets", "operators: mode 660", "chmod 600"},
		{"a socket that is gone", func(s *signs) { os.Remove(filepath.Join(dirOf(s), "authz.sock")) }, Error, "sockets", "gone", "restart"},
		{"a folder that everybody writes to", func(s *signs) { chmod(s, ".", 0o777) }, Error, "sockets", "mode 777", "chmod 750"},
		{"a file in the place of a socket", func(s *signs) {
			os.Remove(filepath.Join(dirOf(s), "authz.sock"))
			os.WriteFile(filepath.Join(dirOf(s), "authz.sock"), nil, 0o600)
		}, Error, "sockets", "something else", "move it away"},

		{"not serving", func(s *signs) { s.live = live{err: errors.New("refused")} }, Warning, "serving", "refused", "remit serve"},
		{"not ready", func(s *signs) { s.live.ready, s.live.said = false, "no keys yet" }, Error, "serving", "no keys yet", "keys"},
		{"no metrics", func(s *signs) { s.live.metrics = nil }, Warning, "serving", "metrics", "version"},
		{"a journal that cannot go on", metric("remit_store_unavailable 1"), Error, "serving", "journal", "log"},
		{"a panic", metric("remit_panics_total 1"), Warning, "serving", "1 panics", "report"},
		{"nobody asks", func(s *signs) { s.live.metrics = samples("remit_decisions_total 1") }, Warning, "serving", "no proxy", "addresses"},
		{"requests that nobody decided", metric(`remit_envoy_requests_total{authz="undecided"} 3`), Error, "outcomes", "3 requests", "envoy"},
		{"requests without an answer", metric(`remit_envoy_requests_total{authz="error"} 2`), Warning, "outcomes", "2 requests", "time-out"},
		{"no stream", func(s *signs) { s.live.metrics = samples("remit_connections 1") }, Warning, "outcomes", "no stream", "envoy"},
		{"unknown actions", metric(`remit_outcomes_total{state="unknown"} 20`), Warning, "outcomes", "21 of 1000", "access log"},

		{"no Envoy", func(s *signs) { s.proxy = proxy{from: "x", err: errors.New("refused")} }, Error, "envoy", "refused", "--envoy"},
		{"no Envoy where one was looked for", func(s *signs) { s.proxy = proxy{from: "x", err: errors.New("refused")}; s.options.Guessed = true }, Warning, "envoy", "refused", "--envoy"},
		{"an Envoy that asks nobody", func(s *signs) { s.proxy = proxy{from: "x", config: &envoyconfig.Config{}} }, Error, "envoy", "nothing in this Envoy asks remit", "http_filters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := healthy(t)
			c.change(s)
			r := judged(s)
			for _, f := range r.Findings {
				if f.Severity != OK && (f.Why == "" || f.Remedy == "") {
					t.Errorf("no reason or no remedy: %+v", f)
				}
				if f.Severity == c.severity && f.Area == c.area && strings.Contains(f.What, c.what) && strings.Contains(f.Remedy, c.do) {
					return
				}
			}
			t.Errorf("found: %+v", r.Findings)
		})
	}
}

func off(by time.Duration) func(*signs) {
	return func(s *signs) { s.issuers[0].Clock.Said = noon.Add(by) }
}

func dirOf(s *signs) string { return filepath.Dir(s.config.State.Dir) }

func chmod(s *signs, name string, mode fs.FileMode) {
	if err := os.Chmod(filepath.Join(dirOf(s), name), mode); err != nil {
		panic(err)
	}
}

// A configuration that cannot be read is told of problem by problem.
func TestAConfigurationThatIsNotGood(t *testing.T) {
	_, err := config.Parse([]byte("listeners: []\npolicy: {}\n"))
	r := Examine(t.Context(), Options{Problem: err})
	if len(r.Findings) < 2 || r.Count(Error) != len(r.Findings) || r.Findings[0].Where == "" || r.Findings[0].Remedy == "" {
		t.Errorf("%+v", r.Findings)
	}
}

// Everything is looked at for real where nothing is running.
func TestNothingIsRunning(t *testing.T) {
	c := load(t, strings.Replace(remitYAML, "state:", "health: { address: \"127.0.0.1:1\" }\nstate:", 1))
	r := Examine(t.Context(), Options{Config: c, Envoy: "http://127.0.0.1:1", Guessed: true, Now: func() time.Time { return noon }})
	want := map[string]Severity{"policy": Error, "keys": "", "store": Warning, "serving": Warning, "envoy": Warning, "clock": OK, "sockets": OK}
	for area, severity := range want {
		found := severity == ""
		for _, f := range r.Findings {
			found = found || f.Area == area && f.Severity == severity
		}
		if !found {
			t.Errorf("%s: nothing is %s: %+v", area, severity, r.Findings)
		}
	}
}

// A password in the address of Envoy's admin interface is not shown.
func TestNoSecretIsShown(t *testing.T) {
	c := load(t, strings.Replace(remitYAML, "state:", "health: { address: \"127.0.0.1:1\" }\nstate:", 1))
	for _, envoy := range []string{"http://me:hunter2@127.0.0.1:1", "127.0.0.1:1", "http://me:hunter2@%zz"} {
		r := Examine(t.Context(), Options{Config: c, Envoy: envoy})
		if text, err := json.Marshal(r); err != nil || strings.Contains(string(text), "hunter2") || r.Findings[len(r.Findings)-1].Area != "envoy" {
			t.Errorf("%s, %v", text, err)
		}
	}
}

func TestReport(t *testing.T) {
	r := &Report{Findings: []Finding{{OK, "store", "good", "dir", "", ""}, {Error, "envoy", "bad\nindeed", "route /", "because", "correct it"}}}
	var out bytes.Buffer
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	want := `store
  ok       good (dir)
envoy
  error    bad
             indeed
           where route /
           why   because
           do    correct it

1 error, 0 warnings, 1 good
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
	text, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(text), `{"severity":"error","area":"envoy","what":"bad\nindeed","where":"route /","why":"because","remedy":"correct it"}`) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestApart(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	around := fmt.Errorf("file: %w", errors.Join(a, b))
	if all := apart(errors.Join(a, errors.Join(b, around))); len(all) != 3 || all[2] != around {
		t.Errorf("%v", all)
	}
}
