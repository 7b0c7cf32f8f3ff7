package check

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "make the README's table and the copy of the alerts anew")

// The alerts in the chart are those that are proved against a real Prometheus:
// Helm reads no file outside of a chart.
func TestTheAlertsAreTheProvedOnes(t *testing.T) {
	const ours, proved = "../files/alerts.yaml", "../../observability/alerts.yaml"
	want, err := os.ReadFile(proved)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(ours, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(ours); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not %s (%v): go test -run TestTheAlerts -update", ours, proved, err)
	}
}

// The README's table is made from the schema and from values.yaml.
func TestTheReadmeHasEveryValue(t *testing.T) {
	const begin, end = "<!-- the values: go test -run TestTheReadme -update -->\n", "<!-- end of the values -->"
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), begin)
	_, after, found := strings.Cut(rest, end)
	if !found {
		t.Fatal("the README has no place for the values")
	}
	want := before + begin + "\n" + table(t) + "\n" + end + after
	if *update {
		if err := os.WriteFile("../README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Error("the README's table is not that of the schema: go test -run TestTheReadme -update")
	}
}

// A property is what the schema says of one value.
type property struct {
	Ref         string               `json:"$ref"`
	Description string               `json:"description"`
	Properties  map[string]*property `json:"properties"`
}

// UnmarshalJSON reads false, which is a value that there must not be, as nothing.
func (p *property) UnmarshalJSON(text []byte) error {
	if string(text) == "false" {
		return nil
	}
	type plain property
	return json.Unmarshal(text, (*plain)(p))
}

func table(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema property
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	delete(schema.Properties, "global")
	var rows strings.Builder
	rows.WriteString("| value | default | meaning |\n|---|---|---|\n")
	describe(t, &rows, "", &schema, load(t).Values)
	return rows.String()
}

// describe writes a row for each value below one that has a description; an
// object without one is described by its members.
func describe(t *testing.T, rows *strings.Builder, prefix string, of *property, defaults any) {
	known, _ := defaults.(map[string]any)
	for name := range known {
		if of.Properties != nil && of.Properties[name] == nil {
			t.Errorf("values.yaml has %s%s, which the schema does not", prefix, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(of.Properties)) {
		p, value := of.Properties[name], known[name]
		if p.Description == "" && p.Properties == nil {
			t.Errorf("the schema does not say what %s%s is", prefix, name)
		}
		if p.Description != "" {
			fmt.Fprintf(rows, "| `%s%s` | %s | %s |\n", prefix, name, written(t, value), p.Description)
		}
		if name != "listener" && name != "config" { // these are remit's own
			describe(t, rows, prefix+name+".", p, value)
		}
	}
}

// written is a default as a table has it: nothing where there is none.
func written(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	switch string(text) {
	case "null", `""`, "{}", "[]":
		return ""
	}
	return "`" + string(text) + "`"
}
