package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/remit-pdp/remit/integration/harness"
)

// faster is how many times faster the alert rules run in the test: every duration
// in them is divided by it. A real Prometheus scrapes every second instead of
// every 15.
const faster = 30

var durations = regexp.MustCompile(`\b(\d+)([smh])\b`)

// hastened divides every duration in a text of rules.
func hastened(t *testing.T, text string) string {
	return durations.ReplaceAllStringFunc(text, func(d string) string {
		parsed, err := time.ParseDuration(d)
		if err != nil {
			t.Fatal(err)
		}
		return strconv.Itoa(int(max(parsed/faster, time.Second)/time.Second)) + "s"
	})
}

// watched is everything together: Envoy, remit, a load on it, and a Prometheus
// that scrapes remit and evaluates the shipped rules.
type watched struct {
	*harness.Stack
	prometheus *harness.Prometheus
	alerts     []string // the names of the shipped ones
	issuerDown atomic.Bool
	receiver   *logReceiver
	traffic    *traffic
}

// traffic asks all the time. What it asks is a mix: reads, writes that a pack in
// observe would deny, and a few that are denied.
type traffic struct {
	to      atomic.Pointer[harness.Envoy] // the Envoy that is asked
	probing atomic.Bool                   // asks for nothing but what is denied
	asked   atomic.Int64
}

func (l *traffic) run(ctx context.Context, clients []*http.Client) *sync.WaitGroup {
	var running sync.WaitGroup
	for worker, client := range clients {
		running.Go(func() {
			for n := worker; ctx.Err() == nil; n++ {
				method, path := http.MethodGet, fmt.Sprintf("/v1/tickets/%d", n%50)
				switch {
				case l.probing.Load() || n%25 == 0:
					path = fmt.Sprintf("/v1/secrets/%d", n)
				case n%5 == 0:
					method, path = http.MethodPost, path+"/notes"
				}
				ask(ctx, client, method, path)
				l.asked.Add(1)
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
	return &running
}

func startWatched(t *testing.T) *watched {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{traffic: &traffic{}, receiver: &logReceiver{}}
	w.receiver.mood.Store("")
	var dir atomic.Pointer[string] // of the stack
	keys := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.issuerDown.Load() {
			http.Error(rw, "down", http.StatusServiceUnavailable)
			return
		}
		http.ServeFile(rw, r, filepath.Join(*dir.Load(), "jwks.json"))
	}))
	t.Cleanup(keys.Close)
	receiver := httptest.NewServer(w.receiver)
	t.Cleanup(receiver.Close)

	shipped := filepath.Join(root, "integration", "testdata", "observability", "remit.yaml")
	config := filepath.Join(t.TempDir(), "remit.yaml")
	writeReplaced(t, shipped, config, "127.0.0.1:JWKS", strings.TrimPrefix(keys.URL, "http://"), "http://127.0.0.1:OTLP", receiver.URL)
	w.Stack = startStackWith(t, buildShipped(t, root), "observability", func(o *harness.Options) {
		dir.Store(&o.Dir)
		o.Remit = config
		o.EnvoyReplace = append(o.EnvoyReplace, apiRoute, openRoute+apiRoute)
	})
	w.traffic.to.Store(w.Envoy)
	w.startPrometheus(t, root)

	clients := make([]*http.Client, 6)
	for i := range clients {
		clients[i] = w.client(fmt.Sprintf("user:%d", i))
	}
	ctx, stop := context.WithCancel(t.Context())
	running := w.traffic.run(ctx, clients)
	t.Cleanup(func() { stop(); running.Wait() })
	return w
}

// buildShipped builds what ships, without the race detector: here times count.
func buildShipped(t *testing.T, root string) string {
	t.Helper()
	binary, err := harness.BuildRemit(t.Context(), root, "remit-shipped", false, "")
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// A mistake in Envoy's configuration: a route that nobody is asked about.
const (
	apiRoute  = "              - match: { prefix: / }\n                route: { cluster: api, timeout: 15s }\n"
	openRoute = `              - match: { prefix: /open }
                route: { cluster: api }
                typed_per_filter_config:
                  envoy.filters.http.ext_authz:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                    disabled: true
`
)

func writeReplaced(t *testing.T, from, to string, replace ...string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, []byte(strings.NewReplacer(replace...).Replace(string(text))), 0o644); err != nil {
		t.Fatal(err)
	}
}

// startPrometheus runs the shipped configuration with the shipped rules, faster.
func (w *watched) startPrometheus(t *testing.T, root string) {
	t.Helper()
	bin, err := harness.FetchPrometheus(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	dir, shipped := t.TempDir(), filepath.Join(root, "integration", "observability")
	rules, err := os.ReadFile(filepath.Join(shipped, "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	w.alerts = alertNames(t, rules)
	if err := os.WriteFile(filepath.Join(dir, "alerts.yaml"), []byte(hastened(t, string(rules))), 0o644); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "prometheus.yml")
	writeReplaced(t, filepath.Join(shipped, "prometheus.yml"), config, "15s", "1s", "127.0.0.1:8282", w.Remit.Health)
	if w.prometheus, err = harness.StartPrometheus(t.Context(), bin, config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.prometheus.Stop)
}

func alertNames(t *testing.T, rules []byte) (names []string) {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []struct{ Alert string } }
	}
	if err := yaml.Unmarshal(rules, &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			names = append(names, rule.Alert)
		}
	}
	return names
}

// client is a client of a person's agent, whose requests go to the Envoy that the
// traffic is on.
func (w *watched) client(person string) *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: toEnvoy{w, person, &http.Transport{}}}
}

type toEnvoy struct {
	w      *watched
	person string
	next   http.RoundTripper
}

func (e toEnvoy) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := e.w.Issuer.Token("agent", e.person, "s1", nil) // the test outlives one
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Host = e.w.traffic.to.Load().Address
	r.Header.Set("authorization", "Bearer "+token)
	return e.next.RoundTrip(r)
}

// firing returns the alerts that have fired at any time since.
func (w *watched) firing(t *testing.T, since time.Time) []string {
	t.Helper()
	series, err := w.prometheus.Range(t.Context(), `count by (alertname) (ALERTS{alertstate="firing"})`, since)
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, s := range series {
		names[s.Metric["alertname"]] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// quiet waits until no alert has fired for a while.
func (w *watched) quiet(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		series, err := w.prometheus.Query(t.Context(), `max_over_time(ALERTS{alertstate="firing"}[5s])`)
		if err != nil {
			t.Fatal(err)
		}
		if len(series) == 0 {
			return
		}
	}
	t.Fatalf("alerts go on firing: %v", w.firing(t, time.Now().Add(-5*time.Second)))
}

// Every fault makes the alerts fire that belong to it, and no other; without one
// none fires. Every query of the dashboard has an answer. Most of it is waiting for
// time to pass, so the faults are shared out among a few of these, but for the one
// that takes the processors from all.
func TestAlertsAndDashboard(t *testing.T) {
	lanes := []*watched{startWatched(t), startWatched(t), startWatched(t), startWatched(t)}
	t.Run("lanes", func(t *testing.T) {
		for i, w := range lanes {
			t.Run(fmt.Sprint(i+1), func(t *testing.T) {
				t.Parallel()
				w.untroubled(t)
				for n, f := range slices.Concat(faults(), exports()) {
					if n%len(lanes) == i {
						t.Run(f.name, func(t *testing.T) { w.suffer(t, f) })
					}
				}
			})
		}
	})
	slow := slowness()
	t.Run(slow.name, func(t *testing.T) { lanes[0].suffer(t, slow) })
	proved := make(map[string]bool)
	for _, f := range slices.Concat(faults(), exports(), []fault{slow}) {
		for _, name := range f.fires {
			proved[name] = true
		}
	}
	for _, name := range lanes[0].alerts {
		if !proved[name] && !slices.Contains(synthetic, name) {
			t.Errorf("no fault makes %s fire", name)
		}
	}
	t.Run("dashboard", func(t *testing.T) { lanes[0].draw(t) })
}

// untroubled sees that without a fault no alert fires.
func (w *watched) untroubled(t *testing.T) {
	began := time.Now()
	time.Sleep(20 * time.Second)
	if fired := w.firing(t, began); len(fired) > 0 {
		t.Fatalf("without a fault there are alerts: %v", fired)
	}
}

// suffer injects a fault, waits for its alerts, and heals it.
func (w *watched) suffer(t *testing.T, f fault) {
	began := time.Now()
	f.inject(t, w)
	fired := w.firing(t, began)
	for end := began.Add(2 * time.Minute); time.Now().Before(end) && !slices.Equal(fired, f.fires); time.Sleep(time.Second) {
		fired = w.firing(t, began)
	}
	f.heal(t, w)
	t.Logf("%v after %s", fired, time.Since(began).Round(time.Second))
	w.quiet(t)
	fired = slices.DeleteFunc(w.firing(t, began), func(name string) bool { return name == f.may })
	if !slices.Equal(fired, f.fires) {
		t.Errorf("%v fired, want %v\n%s", fired, f.fires, w.Remit.Log())
	}
}

// synthetic are the alerts whose fault cannot be had from the binary that ships
// (a mistake of its own), would hurt the machine that tests (a full disk), or takes
// half a gigabyte of decisions: promtool proves them with made-up series.
var synthetic = []string{"RemitPanics", "RemitDiskNearlyFull", "RemitExportNearlyFull"}

func TestSyntheticAlerts(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	bin, err := harness.FetchPrometheus(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	test := exec.CommandContext(t.Context(), filepath.Join(bin, "promtool"), "test", "rules", "alerts_test.yaml")
	test.Dir = filepath.Join(root, "integration", "observability")
	if out, err := test.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	cases, err := os.ReadFile(filepath.Join(test.Dir, "alerts_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range synthetic {
		if !strings.Contains(string(cases), "alertname: "+name) {
			t.Errorf("%s is not proved", name)
		}
	}
}

// draw asks every query of the dashboard, as Grafana would.
func (w *watched) draw(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(w.Root, "integration", "observability", "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard any
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	queries := append(expressions(dashboard), variables(string(text))...)
	if len(queries) < 50 {
		t.Fatalf("found %d queries: the search is broken", len(queries))
	}
	for _, query := range queries {
		asked := strings.NewReplacer("$__rate_interval", "1h", "$instance", ".*").Replace(query)
		if series, err := w.prometheus.Query(t.Context(), asked); err != nil || len(series) == 0 {
			t.Errorf("%s has no answer: %v", query, err)
		}
	}
}

// labelValues is what a variable of the dashboard asks for.
var labelValues = regexp.MustCompile(`"definition": "label_values\((\w+), (\w+)\)"`)

// variables are queries that have an answer where a dashboard's variables have one.
func variables(dashboard string) (all []string) {
	for _, asked := range labelValues.FindAllStringSubmatch(dashboard, -1) {
		all = append(all, fmt.Sprintf("count by (%s) (%s)", asked[2], asked[1]))
	}
	return all
}

// expressions are the values of all members "expr" of a JSON value.
func expressions(v any) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if text, ok := v[key].(string); ok && key == "expr" {
				all = append(all, text)
			}
			all = append(all, expressions(v[key])...)
		}
	case []any:
		for _, item := range v {
			all = append(all, expressions(item)...)
		}
	}
	return all
}
