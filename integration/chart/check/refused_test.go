package check

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// What the schema refuses: each is laid over the values of minimal.yaml, and the
// refusal names what it is about.
var refused = []struct{ over, names string }{
	{`{ replicas: 2 }`, "replicas"},
	{`{ image: { tagg: "1" } }`, "tagg"},
	{`{ image: { repository: "" } }`, "repository"},
	{`{ image: { tag: "" } }`, "tag"},
	{`{ image: { digest: latest } }`, "digest"},
	{`{ tls: { clientNames: [] } }`, "clientNames"},
	{`{ tls: { secretName: "" } }`, "secretName"},
	{`{ tls: { minVersion: "1.1" } }`, "minVersion"},
	{`{ tls: { enabled: false } }`, "enabled"},
	{`{ listener: { address: "0.0.0.0:80" } }`, "address"},
	{`{ listener: { tls: { cert_file: x } } }`, "listener"},
	{`{ listener: { identity: null } }`, "identity"},
	{`{ config: { listeners: [] } }`, "listeners"},
	{`{ config: { agents: { address: "127.0.0.1:1" } } }`, "agents"},
	{`{ config: { health: { address: "127.0.0.1:1" } } }`, "health"},
	{`{ config: { operators: { address: "unix:x" } } }`, "operators"},
	{`{ config: { policy: { bundle: elsewhere } } }`, "bundle"},
	{`{ config: { state: { dir: /tmp } } }`, "dir"},
	{`{ config: { shutdown: { pause: 5m } } }`, "shutdown"},
	{`{ policy: { configMap: null } }`, "policy"},
	{`{ policy: { git: { url: "https://git.example.com/p.git", ref: main } } }`, "policy"},
	{`{ policy: { configMap: null, git: { url: "http://git.example.com/p.git", ref: main } } }`, "url"},
	{`{ policy: { configMap: { key: ../x } } }`, "key"},
	{`{ files: [ { name: a } ] }`, "files"},
	{`{ files: [ { name: a, secret: b, configMap: c } ] }`, "files"},
	{`{ networkPolicy: { proxies: [] } }`, "proxies"},
	{`{ networkPolicy: { proxies: [ {} ] } }`, "proxies"},
	{`{ networkPolicy: { proxies: [ { namespace: edge } ] } }`, "proxies"},
	{`{ shutdown: { pauseSeconds: 5s } }`, "pauseSeconds"},
	{`{ shutdown: { drainSeconds: 0 } }`, "drainSeconds"},
	{`{ state: { size: big } }`, "size"},
	{`{ service: { type: LoadBalancer } }`, "service"},
	{`{ securityContext: { privileged: true } }`, "securityContext"},
	{`{ monitoring: { serviceMonitor: { interval: often } } }`, "interval"},
}

func TestWhatTheSchemaRefuses(t *testing.T) {
	for _, c := range refused {
		t.Run(c.over, func(t *testing.T) {
			_, err := render(t, "edge", laidOver(t, values(t, "minimal.yaml"), c.over))
			if err == nil {
				t.Fatal("it is rendered")
			}
			if !strings.Contains(err.Error(), c.names) {
				t.Errorf("%v does not name %s", err, c.names)
			}
		})
	}
}

// Without anything said the chart does not become something that decides.
func TestWithoutValuesNothingIsRendered(t *testing.T) {
	if _, err := render(t, "edge", map[string]any{}); err == nil {
		t.Error("it is rendered")
	}
}

// laidOver changes values as `helm --values` does with a further file.
func laidOver(t *testing.T, under map[string]any, text string) map[string]any {
	t.Helper()
	over := make(map[string]any)
	if err := yaml.UnmarshalStrict([]byte(text), &over); err != nil {
		t.Fatal(err)
	}
	lay(under, over)
	return under
}

func lay(under, over map[string]any) {
	for key, value := range over {
		below, isMap := under[key].(map[string]any)
		above, both := value.(map[string]any)
		switch {
		case isMap && both:
			lay(below, above)
		case value == nil:
			delete(under, key)
		default:
			under[key] = value
		}
	}
}
