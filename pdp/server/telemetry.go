package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/remit-pdp/remit/bundles"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/door/outcome"
	"github.com/remit-pdp/remit/pdp/identity"
	"github.com/remit-pdp/remit/pdp/state/localstore"
	"github.com/remit-pdp/remit/pdp/telemetry"
)

// know makes the reason codes of a bundle's policies labels of the metrics.
func know(meter *telemetry.Meter, bundle *bundles.Bundle) {
	texts := make([][]byte, len(bundle.Modules))
	for i := range bundle.Modules {
		texts[i] = bundle.Modules[i].Text
	}
	meter.Know(texts)
}

// lastTraces is how long the last traces have to be sent.
const lastTraces = 2 * time.Second

// tracing sends traces of decisions where that is configured. A collector that is
// down is no reason not to serve: what cannot be sent is dropped, and told.
func tracing(ctx context.Context, point *telemetry.Points, c *config.Traces, log *slog.Logger) (end func(), err error) {
	if c.Endpoint == "" {
		return func() {}, nil
	}
	settings := telemetry.Tracing{
		Endpoint: c.Endpoint, Ratio: c.Ratio, PerSecond: c.MaxPerSecond, Parent: proxysSpan,
		Failed: func(err error) { log.Warn("traces were not sent", "error", err) },
	}
	if c.CAFile != "" {
		authorities, err := authoritiesIn(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("telemetry.traces.ca_file: %w", err)
		}
		settings.TLS = &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}
	}
	shutdown, err := point.Trace(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("telemetry.traces: %w", err)
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTraces)
		defer cancel()
		if err := shutdown(ctx); err != nil {
			settings.Failed(err)
		}
	}, nil
}

func authoritiesIn(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return pool, nil
}

// proxysSpan is the traceparent of the call that a question came in by.
func proxysSpan(ctx context.Context) string {
	if values := metadata.ValueFromIncomingContext(ctx, "traceparent"); len(values) == 1 {
		return values[0]
	}
	return ""
}

// sources is what the metrics are told when somebody asks for them.
func sources(policy *activation, issuers *identity.Issuers, store *localstore.Store, log *decisionLog, d *doors) telemetry.Sources {
	return telemetry.Sources{
		Policy: func() telemetry.Policy {
			s := policy.status.Status()
			return telemetry.Policy{
				Generation: s.Generation, Since: s.Since, Looked: s.Looked, LastGood: s.LastGood,
				Refused: s.Refused != nil, Unreachable: s.Unreachable != nil,
			}
		},
		Issuers: func() (all []telemetry.Issuer) {
			for _, s := range issuers.Status() {
				all = append(all, telemetry.Issuer{Name: s.Issuer, Keys: s.Keys, Age: s.Age, Usable: s.Usable, Failing: s.Err != nil})
			}
			return all
		},
		Store: func() telemetry.Store {
			s, err := store.Status()
			return telemetry.Store{
				Written: uint64(s.Written), Kept: uint64(s.Written - s.Kept), Room: s.Room, Segment: s.Segment, Free: s.Free, Snapshot: s.Snapshot, Partitions: s.Partitions,
				Unavailable: s.Problem != nil || err != nil,
			}
		},
		Connections: func() (proxies, streams int) { return int(d.connected.Load()), int(d.streams.Load()) },
		Revocations: func() int { return len(store.Revocations().All(time.Now())) },
		Exports:     log.status,
	}
}

// countStreams counts the streams of outcomes that are open.
func countStreams(open *atomic.Int64) grpc.ServerOption {
	return grpc.ChainStreamInterceptor(func(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		if !strings.HasPrefix(info.FullMethod, "/"+outcome.Service+"/") {
			return handle(service, stream)
		}
		open.Add(1)
		defer open.Add(-1)
		return handle(service, stream)
	})
}

// withMetrics adds GET /metrics.
func withMetrics(next http.Handler, meter *telemetry.Meter) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", next)
	mux.Handle("GET /metrics", meter.Handler())
	return mux
}
