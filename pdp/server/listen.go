package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/door/extauthz"
	"github.com/remit-pdp/remit/pdp/door/outcome"
	"github.com/remit-pdp/remit/pdp/identity"
	"github.com/remit-pdp/remit/pdp/telemetry"
)

// doors are everything that listens.
type doors struct {
	log          *slog.Logger
	shutdown     config.Shutdown
	grpc         []listening
	certificates []*certificates
	http         *http.Server
	agents       *agentsDoor
	ops          net.Listener
	health       *health.Server
	ready        atomic.Bool
	// connected is how many connections of proxies are open.
	connected atomic.Int64
	// streams is how many streams of outcomes are open.
	streams atomic.Int64
	// issuers have keys before a new replica counts as ready.
	issuers   *identity.Issuers
	operators *operatorsDoor
}

// listening is a gRPC server and where it listens.
type listening struct {
	server   *grpc.Server
	listener net.Listener
	// endless says that its streams end only with the server.
	endless bool
}

// listen opens every address; when one cannot be had, none stays open.
func listen(c *config.Config, point *telemetry.Points, keys *pdp.Keys, orders orders, meter *telemetry.Meter, log *slog.Logger) (_ *doors, err error) {
	d := &doors{log: log, shutdown: c.Shutdown, health: health.NewServer()}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	crashed := crashes(meter, log)
	for i := range c.Listeners {
		l := &c.Listeners[i]
		at := address{key: "listeners." + l.Name, address: l.Address, tls: l.TLS, connections: l.Connections}
		door := extauthz.NewServer(doorSettings(c, l), point.Listener(l.Name), keys, time.Now, crashed)
		if err := d.open(at, false, door.Register, door.Options()...); err != nil {
			return nil, err
		}
	}
	if o := c.Outcomes; o.Address != "" {
		door := outcome.NewAccessLog(point, time.Now, lostOutcomes(log, time.Now))
		door.Watch(c.Agents.Address, func(p outcome.Passage) { meter.Passed(string(p)) })
		at := address{key: "outcomes", address: o.Address, tls: o.TLS, connections: o.Connections}
		if err := d.open(at, true, door.Register, append(door.Options(), countStreams(&d.streams))...); err != nil {
			return nil, err
		}
	}
	if d.operators, err = openOperators(c, keys, orders, log); err != nil {
		return nil, err
	}
	if d.operators.tcp != nil {
		d.certificates = append(d.certificates, d.operators.tcp.certificates)
	}
	if d.agents, err = openAgents(c, point.Listener(c.Agents.Listener), log, crashed); err != nil {
		return nil, err
	}
	if d.ops, err = net.Listen("tcp", c.Health.Address); err != nil {
		return nil, fmt.Errorf("health.address: %w", err)
	}
	d.http = d.probes()
	return d, nil
}

func doorSettings(c *config.Config, l *config.Listener) extauthz.Settings {
	return extauthz.Settings{
		Listener: l.Name, Caller: caller(l), TrustID: l.RequestID == "envoy", BodyIsExact: l.BodyIsExact, SessionHeader: c.Agents.SessionHeader,
		DenyAs: extauthz.DenyAs(l.DenyAs), Deadline: l.Deadline.D(), Margin: l.Margin.D(), Workers: c.Process.Workers,
	}
}

// address is a place to listen at and what its peers may do there.
type address struct {
	key         string // of the configuration
	address     string
	tls         *config.TLS
	connections config.Connections
}

// open makes a gRPC server with one service listen at an address; its health is
// asked for by the names of its services.
func (d *doors) open(at address, endless bool, register func(grpc.ServiceRegistrar), options ...grpc.ServerOption) error {
	transport := insecure.NewCredentials()
	if at.tls != nil {
		certificates, err := newCertificates(at.key+".tls", at.tls, mutual, time.Now, d.log)
		if err != nil {
			return err
		}
		d.certificates = append(d.certificates, certificates)
		transport = certificates.credentials()
	}
	listener, err := listenAt(at.address)
	if err != nil {
		return fmt.Errorf("%s: %w", at.key, err)
	}
	server := grpc.NewServer(append(options, append(limits(at.connections), grpc.Creds(transport))...)...)
	register(server)
	healthv1.RegisterHealthServer(server, d.health)
	d.grpc = append(d.grpc, listening{server: server, listener: counted{listener, &d.connected}, endless: endless})
	return nil
}

// A peer that vanished without a word is noticed after silence + answer.
const (
	silence = time.Minute
	answer  = 20 * time.Second
)

// limits are what the peers of a gRPC server may do. grpc's own default takes a
// ping more often than every 5 minutes for an attack and disconnects; Envoy's
// connection_keepalive pings every 30 seconds.
func limits(c config.Connections) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(c.MaxMessage),
		grpc.MaxConcurrentStreams(uint32(c.MaxStreams)),
		grpc.StaticStreamWindowSize(int32(c.StreamWindow)),
		grpc.StaticConnWindowSize(int32(c.Window)),
		grpc.ConnectionTimeout(c.Handshake.D()),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: c.MinPing.D(), PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: c.MaxAge.D(), MaxConnectionAgeGrace: c.Grace.D(), Time: silence, Timeout: answer,
		}),
	}
}

// serve answers until ctx ends or a door fails, and then ends in order.
func (d *doors) serve(ctx context.Context) error {
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatching()
	for _, c := range d.certificates {
		go c.watch(watching)
	}
	failed := make(chan error, len(d.grpc)+3)
	for _, l := range d.grpc {
		go func() { failed <- l.server.Serve(l.listener) }()
	}
	go func() { failed <- d.http.Serve(d.ops) }()
	go func() { failed <- d.operators.serve() }()
	if d.agents != nil {
		go func() { failed <- d.agents.server.Serve(d.agents.listener) }()
	}
	d.setReady(true)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	d.stop()
	return err
}
