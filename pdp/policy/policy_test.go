package policy_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/bundles"
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/policy"
	"github.com/remit-pdp/remit/pdp/value"
)

const entrypoint = "data.p.decision"

func schema(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "policies", "schemas", "input.json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func compile(t *testing.T, rego string, data value.Value) (*policy.Engine, error) {
	t.Helper()
	return within(t, 2*time.Second, rego, data)
}

// within compiles a policy that has a time to answer in.
func within(t *testing.T, timeout time.Duration, rego string, data value.Value) (*policy.Engine, error) {
	t.Helper()
	return policy.Compile(t.Context(),
		policy.Source{Revision: "r1", Modules: []policy.Module{{Path: "p.rego", Text: []byte(rego)}}, Data: data},
		policy.Options{Engine: policy.Both, Entrypoint: entrypoint, Timeout: timeout, InputSchema: schema(t)})
}

func must(t *testing.T, rego string, data value.Value) *policy.Engine {
	t.Helper()
	e, err := compile(t, rego, data)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// input is a case whose path is the one given.
func input(path string) value.Value {
	c := &pdp.Case{
		Now: time.Unix(1_800_000_000, 0), Envelope: &pdp.Envelope{}, Generation: &pdp.Generation{Declared: &pdp.Declarations{}},
		Request: pdp.Request{Protocol: pdp.HTTP, Method: "GET", Path: path, Segments: strings.Split(strings.Trim(path, "/"), "/")},
		Agent:   pdp.Agent{ID: "agent", Kind: "jwt"},
	}
	return c.Input()
}

func code(err error) string {
	var r *pdp.Refusal
	if errors.As(err, &r) {
		return r.Reason.Code
	}
	return ""
}

// Invariant 2: undefined, error, wrong type and timeout are four denials.
func TestFourFailuresAreFourDenials(t *testing.T) {
	for _, c := range []struct{ name, rego, want string }{
		{"undefined", `decision := true if input.request.path == "/other"`, pdp.CodePolicyUndefined},
		{"error", `default decision := false
			decision := true if input.request.path == "/x"
			decision := false if { input.request.path == "/x"; input.agent.id == "agent" }`, pdp.CodePolicyError},
		{"builtin error", `default decision := false
			decision := to_number(input.request.segments[0]) == 1 if input.request.path == "/x"`, pdp.CodePolicyError},
		{"wrong type", `default decision := false
			decision := "yes" if input.request.path == "/x"`, pdp.CodePolicyType},
		{"timeout", `default decision := false
			decision := true if { input.request.path == "/x"; all := numbers.range(1, 100000); some i in all; some j in all; i * j == 0 }`, pdp.CodePolicyTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			timeout := 2 * time.Second
			if c.want == pdp.CodePolicyTimeout {
				timeout /= 10 // no other limit comes first
			}
			e, err := within(t, timeout, "package p\n"+c.rego, value.Obj())
			if err != nil {
				t.Fatal(err)
			}
			v, err := e.Decide(t.Context(), input("/x"))
			if code(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if v.Effect != pdp.Deny {
				t.Error("a failure did not deny")
			}
		})
	}
}

func TestTheCallersDeadlineEndsTheEvaluation(t *testing.T) {
	e := must(t, "package p\ndefault decision := true", value.Obj())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Decide(ctx, input("/x")); code(err) != pdp.CodePolicyTimeout {
		t.Errorf("got %v", err)
	}
}

// What a decision may say, and what makes it of the wrong type.
func TestVerdicts(t *testing.T) {
	data := value.Obj(value.M("remit", value.Obj(
		value.M("memory", value.Obj(value.M("seen", value.Obj(value.M("kind", value.Str("last")),
			value.M("lookup", value.Obj(value.M("all", value.List()))))))),
		value.M("budgets", value.Obj(value.M("mails", value.Obj(value.M("limit", value.Int(2)))))))))
	for _, c := range []struct {
		decision string
		want     string // the effect; "" for the wrong type
	}{
		{`true`, "allow"},
		{`false`, "deny"},
		{`{"allowed": true}`, "allow"},
		{`{"allowed": false, "http_status": 418, "body": "no", "headers": {"x-a": ["1", "2"]}}`, "deny"},
		{`{"effect": "allow"}`, "allow"},
		{`{"effect": "challenge", "reasons": ["ask", {"code": "b", "controls": ["ASI02"]}]}`, "challenge"},
		{`{"effect": "allow", "charge": {"mails": 1}, "labels": {"pii"}, "remember": {{"fact": "seen", "key": [], "value": 1, "on": "done"}}}`, "allow"},
		{`{"effect": "deny", "class": "pending", "retry_seconds": 1.5, "session": {"quarantine": true, "expires_in": 60}}`, "deny"},
		{`null`, ""},
		{`"allow"`, ""},
		{`1`, ""},
		{`[true]`, ""},
		{`{}`, ""},
		{`{"allowed": "true"}`, ""},
		{`{"allowed": true, "effect": "allow"}`, ""},
		{`{"allowed": true, "efect": "deny"}`, ""},
		{`{"effect": "Allow"}`, ""},
		{`{"effect": "allow", "charges": {"mails": 1}}`, ""},
		{`{"effect": "allow", "charge": {"males": 1}}`, ""},
		{`{"effect": "allow", "charge": {"mails": -1}}`, ""},
		{`{"effect": "allow", "charge": {"mails": 0.5}}`, ""},
		{`{"effect": "allow", "remember": [{"fact": "sene", "key": [], "on": "done"}]}`, ""},
		{`{"effect": "allow", "remember": [{"fact": "seen", "key": [], "on": "later"}]}`, ""},
		{`{"effect": "allow", "remember": [{"fact": "seen", "key": [], "on": "done", "vale": 1}]}`, ""},
		{`{"effect": "deny", "reasons": [{"message": "no code"}]}`, ""},
		{`{"effect": "deny", "reasons": [{"code": "a", "kind": 1}]}`, ""},
		{`{"effect": "deny", "class": "sorry"}`, ""},
		{`{"effect": "deny", "session": {"quarantine": "yes"}}`, ""},
		{`{"allowed": true, "headers": {"x-remit-decision": "forged"}}`, ""},
		{`{"allowed": true, "headers": {":path": "/admin"}}`, ""},
		{`{"allowed": true, "headers": {"Host": "other"}}`, ""},
		{`{"allowed": true, "headers": {"x-a": "b\nc: d"}}`, ""},
		{`{"allowed": true, "request_headers_to_remove": ["x-remit-decision"]}`, ""},
		{`{"allowed": false, "http_status": 99}`, ""},
	} {
		t.Run(c.decision, func(t *testing.T) {
			e := must(t, "package p\ndefault decision := false\ndecision := "+c.decision+" if input.request.path == \"/x\"", data)
			v, err := e.Decide(t.Context(), input("/x"))
			switch {
			case c.want == "" && code(err) != pdp.CodePolicyType:
				t.Errorf("got %+v, %v; want the wrong type", v, err)
			case c.want != "" && err != nil:
				t.Errorf("got %v", err)
			case c.want != "" && v.Effect.String() != c.want:
				t.Errorf("got %s, want %s", v.Effect, c.want)
			}
		})
	}
}

// What the answer is made of may be made of what the caller sent, which need not
// be UTF-8; an answer that is not cannot be encoded.
func TestAnAnswerIsUTF8(t *testing.T) {
	for _, key := range []string{
		`"body": input.request.path`,
		`"headers": {"x-a": input.request.path}`,
		`"response_headers_to_add": {"x-a": ["a", input.request.path]}`,
		`"query_parameters_to_set": {"a": input.request.path}`,
		`"query_parameters_to_set": {input.request.path: "a"}`,
		`"query_parameters_to_remove": [input.request.path]`,
	} {
		e := must(t, `package p
			decision := {"allowed": true, `+key+`}`, value.Obj())
		if _, err := e.Decide(t.Context(), input("/x")); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		if v, err := e.Decide(t.Context(), input("/x\xff")); code(err) != pdp.CodePolicyType {
			t.Errorf("%s: got %+v, %v; want the wrong type", key, v, err)
		}
	}
}

// What may not be activated, and that the message says where and what to do.
func TestWhatIsRefusedAtActivation(t *testing.T) {
	for name, c := range map[string]struct {
		rego string
		want []string
	}{
		"network":          {"package p\ndecision if http.send({\"method\": \"GET\", \"url\": input.request.host}).status_code == 200", []string{"p.rego:2", "http.send", "bundle's data"}},
		"chance":           {"package p\ndecision if rand.intn(\"x\", 2) == 1", []string{"p.rego:2", "rand.intn"}},
		"environment":      {"package p\ndecision if opa.runtime().env.X == \"1\"", []string{"p.rego:2", "opa.runtime"}},
		"misspelt field":   {"package p\ndefault decision := false\ndecision if input.session.age_secnds > 1", []string{"p.rego:3", "age_secnds"}},
		"raw memory":       {"package p\ndefault decision := false\ndecision if input.memory.seen.all.settled", []string{"p.rego:3", "input.memory", "data.remit.history"}},
		"syntax":           {"package p\ndecision = {", []string{"p.rego:2"}},
		"no entry point":   {"package q\ndecision := true", []string{entrypoint}},
		"unsafe variable":  {"package p\ndefault decision := false\ndecision if x == 1", []string{"p.rego:3", "x"}},
		"wrong type":       {"package p\ndecision := \"yes\"", []string{entrypoint, pdp.CodePolicyType}},
		"no default value": {"package p\ndecision := to_number(\"x\") == 1", []string{entrypoint, pdp.CodePolicyError}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compile(t, c.rego, value.Obj())
			if err == nil {
				t.Fatal("it was accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the message lacks %q: %v", want, err)
				}
			}
		})
	}
}

// A fact that is read and not declared would deny for ever.
func TestUndeclaredFactsAreFound(t *testing.T) {
	const library = "package remit.history\ndefault possibly_within(_, _, _) := true"
	_, err := policy.Compile(t.Context(), policy.Source{Modules: []policy.Module{
		{Path: "history.rego", Text: []byte(library)},
		{Path: "p.rego", Text: []byte("package p\nimport data.remit.history\ndefault decision := false\ndecision if not history.possibly_within(\"sene\", \"here\", \"1h\")")},
	}, Data: value.Obj()}, policy.Options{Engine: policy.Both, Entrypoint: entrypoint, Timeout: time.Second})
	if err == nil || !strings.Contains(err.Error(), `p.rego:4: no fact "sene"`) {
		t.Errorf("got %v", err)
	}
}

// Declarations are read strictly, and the message says where.
func TestDeclarations(t *testing.T) {
	for _, c := range []struct{ memory, want string }{
		{`{"f": {"kind": "last"}}`, "lookup"},
		{`{"f": {"kind": "set", "lookup": {"a": []}}}`, "data.remit.memory.f.kind"},
		{`{"f": {"kind": "last", "ring": 3, "lookup": {"a": []}}}`, "data.remit.memory.f.ring"},
		{`{"f": {"kind": "ring", "ring": 65, "lookup": {"a": []}}}`, "data.remit.memory.f.ring"},
		{`{"f": {"kind": "last", "scope": "world", "lookup": {"a": []}}}`, "data.remit.memory.f.scope"},
		{`{"f": {"kind": "last", "ttl": "forever", "lookup": {"a": []}}}`, "data.remit.memory.f.ttl"},
		{`{"f": {"kind": "last", "lookup": {"a": ["memory.x"]}}}`, "data.remit.memory.f.lookup.a.0"},
		{`{"f": {"kind": "last", "lookup": {"a": []}, "keyz": 3}}`, "data.remit.memory.f.keyz"},
	} {
		memory, err := value.ParseJSON([]byte(c.memory))
		if err != nil {
			t.Fatal(err)
		}
		_, err = compile(t, "package p\ndefault decision := false", value.Obj(value.M("remit", value.Obj(value.M("memory", memory)))))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.memory, err, c.want)
		}
	}
}

// Only what the bundle can read of the input is built; a policy must not be
// able to tell.
func TestSelectingInputChangesNothing(t *testing.T) {
	const whole = "\nall := input"
	for _, rego := range []string{
		`decision := {"allowed": true, "body": input.request.path}`,
		`decision := {"allowed": true, "body": sprintf("%v", [input.agent])}`,
		`decision := {"allowed": true, "body": x} if { some k; x := sprintf("%v", [input.request[k]]); k == "method" }`,
		`decision := {"allowed": true, "body": sprintf("%v", [count(input.session)])}`,
		`decision := {"allowed": true, "body": f(input.request)}
		 f(r) := r.path`,
		`decision := {"allowed": true, "body": v} if { top := input; v := top.request.path }`,
		`decision := {"allowed": true, "body": sprintf("%v", [object.get(input, ["request", "path"], "none")])}`,
		`decision := {"allowed": true, "body": sprintf("%v", [[p | walk(input.target, [p, _])]])}`,
		`decision := {"allowed": d, "body": "x"} if d := other with input as {"request": {"path": input.request.path}}
		 default other := false
		 other if input.request.path == "/x"`,
	} {
		some := must(t, "package p\n"+rego, value.Obj())
		all := must(t, "package p\n"+rego+whole, value.Obj())
		a, errA := some.Decide(t.Context(), input("/x"))
		b, errB := all.Decide(t.Context(), input("/x"))
		if errA != nil || errB != nil || a.Effect != b.Effect || a.Response.Body != b.Response.Body {
			t.Errorf("%s: %+v %v with a part of the input, %+v %v with all of it", rego, a, errA, b, errB)
		}
	}
}

// The shipped policies are good as they are.
func TestTheShippedBundle(t *testing.T) {
	b, err := bundles.LoadDir(filepath.Join("..", "..", "policies"))
	if err != nil {
		t.Fatal(err)
	}
	s := policy.Source{Revision: b.Revision, Data: b.Data, Locate: b.Locate}
	for _, m := range b.Modules {
		s.Modules = append(s.Modules, policy.Module{Path: m.Path, Text: m.Text})
	}
	e, err := policy.Compile(t.Context(), s, policy.Options{Engine: policy.Both, Timeout: time.Second, InputSchema: schema(t)})
	if err != nil {
		t.Fatal(err)
	}
	v, err := e.Decide(t.Context(), input("/x"))
	if err != nil || v.Effect != pdp.Deny {
		t.Errorf("an unregistered agent: %+v, %v", v, err)
	}
}
