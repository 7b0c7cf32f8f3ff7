package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/integration/harness"
)

// An attack is one way to get more than is meant.
type attack struct {
	by, does string
	// play attacks, and returns the answer to what it was all for; or it does the
	// same without what makes it an attack, and then that must be allowed: what is
	// denied in any case proves nothing.
	play func(t *testing.T, a *attacked, attacking bool) refusal
	stop string // the reason that must be among those of the refusal
}

// The attacks of DESIGN section 6, each as somebody would try it. Those that
// end remit, or change what it keeps, come last.
var attacks = []attack{
	{"a hijacked agent", "tries tools until one works", probing, "too_many_denials"},
	{"a hijacked agent", "goes on trying", probingOn, "quarantined"},
	{"a hijacked agent", "tries in a new session each time", probingAnew, "too_many_denials"},
	{"a hijacked agent", "obeys a page of the web and mails", obeying, "send_after_untrusted_content"},
	{"a hijacked agent", "reads a customer and mails", leaking, "send_after_secret"},
	{"a hijacked agent", "reads a customer and puts it into the address of a page", leakingByReading, "outside_after_secret"},
	{"a hijacked agent", "sheds a label by another token", sheddingByToken, "send_after_untrusted_content"},
	{"a hijacked agent", "sheds a label by a session of its own", sheddingByAdmission, "send_after_untrusted_content"},
	{"a hijacked agent", "sheds a label in a session that it opened before", sheddingByParallel, "send_after_untrusted_content"},
	{"a hijacked agent", "sheds a label by another name of its session", sheddingByHeader, "send_after_untrusted_content"},
	{"a hijacked agent", "opens a hundred sessions at once", flooding, "session_limit"},
	{"a hijacked agent", "reads everybody in small pieces, by several agents and sessions at once", fragmenting, "budget_spent"},
	{"a hijacked agent", "launders a secret through a ticket and a second agent", laundering, "send_after_secret"},
	{"a hijacked agent", "hides a call in a batch", hidingInABatch, "unreadable_rpc"},
	{"a hijacked agent", "hides a call behind a duplicate key", hidingBehindADuplicate, "unreadable_body"},
	{"a hijacked agent", "hides a call behind another spelling", hidingBehindASpelling, "unreadable_body"},
	{"a thief", "presents a session's token as another agent", stolenSession, "session_token"},
	{"a thief", "presents a bound token from elsewhere", stolenBoundToken, "unauthenticated"},
	{"a tool server", "says of a tool that destroys that it only reads", lyingServer, "operation_out_of_task"},
	{"a tool server", "offers a tool that nobody has described, as harmless", lyingAboutTheUnknown, "unknown_target"},
	{"a local user", "gives a revoked agent its rights back", meddling, "revoked"},
	{"a revoked agent", "asks for its rights through Envoy", asking, "revoked"},
	{"a poisoned bundle", "phones home", phoningHome, "http.send"},
	{"a poisoned bundle", "reads files beside it", escaping, "symbolic link"},
	{"a poisoned bundle", "overrules the library", overruling, "overruling.rego"},
	{"an outage", "is used as a way through, remit dead", outage, "unavailable"},
	{"an outage", "is used as a way through, remit hanging", hanging, "unavailable"},
	{"an insider", "edits the log", editing, "does not match"},
}

// Each attack is stopped, for the reason that is meant, by the starter pack as
// it is shipped, through an Envoy that leaves it all to remit.
func TestAttacks(t *testing.T) {
	t.Parallel()
	s := startStackWith(t, plain(t), "attacks", func(o *harness.Options) {
		o.WithoutPacks = false
		o.EnvoyReplace = append(o.EnvoyReplace, "traffic_mode: REJECT_NO_MCP", "traffic_mode: PASS_THROUGH", "reject_duplicate_keys: true", "reject_duplicate_keys: false")
	})
	a := &attacked{s}
	for _, attack := range attacks {
		t.Run(attack.by+" "+attack.does, func(t *testing.T) {
			mustBeAllowed(t, "the same without the attack", attack.play(t, a, false))
			got := attack.play(t, a, true)
			if !got.names(attack.stop) {
				t.Errorf("it is answered %d %q, want %s", got.status, got.reasons, attack.stop)
			}
			if got.reached {
				t.Error("it got through")
			}
		})
	}
	if n := s.Tools.Unstamped.Load() + s.API.Unstamped.Load(); n != 0 {
		t.Errorf("%d requests got through without a decision", n)
	}
}

// attacked is what there is to attack.
type attacked struct{ *harness.Stack }

// refusal is what came of a request.
type refusal struct {
	status  int
	reasons []string // codes, and the class of an outage; nothing where it was allowed
	reached bool     // it came to the tool or the API
}

// wentThrough is what came of a request that was allowed.
var wentThrough = refusal{status: http.StatusOK, reached: true}

func (r refusal) names(reason string) bool {
	return slices.ContainsFunc(r.reasons, func(has string) bool { return strings.Contains(has, reason) })
}

// person is whom an agent acts for: somebody else where it does not attack, so
// that neither has to do with what the other did.
func person(of string, attacking bool) string {
	if attacking {
		return "user:" + of
	}
	return "user:" + of + "-harmless"
}

// either is what an attack does, or what is done in its place.
func either[T any](attacking bool, attack, harmless T) T {
	if attacking {
		return attack
	}
	return harmless
}

// as is an agent that acts for a person in a session that its token names, or
// in its own.
func (a *attacked) as(t *testing.T, agent, person, sid string) *http.Client {
	t.Helper()
	return supportAgent(t, a.Stack, agent, person, sid, nil)
}

// call calls a tool.
func (a *attacked) call(t *testing.T, client *http.Client, tool string, arguments map[string]any, headers ...string) refusal {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": map[string]any{"name": tool, "arguments": arguments},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a.say(t, client, string(body), headers...)
}

// say sends a body to the tools.
func (a *attacked) say(t *testing.T, client *http.Client, body string, headers ...string) refusal {
	t.Helper()
	before := a.Tools.Requests()
	status, text := post(t, client, body, headers...)
	return refusal{status, reasonsIn(text), a.Tools.Requests() > before}
}

// get reads from the API. It may be used in parallel, and then reached says
// nothing.
func (a *attacked) get(t *testing.T, client *http.Client, path string) refusal {
	t.Helper()
	before := a.API.Requests()
	resp, err := client.Get("http://" + harness.APIHost + path)
	if err != nil {
		t.Error(err)
		return refusal{}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return refusal{resp.StatusCode, reasonsIn(string(text)), a.API.Requests() > before}
}

// mustBeAllowed is for what an attack is built on.
func mustBeAllowed(t *testing.T, what string, r refusal) {
	t.Helper()
	if r.status != http.StatusOK || len(r.reasons) > 0 || !r.reached {
		t.Fatalf("%s: %d %q", what, r.status, r.reasons)
	}
}

// reasonsIn are the reasons in a denial, in whatever form it came: a problem, a
// tool's result, an error of JSON-RPC or Envoy's own answer. What a tool answers
// has none.
func reasonsIn(text string) (reasons []string) {
	type denial struct {
		Class   string
		Reasons []struct{ Code string }
	}
	var told struct {
		denial
		Result struct {
			Meta map[string]denial `json:"_meta"`
		}
		Error struct{ Data denial }
	}
	if json.Unmarshal([]byte(text), &told) != nil {
		return nil
	}
	for _, d := range []denial{told.denial, told.Result.Meta["remit/denial"], told.Error.Data} {
		if d.Class != "" {
			reasons = append(reasons, d.Class)
		}
		for _, reason := range d.Reasons {
			reasons = append(reasons, reason.Code)
		}
	}
	return reasons
}

// The reader of denials reads each form that there is, and takes no tool's
// answer for one.
func TestReasonsOfDenials(t *testing.T) {
	for text, want := range map[string]string{
		`{"class":"revoked","reasons":[{"code":"a"},{"code":"b"}]}`:                               "[revoked a b]",
		`{"jsonrpc":"2.0","id":1,"result":{"_meta":{"remit/denial":{"reasons":[{"code":"a"}]}}}}`: "[a]",
		`{"jsonrpc":"2.0","id":1,"error":{"data":{"class":"unavailable"}}}`:                       "[unavailable]",
		`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"reasons"}]}}`:        "[]",
		"event: message\ndata: {}": "[]",
	} {
		if got := fmt.Sprint(reasonsIn(text)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
