package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/server"
)

// configured writes a configuration with the shipped policies and reads it.
func configured(t *testing.T, dir, address, health string) *config.Config {
	t.Helper()
	policies, err := filepath.Abs(filepath.Join("..", "..", "policies"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "remit.yaml")
	text := fmt.Sprintf(`listeners:
- name: agents
  address: %q
  identity: { none: true }
outcomes: { address: "unix:o.sock" }
policy: { bundle: %q, timeout: 5s }
state: { dir: data, segment_bytes: 1048576 }
health: { address: %q }
`, address, policies, health)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func freePort(t *testing.T) string {
	t.Helper()
	address, err := harness.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func httpStatus(t *testing.T, url string) int {
	t.Helper()
	for range 200 {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
			return resp.StatusCode
		}
		time.Sleep(25 * time.Millisecond)
	}
	return 0
}

// awaitReady waits until a remit is ready, on a slow machine too.
func awaitReady(t *testing.T, health string) {
	t.Helper()
	got := 0
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(25 * time.Millisecond) {
		if got = httpStatus(t, "http://"+health+"/ready"); got == http.StatusOK {
			return
		}
	}
	t.Fatalf("not ready: %d", got)
}

func httpText(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A server answers over a Unix socket and over TCP, is healthy by the name of
// its service, denies explicitly, keeps its state for itself, and ends.
func TestServing(t *testing.T) {
	for _, kind := range []string{"unix", "tcp"} {
		t.Run(kind, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "remit-") // short: a socket's path has room for 107 bytes
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			address, health := freePort(t), freePort(t)
			target := address
			if kind == "unix" {
				address, target = "unix:a.sock", "unix:"+filepath.Join(dir, "a.sock")
			}
			c := configured(t, dir, address, health)
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- server.Run(ctx, c, slog.New(slog.DiscardHandler)) }()
			defer stop()
			awaitReady(t, health)

			conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for service, want := range map[string]healthv1.HealthCheckResponse_ServingStatus{
				"": healthv1.HealthCheckResponse_SERVING, "envoy.service.auth.v3.Authorization": healthv1.HealthCheckResponse_SERVING,
			} {
				got, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
				if err != nil || got.Status != want {
					t.Errorf("health of %q: %v, %v", service, got, err)
				}
			}
			answer, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), &authv3.CheckRequest{})
			if err != nil || answer.GetStatus().GetCode() == 0 || answer.GetDeniedResponse() == nil {
				t.Errorf("an empty check: %v, %v", answer, err)
			}
			if metrics := httpText(t, "http://"+health+"/metrics"); !strings.Contains(metrics, `effect="deny",listener="agents",question="action"`) ||
				!strings.Contains(metrics, "remit_policy_refused 0") || !strings.Contains(metrics, "go_goroutines") {
				t.Errorf("the metrics do not tell of the check, the policy and the process:\n%s", metrics)
			}

			other := configured(t, dir, freePort(t), freePort(t))
			if err := server.Run(t.Context(), other, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "in use") {
				t.Errorf("a second server on the same state: %v", err)
			}

			stop()
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(20 * time.Second):
				t.Error("the server does not end")
			}
		})
	}
}

// A socket that another process answers on is not taken over, and a file that
// is no socket is not removed.
func TestSocketsAreNotStolen(t *testing.T) {
	dir, err := os.MkdirTemp("", "remit-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "a.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	c := configured(t, dir, "unix:a.sock", freePort(t))
	if err := server.Run(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v", err)
	}
	l.Close()
	if err := os.WriteFile(socket, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := server.Run(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("got %v", err)
	}
}
