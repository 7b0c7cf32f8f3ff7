package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/server"
)

const envoyName = "spiffe://example.test/ns/edge/sa/envoy"

// secured is a remit that answers over mutual TLS only.
type secured struct {
	dir       string
	address   string
	authority *harness.Authority
	log       *syncedText
	stop      context.CancelFunc
	ended     chan error
}

// syncedText is a log that a test may read while it is written.
type syncedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *syncedText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *syncedText) has(part string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), part)
}

func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "remit-") // short: a socket's path has room for 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func issue(t *testing.T, a *harness.Authority, dir, file string, life time.Duration, names ...string) harness.Identity {
	t.Helper()
	id, err := a.Issue(dir, file, life, names...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func authority(t *testing.T) *harness.Authority {
	t.Helper()
	a, err := harness.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// securely starts a remit on mutual TLS for envoyName and "edge.example.test";
// more is added to the configuration.
func securely(t *testing.T, more string) *secured {
	t.Helper()
	s := &secured{dir: tempDir(t), address: freePort(t), authority: authority(t), log: &syncedText{}, ended: make(chan error, 1)}
	issue(t, s.authority, s.dir, "remit", time.Hour, "remit.example.test")
	health := freePort(t)
	c := configured(t, s.dir, s.address, health)
	text, err := os.ReadFile(filepath.Join(s.dir, "remit.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "  identity:", fmt.Sprintf(
		"  tls: { cert_file: remit.crt, key_file: remit.key, client_ca_file: remit.ca, client_names: [ %q, edge.example.test ] }\n%s  identity:", envoyName, more), 1)
	if err := os.WriteFile(filepath.Join(s.dir, "remit.yaml"), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err = config.Load(filepath.Join(s.dir, "remit.yaml")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	go func() { s.ended <- server.Run(ctx, c, slog.New(slog.NewTextHandler(s.log, nil))) }()
	awaitReady(t, health)
	t.Cleanup(func() {
		stop()
		<-s.ended
	})
	return s
}

// dial connects as the holder of a certificate; nil presents none.
func (s *secured) dial(t *testing.T, id *harness.Identity, version uint16) authv3.AuthorizationClient {
	t.Helper()
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(filepath.Join(s.dir, "remit.ca"))
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatal(err)
	}
	settings := &tls.Config{RootCAs: roots, ServerName: "remit.example.test", MaxVersion: version}
	if id != nil {
		pair, err := tls.LoadX509KeyPair(id.CertFile, id.KeyFile)
		if err != nil {
			t.Fatal(err)
		}
		// Presented whatever authorities the server asks for.
		settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	conn, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(credentials.NewTLS(settings)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return authv3.NewAuthorizationClient(conn)
}

// Invariant 6: who asks is proved by a certificate of the right authority for
// one of the pinned names; everybody else does not even get a denial.
func TestOnlyPinnedProxiesAreAnswered(t *testing.T) {
	s := securely(t, "")
	clients := t.TempDir()
	id := func(a *harness.Authority, file string, life time.Duration, names ...string) *harness.Identity {
		made := issue(t, a, clients, file, life, names...)
		return &made
	}
	cases := map[string]struct {
		id      *harness.Identity
		version uint16
		allowed bool
	}{
		"the pinned SPIFFE id":             {id(s.authority, "spiffe", time.Hour, envoyName), 0, true},
		"the pinned DNS name":              {id(s.authority, "dns", time.Hour, "edge.example.test"), 0, true},
		"the pinned DNS name among others": {id(s.authority, "many", time.Hour, "a.example.test", "edge.example.test"), 0, true},
		"another name of the authority":    {id(s.authority, "other", time.Hour, "spiffe://example.test/ns/edge/sa/agent"), 0, false},
		"a longer SPIFFE id":               {id(s.authority, "longer", time.Hour, envoyName+"/x"), 0, false},
		"a name below the pinned one":      {id(s.authority, "below", time.Hour, "x.edge.example.test"), 0, false},
		"the pinned id beside another one": {id(s.authority, "two", time.Hour, "spiffe://example.test/other", envoyName), 0, false},
		"the pinned name as the subject":   {id(s.authority, "edge.example.test", time.Hour), 0, false},
		"no certificate":                   {nil, 0, false},
		"the name from another authority":  {id(authority(t), "foreign", time.Hour, envoyName), 0, false},
		"a certificate that has ended":     {id(s.authority, "ended", -time.Minute, envoyName), 0, false},
		"the pinned id over TLS 1.2":       {id(s.authority, "old", time.Hour, envoyName), tls.VersionTLS12, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			answer, err := s.dial(t, c.id, c.version).Check(t.Context(), &authv3.CheckRequest{})
			if c.allowed && (err != nil || answer.GetDeniedResponse() == nil) {
				t.Errorf("not answered: %v, %v", answer, err)
			}
			if !c.allowed && status.Code(err) != codes.Unavailable {
				t.Errorf("answered: %v, %v", answer, err)
			}
		})
	}
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	reply := make([]byte, 1)
	if n, _ := conn.Read(reply); n == 1 && reply[0] != 0x15 { // 0x15: a TLS alert
		t.Error("plain HTTP/2 was answered")
	}
}

// The files change under load, in both ways they do: renamed over, and by
// Kubernetes' swap of a symlink. No check fails, new connections see the new
// certificate, and files that do not fit each other change nothing.
func TestCertificatesAreReloadedUnderLoad(t *testing.T) {
	s := securely(t, "  connections: { max_age: 1s, max_age_grace: 1s }\n") // connections are new ones all the time
	id := issue(t, s.authority, t.TempDir(), "envoy", time.Hour, envoyName)
	client := s.dial(t, &id, 0)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var load sync.WaitGroup
	var mu sync.Mutex
	asked, failed := 0, []error{}
	for range 4 {
		load.Go(func() {
			for ctx.Err() == nil {
				_, err := client.Check(context.WithoutCancel(ctx), &authv3.CheckRequest{})
				mu.Lock()
				if asked++; err != nil {
					failed = append(failed, err)
				}
				mu.Unlock()
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	before := s.presented(t, &id)
	old := filepath.Join(s.dir, "remit.key")
	good, err := os.ReadFile(old)
	if err != nil {
		t.Fatal(err)
	}
	write(t, old, "not a key")
	eventually(t, "the bad key is told of", func() bool { return s.log.has("stay in force") })
	if s.presented(t, &id) != before {
		t.Error("a bad key changed the certificate")
	}
	write(t, old, string(good))

	issue(t, s.authority, s.dir, "remit", time.Hour, "remit.example.test")
	eventually(t, "a renamed file is in force", func() bool { return s.presented(t, &id) != before })
	before = s.presented(t, &id)

	for i := range 3 { // as Kubernetes does: remit.crt -> ..data/remit.crt, ..data -> ..v1
		version := filepath.Join(s.dir, fmt.Sprint("..v", i))
		if err := os.Mkdir(version, 0o700); err != nil {
			t.Fatal(err)
		}
		issue(t, s.authority, version, "remit", time.Hour, "remit.example.test")
		link(t, filepath.Base(version), filepath.Join(s.dir, "..data"))
		for _, file := range []string{"remit.crt", "remit.key", "remit.ca"} {
			if i == 0 {
				link(t, filepath.Join("..data", file), filepath.Join(s.dir, file))
			}
		}
		eventually(t, "a swapped symlink is in force", func() bool { return s.presented(t, &id) != before })
		before = s.presented(t, &id)
	}
	cancel()
	load.Wait()
	if len(failed) > 0 || asked < 100 {
		t.Errorf("%d of %d checks failed, the first: %v", len(failed), asked, append(failed, nil)[0])
	}
	t.Logf("%d checks over five changes of the certificate, %d failed", asked, len(failed))
}

// presented is the serial number of the certificate a new connection sees.
func (s *secured) presented(t *testing.T, id *harness.Identity) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(id.CertFile, id.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// Files that serving would refuse are refused before anything listens, by
// remit check as well; a certificate near its end is warned of.
func TestCertificatesAreChecked(t *testing.T) {
	dir, a := tempDir(t), authority(t)
	c := configured(t, dir, "127.0.0.1:0", "127.0.0.1:0")
	use := func(crt, key, ca string) {
		c.Listeners[0].TLS = &config.TLS{CertFile: filepath.Join(dir, crt), KeyFile: filepath.Join(dir, key), ClientCAFile: filepath.Join(dir, ca), ClientNames: []string{envoyName}, MinVersion: "1.3"}
	}
	issue(t, a, dir, "good", 10*time.Hour, "remit.example.test")
	issue(t, a, dir, "other", 10*time.Hour, "remit.example.test")
	issue(t, a, dir, "ended", -time.Minute, "remit.example.test")
	issue(t, a, dir, "ending", 10*time.Minute, "remit.example.test")
	write(t, filepath.Join(dir, "empty.ca"), "")
	for name, files := range map[string][4]string{
		"good":                   {"good.crt", "good.key", "good.ca", ""},
		"no certificate":         {"none.crt", "good.key", "good.ca", "none.crt"},
		"another's key":          {"good.crt", "other.key", "good.ca", "does not match"},
		"ended":                  {"ended.crt", "ended.key", "good.ca", "which is not now"},
		"no authority":           {"good.crt", "good.key", "empty.ca", "holds no certificate"},
		"no file of authorities": {"good.crt", "good.key", "none.ca", "none.ca"},
	} {
		use(files[0], files[1], files[2])
		_, err := server.CheckCertificates(c, time.Now)
		if files[3] == "" && err != nil || files[3] != "" && (err == nil || !strings.Contains(err.Error(), files[3]) || !strings.Contains(err.Error(), "listeners.agents.tls")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	use("ending.crt", "ending.key", "good.ca")
	if warnings, err := server.CheckCertificates(c, time.Now); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].Error(), "renew") {
		t.Errorf("%v, %v", warnings, err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// link makes or replaces a symlink in one step.
func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("it does not happen: %s", what)
}
