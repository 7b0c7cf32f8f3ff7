package integration

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/pdp/server/doctor"
)

// asShipped is what a user copies, Envoy's time-out included.
func asShipped(o *harness.Options) { withDemoPolicies(o); o.Remit, o.EnvoyReplace = "", nil }

// examined is what remit doctor finds, and what it prints besides.
func examined(t *testing.T, s *harness.Stack, args ...string) (*doctor.Report, error) {
	t.Helper()
	out, failed := s.Remit.Run(t.Context(), append([]string{"doctor", "--json"}, args...)...)
	report := &doctor.Report{}
	if err := json.NewDecoder(strings.NewReader(out)).Decode(report); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return report, failed
}

// notGood are the findings that ask for something.
func notGood(r *doctor.Report) (found []doctor.Finding) {
	for _, f := range r.Findings {
		if f.Severity != doctor.OK {
			found = append(found, f)
		}
	}
	return found
}

// The configuration that a user copies, as a real Envoy dumps it, is good in
// every part, and so is the remit behind it; a wrong line of it is found.
func TestDoctor(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	// Without the race detector: Envoy's time-out is the one that is shipped.
	binary, err := harness.BuildRemit(t.Context(), root, "remit-doctor", false, "")
	if err != nil {
		t.Fatal(err)
	}
	s := startStackWith(t, binary, "", asShipped)
	t.Run("all is good", func(t *testing.T) { doctorFindsNothing(t, s) })
	for _, mistake := range envoysMistakes {
		t.Run(mistake.what, func(t *testing.T) { mistake.isFound(t, s) })
	}
	t.Run("the end", func(t *testing.T) { doctorFindsTheEnd(t, s) })
}

func doctorFindsNothing(t *testing.T, s *harness.Stack) {
	token, err := s.Issuer.Token("support-agent", "user:ada", "s1", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := s.Client(token)
	var report *doctor.Report
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		ask(t.Context(), client, http.MethodGet, "/v1/tickets/7") // the first one opens the access log's stream
		if report, err = examined(t, s, "--envoy", "http://"+s.Envoy.Admin); err == nil && report.Count(doctor.Warning) == 0 {
			break
		}
	}
	if found := notGood(report); err != nil || len(found) > 0 {
		t.Fatalf("%v: %+v", err, found)
	}
	for area, least := range map[string]int{"configuration": 1, "policy": 2, "keys": 1, "store": 3, "journal": 1, "clock": 1, "sockets": 4, "serving": 1, "outcomes": 1, "envoy": 1} {
		for _, f := range report.Findings {
			if f.Area == area {
				least--
			}
		}
		if least > 0 {
			t.Errorf("%s: %d findings are missing: %+v", area, least, report.Findings)
		}
	}
}

// wrongLine is one of Envoy's configuration, and what is found because of it.
type wrongLine struct{ text, instead, what, remedy string }

// envoysMistakes are some that a real Envoy is started with; pdp/door/envoyconfig
// has a table of all.
var envoysMistakes = []wrongLine{
	{"failure_mode_allow: false", "failure_mode_allow: true", "failure_mode_allow is true", "failure_mode_allow: false"},
	{"pack_as_bytes: true", "pack_as_bytes: false", "pack_as_bytes is false", "pack_as_bytes: true"},
	{"merge_slashes: true", "merge_slashes: false", "merge_slashes is not true", "merge_slashes: true"},
	{"- match: { prefix: /v1/ }", "- match: { prefix: /around/ }\n                route: { cluster: tools }\n              - match: { prefix: /v1/ }", "ext_authz is disabled on a route to cluster tools", "remove disabled"},
	{"cluster_name: remit_outcomes } }", "cluster_name: remit_authz } }", "no gRPC access log leads to remit's outcomes", "copy access_log"},
}

// isFound starts another Envoy in front of the same remit.
func (w wrongLine) isFound(t *testing.T, s *harness.Stack) {
	binary, err := harness.FetchEnvoy(t.Context(), s.Root)
	if err != nil {
		t.Fatal(err)
	}
	envoy, err := harness.StartEnvoy(t.Context(), binary, harness.EnvoySettings{
		Config: filepath.Join(s.Root, "integration", "envoy", "envoy.yaml"), Dir: shortDir(t),
		Authz: filepath.Join(s.Dir, "authz.sock"), Outcomes: filepath.Join(s.Dir, "outcomes.sock"), Agents: filepath.Join(s.Dir, "agents.sock"),
		Tools: s.Tools.Address, API: s.API.Address, Replace: []string{w.text, w.instead},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer envoy.Stop()
	report, _ := examined(t, s, "--envoy", "http://"+envoy.Admin)
	for _, f := range notGood(report) {
		if f.Area == "envoy" && strings.Contains(f.What, w.what) && strings.Contains(f.Remedy, w.remedy) {
			return
		}
	}
	t.Errorf("found: %+v", notGood(report))
}

// doctorFindsTheEnd ends remit, and then lets others read its seed.
func doctorFindsTheEnd(t *testing.T, s *harness.Stack) {
	dump, err := s.Envoy.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.Dir, "dump.json")
	if err := os.WriteFile(file, []byte(dump), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Remit.Stop()
	report, err := examined(t, s, "--envoy-config-dump", file)
	if err != nil || report.Count(doctor.Warning) != 2 {
		t.Errorf("remit is not serving: %v, %+v", err, notGood(report))
	}
	if err := os.Chmod(filepath.Join(s.Data, "seed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if report, err := examined(t, s, "--envoy", ""); err == nil || report.Count(doctor.Error) != 1 {
		t.Errorf("the seed can be read by others: %v, %+v", err, notGood(report))
	}
}
