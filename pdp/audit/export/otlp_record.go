package export

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/valyala/fastjson"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
)

// attributes are the members of an event that are attributes of its log record, so
// that a receiver can look for them. They are read from what leaves: what is masked
// there is masked here.
var attributes = []struct {
	name string
	path []string
}{
	{"remit.decision_id", []string{"decision_id"}},
	{"remit.question", []string{"question"}},
	{"remit.listener", []string{"labels", "listener"}},
	{"remit.generation", []string{"bundles", "remit", "revision"}},
	{"remit.agent", []string{"input", "agent", "id"}},
	{"remit.session", []string{"input", "session", "id"}},
	{"remit.effect", []string{"result", "effect"}},
	{"remit.class", []string{"result", "class"}},
	{"remit.outcome", []string{"outcome", "state"}},
}

// recordOf is the log record of an event, read with a parser that is used for one
// after the other.
func recordOf(event []byte, parser *fastjson.Parser) (*logs.LogRecord, error) {
	e, err := parser.ParseBytes(event)
	if err != nil {
		return nil, fmt.Errorf("an event that is none: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, word(e, "timestamp"))
	if err != nil {
		return nil, fmt.Errorf("an event without its time: %w", err)
	}
	nano, severity := uint64(at.UnixNano()), severityOf(e)
	return &logs.LogRecord{
		TimeUnixNano: nano, ObservedTimeUnixNano: nano,
		EventName:      "remit." + word(e, "type"),
		SeverityNumber: severity, SeverityText: severityText[severity],
		Body: text(string(event)), Attributes: attributesOf(e), TraceId: traceOf(e),
	}, nil
}

func attributesOf(e *fastjson.Value) (all []*common.KeyValue) {
	if position := e.GetInt64("position"); position > 0 {
		all = append(all, attribute("remit.position", &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: position}}))
	}
	for _, a := range attributes {
		if said := word(e, a.path...); said != "" {
			all = append(all, attribute(a.name, text(said)))
		}
	}
	var codes []*common.AnyValue
	for _, reason := range e.GetArray("result", "reasons") {
		if code := word(reason, "code"); code != "" {
			codes = append(codes, text(code))
		}
	}
	if len(codes) > 0 {
		all = append(all, attribute("remit.reasons", &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: &common.ArrayValue{Values: codes}}}))
	}
	return all
}

// word is the text at a place in an event; "" where there is none.
func word(e *fastjson.Value, at ...string) string { return string(e.GetStringBytes(at...)) }

func attribute(name string, is *common.AnyValue) *common.KeyValue {
	return &common.KeyValue{Key: name, Value: is}
}

func text(is string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: is}}
}

func instrumentation() *common.InstrumentationScope {
	return &common.InstrumentationScope{Name: scope}
}

// traceOf is the trace that an event belongs to, 16 bytes; nil where there is none,
// or it is masked.
func traceOf(e *fastjson.Value) []byte {
	id, err := hex.DecodeString(word(e, "trace_id"))
	if err != nil || len(id) != 16 {
		return nil
	}
	return id
}

const (
	info   = logs.SeverityNumber_SEVERITY_NUMBER_INFO
	warn   = logs.SeverityNumber_SEVERITY_NUMBER_WARN
	failed = logs.SeverityNumber_SEVERITY_NUMBER_ERROR
)

// severityText is how OpenTelemetry writes a severity; "" where it is not said.
var severityText = map[logs.SeverityNumber]string{info: "INFO", warn: "WARN", failed: "ERROR"}

// What a word that is not in these says of the severity is nothing: it is masked.
var (
	byEffect  = map[string]logs.SeverityNumber{"allow": info, "challenge": warn, "deny": warn}
	byOutcome = map[string]logs.SeverityNumber{"done": info, "failed": warn, "unknown": warn}
)

// severityOf is how much an event asks to be looked at.
func severityOf(e *fastjson.Value) logs.SeverityNumber {
	switch word(e, "type") {
	case "decision":
		return severityOfDecision(e)
	case "outcome":
		return byOutcome[word(e, "outcome", "state")]
	case "gap":
		return failed
	case "activation":
		if word(e, "problem") != "" {
			return failed
		}
	}
	return info
}

func severityOfDecision(e *fastjson.Value) logs.SeverityNumber {
	if word(e, "result", "class") == "unavailable" { // no decision could be made
		return failed
	}
	return byEffect[word(e, "result", "effect")]
}
