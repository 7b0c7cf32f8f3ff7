package integration

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/remit-pdp/remit/integration/harness"
)

// identityCases is testdata/identity/cases.yaml.
type identityCases struct {
	Certificates map[string]workloadCertificate `yaml:"certificates"`
	Ways         []struct {
		Way   string         `yaml:"way"`
		Remit any            `yaml:"remit"`
		Envoy []string       `yaml:"envoy"`
		Cases []identityCase `yaml:"cases"`
	} `yaml:"ways"`
}

type workloadCertificate struct {
	Names []string      `yaml:"names"`
	Life  time.Duration `yaml:"life"` // 0 is an hour
	Rogue bool          `yaml:"rogue"`
}

// identityCase is one request and everything that becomes of it.
type identityCase struct {
	Case        string            `yaml:"case"`
	Certificate string            `yaml:"certificate"`
	Token       bool              `yaml:"token"`
	Bound       map[string]string `yaml:"bound"`
	XFCC        string            `yaml:"xfcc"`
	Path        string            `yaml:"path"`
	Expires     bool              `yaml:"expires"`
	Status      int               `yaml:"status"`
	Code        string            `yaml:"code"`
	Agent       *string           `yaml:"agent"`
	Workload    string            `yaml:"workload"`
	Detail      string            `yaml:"detail"`
}

// What is allowed, denied and logged of every way to say who one is.
func TestIdentitiesThroughEnvoy(t *testing.T) {
	t.Parallel()
	var all identityCases
	text, err := os.ReadFile(filepath.Join("testdata", "identity", "cases.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalWithOptions(text, &all, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	for _, way := range all.Ways {
		t.Run(way.Way, func(t *testing.T) {
			identity, err := json.Marshal(way.Remit) // JSON is YAML
			if err != nil {
				t.Fatal(err)
			}
			w := newWorkloads(t, all.Certificates)
			s := startStack(t, filepath.Join("identity", "bundle"), withIdentity(t, string(identity)), w.options(t, way.Envoy))
			for _, c := range way.Cases {
				t.Run(c.Case, func(t *testing.T) { w.check(t, s, c) })
			}
		})
	}
}

// withIdentity is remit's configuration with this `identity`.
func withIdentity(t *testing.T, identity string) func(*harness.Options) {
	return func(o *harness.Options) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join("testdata", "identity", "remit.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		o.Remit = filepath.Join(o.Dir, "template.yaml")
		if err := os.WriteFile(o.Remit, []byte(strings.Replace(string(text), "IDENTITY", identity, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// workloads are the certificates of the cases, each issued when it is first
// used, and their authorities.
type workloads struct {
	dir            string
	wanted         map[string]workloadCertificate
	issued         map[string]tls.Certificate
	trusted, rogue *harness.Authority
	roots          *x509.CertPool
}

func newWorkloads(t *testing.T, wanted map[string]workloadCertificate) *workloads {
	t.Helper()
	w := &workloads{wanted: wanted, issued: make(map[string]tls.Certificate), roots: x509.NewCertPool()}
	var err error
	if w.trusted, err = harness.NewAuthority(); err != nil {
		t.Fatal(err)
	}
	if w.rogue, err = harness.NewAuthority(); err != nil {
		t.Fatal(err)
	}
	return w
}

// options puts envoy/workloads.yaml where its comment says, with changes.
func (w *workloads) options(t *testing.T, changes []string) func(*harness.Options) {
	return func(o *harness.Options) {
		t.Helper()
		w.dir = o.Dir
		edge, err := w.trusted.Issue(o.Dir, "edge", time.Hour, harness.APIHost)
		if err != nil {
			t.Fatal(err)
		}
		authority, err := os.ReadFile(edge.CAFile)
		if err != nil {
			t.Fatal(err)
		}
		w.roots.AppendCertsFromPEM(authority)
		if err := os.WriteFile(filepath.Join(o.Dir, "authority.crt"), authority, 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join("envoy", "workloads.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		socket := string(text)
		for _, change := range append([][2]string{
			{"/etc/envoy/agents/envoy.crt", edge.CertFile},
			{"/etc/envoy/agents/envoy.key", edge.KeyFile},
			{"/etc/envoy/agents/ca.crt", edge.CAFile},
		}, pairs(changes)...) {
			if strings.HasPrefix(change[0], "forward_client_cert_details") {
				o.EnvoyReplace = append(o.EnvoyReplace, change[0], change[1])
				continue
			}
			if !strings.Contains(socket, change[0]) {
				t.Fatalf("workloads.yaml does not contain %q", change[0])
			}
			socket = strings.Replace(socket, change[0], change[1], 1)
		}
		socket = strings.ReplaceAll("\n"+socket, "\n", "\n      ")
		chain := "    filter_chains:\n    - "
		o.EnvoyReplace = append(o.EnvoyReplace, chain+"filters:", chain+strings.TrimSpace(socket)+"\n      filters:")
	}
}

// certificate returns the one with this name.
func (w *workloads) certificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	if c, is := w.issued[name]; is {
		return c
	}
	c, is := w.wanted[name]
	if !is {
		t.Fatalf("there is no certificate %q", name)
	}
	by, life := w.trusted, time.Hour
	if c.Rogue {
		by = w.rogue
	}
	if c.Life != 0 {
		life = c.Life
	}
	id, err := by.Issue(w.dir, name, life, c.Names...)
	if err != nil {
		t.Fatal(err)
	}
	if w.issued[name], err = tls.LoadX509KeyPair(id.CertFile, id.KeyFile); err != nil {
		t.Fatal(err)
	}
	return w.issued[name]
}

// filled is text with {{NAME}} replaced by SHA-256 of the certificate NAME.
func (w *workloads) filled(t *testing.T, text string, encode func([]byte) string) string {
	t.Helper()
	for name := range w.wanted {
		if mark := "{{" + name + "}}"; strings.Contains(text, mark) {
			sum := sha256.Sum256(w.certificate(t, name).Certificate[0])
			text = strings.ReplaceAll(text, mark, encode(sum[:]))
		}
	}
	return text
}

// client reaches Envoy with the certificate of a case over one connection.
func (w *workloads) client(t *testing.T, s *harness.Stack, certificate string) *http.Client {
	t.Helper()
	config := &tls.Config{RootCAs: w.roots, ServerName: harness.APIHost}
	if certificate != "" {
		config.Certificates = []tls.Certificate{w.certificate(t, certificate)}
	}
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, s.Envoy.Address)
	}
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: dial, TLSClientConfig: config, MaxConnsPerHost: 1}}
}

func (w *workloads) check(t *testing.T, s *harness.Stack, c identityCase) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+harness.APIHost+"/v1/thing", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Path != "" {
		req.URL.Path = c.Path
	}
	if c.XFCC != "" {
		req.Header.Set("x-forwarded-client-cert", w.filled(t, c.XFCC, hex.EncodeToString))
	}
	if c.Token {
		var further map[string]any
		if c.Bound != nil {
			cnf := make(map[string]any)
			for method, text := range c.Bound {
				cnf[method] = w.filled(t, text, base64.RawURLEncoding.EncodeToString)
			}
			further = map[string]any{"cnf": cnf}
		}
		token, err := s.Issuer.Token("agent", "user:ada", "s1", further)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("authorization", "Bearer "+token)
	}
	client := w.client(t, s, c.Certificate)
	defer client.CloseIdleConnections()
	if c.Expires {
		if status, text := exchange(t, client, req); status != http.StatusOK {
			t.Fatalf("before the wait: %d %s", status, text)
		}
		w.outlive(t, c.Certificate)
	}
	status, text := exchange(t, client, req)
	if status != c.Status {
		t.Fatalf("got %d %s, want %d\n%s", status, text, c.Status, s.Remit.Log())
	}
	if status == 0 {
		return
	}
	compareRecord(t, s, c, text)
}

// outlive waits until a certificate has expired.
func (w *workloads) outlive(t *testing.T, certificate string) {
	t.Helper()
	leaf, err := x509.ParseCertificate(w.certificate(t, certificate).Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(leaf.NotAfter) + 100*time.Millisecond)
}

// exchange returns status 0 where there is no connection.
func exchange(t *testing.T, client *http.Client, req *http.Request) (status int, text string) {
	t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// compareRecord holds the record of a decision to what a case says of it, and
// the answer to telling the caller nothing of it.
func compareRecord(t *testing.T, s *harness.Stack, c identityCase, text string) {
	t.Helper()
	var told struct {
		Decision string `json:"decision"`
		ID       string `json:"decision_id"`
		Reasons  []struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(text), &told); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	r := recordOf(t, s, told.Decision+told.ID)
	agent := ""
	if c.Agent != nil {
		agent = *c.Agent
	}
	if r.Input.Agent.ID != agent {
		t.Errorf("the record says it was %q, want %q", r.Input.Agent.ID, agent)
	}
	if r.Input.Agent.Workload != c.Workload {
		t.Errorf("the record says that %q presented it, want %q", r.Input.Agent.Workload, c.Workload)
	}
	if !strings.Contains(r.Result.Detail, c.Detail) || (c.Detail == "" && r.Result.Detail != "") {
		t.Errorf("the record says %q, want %q", r.Result.Detail, c.Detail)
	}
	if c.Code != "" && (len(told.Reasons) == 0 || told.Reasons[0].Code != c.Code) {
		t.Errorf("the caller is told %s, want %s", text, c.Code)
	}
	if c.Code == "unauthenticated" && (told.Reasons[0].Message != "a valid credential is required" || strings.Contains(text, c.Detail)) {
		t.Errorf("the caller is told too much: %s", text)
	}
}

// decisionRecord is what the tests read of a decision's event.
type decisionRecord struct {
	ID    string `json:"decision_id"`
	Input struct {
		Agent struct{ ID, Kind, Credential, Workload string }
	}
	Result struct{ Detail string }
}

func recordOf(t *testing.T, s *harness.Stack, id string) (r decisionRecord) {
	t.Helper()
	out, err := s.Remit.Run(t.Context(), "log", "tail", "-n", "0", "--json")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(out) {
		var e struct{ Type string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Type != "decision" {
			continue
		}
		r = decisionRecord{}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.ID == id {
			return r
		}
	}
	t.Fatalf("there is no record of decision %q:\n%s", id, out)
	return r
}
