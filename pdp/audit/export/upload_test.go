package export

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// opaService is a decision log service: it takes what OPA's API says, and nothing
// else. The answers it is told to give come first.
type opaService struct {
	*httptest.Server
	token string
	limit int64 // of a compressed body

	mu      sync.Mutex
	answers []int
	after   string
	slow    time.Duration
	events  []string
	asked   int
}

func receive(t *testing.T) *opaService {
	t.Helper()
	r := &opaService{token: "secret-token", limit: 1 << 20}
	r.Server = httptest.NewTLSServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP implements [http.Handler].
func (r *opaService) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if r.slow > 0 {
		time.Sleep(r.slow)
	}
	if len(r.answers) > 0 {
		status := r.answers[0]
		r.answers = r.answers[1:]
		w.Header().Set("Retry-After", r.after)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		return
	}
	w.WriteHeader(r.take(req))
}

func (r *opaService) take(req *http.Request) int {
	switch {
	case req.Method != http.MethodPost || req.URL.Path != "/api/logs/remit":
		return http.StatusNotFound
	case req.Header.Get("Authorization") != "Bearer "+r.token:
		return http.StatusUnauthorized
	case req.Header.Get("Content-Type") != "application/json" || req.Header.Get("Content-Encoding") != "gzip":
		return http.StatusUnsupportedMediaType
	case req.ContentLength > r.limit:
		return http.StatusRequestEntityTooLarge
	}
	body, err := gzip.NewReader(req.Body)
	if err != nil {
		return http.StatusBadRequest
	}
	var events []json.RawMessage
	if err := json.NewDecoder(body).Decode(&events); err != nil {
		return http.StatusBadRequest
	}
	for _, e := range events {
		r.events = append(r.events, string(e))
	}
	return http.StatusNoContent
}

func (r *opaService) has() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// trusting is TLS that believes the receiver's certificate.
func (r *opaService) trusting() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(r.Certificate())
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// bearing is a header with a bearer token.
func bearing(token string) func() (http.Header, error) {
	return func() (http.Header, error) { return http.Header{"Authorization": {"Bearer " + token}}, nil }
}

func (r *opaService) sink(t *testing.T, change ...func(*UploadSettings)) *Upload {
	t.Helper()
	s := UploadSettings{
		URL: r.URL + "/api", Partition: "remit", TLS: r.trusting(), Timeout: 5 * time.Second,
		Header: bearing("secret-token"),
	}
	for _, c := range change {
		c(&s)
	}
	u, err := NewUpload(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestUploads(t *testing.T) {
	for name, c := range map[string]struct {
		receiver func(*opaService)
		sink     func(*UploadSettings)
		refused  int           // status
		failed   string        // part of the error
		after    time.Duration // that the receiver asks for
	}{
		"taken":             {},
		"another partition": {sink: func(s *UploadSettings) { s.Partition = "a/b" }, refused: 404},
		"another token":     {sink: func(s *UploadSettings) { s.Header = bearing("old") }, refused: 401},
		"no token to be had": {sink: func(s *UploadSettings) {
			s.Header = func() (http.Header, error) { return nil, errors.New("no such file") }
		}, failed: "no such file"},
		"nobody it knows": {sink: func(s *UploadSettings) { s.TLS = nil }, failed: "certificate"},
		"too slow":        {receiver: func(r *opaService) { r.slow = 300 * time.Millisecond }, sink: func(s *UploadSettings) { s.Timeout = 50 * time.Millisecond }, failed: "Timeout"},
		"400":             {receiver: func(r *opaService) { r.answers = []int{400} }, refused: 400},
		"a redirect":      {receiver: func(r *opaService) { r.answers = []int{307} }, refused: 307},
		"408":             {receiver: func(r *opaService) { r.answers = []int{408} }, failed: "answered 408"},
		"429":             {receiver: func(r *opaService) { r.answers, r.after = []int{429}, "7" }, failed: "answered 429", after: 7 * time.Second},
		"500":             {receiver: func(r *opaService) { r.answers = []int{500} }, failed: "answered 500"},
		"503, a date":     {receiver: func(r *opaService) { r.answers, r.after = []int{503}, "Fri, 31 Dec 1999 23:59:59 GMT" }, failed: "answered 503"},
		"in parts":        {receiver: func(r *opaService) { r.limit = 60 }},
		"one too large":   {receiver: func(r *opaService) { r.limit = 5 }, refused: 413},
	} {
		t.Run(name, func(t *testing.T) {
			r := receive(t)
			if c.receiver != nil {
				c.receiver(r)
			}
			var change []func(*UploadSettings)
			if c.sink != nil {
				change = append(change, c.sink)
			}
			var events [][]byte
			want := positions(0, 50)
			for _, p := range want {
				events = append(events, []byte(p))
			}
			u := r.sink(t, change...)
			err := u.Accept(t.Context(), events)
			if c.refused == 0 && c.failed == "" {
				if err != nil || !slices.Equal(r.has(), want) {
					t.Errorf("%v: %v", err, r.has())
				}
				return
			}
			arrived := len(r.has()) != 0 && c.failed != "Timeout" // where it answered too late it has them
			if err == nil || strings.Contains(err.Error(), "secret-token") || arrived {
				t.Fatalf("%v, %d events arrived", err, len(r.has()))
			}
			var refused *Refused
			if errors.As(err, &refused) != (c.refused != 0) || refused != nil && refused.Status != c.refused || !strings.Contains(err.Error(), c.failed) {
				t.Errorf("%v", err)
			}
			var later *Later
			if errors.As(err, &later) != (c.after != 0) || later != nil && later.After != c.after {
				t.Errorf("%v: later %v, want %s", err, later, c.after)
			}
		})
	}
}

// A receiver that proves to be who it is and wants the same gets a certificate.
func TestUploadsWithACertificate(t *testing.T) {
	r := &opaService{token: "secret-token", limit: 1 << 20}
	r.Server = httptest.NewUnstartedServer(r)
	r.Server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
	r.StartTLS()
	t.Cleanup(r.Close)
	without := r.sink(t)
	if err := without.Accept(t.Context(), [][]byte{[]byte("10")}); err == nil {
		t.Error("nobody was believed")
	}
	with := r.sink(t, func(s *UploadSettings) { s.TLS.Certificates = r.TLS.Certificates })
	if err := with.Accept(t.Context(), [][]byte{[]byte("10")}); err != nil || len(r.has()) != 1 {
		t.Errorf("%v: %v", err, r.has())
	}
}

// Over everything that goes wrong on the way, a receiver has every event at least
// once, in order, and a batch of it once where it took it the first time.
func TestAReceiverThatComesAndGoes(t *testing.T) {
	r, journal := receive(t), &paper{}
	r.answers = []int{500, 429, 401, 503, 400, 400, 400, 400, 400, 400, 502}
	e := exporting(t, t.TempDir(), r.sink(t))
	begun(t, e, journal)
	defer e.Stop(time.Second)
	journal.write(3000)
	eventually(t, "it is blocked", func() bool { return e.Status()[0].Blocked })
	if e.Exported() == journal.End() {
		t.Error("it counts as exported")
	}
	eventually(t, "all of it is there", func() bool { return e.Exported() == journal.End() })
	if got := r.has(); !slices.Equal(got, positions(0, 3000)) || e.Status()[0].Refused != 7 || e.Status()[0].Failed != 4 {
		t.Errorf("%d events: %+v", len(got), e.Status())
	}
}

// A token that changes is read again: the file is asked at every upload.
func TestATokenThatChanges(t *testing.T) {
	r, path := receive(t), filepath.Join(t.TempDir(), "token")
	u := r.sink(t, func(s *UploadSettings) {
		s.Header = func() (http.Header, error) {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			return bearing(strings.TrimSpace(string(text)))()
		}
	})
	for token, taken := range map[string]bool{"old\n": false, "secret-token\n": true} {
		if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := u.Accept(context.Background(), [][]byte{[]byte("10")}); (err == nil) != taken {
			t.Errorf("with %q: %v", token, err)
		}
	}
}
