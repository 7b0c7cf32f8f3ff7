package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestTraces(t *testing.T) {
	for name, c := range map[string]struct {
		traces  Traces
		problem string // "" for none
	}{
		"off":             {Traces{}, ""},
		"here":            {Traces{Endpoint: "http://127.0.0.1:4318", Ratio: 0.01}, ""},
		"elsewhere":       {Traces{Endpoint: "https://collector.example.test:4318", Ratio: 1}, ""},
		"plain":           {Traces{Endpoint: "http://collector.example.test:4318"}, "telemetry.traces.endpoint: \"http://collector.example.test:4318\" must begin with https://"},
		"no URL":          {Traces{Endpoint: "collector:4318"}, "is not like https://HOST:4318"},
		"a path":          {Traces{Endpoint: "https://collector/v1/traces"}, "is not like"},
		"a password":      {Traces{Endpoint: "https://a:b@collector"}, "is not like"},
		"without address": {Traces{Ratio: 0.5}, "telemetry.traces.endpoint: is required"},
		"too many":        {Traces{Endpoint: "http://localhost:4318", Ratio: 1.5}, "telemetry.traces.ratio: 1.5 is not between 0 and 1"},
		"none":            {Traces{Endpoint: "http://localhost:4318", MaxPerSecond: -1}, "telemetry.traces.max_per_second"},
	} {
		var found []string
		c.traces.fill()
		c.traces.problems(func(key, format string, args ...any) {
			found = append(found, (&Problem{Key: key, Text: fmt.Sprintf(format, args...)}).Error())
		})
		switch text := strings.Join(found, "\n"); {
		case c.problem == "" && text != "":
			t.Errorf("%s: %s", name, text)
		case !strings.Contains(text, c.problem):
			t.Errorf("%s: %q, want %q", name, text, c.problem)
		}
	}
	filled := Traces{Endpoint: "http://localhost:4318"}
	if filled.fill(); filled.MaxPerSecond != 100 {
		t.Errorf("by default %d a second are traced", filled.MaxPerSecond)
	}
}
