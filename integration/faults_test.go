package integration

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
)

// limitsConfig is the configuration of the end-to-end tests with a change.
func limitsConfig(t *testing.T, replace ...string) func(*harness.Options) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "remit.yaml")
	writeReplaced(t, filepath.Join("testdata", "remit.yaml"), config, replace...)
	return func(o *harness.Options) { o.Remit = config }
}

// Thousands of connections that never say what they want do not keep remit from
// deciding, and are closed when their time is over.
func TestConnectionsThatSayNothing(t *testing.T) {
	t.Parallel()
	s := startStack(t, "limits", limitsConfig(t,
		"  request_id: envoy\n", "  request_id: envoy\n  connections: { handshake_timeout: 5s }\n"))
	client := s.Client(tokenFor(t, s, "user:silence"))
	const silent = 2000
	var all []net.Conn
	for i := range silent {
		conn, err := net.Dial("unix", filepath.Join(s.Dir, "authz.sock"))
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer conn.Close()
		if i%2 == 0 { // half of HTTP/2's first words, as a proxy that died would leave
			if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n"); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, conn)
	}
	if n := allowedOf(askAll(t.Context(), client, 64, http.MethodGet, "/v1/spend/10")); n != 10 {
		t.Errorf("%d were allowed while %d connections said nothing, want 10", n, silent)
	}
	for i, conn := range all {
		if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("connection %d is still open", i)
		}
	}
}

func allowedOf(answers []answer) (n int) {
	for _, a := range answers {
		if a.allowed() {
			n++
		}
	}
	return n
}

// Envoy dies with requests under way, two without an answer and two with a stream
// that is open: nobody will ever say what became of them, so that what they charged
// stays charged; the Envoy after it is answered.
func TestEnvoyDiesWithRequestsUnderWay(t *testing.T) {
	t.Parallel()
	s := startStack(t, "limits", settlingSoon)
	client := s.Client(tokenFor(t, s, "user:open"))
	reached := s.API.Requests()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var waiting sync.WaitGroup
	for range 2 {
		waiting.Go(func() { ask(ctx, client, http.MethodGet, "/v1/spend/10?hang=1") })
		resp := openStream(ctx, t, client, "/v1/spend/10?stream=1")
		defer resp.Body.Close()
	}
	for end := time.Now().Add(30 * time.Second); s.API.Requests() < reached+4; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of 4 requests are under way", s.API.Requests()-reached)
		}
	}
	s.Envoy.Kill()
	waiting.Wait()
	if err := s.RestartEnvoy(t.Context()); err != nil {
		t.Fatal(err)
	}
	client = s.Client(tokenFor(t, s, "user:open"))
	if n := allowedOf(askAll(t.Context(), client, 32, http.MethodGet, "/v1/spend/10")); n != 6 {
		t.Errorf("%d were allowed after 4 whose outcome nobody knows, want 6 of 10", n)
	}
	if log, err := s.Remit.Run(t.Context(), "log", "verify"); err != nil {
		t.Errorf("%v\n%s", err, log)
	}
}

// openStream reads the first event of a stream.
func openStream(ctx context.Context, t *testing.T, client *http.Client, path string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+harness.APIHost+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if event, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || event != "data: {}\n" {
		t.Fatalf("the stream begins with %d %q, %v", resp.StatusCode, event, err)
	}
	return resp
}

// A journal that cannot be written denies as an outage, for as long as that
// lasts; nothing of what was answered is lost, and remit goes on by itself.
func TestAJournalThatCannotGrow(t *testing.T) {
	t.Parallel()
	s := startStack(t, "limits", limitsConfig(t, "state: { dir: data }", "state: { dir: data, segment_bytes: 1048576 }"))
	client := s.Client(tokenFor(t, s, "user:full"))
	block := filepath.Join(s.Data, "next.tmp")
	for end := time.Now().Add(30 * time.Second); os.Mkdir(block, 0o755) != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("there is always something in the way")
		}
	}
	allowed, refused := 0, answer{}
	for end := time.Now().Add(2 * time.Minute); refused.status == 0; {
		for _, a := range askAll(t.Context(), client, 64, http.MethodGet, "/v1/clean") {
			switch {
			case a.allowed():
				allowed++
			case a.status != http.StatusServiceUnavailable:
				t.Fatalf("a journal that cannot grow answers %+v", a)
			default:
				refused = a
			}
		}
		if time.Now().After(end) {
			t.Fatalf("after %d decisions the journal is not full", allowed)
		}
	}
	reached := s.API.Requests()
	for _, a := range askAll(t.Context(), client, 16, http.MethodGet, "/v1/clean") {
		if a.status != http.StatusServiceUnavailable {
			t.Errorf("while it is full: %+v", a)
		}
	}
	if s.API.Requests() != reached {
		t.Error("a request got through without a record")
	}
	if err := os.Remove(block); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if ask(t.Context(), client, http.MethodGet, "/v1/clean").allowed() {
			allowed++
			break
		}
		if time.Now().After(end) {
			t.Fatal("remit does not go on when there is room again")
		}
	}
	if n := allows(about(t, decisionLog(t, s, "user:full"), "/v1/clean")); n != allowed {
		t.Errorf("%d allows were told, %d are recorded", allowed, n)
	}
	if log, err := s.Remit.Run(t.Context(), "log", "verify"); err != nil {
		t.Errorf("%v\n%s", err, log)
	}
}

// With hardly any memory remit decides the same: what it remembers of thousands
// of agents is bounded, and a budget is none the larger for it.
func TestHardlyAnyMemory(t *testing.T) {
	t.Parallel()
	s := startStack(t, "limits", limitsConfig(t, "state: { dir: data }",
		"state: { dir: data }\nprocess: { memory_limit_bytes: 67108864, gc_percent: 50 }"))
	waitForMetric(t, s, "go_gc_gomemlimit_bytes 6.7108864e+07") // or the test is about nothing
	const people, at = 600, 16
	var wrong sync.Map
	work := make(chan int)
	var workers sync.WaitGroup
	for range at {
		workers.Go(func() {
			for i := range work {
				client := s.Client(tokenFor(t, s, fmt.Sprintf("user:crowd-%d", i)))
				first, second := ask(t.Context(), client, http.MethodGet, "/v1/spend/1"), ask(t.Context(), client, http.MethodGet, "/v1/spend/1")
				if !first.allowed() || second.allowed() || second.code != "budget_spent" {
					wrong.Store(i, fmt.Sprint(first, second))
				}
				client.CloseIdleConnections()
			}
		})
	}
	for i := range people {
		work <- i
	}
	close(work)
	workers.Wait()
	wrong.Range(func(who, said any) bool {
		t.Errorf("person %v: %v", who, said)
		return false
	})
	if strings.Contains(s.Remit.Log(), "panic") {
		t.Errorf("a panic:\n%s", s.Remit.Log())
	}
}
