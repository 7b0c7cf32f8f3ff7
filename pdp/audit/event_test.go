package audit_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/audit"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/value"
)

var decided = &state.Entry{
	Kind: state.Decided, At: 1_800_000_000_000_000_000, Seq: 3,
	Record: &state.Record{
		ID: "0123456789012345678901234567890123", Effect: pdp.Deny, Class: pdp.OutOfScope, Reasons: []pdp.Reason{{Code: "why", Controls: []string{"ASI02"}}},
		Detail: "for the operator", Generation: "g1", Door: "ext_authz", Listener: "agents", Proxy: "unix:a.sock",
		Agent: pdp.Principal{ID: "agent"}, Chain: []pdp.Principal{{ID: "user:ada"}}, Method: "POST", Host: "h", Path: "/mcp",
		RPC: "tools/call", Tool: "send\x1b[31m", Operation: pdp.Send, System: "tools", Count: 1, PolicyMicros: 5,
	},
	Effects: &state.Effects{Labels: []string{"pii"}, Charges: []state.Charge{{Budget: "mails", N: 1}}},
}

// What reads OPA's decision log finds what it looks for.
func TestADecisionIsAnEventOfOPAs(t *testing.T) {
	var event struct {
		Labels      map[string]string
		DecisionID  string `json:"decision_id"`
		Bundles     map[string]struct{ Revision string }
		Input       map[string]any
		Result      map[string]any
		RequestedBy string `json:"requested_by"`
		Timestamp   string
		Metrics     map[string]int64
	}
	if err := json.Unmarshal(value.AppendJSON(nil, audit.Event(7, decided)), &event); err != nil {
		t.Fatal(err)
	}
	if event.DecisionID != decided.Record.ID || event.Bundles["remit"].Revision != "g1" || event.Result["allowed"] != false ||
		event.RequestedBy != "unix:a.sock" || event.Timestamp != "2027-01-15T08:00:00Z" || event.Metrics["timer_rego_query_eval_ns"] != 5000 ||
		event.Labels["listener"] != "agents" || event.Input["target"] == nil {
		t.Errorf("got %+v", event)
	}
}

// A question that is not about an action is told apart from one that is.
func TestQuestions(t *testing.T) {
	for question, want := range map[pdp.Question]string{
		pdp.AboutAction: "send on tools", pdp.AboutSession: "a session for a task", pdp.AboutEnding: "its session", pdp.Supposed: "only asked about",
	} {
		record := *decided.Record
		record.Question = question
		e := &state.Entry{Kind: state.Decided, Record: &record, Effects: &state.Effects{Open: &state.Opening{Task: `{"purpose":"x"}`}}}
		event := audit.Event(1, e)
		if got := event.Get("question").Text(); got != question.String() || event.Path("effects", "task", "purpose").Text() != "x" {
			t.Errorf("%s: %s", question, value.AppendJSON(nil, event))
		}
		if line := audit.Line(e); !strings.Contains(line, want) {
			t.Errorf("%s: %s", question, line)
		}
	}
}

func TestTypes(t *testing.T) {
	for want, e := range map[string]*state.Entry{
		"decision":   decided,
		"outcome":    {Kind: state.Settled, Settling: &state.Settling{ID: "id", State: pdp.OutcomeDone}},
		"revocation": {Kind: state.Revoked, Revoking: &pdp.Revocation{ID: "r_1", Kind: pdp.RevokedAgent, Subject: "a"}},
		"lift":       {Kind: state.Lifted, Revoking: &pdp.Revocation{ID: "r_1", Kind: pdp.RevokedAgent, Subject: "a"}},
		"order":      {Kind: state.Ordered, Ordering: &state.Ordering{ID: "o_1"}},
		"activation": {Kind: state.Activated, Generation: "g2"},
	} {
		if got := audit.Event(1, e).Get("type").Text(); got != want {
			t.Errorf("type %q, want %q", got, want)
		}
		if audit.Line(e) == "" {
			t.Errorf("%s has no line", want)
		}
	}
}

// An order says who ordered what and why, to a program and to a person.
func TestOrders(t *testing.T) {
	for kind, want := range map[pdp.SessionOrderKind]string{
		pdp.CloseSession:   "  CLOSED     session s_1  by ada: looked at  (o_1)",
		pdp.ReleaseSession: "  RELEASED   session s_1  by ada: looked at  (o_1)",
		pdp.ClearLabel:     "  CLEARED    secret off session s_1  by ada: looked at  (o_1)",
	} {
		o := pdp.SessionOrder{Kind: kind, Session: "s_1", Reason: "looked at", Actor: "ada"}
		label := "null"
		if kind == pdp.ClearLabel {
			o.Label, label = "secret", `"secret"`
		}
		e := &state.Entry{Kind: state.Ordered, At: 1_800_000_000_000_000_000, Seq: 3, Ordering: &state.Ordering{ID: "o_1", Order: o}}
		if line := audit.Line(e); !strings.HasSuffix(line, want) {
			t.Errorf("%q, want %q", line, want)
		}
		var event struct {
			Type, Partition, Timestamp string
			Seq                        int
			Order                      map[string]any
		}
		if err := json.Unmarshal(value.AppendJSON(nil, audit.Event(7, e)), &event); err != nil {
			t.Fatal(err)
		}
		shown, err := json.Marshal(event.Order["label"])
		if err != nil || string(shown) != label || event.Type != "order" || event.Seq != 3 || event.Timestamp != "2027-01-15T08:00:00Z" || event.Order["id"] != "o_1" ||
			event.Order["kind"] != string(kind) || event.Order["session"] != "s_1" || event.Order["reason"] != "looked at" || event.Order["actor"] != "ada" {
			t.Errorf("%s: %+v", kind, event)
		}
	}
}

// A request cannot speak to the operator's terminal.
func TestALineIsPrintable(t *testing.T) {
	if line := audit.Line(decided); strings.ContainsRune(line, '\x1b') || !strings.Contains(line, "DENY") || !strings.Contains(line, "why") {
		t.Errorf("got %q", line)
	}
}
