package doctor

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/remit-pdp/remit/pdp/server"
)

// live is the remit that serves, as its health.address tells of it.
type live struct {
	answers bool // somebody does
	err     error
	ready   bool
	said    string // of why it is or is not ready
	policy  *server.PolicyStatus
	metrics []sample // none where they could not be read
}

// maxSaid bounds what is shown of an answer: it may be that of anything.
const maxSaid = 2 << 10

// ask asks the serving remit about itself.
func ask(ctx context.Context, address string) (l live) {
	at := "http://" + reachable(address)
	ready, err := get(ctx, at+"/ready")
	if l.err = err; err != nil {
		return l
	}
	said := ready.body[:min(len(ready.body), maxSaid)]
	l.answers, l.ready, l.said = true, ready.status == http.StatusOK, strings.TrimSpace(string(said))
	if a, err := get(ctx, at+"/health/policy"); err == nil && a.status == http.StatusOK {
		l.policy = &server.PolicyStatus{}
		if json.Unmarshal(a.body, l.policy) != nil {
			l.policy = nil
		}
	}
	if a, err := get(ctx, at+"/metrics"); err == nil && a.status == http.StatusOK {
		l.metrics = samples(string(a.body))
	}
	return l
}

// sample is the value of one series.
type sample struct {
	name   string
	labels map[string]string
	value  float64
}

// The text format (https://prometheus.io/docs/instrumenting/exposition_formats),
// as remit itself writes it: one series a line, without a time.
var (
	seriesLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"`)
)

func samples(text string) (all []sample) {
	for line := range strings.Lines(text) {
		parts := seriesLine.FindStringSubmatch(strings.TrimSpace(line))
		if parts == nil {
			continue
		}
		value, err := strconv.ParseFloat(parts[3], 64)
		if err != nil {
			continue
		}
		one := sample{parts[1], make(map[string]string), value}
		for _, pair := range labelPair.FindAllStringSubmatch(parts[2], -1) {
			one.labels[pair[1]] = pair[2]
		}
		all = append(all, one)
	}
	return all
}

// sum adds the series of a metric that have all these labels: name and value in
// turn. A series that is not there is 0, as it is before the first event.
func (l *live) sum(name string, labels ...string) (sum float64) {
	for _, s := range l.metrics {
		fits := s.name == name
		for i := 0; i < len(labels); i += 2 {
			fits = fits && s.labels[labels[i]] == labels[i+1]
		}
		if fits {
			sum += s.value
		}
	}
	return sum
}
