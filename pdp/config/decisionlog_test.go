package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestDecisionLog(t *testing.T) {
	for name, c := range map[string]struct {
		log     DecisionLog
		problem string // "" for none
	}{
		"off":                 {DecisionLog{}, ""},
		"files":               {DecisionLog{File: FileExport{Dir: "log", Gzip: true, KeepFiles: 3}}, ""},
		"an upload":           {DecisionLog{OPA: OPAExport{URL: "https://logs.example.test/opa", Partition: "remit", CertFile: "a", KeyFile: "b"}}, ""},
		"here":                {DecisionLog{OPA: OPAExport{URL: "http://127.0.0.1:8080"}, OnFull: "deny"}, ""},
		"files without dir":   {DecisionLog{File: FileExport{Gzip: true}}, "decision_log.file.dir: is required"},
		"small files":         {DecisionLog{File: FileExport{Dir: "log", MaxBytes: 5}}, "decision_log.file.max_bytes: 5 is not between"},
		"young files":         {DecisionLog{File: FileExport{Dir: "log", MaxAge: 1}}, "decision_log.file.max_age"},
		"fewer than none":     {DecisionLog{File: FileExport{Dir: "log", KeepFiles: -1}}, "decision_log.file.keep_files"},
		"negative age":        {DecisionLog{File: FileExport{Dir: "log", KeepAge: -1}}, "decision_log.file.keep_age"},
		"upload without URL":  {DecisionLog{OPA: OPAExport{TokenFile: "t"}}, "decision_log.opa.url: is required"},
		"plain":               {DecisionLog{OPA: OPAExport{URL: "http://logs.example.test"}}, "must begin with https://"},
		"no URL":              {DecisionLog{OPA: OPAExport{URL: "logs"}}, "decision_log.opa.url: is not like"},
		"a password":          {DecisionLog{OPA: OPAExport{URL: "https://a:hidden@logs"}}, "decision_log.opa.token_file"},
		"half a certificate":  {DecisionLog{OPA: OPAExport{URL: "https://logs", CertFile: "a"}}, "decision_log.opa.key_file belong together"},
		"no time":             {DecisionLog{OPA: OPAExport{URL: "https://logs", Timeout: 1}}, "decision_log.opa.timeout"},
		"OTLP":                {DecisionLog{OTLP: OTLPExport{Endpoint: "https://otlp.example.test/base", HeaderFiles: map[string]string{"Api-Key": "k"}, Resource: map[string]string{"a": "b"}}}, ""},
		"OTLP here":           {DecisionLog{OTLP: OTLPExport{Endpoint: "http://[::1]:4318"}, OnFull: "deny"}, ""},
		"OTLP to nobody":      {DecisionLog{OTLP: OTLPExport{Resource: map[string]string{"a": "b"}}}, "decision_log.otlp.endpoint: is required"},
		"plain OTLP":          {DecisionLog{OTLP: OTLPExport{Endpoint: "http://otlp.example.test:4318"}}, "must begin with https://"},
		"OTLP by gRPC":        {DecisionLog{OTLP: OTLPExport{Endpoint: "otlp.example.test:4317"}}, "decision_log.otlp.endpoint: is not like"},
		"an OTLP password":    {DecisionLog{OTLP: OTLPExport{Endpoint: "https://a:hidden@logs"}}, "decision_log.otlp.token_file"},
		"half an OTLP cert":   {DecisionLog{OTLP: OTLPExport{Endpoint: "https://logs", KeyFile: "a"}}, "decision_log.otlp.key_file belong together"},
		"no OTLP time":        {DecisionLog{OTLP: OTLPExport{Endpoint: "https://logs", Timeout: 1}}, "decision_log.otlp.timeout"},
		"no header":           {DecisionLog{OTLP: OTLPExport{Endpoint: "https://logs", HeaderFiles: map[string]string{"api key": "f"}}}, "is no name of a header"},
		"remit's header":      {DecisionLog{OTLP: OTLPExport{Endpoint: "https://logs", HeaderFiles: map[string]string{"Content-Type": "f"}}}, "is remit's to set"},
		"two tokens":          {DecisionLog{OTLP: OTLPExport{Endpoint: "https://logs", TokenFile: "f", HeaderFiles: map[string]string{"Authorization": "f"}}}, "leave one out"},
		"a header of none":    {DecisionLog{OTLP: OTLPExport{Endpoint: "https://logs", HeaderFiles: map[string]string{"api-key": ""}}}, "has no file"},
		"a nameless resource": {DecisionLog{OTLP: OTLPExport{Endpoint: "https://logs", Resource: map[string]string{"": "b"}}}, "without a name"},
		"masks":               {DecisionLog{Mask: []string{"/input/agent/chain/*/id"}, Erase: []string{"/result/detail"}}, ""},
		"not a path":          {DecisionLog{Mask: []string{"input.agent"}}, "decision_log.mask[0]: \"input.agent\" is not a path"},
		"an empty step":       {DecisionLog{Erase: []string{"/input//x"}}, "decision_log.erase[0]"},
		"which decision":      {DecisionLog{Erase: []string{"/decision_id"}}, "the other members say which event it is"},
		"kept for a while":    {DecisionLog{Retain: Retain{Age: Duration(720 * time.Hour), Bytes: 1 << 30}}, ""},
		"kept for a moment":   {DecisionLog{Retain: Retain{Age: 5}}, "decision_log.retain.age"},
		"hardly kept":         {DecisionLog{Retain: Retain{Bytes: 1 << 20}}, "decision_log.retain.bytes: 1048576 is less than two files"},
		"no lag":              {DecisionLog{MaxLag: 5}, "decision_log.max_lag_bytes"},
		"something else":      {DecisionLog{OnFull: "drop"}, "decision_log.on_full: \"drop\" is not one of give_up, deny"},
		"waiting for nobody":  {DecisionLog{OnFull: "deny"}, "decision_log.on_full: \"deny\" has nothing to wait for"},
	} {
		var found []string
		c.log.fill()
		c.log.problems(64<<20, func(key, format string, args ...any) {
			found = append(found, (&Problem{Key: key, Text: fmt.Sprintf(format, args...)}).Error())
		})
		switch text := strings.Join(found, "\n"); {
		case c.problem == "" && text != "":
			t.Errorf("%s: %s", name, text)
		case !strings.Contains(text, c.problem) || strings.Contains(text, "hidden"):
			t.Errorf("%s: %q, want %q", name, text, c.problem)
		}
	}
}

// Paths are relative to the file, and every key is a flag and a variable too.
func TestDecisionLogIsConfigured(t *testing.T) {
	c, err := Parse([]byte(`
listeners: [{name: agents, address: "unix:a.sock", identity: {none: true}}]
policy: {bundle: policy}
decision_log:
  file: {dir: decisions, gzip: true}
  otlp: {endpoint: "https://otlp.example.test", header_files: {api-key: key}, resource: {service.instance.id: a}}
  mask: [/input/request/path]
  retain: {age: 720h}
`))
	if err != nil {
		t.Fatal(err)
	}
	d := c.DecisionLog
	if d.File.MaxBytes != 100<<20 || d.File.MaxAge.D() != 24*time.Hour || d.OnFull != "give_up" || d.MaxLag != 1<<30 || d.OTLP.Timeout.D() != 30*time.Second || !d.Exports() {
		t.Errorf("%+v", d)
	}
	if c.rebase("/etc/remit"); c.DecisionLog.File.Dir != "/etc/remit/decisions" || c.DecisionLog.OPA.TokenFile != "" || c.DecisionLog.OTLP.HeaderFiles["api-key"] != "/etc/remit/key" {
		t.Errorf("%+v", c.DecisionLog)
	}
	if _, err := Parse([]byte("decision_log: {files: {}}")); err == nil {
		t.Error("a misspelt key is no error")
	}
	_, err = Parse([]byte("decision_log:\n  otlp:\n    endpiont: https://otlp.example.test\n"))
	if !strings.Contains(fmt.Sprint(err), `[3:5] unknown field "endpiont"`) {
		t.Errorf("a misspelt key: %v", err)
	}
}
