//go:build mesh

// These tests need Istio's discovery server, whose first build takes minutes:
// `make test-mesh`.

package integration

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/integration/sample"
)

// meshOnce builds what ships and Istio's discovery server. Without the race
// detector: the deadlines are those that a user copies.
var meshOnce = sync.OnceValues(func() (binaries [2]string, err error) {
	root, err := harness.Root()
	if err != nil {
		return binaries, err
	}
	if binaries[0], err = harness.BuildRemit(context.Background(), root, "remit", false, ""); err != nil {
		return binaries, err
	}
	binaries[1], err = harness.BuildDiscovery(context.Background(), root)
	return binaries, err
})

// startMesh starts everything behind Istio with the given mesh configuration
// and resources, of integration/istio unless they are in testdata.
func startMesh(t *testing.T, settings string, resources ...string) *harness.Stack {
	t.Helper()
	binaries, err := meshOnce()
	if err != nil {
		t.Fatal(err)
	}
	mesh := &harness.Mesh{
		Discovery: binaries[1],
		Settings:  settings,
		Resources: append(resources, filepath.Join("testdata", "mesh", "scene.yaml")),
		Objects:   filepath.Join("testdata", "mesh", "objects.yaml"),
		Bootstrap: filepath.Join("testdata", "mesh", "bootstrap.yaml"),
	}
	return startStackWith(t, binaries[0], "", withDemoPolicies, func(o *harness.Options) {
		o.Remit, o.Mesh = filepath.Join("istio", "remit.yaml"), mesh
	})
}

// The configuration that a user copies, in front of the sample session, hostile
// requests and an outage.
func TestBehindIstio(t *testing.T) {
	s := startMesh(t, filepath.Join("istio", "mesh.yaml"), filepath.Join("istio", "gateway.yaml"), filepath.Join("istio", "agents.yaml"))
	t.Run("settings", func(t *testing.T) { takenOver(t, s) })
	t.Run("session", func(t *testing.T) {
		var shown bytes.Buffer
		if err := sample.Play(t.Context(), s, &shown); err != nil {
			t.Errorf("%v\n%s", err, shown.String())
		}
	})
	t.Run("hostile requests", func(t *testing.T) {
		for _, h := range hostileRequests() {
			h.run(t, s, h.copied)
		}
	})
	t.Run("agents' door", func(t *testing.T) { agentsDoor(t, s) })
	t.Run("outcomes", func(t *testing.T) {
		outcomesArrive(t, s, s.Client(sampleToken(t, s, "user:outcomes")), apiTarget)
	})
	t.Run("outage", func(t *testing.T) {
		hung(t, s)
		down(t, s, http.StatusServiceUnavailable)
	})
	everythingWasDecided(t, s)
}

// takenOver shows that Istio has taken everything over: it drops a patch that it
// does not understand without a word.
func takenOver(t *testing.T, s *harness.Stack) {
	config, err := s.Envoy.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range []string{
		`"merge_slashes": true`, `"path_with_escaped_slashes_action": "REJECT_REQUEST"`, `"headers_with_underscores_action": "REJECT_REQUEST"`,
		`"max_stream_duration": "900s"`, `"stream_idle_timeout": "300s"`, `"prefix": "x-remit-"`, `"timeout": "0.500s"`, `"code": "ServiceUnavailable"`,
		`"max_request_bytes": 262144`, `"pack_as_bytes": true`, `"encode_raw_headers": true`, `"include_peer_certificate": true`,
		`"include_tls_session": true`, `"validate_mutations": true`, `"disallow_all": true`, `"disallow_is_error": true`,
	} {
		if !strings.Contains(config, setting) {
			t.Errorf("Envoy has not been given %s", setting)
		}
	}
	if strings.Contains(config, `"failure_mode_allow": true`) {
		t.Error("an outage would allow")
	}
	if !firstFilter.MatchString(config) {
		t.Error("remit.strip is not the first filter")
	}
}

var firstFilter = regexp.MustCompile(`"http_filters": \[\s*\{\s*"name": "remit.strip"`)

// agentsDoor has a session admitted through Istio, acts in it, and shows that
// nothing but the door is exempt from being asked about.
func agentsDoor(t *testing.T, s *harness.Stack) {
	agent := s.Client(sampleToken(t, s, "user:door"))
	if a := tell(t, s.Client(""), http.MethodPost, "/v1/sessions", readTickets, ""); a.status != http.StatusUnauthorized || a.Token != "" {
		t.Errorf("nobody: %+v", a)
	}
	opened := tell(t, agent, http.MethodPost, "/v1/sessions", readTickets, "")
	if opened.status != http.StatusCreated || opened.Token == "" {
		t.Fatalf("%+v\n%s", opened, s.Remit.Log())
	}
	if a, seen := in(t.Context(), agent, http.MethodGet, apiTarget, opened.Token); !a.allowed() || seen.Get("remit-session") != "" {
		t.Errorf("in the session: %+v; the tool saw %q", a, seen)
	}
	if a, _ := in(t.Context(), agent, http.MethodPost, apiTarget+"/notes", opened.Token); a.code != "operation_out_of_task" {
		t.Errorf("outside of the task: %+v", a)
	}
	unrouted := hostile{name: "another path of the door's host", line: "GET /healthz", host: harness.RemitHost}
	unrouted.run(t, s, refused(http.StatusNotFound, proxy)) // nothing to be asked about
	elsewhere := hostile{name: "the door's path at the API", line: "GET /v1/sessions/current"}
	elsewhere.run(t, s, refused(http.StatusForbidden, remit))
}

// Istio's own defaults, with nothing of what integration/istio adds: whatever
// is ambiguous remit refuses by itself, and an outage still denies.
func TestBehindIstiosDefaults(t *testing.T) {
	s := startMesh(t, bareMesh, gatewayWithoutFilter(t))
	for _, h := range hostileRequests() {
		h.run(t, s, h.bare)
	}
	down(t, s, http.StatusForbidden)
	everythingWasDecided(t, s)
}

// Mistakes in the mesh configuration deny.
func TestMistakesInIstiosConfigurationDeny(t *testing.T) {
	call := hostile{name: "a plain call", line: "POST /mcp", host: harness.ToolsHost, body: plainCall, headers: callHeaders}
	plain := hostile{name: "a plain request", line: "GET " + apiTarget}
	for _, c := range []struct {
		mistake, text, instead string
		request                hostile
		want                   fate
	}{
		{"none", "name: remit", "name: remit", plain, passes(apiTarget)},
		{"no provider of that name", "name: remit\n", "name: another\n", plain, refused(403, proxy)},
		{"no body in the check", "includeRequestBodyInCheck", "# includeRequestBodyInCheck", call, refused(400, remit)},
		{"a body that Envoy has repaired", "packAsBytes: true", "packAsBytes: false", call, refused(400, remit)},
	} {
		t.Run(c.mistake, func(t *testing.T) {
			s := startMesh(t, changed(t, bareMesh, c.text, c.instead), gatewayWithoutFilter(t))
			c.request.run(t, s, c.want)
		})
	}
}

// hung holds remit: Istio gives up after the provider's time-out, not after its
// default of ten minutes.
func hung(t *testing.T, s *harness.Stack) {
	client := s.Client(sampleToken(t, s, "user:hung"))
	reached := s.API.Requests()
	if err := s.Remit.Pause(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	a := ask(t.Context(), client, http.MethodGet, apiTarget)
	if took := time.Since(begin); a.status != http.StatusServiceUnavailable || took > 5*time.Second {
		t.Errorf("while remit hangs: %+v after %s, want 503 after 0.5 s", a, took)
	}
	if err := s.Remit.Resume(); err != nil {
		t.Fatal(err)
	}
	if s.API.Requests() != reached {
		t.Error("a request got through without a decision")
	}
}

// down kills remit.
func down(t *testing.T, s *harness.Stack, want int) {
	t.Helper()
	client := s.Client(sampleToken(t, s, "user:down"))
	reached := s.API.Requests()
	s.Remit.Kill()
	if a := ask(t.Context(), client, http.MethodGet, apiTarget); a.status != want {
		t.Errorf("without remit: %+v, want %d", a, want)
	}
	if s.API.Requests() != reached {
		t.Error("a request got through without a decision")
	}
}

// bareMesh is the least that makes Istio ask remit.
var bareMesh = filepath.Join("testdata", "mesh", "bare-mesh.yaml")

// gatewayWithoutFilter is gateway.yaml without its last document, the
// EnvoyFilter.
func gatewayWithoutFilter(t *testing.T) string {
	t.Helper()
	path := filepath.Join("istio", "gateway.yaml")
	text := readFile(t, path)
	return changed(t, path, text[strings.LastIndex(text, "\n---\n"):], "\n")
}

// changed is a copy of a file with one text replaced.
func changed(t *testing.T, path, text, instead string) string {
	t.Helper()
	whole := readFile(t, path)
	if strings.Count(whole, text) == 0 {
		t.Fatalf("%s does not contain %q", path, text)
	}
	changed := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(changed, []byte(strings.Replace(whole, text, instead, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return changed
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
