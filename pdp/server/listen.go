package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/door/extauthz"
	"github.com/remit-pdp/remit/pdp/door/outcome"
)

// Limits of what one peer may ask of a door.
const (
	maxMessage = 4 << 20 // one check, its body included
	maxStreams = 4096    // checks at a time on one connection
)

// lastOutcomes is how long outcomes are taken after the last answer: twice what
// Envoy collects them for in the shipped configuration.
const lastOutcomes = 500 * time.Millisecond

// doors are everything that listens.
type doors struct {
	log    *slog.Logger
	grpc   []listening
	http   *http.Server
	ops    net.Listener
	health *health.Server
	ready  atomic.Bool
}

// listening is a gRPC server and where it listens.
type listening struct {
	server   *grpc.Server
	listener net.Listener
	// endless says that its streams end only with the server.
	endless bool
}

// listen opens every address; when one cannot be had, none stays open.
func listen(c *config.Config, point *pdp.Point, keys *pdp.Keys, log *slog.Logger) (_ *doors, err error) {
	d := &doors{log: log, health: health.NewServer()}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	crashed := func(cause any, stack []byte) {
		log.Error("a panic became a denial", "cause", fmt.Sprint(cause), "stack", string(stack))
	}
	for i := range c.Listeners {
		l := &c.Listeners[i]
		server := newGRPC(grpc.UnaryInterceptor(extauthz.Guard(crashed)))
		extauthz.NewServer(doorSettings(l), point, keys, time.Now, crashed).Register(server)
		if err := d.open("listeners "+l.Name, l.Address, listening{server: server}); err != nil {
			return nil, err
		}
	}
	if c.Outcomes.Address != "" {
		server := newGRPC()
		outcome.NewAccessLog(point, time.Now, func(o pdp.Outcome, err error) {
			log.Warn("an outcome was not settled", "source", o.Source, "decision_id", o.DecisionID, "error", err)
		}).Register(server)
		if err := d.open("outcomes", c.Outcomes.Address, listening{server: server, endless: true}); err != nil {
			return nil, err
		}
	}
	if d.ops, err = net.Listen("tcp", c.Health.Address); err != nil {
		return nil, fmt.Errorf("health.address: %w", err)
	}
	d.http = &http.Server{Handler: d.probes(), ReadHeaderTimeout: 5 * time.Second}
	return d, nil
}

func doorSettings(l *config.Listener) extauthz.Settings {
	return extauthz.Settings{
		Listener: l.Name, Proxy: l.Address, TrustID: l.RequestID == "envoy", BodyIsExact: l.BodyIsExact,
		DenyAs: extauthz.DenyAs(l.DenyAs), Deadline: l.Deadline.D(), Margin: l.Margin.D(),
	}
}

func newGRPC(options ...grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(options,
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)...)
}

// open makes server listen at an address; its health is asked for by the
// names of its services.
func (d *doors) open(key, address string, l listening) (err error) {
	if l.listener, err = listenAt(address); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	healthv1.RegisterHealthServer(l.server, d.health)
	d.grpc = append(d.grpc, l)
	return nil
}

// listenAt opens a TCP address or a Unix socket. The socket of a process that
// is no more is taken over; one that somebody answers on is not. Only the
// owner and the group reach it: who does is believed to be the proxy.
func listenAt(address string) (net.Listener, error) {
	path, isSocket := strings.CutPrefix(address, "unix:")
	if !isSocket {
		return net.Listen("tcp", address)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		conn.Close()
		return nil, fmt.Errorf("another process answers on %s", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket == 0 {
		return nil, fmt.Errorf("%s is there and is not a socket", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// serve answers until ctx ends or a door fails. Health is flipped first, so
// that the proxy stops asking; then what is under way ends.
func (d *doors) serve(ctx context.Context) error {
	failed := make(chan error, len(d.grpc)+1)
	for _, l := range d.grpc {
		go func() { failed <- l.server.Serve(l.listener) }()
	}
	go func() { failed <- d.http.Serve(d.ops) }()
	d.setReady(true)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	d.setReady(false)
	d.log.Info("stopping")
	d.stop()
	return err
}

func (d *doors) setReady(ready bool) {
	status := healthv1.HealthCheckResponse_NOT_SERVING
	if ready {
		status = healthv1.HealthCheckResponse_SERVING
	}
	for _, service := range []string{"", extauthz.Service, outcome.Service} {
		d.health.SetServingStatus(service, status)
	}
	d.ready.Store(ready)
}

// stop ends the gRPC servers in order, for at most drain. Outcomes are taken for
// a moment longer: Envoy sends those of the last requests with a delay.
func (d *doors) stop() {
	done := make(chan struct{})
	go func() {
		for _, l := range d.grpc {
			if l.endless {
				time.Sleep(lastOutcomes)
				l.server.Stop()
				continue
			}
			l.server.GracefulStop()
		}
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(drain):
	}
	d.close()
}

// close ends everything at once.
func (d *doors) close() {
	for _, l := range d.grpc {
		l.server.Stop()
		l.listener.Close()
	}
	if d.http != nil {
		d.http.Close()
	}
	if d.ops != nil {
		d.ops.Close()
	}
}

// probes answers /health (the process lives) and /ready (it answers checks).
func (d *doors) probes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if !d.ready.Load() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	return mux
}
