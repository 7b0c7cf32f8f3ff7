package server

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/state"
)

// What is configured and not there is an error at the start that names its key.
func TestAnExportThatCannotBegin(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for key, d := range map[string]config.DecisionLog{
		"decision_log.file.dir":       {File: config.FileExport{Dir: put("file", "")}},
		"decision_log.opa.ca_file":    {OPA: config.OPAExport{URL: "https://logs", CAFile: put("ca", "no certificate")}},
		"decision_log.opa.cert_file":  {OPA: config.OPAExport{URL: "https://logs", CertFile: "nothing", KeyFile: "nothing"}},
		"decision_log.opa.token_file": {OPA: config.OPAExport{URL: "https://logs", TokenFile: put("token", "\n")}},

		"decision_log.otlp.ca_file":      {OTLP: config.OTLPExport{Endpoint: "https://logs", CAFile: put("ca", "no certificate")}},
		"decision_log.otlp.cert_file":    {OTLP: config.OTLPExport{Endpoint: "https://logs", CertFile: "nothing", KeyFile: "nothing"}},
		"decision_log.otlp.token_file":   {OTLP: config.OTLPExport{Endpoint: "https://logs", TokenFile: "nothing"}},
		"decision_log.otlp.header_files": {OTLP: config.OTLPExport{Endpoint: "https://logs", HeaderFiles: map[string]string{"api-key": "nothing"}}},
	} {
		if _, err := sinksOf(&d, slog.New(slog.DiscardHandler)); err == nil || !strings.HasPrefix(err.Error(), key+":") {
			t.Errorf("%s: %v", key, err)
		}
		if err := CheckExport(&config.Config{DecisionLog: d}); err == nil || !strings.HasPrefix(err.Error(), key+":") {
			t.Errorf("%s is not found by a check: %v", key, err)
		}
	}
}

// What leaves is masked, and what tells which decision it was is there.
func TestWhatLeavesIsMasked(t *testing.T) {
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	form := eventForm(&config.DecisionLog{Mask: []string{"/input/request/path"}, Erase: []string{"/result/detail"}}, keys)
	text := string(form.Event(7, &state.Entry{Kind: state.Decided, Record: &state.Record{ID: "d1", Path: "/patients/7", Detail: "internal"}}))
	if strings.Contains(text, "patients") || strings.Contains(text, "internal") || !strings.Contains(text, `"decision_id":"d1"`) || strings.Contains(text, "\n") {
		t.Error(text)
	}
	if gap := string(form.Gap(1, 2, "why", time.Unix(0, 0))); !strings.Contains(gap, `"type":"gap"`) {
		t.Error(gap)
	}
}

// A log record has nothing in its attributes either that is masked in the event, and
// the receiver is told what it is configured to be told.
func TestWhatLeavesOverOTLP(t *testing.T) {
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(secret, []byte("sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got string
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := gzip.NewReader(r.Body)
		if err != nil || r.Header.Get("Api-Key") != "sesame" || r.Header.Get("Authorization") != "Bearer sesame" || r.URL.Path != "/v1/logs" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		text, _ := io.ReadAll(body)
		got = string(text)
	}))
	defer receiver.Close()
	d := config.DecisionLog{
		Mask: []string{"/input/agent/id", "/input/session"}, Erase: []string{"/result/reasons", "/trace_id"},
		OTLP: config.OTLPExport{Endpoint: receiver.URL, TokenFile: secret, HeaderFiles: map[string]string{"api-key": secret}, Resource: map[string]string{"service.instance.id": "remit-0"}},
	}
	sinks, err := sinksOf(&d, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	entry := &state.Entry{Kind: state.Decided, Record: &state.Record{
		ID: "d1", Agent: pdp.Principal{ID: "agent-ada"}, Session: "session-ada", Trace: "trace-of-16-byte", Reasons: []pdp.Reason{{Code: "why_ada"}},
	}}
	if err := sinks["otlp"].Accept(t.Context(), [][]byte{eventForm(&d, keys).Event(7, entry)}); err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"ada", "trace-of", hex.EncodeToString([]byte("trace-of"))} {
		if strings.Contains(got, hidden) {
			t.Errorf("%q left", hidden)
		}
	}
	for _, there := range []string{"remit-0", "service.version", "remit.decision_id", "d1", "remit.agent", "masked:"} {
		if !strings.Contains(got, there) {
			t.Errorf("%q is not there", there)
		}
	}
	if err := closeAll(sinks); err != nil {
		t.Error(err)
	}
}

// Without an export nobody is waited for.
func TestWithoutAnExport(t *testing.T) {
	if err := CheckExport(&config.Config{}); err != nil {
		t.Error(err)
	}
	none, err := newDecisionLog(&config.Config{}, nil, nil)
	if err != nil || none.retention(&config.DecisionLog{}).Exported != nil {
		t.Error(err)
	}
	if exports, limit := none.status(); exports != nil || limit != 0 {
		t.Errorf("%v, %d", exports, limit)
	}
	if err := none.start(nil); err != nil {
		t.Error(err)
	}
	none.stop()
	if err := none.close(); err != nil {
		t.Error(err)
	}
}
