package integration

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/remit-pdp/remit/integration/harness"
)

// A provider is a certified OpenID provider's code in process, whose keys are
// rotated and withdrawn as an operator would, and which can lie and go down.
type provider struct {
	*storage.Storage
	address string
	issuer  string
	handler http.Handler
	server  *http.Server

	mu   sync.Mutex
	keys []providerKey // published; the last one signs
	lie  http.Handler  // answers in place of the provider; nil for the truth
}

// providerKey is a key pair, as both ends of the provider want it.
type providerKey struct {
	id      string
	private *rsa.PrivateKey
	public  bool
}

func (k providerKey) ID() string                                  { return k.id }
func (k providerKey) Algorithm() jose.SignatureAlgorithm          { return jose.RS256 }
func (k providerKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k providerKey) Use() string                                 { return "sig" }
func (k providerKey) Key() any {
	if k.public {
		return &k.private.PublicKey
	}
	return k.private
}

func startProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{address: freePort(t)}
	p.issuer = "http://" + p.address
	p.Storage = storage.NewStorage(storage.NewUserStore(p.issuer))
	p.addKey(t, "first")
	config := &op.Config{CryptoKey: [32]byte{1}, CryptoKeyId: "k", SupportedScopes: []string{"openid"}}
	made, err := op.NewProvider(config, p, op.StaticIssuer(p.issuer), op.WithAllowInsecure(), op.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	p.handler = made
	p.up(t)
	t.Cleanup(p.down)
	return p
}

// up makes the provider answer at its address, again.
func (p *provider) up(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	p.server = &http.Server{Handler: p}
	go p.server.Serve(l)
}

func (p *provider) down() { p.server.Close() }

// ServeHTTP answers as the provider, or lies.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	lie := p.lie
	p.mu.Unlock()
	if lie != nil {
		lie.ServeHTTP(w, r)
		return
	}
	p.handler.ServeHTTP(w, r)
}

func (p *provider) lies(with http.Handler) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lie = with
}

// addKey makes a new key sign.
func (p *provider) addKey(t *testing.T, id string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = append(p.keys, providerKey{id: id, private: private})
}

// withdraw takes the oldest key back.
func (p *provider) withdraw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = p.keys[1:]
}

// SigningKey, KeySet and SignatureAlgorithms implement [op.Storage].
func (p *provider) SigningKey(context.Context) (op.SigningKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[len(p.keys)-1], nil
}

func (p *provider) KeySet(context.Context) (set []op.Key, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range p.keys {
		key.public = true
		set = append(set, key)
	}
	return set, nil
}

func (p *provider) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

// service is a client of the provider that gets its tokens as JWTs.
type service struct{ op.Client }

func (service) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

// ClientCredentials and ClientCredentialsTokenRequest implement
// [op.ClientCredentialsStorage].
func (p *provider) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	client, err := p.Storage.ClientCredentials(ctx, id, secret)
	return service{client}, err
}

func (p *provider) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return &oidc.JWTTokenRequest{Subject: id, Audience: []string{harness.Audience}, Scopes: scopes}, nil
}

// token gets one, as a service does.
func (p *provider) token(t *testing.T) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"openid"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.issuer+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("content-type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("sid1", "verysecret")
	status, text := exchange(t, http.DefaultClient, req)
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || strings.Count(answer.Token, ".") != 2 {
		t.Fatalf("no token: %d %s %v", status, text, err)
	}
	return answer.Token
}

// remitIdentity is remit's `identity` for the provider. Keys are old soon.
func (p *provider) remitIdentity() string {
	return fmt.Sprintf(`{ jwt: { issuer: %q, audience: [ %q ], discovery: true, algorithms: [ RS256 ], `+
		`jwks_refresh: 1s, jwks_min_refresh: 100ms, jwks_max_stale: 20s, jwks_timeout: 1s } }`, p.issuer, harness.Audience)
}

// A provider's keys are found, rotated, withdrawn, lied about and not to be had,
// and every time exactly the right tokens are good.
func TestOpenIDProvider(t *testing.T) {
	t.Parallel()
	p := startProvider(t)
	s := startStack(t, "identity/bundle", withIdentity(t, p.remitIdentity()))
	first := p.token(t)
	asked := func(what, token string, status int, code, detail string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+harness.APIHost+"/v1/thing", nil)
		if err != nil {
			t.Fatal(err)
		}
		got, text := exchange(t, s.Client(token), req)
		if got != status {
			t.Fatalf("%s: got %d %s, want %d\n%s", what, got, text, status, s.Remit.Log())
		}
		c := identityCase{Code: code, Detail: detail}
		if status == http.StatusOK {
			agent := "sid1"
			c.Agent = &agent
		}
		compareRecord(t, s, c, text)
	}
	asked("found", first, 200, "", "")

	p.addKey(t, "second")
	second := p.token(t)
	asked("rotated, at once", second, 200, "", "")
	asked("rotated, the old one", first, 200, "", "")

	p.withdraw()
	logged(t, s, "have changed", "now=[second]")
	asked("withdrawn", first, 401, "unauthenticated", `no key with the id "first" is in the key set`)
	asked("withdrawn, the other", second, 200, "", "")

	p.lies(liar(p.issuer, `{"keys":[{"kty":"oct","kid":"second","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC0"}]}`))
	logged(t, s, "shared secret")
	asked("lying about keys", second, 200, "", "")
	p.lies(liar("https://elsewhere.example.test", `{"keys":[]}`))
	logged(t, s, "configuration of the issuer", "elsewhere.example.test")
	asked("lying about itself", second, 200, "", "")
	if strings.Contains(s.Remit.Log(), "c2VjcmV0") {
		t.Error("remit's log holds a secret")
	}

	p.lies(nil)
	until(t, "the truth is believed again", func() bool { _, report := ready(t, s); return !strings.Contains(report, "last attempt") })
	p.down()
	logged(t, s, "connection refused")
	asked("down", second, 200, "", "")
	s.Remit.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Remit.Start(ctx); err != nil {
		t.Fatal(err)
	}
	awaitHealthy(t, s)
	logged(t, s, "last run are in use")
	asked("down, remit restarted", second, 200, "", "")
	_, report := ready(t, s)
	if !strings.Contains(report, "issuer "+p.issuer+": 1 keys, confirmed ") || !strings.Contains(report, "last attempt: ") {
		t.Errorf("/ready says %s", report)
	}
	until(t, "the keys are too old", func() bool { _, report := ready(t, s); return strings.Contains(report, "too old") })
	asked("down for too long", second, 503, "keys_unavailable", "more than 20s")

	p.up(t)
	until(t, "the keys are confirmed", func() bool { _, report := ready(t, s); return !strings.Contains(report, "too old") })
	asked("up again", second, 200, "", "")
	noSecrets(t, s, second)
}

// Where there never were keys nothing is decided, and the process says that it
// is not ready to take over from one that has them.
func TestOpenIDProviderDownAtTheStart(t *testing.T) {
	p := startProvider(t)
	token := p.token(t)
	p.down()
	// The harness waits until remit is ready: it becomes so with the keys.
	up := time.AfterFunc(4*time.Second, func() { p.up(t) })
	defer up.Stop()
	s := startStack(t, "identity/bundle", withIdentity(t, p.remitIdentity()))
	if log := s.Remit.Log(); !strings.Contains(log, "could not be refreshed") {
		t.Errorf("the outage is not told: %s", log)
	}
	if a := ask(t.Context(), s.Client(token), http.MethodGet, "/v1/thing"); a.status != http.StatusOK {
		t.Errorf("%+v", a)
	}
}

// liar is a server that names an issuer and publishes these keys.
func liar(issuer, keys string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/openid-configuration" {
			fmt.Fprintf(w, `{"issuer":%s,"jwks_uri":%s}`, strconv.Quote(issuer), strconv.Quote("http://"+r.Host+"/keys"))
			return
		}
		fmt.Fprint(w, keys)
	})
}

// logged waits until one line of remit's log holds all texts.
func logged(t *testing.T, s *harness.Stack, texts ...string) {
	t.Helper()
	until(t, fmt.Sprintf("the log says %q", texts), func() bool {
		for line := range strings.Lines(s.Remit.Log()) {
			missing := 0
			for _, text := range texts {
				if !strings.Contains(line, text) {
					missing++
				}
			}
			if missing == 0 {
				return true
			}
		}
		return false
	})
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func ready(t *testing.T, s *harness.Stack) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Remit.Health+"/ready", nil)
	if err != nil {
		t.Fatal(err)
	}
	return exchange(t, http.DefaultClient, req)
}

// awaitHealthy waits until Envoy asks remit again.
func awaitHealthy(t *testing.T, s *harness.Stack) {
	t.Helper()
	until(t, "Envoy finds remit", func() bool {
		return ask(t.Context(), s.Client(""), http.MethodGet, "/v1/thing").status != http.StatusServiceUnavailable
	})
}
