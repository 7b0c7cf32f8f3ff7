package server_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/server"
)

// plain is a remit on loopback.
type plain struct {
	address, health string
	stop            context.CancelFunc
	ended           chan error
}

// running starts a remit on loopback with its configuration changed.
func running(t *testing.T, change func(*config.Config)) *plain {
	t.Helper()
	p := &plain{address: freePort(t), health: freePort(t), ended: make(chan error, 1)}
	c := configured(t, tempDir(t), p.address, p.health)
	change(c)
	ctx, stop := context.WithCancel(t.Context())
	p.stop = stop
	go func() { p.ended <- server.Run(ctx, c, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(stop)
	awaitReady(t, p.health)
	return p
}

func (p *plain) dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(p.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// end waits for the end and returns how long it took since it began.
func (p *plain) end(t *testing.T, began time.Time) time.Duration {
	t.Helper()
	select {
	case err := <-p.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
	return time.Since(began)
}

// Health says that it ends before it does: for the length of the pause /ready
// is 503, health is NOT_SERVING, and every check is still answered.
func TestHealthIsFlippedBeforeDraining(t *testing.T) {
	const pause = 1500 * time.Millisecond
	p := running(t, func(c *config.Config) { c.Shutdown.Pause = config.Duration(pause) })
	conn := p.dial(t)
	checks, health := authv3.NewAuthorizationClient(conn), healthv1.NewHealthClient(conn)
	if _, err := checks.Check(t.Context(), &authv3.CheckRequest{}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p.stop()
	eventually(t, "/ready is 503", func() bool { return httpStatus(t, "http://"+p.health+"/ready") == http.StatusServiceUnavailable })
	if got := httpStatus(t, "http://"+p.health+"/health"); got != http.StatusOK {
		t.Errorf("/health is %d while it lives", got)
	}
	answered := 0
	// What a busy machine holds up until the pause is over says nothing of it.
	inPause := func() bool { return time.Since(began) < pause }
	for time.Since(began) < pause-200*time.Millisecond {
		for _, service := range []string{"", "envoy.service.auth.v3.Authorization"} {
			got, err := health.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
			if (err != nil || got.Status != healthv1.HealthCheckResponse_NOT_SERVING) && inPause() {
				t.Fatalf("health of %q: %v, %v", service, got, err)
			}
		}
		answer, err := checks.Check(t.Context(), &authv3.CheckRequest{})
		if (err != nil || answer.GetDeniedResponse() == nil) && inPause() {
			t.Fatalf("a check in the pause: %v, %v", answer, err)
		}
		answered++
		time.Sleep(10 * time.Millisecond)
	}
	if took := p.end(t, began); took < pause {
		t.Errorf("it ended after %s", took)
	}
	if answered < 10 {
		t.Errorf("%d checks were answered in the pause", answered)
	}
}

// Nobody is made to wait for proxies that are not there.
func TestNoPauseWithoutConnections(t *testing.T) {
	p := running(t, func(c *config.Config) { c.Shutdown.Pause = config.Duration(time.Minute) })
	began := time.Now()
	p.stop()
	if took := p.end(t, began); took > 5*time.Second {
		t.Errorf("it ended after %s", took)
	}
}

// What does not end by itself does not keep remit from ending.
func TestTheDrainIsBounded(t *testing.T) {
	p := running(t, func(c *config.Config) {
		c.Shutdown = config.Shutdown{Pause: config.Duration(time.Millisecond), Drain: config.Duration(time.Second)}
	})
	stream, err := healthv1.NewHealthClient(p.dial(t)).Watch(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p.stop()
	if took := p.end(t, began); took < time.Second || took > 5*time.Second {
		t.Errorf("it ended after %s", took)
	}
}

// A message above the limit is an error to the caller and not an allow; one
// below is decided.
func TestMessagesAreBounded(t *testing.T) {
	p := running(t, func(c *config.Config) { c.Listeners[0].Connections.MaxMessage = 512 << 10 })
	checks := authv3.NewAuthorizationClient(p.dial(t))
	ask := func(size int) (*authv3.CheckResponse, error) {
		return checks.Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
			Http: &authv3.AttributeContext_HttpRequest{Method: "POST", Host: "h", Path: "/", Body: strings.Repeat("a", size)},
		}}})
	}
	if answer, err := ask(500 << 10); err != nil || answer.GetDeniedResponse() == nil {
		t.Errorf("below the limit: %v, %v", answer, err)
	}
	if answer, err := ask(600 << 10); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("above the limit: %v, %v", answer, err)
	}
}

// A connection that says nothing is not kept.
func TestSilentConnectionsAreClosed(t *testing.T) {
	p := running(t, func(c *config.Config) { c.Listeners[0].Connections.Handshake = config.Duration(time.Second) })
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	conn.SetReadDeadline(began.Add(15 * time.Second))
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("it is kept: %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it is closed after %s", took)
	}
}
