package config

import (
	"strings"
	"testing"
)

const mutual = `tls: { cert_file: a.crt, key_file: a.key, client_ca_file: ca.crt, client_names: [ "spiffe://example.test/envoy" ] }`

// withTLS is the good configuration on an address that others can reach, with
// the listener's tls changed.
func withTLS(old, new string) string {
	text := strings.Replace(good, "address: unix:authz.sock", "address: 0.0.0.0:9191\n  "+mutual, 1)
	return strings.Replace(text, old, new, 1)
}

// Invariant 6: an address that others can reach takes mutual TLS with pinned
// names, and nothing less.
func TestTransport(t *testing.T) {
	cases := map[string]struct{ old, new, want string }{
		"mutual TLS":                        {"", "", ""},
		"mutual TLS of a DNS name":          {"spiffe://example.test/envoy", "edge.example.test", ""},
		"mutual TLS 1.2":                    {"tls: {", `tls: { min_version: "1.2",`, ""},
		"outcomes over mutual TLS":          {`outcomes: { address: "unix:/run/outcomes.sock" }`, "outcomes: { address: \":9192\", " + mutual + " }", ""},
		"health for everybody":              {"policy: {", "health: { address: \":8282\" }\npolicy: {", ""},
		"no TLS":                            {mutual, "", "listeners[0].address: \"0.0.0.0:9191\" can be reached"},
		"empty TLS":                         {mutual, "tls: {}", "listeners[0].tls.client_names"},
		"no certificate":                    {"cert_file: a.crt, ", "", "listeners[0].tls.cert_file"},
		"no key":                            {"key_file: a.key, ", "", "listeners[0].tls.key_file"},
		"no authority for callers":          {"client_ca_file: ca.crt, ", "", "listeners[0].tls.client_ca_file"},
		"every caller of the authority":     {`client_names: [ "spiffe://example.test/envoy" ]`, "client_names: []", "listeners[0].tls.client_names"},
		"a whole trust domain":              {"spiffe://example.test/envoy", "spiffe://example.test", "listeners[0].tls.client_names[0]"},
		"a wildcard":                        {"spiffe://example.test/envoy", "*.example.test", "wildcard"},
		"an empty name":                     {"spiffe://example.test/envoy", "", "listeners[0].tls.client_names[0]"},
		"a name that is a URL":              {"spiffe://example.test/envoy", "https://example.test/envoy", "listeners[0].tls.client_names[0]"},
		"a name in upper case":              {"spiffe://example.test/envoy", "Edge.example.test", "listeners[0].tls.client_names[0]"},
		"TLS 1.1":                           {"tls: {", `tls: { min_version: "1.1",`, "listeners[0].tls.min_version"},
		"TLS on a socket":                   {"0.0.0.0:9191", "unix:a.sock", "listeners[0].tls"},
		"outcomes for everybody":            {"unix:/run/outcomes.sock", "10.0.0.1:9192", "outcomes.address"},
		"health without a port":             {"policy: {", "health: { address: localhost }\npolicy: {", "health.address"},
		"health on a socket":                {"policy: {", "health: { address: \"unix:h.sock\" }\npolicy: {", "health.address"},
		"a port that is none":               {"0.0.0.0:9191", "0.0.0.0:99191", "listeners[0].address"},
		"messages smaller than a body":      {"  identity:", "  connections: { max_message_bytes: 1000 }\n  identity:", "listeners[0].connections.max_message_bytes"},
		"no window for a body":              {"  identity:", "  connections: { stream_window_bytes: 1000 }\n  identity:", "listeners[0].connections.stream_window_bytes"},
		"less for all than for one":         {"  identity:", "  connections: { window_bytes: 100000 }\n  identity:", "listeners[0].connections.window_bytes"},
		"garbage that is never collected":   {"policy: {", "process: { gc_percent: -1 }\npolicy: {", "process.gc_percent"},
		"a heap without a floor":            {"policy: {", "process: { heap_floor_bytes: -1 }\npolicy: {", "process.heap_floor_bytes"},
		"hardly any memory":                 {"policy: {", "process: { memory_limit_bytes: 1000 }\npolicy: {", "process.memory_limit_bytes"},
		"fewer threads than none":           {"policy: {", "process: { threads: -1 }\npolicy: {", "process.threads"},
		"no workers":                        {"policy: {", "process: { workers: -1 }\npolicy: {", "process.workers"},
		"a process of its own kind":         {"policy: {", "process: { gc_percent: 100, memory_limit_bytes: 1073741824, threads: 2, workers: 8 }\npolicy: {", ""},
		"too many streams":                  {"  identity:", "  connections: { max_streams: 100000 }\n  identity:", "listeners[0].connections.max_streams"},
		"connections without age":           {"  identity:", "  connections: { max_age: 1ms }\n  identity:", "listeners[0].connections.max_age"},
		"pings all the time":                {"  identity:", "  connections: { min_ping: 1ms }\n  identity:", "listeners[0].connections.min_ping"},
		"a handshake as long as one wishes": {"  identity:", "  connections: { handshake_timeout: 1h }\n  identity:", "listeners[0].connections.handshake_timeout"},
		"endless drain":                     {"policy: {", "shutdown: { drain: 24h }\npolicy: {", "shutdown.drain"},
		"endless pause":                     {"policy: {", "shutdown: { pause: 24h }\npolicy: {", "shutdown.pause"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(withTLS("", ""), c.old) {
				t.Fatalf("the case changes %q, which is not there", c.old)
			}
			_, err := Parse([]byte(withTLS(c.old, c.new)))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want an error about %q", err, c.want)
			}
		})
	}
}
