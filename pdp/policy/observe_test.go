package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp/policy"
	"github.com/remit-pdp/remit/pdp/value"
)

func observing(t *testing.T, json string) (*policy.Engine, error) {
	t.Helper()
	data, err := value.ParseJSON([]byte(`{"remit":{"observe":` + json + `}}`))
	if err != nil {
		t.Fatal(err)
	}
	return policy.Compile(t.Context(), policy.Source{
		Modules: []policy.Module{{Path: "a.rego", Text: []byte("package p\ndecision := false")},
			{Path: "b.rego", Text: []byte("package packs.sunday\ndeny := set()")}},
		Data: data, Locate: func(path ...string) (string, int) { return "observe/data.yaml", len(path) },
	}, policy.Options{Engine: policy.Both, Entrypoint: entrypoint, Timeout: 2 * time.Second})
}

func TestPlacesInObserve(t *testing.T) {
	e, err := observing(t, `{"listeners":["agents"],"systems":["crm"],"packs":["sunday"]}`)
	if err != nil {
		t.Fatal(err)
	}
	if o := e.Observe(); !o.Listeners["agents"] || !o.Systems["crm"] || !o.Packs["sunday"] {
		t.Errorf("got %+v", o)
	}
	if e, err = observing(t, `{}`); err != nil || len(e.Observe().Packs) > 0 {
		t.Errorf("nothing in observe: %v", err)
	}
	for json, want := range map[string]string{
		`{"packs":["sundays"]}`:    "observe/data.yaml:4",
		`{"pack":["sunday"]}`:      "is not known here",
		`{"packs":"sunday"}`:       "want array",
		`{"listeners":[7]}`:        "want string",
		`["sunday"]`:               "want object",
		`{"systems":{"crm":true}}`: "want array",
	} {
		if _, err := observing(t, json); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", json, err, want)
		}
	}
}

// A decision that says what it would deny is read strictly.
func TestWouldDenyIsRead(t *testing.T) {
	e := must(t, `package p
		decision := {"effect": "allow", "would_deny": {{"pack": "new", "class": "pending", "code": "c", "message": "m", "controls": ["ASI02"]}}} if input.request.path == "/good"
		else := {"effect": "allow", "would_deny": {{"pack": "new", "clas": "pending", "code": "c"}}} if input.request.path == "/misspelt"
		else := {"effect": "allow"}`, value.Obj())
	v, err := e.Decide(t.Context(), input("/good"))
	if err != nil || len(v.WouldDeny) != 1 || v.WouldDeny[0].Place != "pack new" || v.WouldDeny[0].Reason.Controls[0] != "ASI02" {
		t.Errorf("got %+v, %v", v, err)
	}
	if _, err := e.Decide(t.Context(), input("/misspelt")); err == nil {
		t.Error("a misspelt member is taken for one that is not there")
	}
}
