package server_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/server"
)

const (
	adaName      = "spiffe://example.test/ops/ada"
	operatorsFor = "https://remit.example.test/operators"
)

// operated is a remit that answers operators over TCP.
type operated struct {
	*secured
	issuer *harness.Issuer
}

// operating starts a remit on TCP for operators; files are further keys of its tls,
// and replace are pairs of what else is different in its configuration.
func operating(t *testing.T, files, roles string, replace ...string) *operated {
	t.Helper()
	s := &operated{secured: &secured{dir: tempDir(t), address: freePort(t), authority: authority(t), log: &syncedText{}, ended: make(chan error, 1)}}
	issue(t, s.authority, s.dir, "remit", time.Hour, "remit.example.test")
	issuer, err := harness.NewIssuer()
	if err == nil {
		s.issuer, err = issuer, issuer.WriteJWKS(filepath.Join(s.dir, "jwks.json"))
	}
	if err != nil {
		t.Fatal(err)
	}
	health := freePort(t)
	configured(t, s.dir, "unix:"+filepath.Join(s.dir, "a.sock"), health)
	path := filepath.Join(s.dir, "remit.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(text)+strings.NewReplacer(replace...).Replace(fmt.Sprintf(`operators:
  address: %q
  tls: { cert_file: remit.crt, key_file: remit.key%s }
  oidc:
    issuer: %q
    audience: [ %q ]
    jwks_file: jwks.json
    algorithms: [ ES256 ]
    name_claim: email
  roles:
%s`, s.address, files, harness.IssuerName, operatorsFor, roles)))
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.CheckCertificates(c, time.Now); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	go func() { s.ended <- server.Run(ctx, c, slog.New(slog.NewTextHandler(s.log, nil))) }()
	awaitReady(t, health)
	t.Cleanup(func() {
		stop()
		if err := <-s.ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// A called is what a caller was answered; no status where there was no answer.
type called struct {
	status    int
	challenge string
	body      string
}

// call makes one call as an operator's tool would: with a certificate, nil for
// none, and a token, "" for none.
func (s *operated) call(t *testing.T, pair *tls.Certificate, token, method, path, body string) (got called) {
	t.Helper()
	roots := x509.NewCertPool()
	text, err := os.ReadFile(filepath.Join(s.dir, "remit.ca"))
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	settings := &tls.Config{RootCAs: roots, ServerName: "remit.example.test"}
	if pair != nil {
		settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: settings, DisableKeepAlives: true}, Timeout: 30 * time.Second}
	request, err := http.NewRequestWithContext(t.Context(), method, "https://"+s.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return called{body: err.Error()}
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return called{response.StatusCode, response.Header.Get("www-authenticate"), string(answer)}
}

// token is one of an operator, with changes.
func (s *operated) token(t *testing.T, further map[string]any) string {
	t.Helper()
	claims := map[string]any{"act": nil, "scope": nil, "aud": operatorsFor, "email": "grace@example.test", "groups": []string{"on-call"}}
	for name, v := range further {
		claims[name] = v
	}
	token, err := s.issuer.Token("", "user-1", "", claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// pairOf is a certificate with its key.
func pairOf(t *testing.T, id harness.Identity) *tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(id.CertFile, id.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	return &pair
}

// boundTo is the claim cnf of a token that is bound to a certificate.
func boundTo(pair *tls.Certificate) map[string]any {
	sum := sha256.Sum256(pair.Leaf.Raw)
	return map[string]any{"cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}}
}

// restated is a token's claims under another header, without a signature or with
// one by a shared secret.
func restated(token, header string, secret []byte) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + strings.Split(token, ".")[1]
	if secret == nil {
		return text + "."
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
