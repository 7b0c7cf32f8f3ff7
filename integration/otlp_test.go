package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
)

// logRecord is a log record as OTLP's JSON has it.
type logRecord struct {
	Body       struct{ StringValue string }
	EventName  string
	Severity   string `json:"severityText"`
	Attributes []struct {
		Key   string
		Value struct{ StringValue string }
	}
}

func (r *logRecord) attribute(name string) string {
	for _, a := range r.Attributes {
		if a.Key == name {
			return a.Value.StringValue
		}
	}
	return ""
}

// Decisions that come through Envoy arrive at a real OpenTelemetry Collector, masked,
// in the order of the journal, and none is missing although it is away at first, until
// nothing is allowed any more, and is killed later, as remit is.
func TestTheDecisionLogReachesACollector(t *testing.T) {
	t.Parallel()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := harness.BuildCollector(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	collector, err := harness.NewCollector(binary, filepath.Join(t.TempDir(), "records.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	s := startStack(t, "limits", patient, settlingSoon, configured(t, fmt.Sprintf(
		"decision_log:\n  otlp: { endpoint: \"http://%s\", resource: { service.instance.id: remit-0 } }\n"+
			"  mask: [ /input/request/path, /input/agent/id ]\n  max_lag_bytes: 1048576\n  on_full: deny\n", collector.Address)))
	client := s.Client(tokenFor(t, s, "user:ada"))
	told := make(map[string]bool)
	note := func(answers []answer) []answer {
		for _, a := range answers {
			if a.decided() {
				told[a.decision] = true
			}
		}
		return answers
	}

	refused := func(a answer) bool { return a.status == http.StatusServiceUnavailable && a.decided() }
	waits := func(what string, atOnce int, is func(answer) bool) {
		t.Helper()
		end := time.Now().Add(2 * time.Minute)
		for answers := []answer(nil); count(answers, is) == 0; answers = note(askAll(t.Context(), client, atOnce, http.MethodGet, "/v1/clean")) {
			if time.Now().After(end) {
				t.Fatalf("it did not happen: %s: %v\n%s", what, codes(answers), s.Remit.Log())
			}
		}
	}
	waits("nothing is allowed, the collector being away", 64, refused)
	if err := collector.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { collector.Kill() }()
	waits("it is allowed again", 1, answer.allowed)
	for range 2 {
		note(askAndKill(t, s, client))
		collector.Kill()
		restart(t, s)
		if err := collector.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	isTheLog(t, s, told, func() []exported { return recordsIn(t, collector.File) })
}

// recordsIn are the events in the log records that a collector has.
func recordsIn(t *testing.T, file string) (all []exported) {
	t.Helper()
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text[:strings.LastIndexByte(string(text), '\n')+1])) {
		var request struct {
			ResourceLogs []struct {
				Resource  struct{ Attributes json.RawMessage }
				ScopeLogs []struct{ LogRecords []logRecord }
			}
		}
		if err := json.Unmarshal([]byte(line), &request); err != nil {
			continue // a line that the collector was killed in
		}
		for _, from := range request.ResourceLogs {
			if !strings.Contains(string(from.Resource.Attributes), `"remit-0"`) {
				t.Fatalf("the resource is %s", from.Resource.Attributes)
			}
			for i := range from.ScopeLogs[0].LogRecords {
				all = append(all, eventIn(t, &from.ScopeLogs[0].LogRecords[i]))
			}
		}
	}
	return all
}

// eventIn is the event that a log record carries, which its attributes agree with.
func eventIn(t *testing.T, r *logRecord) exported {
	t.Helper()
	e := parseEvents(t, r.Body.StringValue)[0]
	agent := r.attribute("remit.agent")
	if r.EventName != "remit."+e.Type || r.attribute("remit.decision_id") != e.DecisionID || agent != "" && !strings.HasPrefix(agent, "masked:") {
		t.Fatalf("%+v", r)
	}
	if effect := r.attribute("remit.effect"); effect == "allow" && r.Severity != "INFO" || effect == "deny" && r.Severity == "INFO" {
		t.Fatalf("%+v", r)
	}
	return e
}
