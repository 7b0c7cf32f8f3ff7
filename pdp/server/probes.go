package server

import (
	"fmt"
	"net/http"
	"time"

	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/remit-pdp/remit/pdp/door/extauthz"
	"github.com/remit-pdp/remit/pdp/door/outcome"
)

// setReady says over gRPC and HTTP whether to send requests here.
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

// probes answers /health (the process lives) and /ready (it wants requests, and
// has had the keys of every issuer).
func (d *doors) probes() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if !d.ready.Load() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		report, held := issuerReport(d.issuers)
		if !held {
			http.Error(w, "not ready\n"+report, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "ready\n"+report)
	})
	const patience = 5 * time.Second
	return &http.Server{
		Handler: mux, ReadHeaderTimeout: patience, ReadTimeout: patience, WriteTimeout: patience,
		IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
	}
}
