package telemetry

import (
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Meter counts and times. There is one in a process; it is safe for concurrent
// use.
type Meter struct {
	registry *prometheus.Registry
	codes    vocabulary

	decisions *prometheus.CounterVec
	whole     *prometheus.HistogramVec
	wouldDeny *prometheus.CounterVec
	panics    prometheus.Counter
	steps     *steps
	stored    stored
	refused   *prometheus.CounterVec
	envoy     *prometheus.CounterVec
}

// New returns a meter that has counted nothing. The runtime of Go and the
// process are among its metrics.
func New() *Meter {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	version, goVersion := built()
	buildInfo.gauge(r).WithLabelValues(version, goVersion).Set(1)
	m := &Meter{
		registry: r, decisions: decisionsTotal.counter(r), whole: decisionSeconds.histogram(r), wouldDeny: wouldDenyTotal.counter(r),
		panics: panicsTotal.counter(r).WithLabelValues(), steps: newSteps(r), stored: newStored(r),
		refused: outcomesRefusedTotal.counter(r), envoy: envoyRequestsTotal.counter(r),
	}
	m.codes.Store(newCodes(nil))
	return m
}

// built says what this binary was built from.
func built() (version, goVersion string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown", "unknown"
	}
	return info.Main.Version, info.GoVersion
}

// Handler answers GET /metrics.
func (m *Meter) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4, Timeout: 5 * time.Second, ErrorHandling: promhttp.ContinueOnError,
	})
}

// Crashed counts a panic and passes it on.
func (m *Meter) Crashed(next func(cause any, stack []byte)) func(cause any, stack []byte) {
	return func(cause any, stack []byte) {
		m.panics.Inc()
		next(cause, stack)
	}
}

// Know makes the reason codes in the texts of policies labels from now on.
func (m *Meter) Know(policies [][]byte) { m.codes.Store(newCodes(policies)) }
