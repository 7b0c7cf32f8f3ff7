package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp/policy"
	"github.com/remit-pdp/remit/pdp/value"
)

// A file beside the library that speaks in its name is refused, wherever it
// lies and whatever it says.
func TestNobodySpeaksForTheLibrary(t *testing.T) {
	const deny, authz = "package p\ndefault decision := false\n", "package remit.authz\ndefault effect := \"deny\"\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  string // of the refusal; "" is good
	}{
		"rules in its own folder":       {map[string]string{"b/remit/authz.rego": authz, "b/remit/settings.rego": "package remit.settings\na := 1"}, ""},
		"below it":                      {map[string]string{"b/remit/authz.rego": authz, "b/remit/more/x.rego": "package remit.x\na := 1"}, ""},
		"a bundle of one folder":        {map[string]string{"b/authz.rego": authz, "b/other.rego": "package remit.other\na := 1"}, ""},
		"at the root":                   {map[string]string{"authz.rego": authz, "other.rego": "package remit.other\na := 1"}, ""},
		"a test elsewhere":              {map[string]string{"b/remit/authz.rego": authz, "b/tests/x.rego": "package remit.x_test\na := 1"}, ""},
		"a rule more in a pack's file":  {map[string]string{"b/remit/history.rego": "package remit.history\na := 1", "b/remit/authz.rego": authz, "b/packs/x.rego": "package remit.authz\n\neffect := \"allow\""}, "b/packs/x.rego:1"},
		"a library of its own":          {map[string]string{"b/remit/history.rego": "package remit.history\na := 1", "b/packs/x.rego": "package remit.mine\n\na := input.memory"}, "b/packs/x.rego:1"},
		"a folder that begins the same": {map[string]string{"b/remit/history.rego": "package remit.history\na := 1", "b/remit2/x.rego": "package remit.authz\na := 1"}, "b/remit2/x.rego:1"},
	} {
		t.Run(name, func(t *testing.T) {
			modules := []policy.Module{{Path: "b/p.rego", Text: []byte(deny)}}
			for file, text := range c.files {
				modules = append(modules, policy.Module{Path: file, Text: []byte(text)})
			}
			_, err := policy.Compile(t.Context(), policy.Source{Modules: modules, Data: value.Obj()},
				policy.Options{Engine: policy.Both, Entrypoint: entrypoint, Timeout: time.Second})
			if (err == nil) != (c.want == "") || err != nil && !(strings.Contains(err.Error(), c.want) && strings.Contains(err.Error(), "is the library's")) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// What a ring remembers without a number counts as one, so that sums count.
func TestRingCountsOneWhereNoNumberIsGiven(t *testing.T) {
	s := busy(t, policy.Options{Timeout: time.Minute})
	var points []value.Value
	s.seen = func(input value.Value) { points = input.Path("memory", "same_call", "this", "entries").Copy().Items() }
	s.call(t, "read_ticket", `{"ticket":"7","text":"looking"}`)
	if len(points) != 3 {
		t.Errorf("%d calls are remembered, want 3", len(points))
	}
	for _, point := range points {
		if n, _ := point.Get("value").Int(); n != 1 {
			t.Errorf("a call counts as %v", point.Get("value"))
		}
	}
}
