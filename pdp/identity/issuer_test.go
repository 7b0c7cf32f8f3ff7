package identity_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/identity"
)

// A site is an issuer's web server, with a certificate of its own. What it
// answers is changed while it runs.
type site struct {
	*httptest.Server
	ca    string // path of its certificate
	asked atomic.Int64
	mu    sync.Mutex
	do    map[string]http.HandlerFunc
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{do: make(map[string]http.HandlerFunc)}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			s.asked.Add(1)
		}
		s.mu.Lock()
		do := s.do[r.URL.Path]
		s.mu.Unlock()
		if do == nil {
			http.NotFound(w, r)
			return
		}
		do(w, r)
	}))
	t.Cleanup(s.Close)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.ca = writeFile(t, pemOf("CERTIFICATE", s.Certificate().Raw))
	return s
}

func (s *site) answers(path string, do http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.do[path] = do
}

func (s *site) text(path, text string) {
	s.answers(path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
}

func (s *site) publishes(t testing.TB, keys ...jwk.Key) {
	t.Helper()
	s.text("/keys", setOf(t, keys...))
}

func (s *site) refuses(path string, status int) {
	s.answers(path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

func setOf(t testing.TB, keys ...jwk.Key) string {
	t.Helper()
	all := make([]json.RawMessage, len(keys))
	for i, key := range keys {
		all[i] = json.RawMessage(jsonOf(t, key))
	}
	return jsonOf(t, map[string]any{"keys": all})
}

// fetched is a verifier whose keys come from a site.
type fetched struct {
	*identity.Verifier
	issuers *identity.Issuers
	log     *syncBuffer
	clock   *atomic.Int64 // seconds beyond now
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func fetch(s *site) *identity.Fetch {
	return &identity.Fetch{
		URL: s.URL + "/keys", CAFile: s.ca, Refresh: time.Hour, MinRefresh: 20 * time.Millisecond, MaxStale: 24 * time.Hour, Timeout: time.Second,
	}
}

// newFetched starts a verifier; dir keeps keys over restarts.
func newFetched(t testing.TB, s *site, dir string, change func(*identity.JWT)) *fetched {
	t.Helper()
	f := &fetched{log: &syncBuffer{}, clock: &atomic.Int64{}}
	f.issuers = identity.NewIssuers(identity.IssuerOptions{
		Dir: dir, Log: slog.New(slog.NewTextHandler(f.log, nil)),
		Now: func() time.Time { return now.Add(time.Duration(f.clock.Load()) * time.Second) },
	})
	t.Cleanup(f.issuers.Close)
	jwt := jwtSettings(t)
	jwt.JWKSFile, jwt.Fetch = "", fetch(s)
	if change != nil {
		change(jwt)
	}
	var err error
	f.Verifier, err = identity.New(identity.Settings{Listeners: map[string]identity.Listener{"agents": {JWT: jwt}}, Issuers: f.issuers}, testKeys(t, 1), clock)
	if err != nil {
		t.Fatal(err)
	}
	f.issuers.Start(t.Context())
	return f
}

// unavailable verifies e, which must fail because of the issuer and not of the
// token: an outage is no denial.
func unavailable(t testing.TB, v *identity.Verifier, e *pdp.Envelope, want string) {
	t.Helper()
	_, err := v.Verify(t.Context(), e)
	var r *pdp.Refusal
	if r, _ = err.(*pdp.Refusal); r == nil || r.Class != pdp.Unavailable || r.Reason.Code != pdp.CodeKeysUnavailable || !strings.Contains(r.Detail, want) {
		t.Errorf("got %v, want the keys to be unavailable: %s", err, want)
	}
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestRotation(t *testing.T) {
	s := newSite(t)
	s.publishes(t, ec().public(t, nil))
	v := newFetched(t, s, "", func(j *identity.JWT) { j.Fetch.Refresh = 500 * time.Millisecond })
	accepted(t, v.Verifier, bearer(ec().sign(t, nil, nil)))

	// The first token with the new key is good at once: it makes remit ask.
	time.Sleep(30 * time.Millisecond)
	s.publishes(t, ec().public(t, nil), rs().public(t, nil))
	accepted(t, v.Verifier, bearer(rs().sign(t, nil, nil)))
	accepted(t, v.Verifier, bearer(ec().sign(t, nil, nil)))

	// A withdrawn key stops working at the next refresh, with no token asking.
	s.publishes(t, rs().public(t, nil))
	token := bearer(ec().sign(t, nil, nil))
	eventually(t, "the withdrawn key is refused", func() bool { _, err := v.Verify(t.Context(), token); return err != nil })
	refused(t, v.Verifier, token, `"ec" is in the key set`)
	accepted(t, v.Verifier, bearer(rs().sign(t, nil, nil)))

	// A set without a key withdraws them all.
	s.text("/keys", `{"keys":[]}`)
	last := bearer(rs().sign(t, nil, nil))
	eventually(t, "all keys are withdrawn", func() bool { _, err := v.Verify(t.Context(), last); return err != nil })
	refused(t, v.Verifier, last, `"rs" is in the key set`)
	if log := v.log.String(); !strings.Contains(log, "have changed") || !strings.Contains(log, "none of its tokens is good") {
		t.Errorf("the log does not tell: %s", log)
	}
}

// Each of these is an issuer that lies or is broken: nothing of it is believed,
// the operator is told why, and the keys that were there stay.
func TestLyingIssuers(t *testing.T) {
	s := newSite(t)
	discovery := func(document string) func() {
		return func() { s.text("/.well-known/openid-configuration", document) }
	}
	secret := "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC0"
	for name, c := range map[string]struct {
		discovery bool
		lie       func()
		want      string
	}{
		"private key":             {false, func() { s.publishes(t, asJWK(t, ec().private)) }, "private key"},
		"shared secret":           {false, func() { s.text("/keys", `{"keys":[{"kty":"oct","kid":"ec","k":"`+secret+`"}]}`) }, "shared secret"},
		"shared secret, unmarked": {false, func() { s.text("/keys", `{"keys":[{"kty":"RSA","kid":"ec","k":"`+secret+`"}]}`) }, "shared secret"},
		"keys of the wrong kind":  {false, func() { s.publishes(t, p384(t).public(t, nil)) }, "no key for signatures that fits"},
		"two keys of one name":    {false, func() { s.publishes(t, ec().public(t, nil), other().public(t, nil)) }, "two keys have the id"},
		"a web page":              {false, func() { s.text("/keys", "<html>please log in</html>") }, "not a JSON Web Key Set"},
		"a member twice":          {false, func() { s.text("/keys", `{"keys":[],"keys":[]}`) }, "not a JSON Web Key Set"},
		"nothing":                 {false, func() { s.text("/keys", "") }, "answers nothing"},
		"an error":                {false, func() { s.refuses("/keys", 500) }, "500"},
		"an error with keys": {false, func() {
			s.answers("/keys", func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(503)
				fmt.Fprint(w, setOf(t, other().public(t, nil)))
			})
		}, "503"},
		"too much": {false, func() {
			s.text("/keys", `{"keys":[],"x":"`+strings.Repeat("x", 10<<20)+`"}`)
		}, "more than 262144 bytes"},
		"endless": {false, func() {
			s.answers("/keys", func(w http.ResponseWriter, r *http.Request) {
				for r.Context().Err() == nil {
					if _, err := w.Write(make([]byte, 64<<10)); err != nil {
						return
					}
				}
			})
		}, "more than 262144 bytes"},
		"slow": {false, func() {
			s.answers("/keys", func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-r.Context().Done():
				case <-time.After(3 * time.Second):
				}
			})
		}, "exceeded"},
		"drop by drop": {false, func() {
			s.answers("/keys", func(w http.ResponseWriter, _ *http.Request) {
				for range 60 {
					fmt.Fprint(w, " ")
					w.(http.Flusher).Flush()
					time.Sleep(20 * time.Millisecond)
				}
			})
		}, "exceeded"},
		"elsewhere": {false, func() {
			s.text("/other", setOf(t, other().public(t, nil)))
			s.answers("/keys", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) })
		}, "redirects are not followed"},
		"another issuer":        {true, discovery(`{"issuer":"https://idp.example.test","jwks_uri":"` + s.URL + `/keys"}`), `the configuration of the issuer "https://idp.example.test"`},
		"the issuer with slash": {true, discovery(`{"issuer":"` + s.URL + `/","jwks_uri":"` + s.URL + `/keys"}`), "the exact name"},
		"no issuer":             {true, discovery(`{"jwks_uri":"` + s.URL + `/keys"}`), `the issuer ""`},
		"no keys":               {true, discovery(`{"issuer":"` + s.URL + `"}`), "jwks_uri"},
		"keys in the clear":     {true, discovery(`{"issuer":"` + s.URL + `","jwks_uri":"http://keys.example.test/"}`), "must begin with https://"},
		"keys in a file":        {true, discovery(`{"issuer":"` + s.URL + `","jwks_uri":"file:///etc/passwd"}`), "jwks_uri"},
		"no configuration":      {true, func() { s.refuses("/.well-known/openid-configuration", 404) }, "404"},
		"configuration a page":  {true, discovery("<html>"), "not strict JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			s.publishes(t, ec().public(t, nil))
			discovery(`{"issuer":"` + s.URL + `","jwks_uri":"` + s.URL + `/keys"}`)()
			issuer := issuer
			v := newFetched(t, s, "", func(j *identity.JWT) {
				if c.discovery {
					j.Issuer, j.Fetch.URL, issuer = s.URL, "", s.URL
				}
				j.Fetch.Refresh, j.Fetch.Timeout = 100*time.Millisecond, 300*time.Millisecond
			})
			good := bearer(ec().sign(t, nil, claims{"iss": issuer}))
			eventually(t, "the keys are there", func() bool { return v.issuers.Status()[0].Usable }) // the first attempt may be too slow
			accepted(t, v.Verifier, good)
			c.lie()
			eventually(t, "the operator is told of "+c.want, func() bool {
				st := v.issuers.Status()[0]
				return st.Usable && st.Err != nil && strings.Contains(st.Err.Error(), c.want)
			})
			if log := v.log.String(); !strings.Contains(log, "could not be refreshed") || strings.Contains(log, secret) {
				t.Errorf("the log says nothing, or shows a key: %s", log)
			}
			accepted(t, v.Verifier, good)
			refused(t, v.Verifier, bearer(other().sign(t, nil, claims{"iss": issuer})), "signature")
		})
	}
}

func TestWrongCertificate(t *testing.T) {
	s := newSite(t)
	s.publishes(t, ec().public(t, nil))
	v := newFetched(t, s, "", func(j *identity.JWT) { j.Fetch.CAFile = "" })
	unavailable(t, v.Verifier, bearer(ec().sign(t, nil, nil)), "certificate")
}

// An issuer that is down takes nothing away until its keys are too old; then
// they are not used, and one answer makes up for it.
func TestIssuerDown(t *testing.T) {
	s := newSite(t)
	s.publishes(t, ec().public(t, nil))
	v := newFetched(t, s, "", func(j *identity.JWT) { j.Fetch.Refresh = 50 * time.Millisecond })
	good := bearer(ec().sign(t, nil, nil))
	accepted(t, v.Verifier, good)
	s.refuses("/keys", 502)
	eventually(t, "the outage is seen", func() bool { return v.issuers.Status()[0].Err != nil })
	v.clock.Store(24 * 3600)
	accepted(t, v.Verifier, good)
	if age := v.issuers.Status()[0].Age; age < 23*time.Hour {
		t.Errorf("the age is %s", age)
	}
	v.clock.Store(24*3600 + 2)
	unavailable(t, v.Verifier, good, "more than 24h0m0s")
	s.publishes(t, ec().public(t, nil))
	eventually(t, "the keys are confirmed", func() bool { return v.issuers.Status()[0].Usable })
	accepted(t, v.Verifier, good)
}

// What an issuer said last survives a restart, with its age; nothing else does.
func TestRestartWhileTheIssuerIsDown(t *testing.T) {
	s, dir := newSite(t), filepath.Join(t.TempDir(), "issuers")
	s.publishes(t, ec().public(t, nil))
	v := newFetched(t, s, dir, nil)
	good := bearer(ec().sign(t, nil, nil))
	accepted(t, v.Verifier, good)
	v.issuers.Close()
	s.refuses("/keys", 502)

	again := newFetched(t, s, dir, nil)
	accepted(t, again.Verifier, good)
	if st := again.issuers.Status()[0]; !st.Usable || st.Err == nil {
		t.Errorf("the status is %+v", st)
	}
	again.clock.Store(24*3600 + 1)
	unavailable(t, again.Verifier, good, "more than 24h0m0s")

	elsewhere := newFetched(t, s, "", nil)
	unavailable(t, elsewhere.Verifier, good, "no keys of the issuer")
	if st := elsewhere.issuers.Status()[0]; st.Held || st.Usable {
		t.Errorf("the status is %+v", st)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("kept: %v, %v", files, err)
	}
	for name, text := range map[string]string{
		"damaged": "{", "of another issuer": `{"issuer":"https://evil.example.test","jwks":{"keys":[]}}`,
		"with a secret": `{"issuer":"` + issuer + `","fetched":"` + now.Format(time.RFC3339) + `","jwks":{"keys":[{"kty":"oct"}]}}`,
	} {
		if err := os.WriteFile(files[0], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		bad := newFetched(t, s, dir, nil)
		unavailable(t, bad.Verifier, good, "no keys of the issuer")
		if !strings.Contains(bad.log.String(), "last run are not used") {
			t.Errorf("%s: the log does not tell: %s", name, bad.log)
		}
	}
}

// Tokens with invented keys hold up nobody whose key is there, even while the
// issuer does not answer.
func TestInventedKeysHoldUpNobody(t *testing.T) {
	s := newSite(t)
	s.publishes(t, ec().public(t, nil))
	v := newFetched(t, s, "", nil)
	good := bearer(ec().sign(t, nil, nil))
	slow := make(chan struct{})
	s.answers("/keys", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-slow:
		case <-r.Context().Done():
		}
	})
	defer close(slow)
	time.Sleep(30 * time.Millisecond) // the first answer is old enough to ask again
	before, began := s.asked.Load(), time.Now()
	var invented sync.WaitGroup
	for i := range 500 {
		e := bearer(other().sign(t, claims{"kid": "invented-" + strconv.Itoa(i)}, nil))
		invented.Go(func() {
			if _, err := v.Verify(t.Context(), e); err == nil {
				t.Error("an invented key is good")
			}
		})
	}
	const goods = 50
	start := time.Now()
	for range goods {
		accepted(t, v.Verifier, good)
	}
	// Had they waited as the others do, it would be 200 ms each.
	if took := time.Since(start); took > goods*100*time.Millisecond {
		t.Errorf("%d good tokens took %s", goods, took)
	}
	invented.Wait()
	if asked := s.asked.Load() - before; asked == 0 || (asked > 1 && time.Since(began) < time.Second) {
		t.Errorf("the issuer was asked %d times in %s", asked, time.Since(began))
	}
}

// Nor do they make remit ask the issuer more often than it may.
func TestInventedKeysDoNotHammer(t *testing.T) {
	s := newSite(t)
	s.publishes(t, ec().public(t, nil))
	v := newFetched(t, s, "", func(j *identity.JWT) { j.Fetch.MinRefresh = 300 * time.Millisecond })
	token := bearer(other().sign(t, claims{"kid": "invented"}, nil))
	before, began := s.asked.Load(), time.Now()
	for time.Since(began) < 700*time.Millisecond {
		if _, err := v.Verify(t.Context(), token); err == nil {
			t.Fatal("an invented key is good")
		}
	}
	asked, most := s.asked.Load()-before, int64(time.Since(began)/(300*time.Millisecond))+1
	if asked > most || asked == 0 {
		t.Errorf("the issuer was asked %d times in %s, want at most %d", asked, time.Since(began), most)
	}
}

func TestGenerationsShareKeys(t *testing.T) {
	s := newSite(t)
	s.publishes(t, ec().public(t, nil))
	v := newFetched(t, s, "", nil)
	before := s.asked.Load()
	jwt := jwtSettings(t)
	jwt.JWKSFile, jwt.Fetch = "", fetch(s)
	for range 3 {
		next, err := identity.New(identity.Settings{Listeners: map[string]identity.Listener{"agents": {JWT: jwt}}, Issuers: v.issuers}, testKeys(t, 1), clock)
		if err != nil {
			t.Fatal(err)
		}
		accepted(t, next, bearer(ec().sign(t, nil, nil)))
	}
	if n := s.asked.Load(); n != before || len(v.issuers.Status()) != 1 {
		t.Errorf("the issuer was asked %d times more, by %d", n-before, len(v.issuers.Status()))
	}
}

func TestRefusedFetchSettings(t *testing.T) {
	s := newSite(t)
	for name, c := range map[string]struct {
		change func(*identity.JWT)
		want   string
	}{
		"plain http":          {func(j *identity.JWT) { j.Fetch.URL = "http://idp.example.test/keys" }, "jwks_url: "},
		"plain http, look":    {func(j *identity.JWT) { j.Fetch.URL = "http://localhost.example.test/keys" }, "https://"},
		"a file":              {func(j *identity.JWT) { j.Fetch.URL = "file:///etc/keys" }, "address of a server"},
		"user and password":   {func(j *identity.JWT) { j.Fetch.URL = "https://u:p@idp.example.test/keys" }, "address of a server"},
		"issuer no address":   {func(j *identity.JWT) { j.Fetch.URL, j.Issuer = "", "urn:idp" }, "issuer: "},
		"issuer over http":    {func(j *identity.JWT) { j.Fetch.URL, j.Issuer = "", "http://idp.example.test" }, "https://"},
		"no times":            {func(j *identity.JWT) { j.Fetch.Refresh = 0 }, "times"},
		"stale before asked":  {func(j *identity.JWT) { j.Fetch.MaxStale = time.Minute }, "too old"},
		"no authorities":      {func(j *identity.JWT) { j.Fetch.CAFile = "/nowhere" }, "jwks_ca_file"},
		"authorities no PEM":  {func(j *identity.JWT) { j.Fetch.CAFile = writeFile(t, "x") }, "jwks_ca_file"},
		"file and fetch":      {func(j *identity.JWT) { j.JWKSFile = writeKeys(t, ec().public(t, nil)) }, "either"},
		"neither":             {func(j *identity.JWT) { j.Fetch = nil }, "either"},
		"claim without name":  {func(j *identity.JWT) { j.Agent = []string{"a", ""} }, "claim's name"},
		"nobody fetches them": {nil, "nothing fetches"},
	} {
		t.Run(name, func(t *testing.T) {
			jwt := jwtSettings(t)
			jwt.JWKSFile, jwt.Fetch = "", fetch(s)
			settings := identity.Settings{Listeners: map[string]identity.Listener{"agents": {JWT: jwt}}}
			if c.change != nil {
				c.change(jwt)
				settings.Issuers = identity.NewIssuers(identity.IssuerOptions{})
			}
			if _, err := identity.New(settings, testKeys(t, 1), clock); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error about %q", err, c.want)
			}
		})
	}
}
