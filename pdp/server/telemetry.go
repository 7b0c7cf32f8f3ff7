package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/remit-pdp/remit/bundles"
	"github.com/remit-pdp/remit/pdp/door/outcome"
	"github.com/remit-pdp/remit/pdp/identity"
	"github.com/remit-pdp/remit/pdp/state/localstore"
	"github.com/remit-pdp/remit/pdp/telemetry"
)

// crashes returns what is told of every panic that became a denial: it is
// counted and logged.
func crashes(meter *telemetry.Meter, log *slog.Logger) func(cause any, stack []byte) {
	return meter.Crashed(func(cause any, stack []byte) {
		log.Error("a panic became a denial", "cause", panicked(cause), "stack", string(stack))
	})
}

// panicked describes what a panic was about. Anything but the runtime's own
// words may hold a part of a request, and is known by its type alone.
func panicked(cause any) string {
	if err, ok := cause.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a %T", cause)
}

// know makes the reason codes of a bundle's policies labels of the metrics.
func know(meter *telemetry.Meter, bundle *bundles.Bundle) {
	texts := make([][]byte, len(bundle.Modules))
	for i := range bundle.Modules {
		texts[i] = bundle.Modules[i].Text
	}
	meter.Know(texts)
}

// sources is what the metrics are told when somebody asks for them.
func sources(policy *activation, issuers *identity.Issuers, store *localstore.Store, d *doors) telemetry.Sources {
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
				Written: uint64(s.Written), Room: s.Room, Segment: s.Segment, Free: s.Free, Snapshot: s.Snapshot, Partitions: s.Partitions,
				Unavailable: s.Problem != nil || err != nil,
			}
		},
		Connections: func() (proxies, streams int) { return int(d.connected.Load()), int(d.streams.Load()) },
		Revocations: func() int { return len(store.Revocations().All(time.Now())) },
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
