package envoyconfig

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// needs is what remit needs that is configured as integration/remit.yaml says.
func needs() *Needs {
	return &Needs{
		Doors:         []Door{{Name: "agents", Address: "unix:/run/remit/authz.sock", Deadline: time.Second, MaxMessage: 4 << 20, MinPing: 10 * time.Second}},
		Outcomes:      Door{Name: "outcomes", Address: "unix:/run/remit/outcomes.sock", MinPing: 10 * time.Second},
		Agents:        "unix:/run/remit/agents.sock",
		SessionHeader: "remit-session",
		PolicyTimeout: 100 * time.Millisecond, Pause: 5 * time.Second,
	}
}

// dumped is what Envoy would dump of a configuration that a user copies, after
// replacing old texts by new ones in turn. integration.TestDoctor asks a real one.
func dumped(t *testing.T, name string, replace ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "integration", "envoy", name))
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(changed, replace[i]) {
			t.Fatalf("%s does not hold %q", name, replace[i])
		}
		changed = strings.Replace(changed, replace[i], replace[i+1], 1)
	}
	var whole struct {
		Admin  any `yaml:"admin"`
		Static struct {
			Listeners, Clusters []map[string]any
		} `yaml:"static_resources"`
	}
	if err := yaml.Unmarshal([]byte(changed), &whole); err != nil {
		t.Fatal(err)
	}
	build := map[string]any{"version": map[string]any{"major_number": 1, "minor_number": 40}}
	dump, err := json.Marshal(map[string]any{"configs": []any{
		map[string]any{"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump", "bootstrap": map[string]any{
			"admin": whole.Admin, "node": map[string]any{"user_agent_build_version": build},
		}},
		map[string]any{"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump", "static_clusters": wrapped("cluster", "envoy.config.cluster.v3.Cluster", whole.Static.Clusters)},
		map[string]any{"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "static_listeners": wrapped("listener", "envoy.config.listener.v3.Listener", whole.Static.Listeners)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return dump
}

func wrapped(as, kind string, all []map[string]any) (list []any) {
	for _, one := range all {
		one["@type"] = "type.googleapis.com/" + kind
		list = append(list, map[string]any{as: one})
	}
	return list
}

// examined is what is not good in a dump.
func examined(t *testing.T, dump []byte, n *Needs) (wrong []Finding, good int) {
	t.Helper()
	c, err := Parse(dump)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Examine(n) {
		if f.Severity == OK {
			good++
			continue
		}
		if f.What == "" || f.Where == "" || f.Why == "" || f.Remedy == "" {
			t.Errorf("a finding that does not say all: %+v", f)
		}
		wrong = append(wrong, f)
	}
	return wrong, good
}

func TestWhatAUserCopiesIsGood(t *testing.T) {
	wrong, good := examined(t, dumped(t, "envoy.yaml"), needs())
	if len(wrong) > 0 || good != 1 {
		t.Errorf("%d good, and: %+v", good, wrong)
	}
	n := needs()
	n.Agents, n.SessionHeader = "", ""
	n.Doors = append(n.Doors, Door{Name: "network", Address: "unix:/run/remit/network.sock", Deadline: time.Second, MinPing: time.Second, Network: true})
	wrong, good = examined(t, dumped(t, "protocols.yaml"), n)
	for _, f := range wrong {
		// What protocols.yaml leaves to envoy.yaml is not repeated there.
		if f.Severity == Error || !strings.Contains(f.What, "tag") {
			t.Errorf("protocols.yaml: %+v", f)
		}
	}
	if good != 2 {
		t.Errorf("protocols.yaml: %d good", good)
	}
}

// Each line is one mistake, and what is found because of it.
func TestMistakesAreFound(t *testing.T) {
	for _, c := range mistakes {
		t.Run(c.name, func(t *testing.T) {
			n := needs()
			if c.needs != nil {
				c.needs(n)
			}
			wrong, _ := examined(t, dumped(t, "envoy.yaml", c.replace...), n)
			for _, f := range wrong {
				if f.Severity == c.severity && strings.Contains(f.What+" in "+f.Where, c.what) && strings.Contains(f.Remedy, c.remedy) {
					return
				}
			}
			t.Errorf("found: %+v", wrong)
		})
	}
}

// What is wrong with questions about connections, in protocols.yaml.
func TestMistakesWithConnections(t *testing.T) {
	network := "include_peer_certificate: true\n          include_tls_session: true\n          grpc_service:"
	for what, replace := range map[string][]string{
		"failure_mode_allow is true":                {"failure_mode_allow: false\n          include", "failure_mode_allow: true\n          include"},
		"shadow_mode is true":                       {network, "shadow_mode: true\n          " + network},
		"include_peer_certificate is false":         {network, "grpc_service:"},
		"transport_api_version is AUTO":             {"transport_api_version: V3\n          failure", "failure"},
		"filter_enabled_metadata is set":            {network, "filter_enabled_metadata: { filter: x }\n          " + network},
		"does not take questions about connections": nil,
	} {
		n := needs()
		n.Agents, n.SessionHeader = "", ""
		n.Doors = append(n.Doors, Door{Name: "network", Address: "unix:/run/remit/network.sock", Deadline: time.Second, MinPing: time.Second, Network: replace != nil})
		wrong, _ := examined(t, dumped(t, "protocols.yaml", replace...), n)
		if !slices.ContainsFunc(wrong, func(f Finding) bool {
			return strings.Contains(f.What, what) && f.Where == "listener reports, filter envoy.filters.network.ext_authz"
		}) {
			t.Errorf("%s: %+v", what, wrong)
		}
	}
}

// That a route retries is worth knowing, and not wrong.
func TestRetries(t *testing.T) {
	c, err := Parse(dumped(t, "envoy.yaml", "route: { cluster: api, timeout: 15s }", "route: { cluster: api, retry_policy: { retry_on: 5xx } }"))
	if err != nil {
		t.Fatal(err)
	}
	found := c.Examine(needs())
	if len(found) != 2 || found[1].Severity != OK || !strings.Contains(found[1].What, "retries on 1 of its routes") || found[1].Where != "listener agents, virtual host api, route /" {
		t.Errorf("%+v", found)
	}
}

func TestWhatIsNoDump(t *testing.T) {
	for _, text := range []string{"", "{}", "[]", "{\"configs\": [{\"@type\": 1}]}", `{"configs": [{"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "static_listeners": [{"listener": 1}]}]}`} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

func TestSame(t *testing.T) {
	for _, c := range []struct {
		endpoint, door string
		want           bool
	}{
		{"unix:/a", "unix:/a", true}, {"unix:/a", "unix:/b", false}, {"10.0.0.7:9191", "0.0.0.0:9191", true},
		{"remit.example:9191", "[::]:9191", true}, {"127.0.0.1:9191", "localhost:9191", true},
		{"10.0.0.7:9191", "127.0.0.1:9191", false}, {"10.0.0.7:9191", "0.0.0.0:9192", false}, {"10.0.0.7:9191", "unix:/a", false},
	} {
		if got := same(c.endpoint, c.door); got != c.want {
			t.Errorf("%s is %s: %t", c.endpoint, c.door, got)
		}
	}
}
