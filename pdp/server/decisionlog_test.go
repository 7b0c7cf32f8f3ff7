package server

import (
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
	} {
		if _, err := sinksOf(&d); err == nil || !strings.HasPrefix(err.Error(), key+":") {
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

// Without an export nobody is waited for.
func TestWithoutAnExport(t *testing.T) {
	if err := CheckExport(&config.Config{}); err != nil {
		t.Error(err)
	}
	none, err := newDecisionLog(&config.Config{}, nil, nil)
	if err != nil || none.retention(&config.DecisionLog{}).Exported != nil || none.status() != nil {
		t.Error(err)
	}
	if err := none.start(nil); err != nil {
		t.Error(err)
	}
	none.stop()
	if err := none.close(); err != nil {
		t.Error(err)
	}
}
