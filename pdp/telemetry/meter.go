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
	topdown   prometheus.Counter
	panics    prometheus.Counter
	steps     *steps
	stored    stored
	refused   *prometheus.CounterVec
	envoy     map[string]prometheus.Counter
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
		topdown: topdownTotal.counter(r).WithLabelValues(), panics: panicsTotal.counter(r).WithLabelValues(), steps: newSteps(r), stored: newStored(r),
		refused: outcomesRefusedTotal.counter(r), envoy: make(map[string]prometheus.Counter),
	}
	m.codes.Store(newCodes(nil))
	requests := envoyRequestsTotal.counter(r)
	for _, authz := range []string{"ok", "denied", "error", "undecided"} {
		m.envoy[authz] = requests.WithLabelValues(authz)
	}
	for _, cause := range []string{"forged", "not_in_flight", "not_ready", "store"} {
		m.refused.WithLabelValues(cause)
	}
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

// Passed counts a request that is over, by what Envoy says that its filter
// ext_authz did: ok, denied, error or undecided.
func (m *Meter) Passed(authz string) {
	if requests := m.envoy[authz]; requests != nil {
		requests.Inc()
	}
}

// Know makes the reason codes in the texts of policies labels from now on.
func (m *Meter) Know(policies [][]byte) { m.codes.Store(newCodes(policies)) }
