package audit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/audit"
	"github.com/remit-pdp/remit/pdp/value"
)

func token(t *testing.T) func(string) string {
	t.Helper()
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) string { return keys.Fingerprint("decision log", text) }
}

func parsed(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := value.DecodeJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMasks(t *testing.T) {
	const event = `{"input":{"agent":{"chain":[{"id":"ada","issuer":"i"},{"id":"bob"}],"id":"a"},"request":{"path":"/x","none":null}},"n":5}`
	named := token(t)
	of := func(json string) string { return `"masked:` + named(json) + `"` }
	for name, c := range map[string]struct {
		masked, erased []string
		want           string
	}{
		"nothing":           {nil, nil, event},
		"nothing that is":   {[]string{"/input/nobody", "/input/request/path/deeper", "/output", "/input/request/none"}, []string{"/input/agent/chain/0"}, event},
		"a token":           {[]string{"/input/agent/id"}, nil, strings.TrimSuffix(strings.Replace(event, `"a"`, of(`"a"`), 1), `,"n":5}`) + `,"masked":["/input/agent/id"],"n":5}`},
		"a number":          {[]string{"/n"}, nil, strings.Replace(event, `"n":5`, `"masked":["/n"],"n":`+of("5"), 1)},
		"erased":            {nil, []string{"/input/agent", "/n"}, `{"erased":["/input/agent","/n"],"input":{"request":{"none":null,"path":"/x"}}}`},
		"each of a list":    {[]string{"/input/agent/chain/*/id"}, []string{"/input/request", "/input/agent/id"}, `{"erased":["/input/request","/input/agent/id"],"input":{"agent":{"chain":[{"id":` + of(`"ada"`) + `,"issuer":"i"},{"id":` + of(`"bob"`) + `}]}},"masked":["/input/agent/chain/*/id"],"n":5}`},
		"each of an object": {nil, []string{"/input/*/id", "/input/agent/chain/*"}, `{"erased":["/input/*/id","/input/agent/chain/*"],"input":{"agent":{"chain":[]},"request":{"none":null,"path":"/x"}},"n":5}`},
	} {
		got := string(value.AppendJSON(nil, audit.NewMask(c.masked, c.erased, named).Apply(parsed(t, event))))
		if want := string(value.AppendJSON(nil, parsed(t, c.want))); got != want {
			t.Errorf("%s:\n%s, want\n%s", name, got, want)
		}
	}
}

// What is masked is not to be found in what leaves, and equality survives: the
// same under the same keys only.
func TestAMaskHides(t *testing.T) {
	mask := audit.NewMask([]string{"/input/agent/chain/*/id", "/input/request/path"}, []string{"/result/detail"}, token(t))
	event := mask.Apply(audit.Event(7, decided))
	text := string(value.AppendJSON(nil, event))
	for _, hidden := range []string{"user:ada", `"/mcp"`, "for the operator"} {
		if strings.Contains(text, hidden) {
			t.Errorf("%s is in %s", hidden, text)
		}
	}
	again := mask.Apply(audit.Event(8, decided))
	if a, b := event.Path("input", "request", "path").Text(), again.Path("input", "request", "path").Text(); a != b || !strings.HasPrefix(a, "masked:") {
		t.Errorf("the tokens of one value are %q and %q", a, b)
	}
	other := audit.NewMask([]string{"/input/request/path"}, nil, func(string) string { return "other" }).Apply(audit.Event(7, decided))
	if other.Path("input", "request", "path").Text() == event.Path("input", "request", "path").Text() {
		t.Error("the token does not depend on the key")
	}
	if event.Get("decision_id").Text() != decided.Record.ID {
		t.Error("it cannot be told which decision it was")
	}
}

func TestAGapSaysWhatIsMissing(t *testing.T) {
	gap := audit.Gap(10, 30, "removed", time.Unix(0, 0))
	from, _ := gap.Path("gap", "from").Int()
	to, _ := gap.Path("gap", "to").Int()
	if gap.Get("type").Text() != "gap" || gap.Get("timestamp").Text() != "1970-01-01T00:00:00Z" || from != 10 || to != 30 || gap.Path("gap", "reason").Text() != "removed" {
		t.Errorf("%s", value.AppendJSON(nil, gap))
	}
}
