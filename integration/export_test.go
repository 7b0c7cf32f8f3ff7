package integration

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
)

// exported is what is looked at of an event that left.
type exported struct {
	Position   int64
	Type       string
	DecisionID string `json:"decision_id"`
	Masked     []string
	Input      struct{ Request struct{ Path string } }
}

// logService takes a decision log as OPA's service does, when it is up.
type logService struct {
	mu     sync.Mutex
	up     bool
	events []exported
}

// ServeHTTP implements [http.Handler].
func (l *logService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.up {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var events []exported
	body, err := gzip.NewReader(r.Body)
	if err == nil {
		err = json.NewDecoder(body).Decode(&events)
	}
	if err != nil || r.URL.Path != "/logs" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	l.events = append(l.events, events...)
}

func (l *logService) has() []exported {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// Decisions that come through Envoy appear in the files and at the service, masked,
// in the order of the journal, and none is missing over kills at any moment, with
// the service down for half of the time.
func TestTheDecisionLogIsExported(t *testing.T) {
	t.Parallel()
	service := &logService{}
	receiver := httptest.NewServer(service)
	defer receiver.Close()
	s := startStack(t, "limits", patient, settlingSoon, exporting(t, receiver.URL))
	client := s.Client(tokenFor(t, s, "user:ada"))
	told := make(map[string]bool)
	for round := range 4 {
		for _, a := range askAndKill(t, s, client) {
			if a.decided() {
				told[a.decision] = true
			}
		}
		restart(t, s)
		service.mu.Lock()
		service.up = round >= 2
		service.mu.Unlock()
	}
	if len(told) < 20 {
		t.Fatalf("%d answers came", len(told))
	}
	for name, read := range map[string]func() []exported{
		"the files":   func() []exported { return linesIn(t, filepath.Join(filepath.Dir(s.Data), "decisions")) },
		"the service": service.has,
	} {
		t.Run(name, func(t *testing.T) { isTheLog(t, s, told, read) })
	}
}

// exporting adds the export to remit's configuration.
func exporting(t *testing.T, service string) func(*harness.Options) {
	return configured(t, fmt.Sprintf("decision_log:\n  file: { dir: decisions }\n  opa: { url: %q }\n  mask: [ /input/request/path ]\n", service))
}

// configured adds more to remit's configuration.
func configured(t *testing.T, more string) func(*harness.Options) {
	return func(o *harness.Options) {
		text, err := os.ReadFile(o.Remit)
		if err != nil {
			t.Fatal(err)
		}
		o.Remit = filepath.Join(o.Dir, "template.yaml")
		if err := os.WriteFile(o.Remit, append(text, more...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// askAndKill asks until remit is killed.
func askAndKill(t *testing.T, s *harness.Stack, client *http.Client) []answer {
	t.Helper()
	var answered counter
	answered.next = client.Transport
	counting := *client
	counting.Transport = &answered
	var answers []answer
	var wait sync.WaitGroup
	wait.Go(func() { answers = askAll(t.Context(), &counting, 64, http.MethodGet, "/v1/clean") })
	wait.Go(func() {
		answered.await(t.Context(), 16)
		time.Sleep(300 * time.Millisecond) // some of it is exported, some is being
		s.Remit.Kill()
	})
	wait.Wait()
	return answers
}

// isTheLog compares what was exported with the decision log, once all of it is
// there.
func isTheLog(t *testing.T, s *harness.Stack, told map[string]bool, read func() []exported) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	log := eventsOf(t, s)
	last := log[len(log)-1].Position
	got := read()
	for ; ctx.Err() == nil && !slices.ContainsFunc(got, func(e exported) bool { return e.Position == last }); got = read() {
		time.Sleep(100 * time.Millisecond)
	}
	seen, next, missing := make(map[int64]bool), 0, maps.Clone(told)
	for _, e := range got {
		if e.Type == "decision" {
			delete(missing, e.DecisionID)
		}
		if e.Type == "gap" {
			t.Errorf("there is a gap: %+v", e)
		}
		if path := e.Input.Request.Path; path != "" && (!strings.HasPrefix(path, "masked:") || !slices.Contains(e.Masked, "/input/request/path")) {
			t.Errorf("%q left", path)
		}
		if seen[e.Position] || next == len(log) { // a repeat, or later than the log that was read
			continue
		}
		seen[e.Position] = true
		if want := log[next]; e.Position != want.Position || e.DecisionID != want.DecisionID || e.Type != want.Type {
			t.Fatalf("event %d is %+v, want %+v", next, e, want)
		}
		next++
	}
	if next != len(log) {
		t.Errorf("%d of %d events were exported", next, len(log))
	}
	if len(missing) > 0 {
		t.Errorf("of %d decisions that were told %d were not exported: %v", len(told), len(missing), missing)
	}
}

// eventsOf is the decision log as `remit log tail` has it.
func eventsOf(t *testing.T, s *harness.Stack) []exported {
	t.Helper()
	out, err := s.Remit.Run(t.Context(), "log", "tail", "-n", "0", "--json")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return parseEvents(t, out)
}

// linesIn are the events in files that are being written.
func linesIn(t *testing.T, dir string) (all []exported) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parseEvents(t, string(text[:strings.LastIndexByte(string(text), '\n')+1]))...)
	}
	return all
}

func parseEvents(t *testing.T, text string) (all []exported) {
	t.Helper()
	for line := range strings.Lines(text) {
		var e exported
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, e)
	}
	return all
}
