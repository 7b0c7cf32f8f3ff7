package state_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/remit-pdp/remit/pdp/value"
)

// schemaOf is the part of JSON Schema that policies/schemas/input.json uses.
type schemaOf struct {
	Type       string               `json:"type"`
	Properties map[string]*schemaOf `json:"properties"`
}

// The schema that policies are checked against names exactly the members that
// input has: one that only the schema has would be undefined at run time, one
// that only the input has could not be used.
func TestTheSchemaIsTheInput(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "policies", "schemas", "input.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema schemaOf
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	d := newDesk(t)
	d.verdict = charging("some", 1)
	d.ask("/x")
	d.ask("/x")
	compare(t, "input", d.saw, &schema)
}

// absent are members that are there only where there is something to say.
var absent = map[string]bool{
	"input.attributes": true, "input.request.binding": true, // the desk has no door
	"input.request.source.address": true, "input.request.source.principal": true,
	"input.request.destination.address": true, "input.request.destination.principal": true,
	"input.task.purpose": true, "input.task.tools": true, "input.task.systems": true, "input.task.operations": true, "input.task.limits": true,
	"input.outcome": true, "input.request.rpc": true, "input.request.id": true, "input.agent.trust_domain": true, "input.agent.owner": true,
	"input.agent.credential.fingerprint": true, "input.agent.credential.age_seconds": true, "input.agent.credential.expires_in_seconds": true,
	"input.agent.credential.sender_bound": true, "input.agent.workload": true, "input.target.environment": true, "input.target.owner": true,
	"input.target.definition.pinned": true, "input.target.definition.seen": true, "input.target.definition.seen_age_seconds": true,
}

func compare(t *testing.T, path string, v value.Value, s *schemaOf) {
	t.Helper()
	if len(s.Properties) == 0 {
		return
	}
	if v.Kind() != value.Map {
		t.Errorf("%s is %s, the schema says object", path, v.Kind())
		return
	}
	v.Range(func(name string, member value.Value) bool {
		below := s.Properties[name]
		if below == nil {
			t.Errorf("%s.%s is in the input and not in the schema", path, name)
			return true
		}
		if got := member.Kind().String(); below.Type != "" && below.Type != got && !(below.Type == "integer" && got == "number") {
			t.Errorf("%s.%s is %s, the schema says %s", path, name, got, below.Type)
		}
		compare(t, path+"."+name, member, below)
		return true
	})
	for name := range s.Properties {
		if !v.Get(name).Defined() && !absent[path+"."+name] {
			t.Errorf("%s.%s is in the schema and not in the input", path, name)
		}
	}
}
