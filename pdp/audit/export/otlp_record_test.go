package export

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/valyala/fastjson"
	common "go.opentelemetry.io/proto/otlp/common/v1"
)

// said is a record as a person would write it down: its attributes by name.
func said(attributes []*common.KeyValue) (text string) {
	for _, a := range attributes {
		switch is := a.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			text += fmt.Sprintf("%s=%s ", strings.TrimPrefix(a.Key, "remit."), is.StringValue)
		case *common.AnyValue_IntValue:
			text += fmt.Sprintf("%s=%d ", strings.TrimPrefix(a.Key, "remit."), is.IntValue)
		case *common.AnyValue_ArrayValue:
			text += fmt.Sprintf("%s=%d:", strings.TrimPrefix(a.Key, "remit."), len(is.ArrayValue.Values))
			for _, v := range is.ArrayValue.Values {
				text += v.GetStringValue() + ";"
			}
		}
	}
	return strings.TrimSpace(text)
}

func TestRecords(t *testing.T) {
	const trace = "0af7651916cd43dd8448eb211c80319c"
	for name, c := range map[string]struct{ event, is, severity, attributes, trace string }{
		"an allow": {`"type":"decision","decision_id":"d1","question":"action","labels":{"app":"remit","listener":"agents"},"bundles":{"remit":{"revision":"g1"}},` +
			`"trace_id":"` + trace + `","input":{"agent":{"id":"a1"},"session":{"id":"s1"}},"result":{"effect":"allow","reasons":[]}`,
			"remit.decision", "INFO", "position=7 decision_id=d1 question=action listener=agents generation=g1 agent=a1 session=s1 effect=allow", trace},
		"a denial": {`"type":"decision","result":{"effect":"deny","class":"out_of_scope","reasons":[{"code":"a"},{"code":"b"}]}`,
			"remit.decision", "WARN", "position=7 effect=deny class=out_of_scope reasons=2:a;b;", ""},
		"a challenge":     {`"type":"decision","result":{"effect":"challenge"}`, "remit.decision", "WARN", "position=7 effect=challenge", ""},
		"no decision":     {`"type":"decision","result":{"effect":"deny","class":"unavailable"}`, "remit.decision", "ERROR", "position=7 effect=deny class=unavailable", ""},
		"masked":          {`"type":"decision","trace_id":"masked:1","input":"masked:2","result":{"effect":"masked:3","reasons":"masked:4"}`, "remit.decision", "", "position=7 effect=masked:3", ""},
		"an outcome":      {`"type":"outcome","decision_id":"d1","outcome":{"state":"done"}`, "remit.outcome", "INFO", "position=7 decision_id=d1 outcome=done", ""},
		"a failure":       {`"type":"outcome","outcome":{"state":"failed"}`, "remit.outcome", "WARN", "position=7 outcome=failed", ""},
		"nobody knows":    {`"type":"outcome","outcome":{"state":"unknown"}`, "remit.outcome", "WARN", "position=7 outcome=unknown", ""},
		"a masked state":  {`"type":"outcome","outcome":"masked:1"`, "remit.outcome", "", "position=7", ""},
		"an activation":   {`"type":"activation","bundles":{"remit":{"revision":"g1"}},"problem":null`, "remit.activation", "INFO", "position=7 generation=g1", ""},
		"a refused one":   {`"type":"activation","problem":"no"`, "remit.activation", "ERROR", "position=7", ""},
		"a revocation":    {`"type":"revocation","revocation":{}`, "remit.revocation", "INFO", "position=7", ""},
		"a gap":           {`"type":"gap","gap":{"from":1,"to":7}`, "remit.gap", "ERROR", "position=7", ""},
		"half a trace id": {`"type":"decision","trace_id":"0af7"`, "remit.decision", "", "position=7", ""},
	} {
		event := `{"position":7,"timestamp":"2026-01-31T09:45:00.000000005Z",` + c.event + `}`
		r, err := recordOf([]byte(event), &fastjson.Parser{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r.EventName != c.is || r.SeverityText != c.severity || said(r.Attributes) != c.attributes || hex.EncodeToString(r.TraceId) != c.trace || len(r.SpanId) != 0 {
			t.Errorf("%s: %s %s %q %x", name, r.EventName, r.SeverityText, said(r.Attributes), r.TraceId)
		}
		if r.Body.GetStringValue() != event || r.TimeUnixNano != 1769852700000000005 || r.ObservedTimeUnixNano != r.TimeUnixNano || r.SeverityNumber == 0 != (c.severity == "") {
			t.Errorf("%s: %v", name, r)
		}
	}
	for _, none := range []string{"", "{", `{"position":7}`, `{"timestamp":"soon"}`} {
		if _, err := recordOf([]byte(none), &fastjson.Parser{}); err == nil {
			t.Errorf("%q is an event", none)
		}
	}
}

// Everything that a receiver is told besides the event is described.
func TestAttributesAreDescribed(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"remit.position", "remit.reasons"}
	for _, a := range attributes {
		names = append(names, a.name)
	}
	for _, name := range names {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("README.md does not say what %s is", name)
		}
	}
}
