package extauthz_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/attributes"
	"github.com/remit-pdp/remit/pdp/catalog"
	"github.com/remit-pdp/remit/pdp/door/extauthz"
	"github.com/remit-pdp/remit/pdp/identity"
	"github.com/remit-pdp/remit/pdp/policy"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
	"github.com/remit-pdp/remit/pdp/value"
)

// examples reads the code blocks of a language from the plugin's documentation,
// which comes with OPA's module.
func examples(t *testing.T, page, language string) (blocks []string) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/open-policy-agent/opa").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "docs", "docs", "envoy", page))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile("(?s)```"+language+"[^\n]*\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
}

// opa evaluates the same policy on the same documented input with OPA itself.
func opa(t *testing.T, path, module, input string) any {
	t.Helper()
	parsed, err := ast.ValueFromReader(strings.NewReader(input))
	if err != nil {
		t.Fatal(err)
	}
	results, err := rego.New(rego.Query(path), rego.Module("p.rego", module), rego.ParsedInput(parsed)).Eval(t.Context())
	if err != nil || len(results) != 1 {
		t.Fatalf("OPA: %v, %d results", err, len(results))
	}
	return results[0].Expressions[0].Value
}

// ask puts the documented input to remit, as the check that Envoy would send.
func ask(t *testing.T, read reader, path, module, input string) *authv3.CheckResponse {
	t.Helper()
	var documented struct {
		Attributes json.RawMessage `json:"attributes"`
	}
	if err := json.Unmarshal([]byte(input), &documented); err != nil {
		t.Fatal(err)
	}
	request := &authv3.CheckRequest{Attributes: &authv3.AttributeContext{}}
	if err := protojson.Unmarshal(documented.Attributes, request.Attributes); err != nil {
		t.Fatal(err)
	}
	if http := request.Attributes.Request.Http; http.Host == "" {
		http.Host = "service.example" // the shorter examples leave out what Envoy always sends
	}
	response, err := read(server(t, path, module)).Ask(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// server is the door over everything real: reader, identity (nobody), catalog,
// policy and store.
func server(t *testing.T, path, module string) *extauthz.Server {
	t.Helper()
	dir := t.TempDir()
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	store, err := localstore.Open(dir, localstore.Options{Keys: keys, SegmentBytes: 1 << 20, Warn: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	history := state.New(store, keys, state.Defaults, time.Now)
	t.Cleanup(func() { history.Close(); store.Close() })
	schema, err := os.ReadFile(filepath.Join("..", "..", "..", "policies", "schemas", "input.json"))
	if err != nil {
		t.Fatal(err)
	}
	engine, err := policy.Compile(t.Context(), policy.Source{
		Modules: []policy.Module{{Path: "p.rego", Text: []byte(module)}}, Data: value.Obj(),
	}, policy.Options{Engine: policy.Both, Entrypoint: path, Timeout: 5 * time.Second, InputSchema: schema})
	if err != nil {
		t.Fatal(err)
	}
	known, err := catalog.New(value.Nothing, nil)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := identity.New(identity.Settings{Listeners: map[string]identity.Listener{"l": {None: true}}}, keys, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	crashed := func(cause any, stack []byte) { t.Errorf("panic: %v\n%s", cause, stack) }
	point := pdp.NewPoint(history, keys, time.Now, crashed)
	point.Activate(&pdp.Generation{
		ID: "g", Reader: attributes.New(attributes.Settings{}), Verifier: verifier, Catalog: known, Policy: engine, Declared: engine.Declared(),
	})
	return extauthz.NewServer(extauthz.Settings{
		Listener: "l", Caller: named, BodyIsExact: true, DenyAs: extauthz.AsToolError, Deadline: 10 * time.Second, Margin: time.Millisecond,
	}, point, keys, time.Now, crashed)
}

// The documentation's policies, unchanged, answer through remit what OPA says
// they answer, for each of the documented inputs and for what is near them.
func TestThePluginsDocumentedExamples(t *testing.T) {
	policies, inputs := examples(t, "primer.md", "rego"), examples(t, "primer.md", "json")
	booleans := make(map[string]string)
	var rich, parts string
	for i, block := range policies {
		switch {
		case strings.Contains(block, `result["allowed"]`):
			parts = block
		case strings.Contains(block, "dynamic_metadata :="):
			rich = block
			fallthrough
		case strings.Contains(block, "package envoy.authz"):
			booleans[fmt.Sprint("block ", i)] = block
		}
	}
	if rich == "" || parts == "" || len(booleans) < 4 {
		t.Fatalf("the documentation has changed: found %d policies", len(booleans))
	}
	var asked []string
	for _, input := range inputs {
		if strings.Contains(input, `"attributes"`) && !strings.Contains(input, `"v2"`) {
			asked = append(asked, input,
				// A signature that is not the token's. (A token that is none makes the
				// builtin fail, which remit denies as what it is: an error.)
				regexp.MustCompile(`(Bearer [^."]+\.[^."]+\.)....`).ReplaceAllString(input, "${1}AAAA"),
				strings.Replace(input, `/people`, `/other`, -1))
		}
	}
	if len(asked) < 9 {
		t.Fatalf("found %d inputs", len(asked))
	}
	// The snippet for the output names a rule that the documented policy leaves out.
	object := rich + "\nquery_parameters_to_remove := [\"debug\"]\n" + parts
	effects := make(map[bool]int)
	for i, input := range asked {
		for name, module := range booleans {
			t.Run(fmt.Sprintf("%s %d", name, i), func(t *testing.T) {
				input := withParsedPath(t, input)
				want := opa(t, "data.envoy.authz.allow", module, input) == true
				effects[want]++
				eachReader(t, func(t *testing.T, read reader) {
					if got := ask(t, read, "data.envoy.authz.allow", module, input); (got.GetOkResponse() != nil) != want {
						t.Errorf("got %v, OPA says %v", got, want)
					}
				})
			})
		}
		t.Run(fmt.Sprintf("object %d", i), func(t *testing.T) {
			input := withParsedPath(t, input)
			want := opa(t, "data.envoy.authz.result", object, input).(map[string]any)
			eachReader(t, func(t *testing.T, read reader) {
				sameAsObject(t, ask(t, read, "data.envoy.authz.result", object, input), want)
			})
		})
	}
	if effects[true] == 0 || effects[false] == 0 {
		t.Errorf("the cases are one-sided: %v", effects)
	}
}

// The policies of the documentation's tutorials, each with what its page says may
// be done and may not, answer what OPA says they answer.
func TestThePluginsTutorials(t *testing.T) {
	const (
		alice = "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoiZ3Vlc3QiLCJzdWIiOiJZV3hwWTJVPSIsIm5iZiI6MTUxNDg1MTEzOSwiZXhwIjoxOTQxMDgxNTM5fQ.rN_hxMsoQzCjg6lav6mfzDlovKM9azaAjuwhjq3n9r8"
		bob   = "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoiYWRtaW4iLCJzdWIiOiJZbTlpIiwibmJmIjoxNTE0ODUxMTM5LCJleHAiOjE5NDEwODE1Mzl9.ek3jmNLPclafELVLTfyjtQNj0QKIEGrbhKqpwXmQ8EQ"
		guest = "Basic YWxpY2U6cGFzc3dvcmQ="
		admin = "Basic Ym9iOnBhc3N3b3Jk"
	)
	for _, page := range []struct {
		name, path string
		cases      []tutorialCase
	}{
		{"tutorial-standalone-envoy.md", "data.envoy.authz.allow", []tutorialCase{
			{alice, "GET", "/people", "", true}, {alice, "POST", "/people", "Charlie", false}, {alice, "GET", "/other", "", false},
			{bob, "GET", "/people", "", true}, {bob, "POST", "/people", "Charlie", true}, {bob, "POST", "/people", "Bob", false},
		}},
		{"tutorial-gloo-edge.md", "data.envoy.authz.allow", []tutorialCase{
			{alice, "GET", "/api/pets", "", true}, {alice, "POST", "/api/pets", "Charlie", false}, {bob, "POST", "/api/pets", "Charlie", true},
		}},
		{"tutorial-istio.md", "data.istio.authz.allow", []tutorialCase{
			{guest, "GET", "/productpage", "", true}, {guest, "GET", "/api/v1/products", "", false},
			{admin, "GET", "/productpage", "", true}, {admin, "GET", "/api/v1/products", "", true}, {admin, "POST", "/productpage", "", false},
		}},
	} {
		policies := examples(t, page.name, "rego")
		if len(policies) == 0 {
			t.Fatalf("%s has no policy any more", page.name)
		}
		for _, c := range page.cases {
			t.Run(fmt.Sprintf("%s %s %s %.12s", page.name, c.method, c.path, c.credential), func(t *testing.T) {
				input := c.input(t)
				if want := opa(t, page.path, policies[0], input) == true; want != c.allowed {
					t.Fatalf("OPA says %v, the page %v", want, c.allowed)
				}
				eachReader(t, func(t *testing.T, read reader) {
					if got := ask(t, read, page.path, policies[0], input); (got.GetOkResponse() != nil) != c.allowed {
						t.Errorf("got %v, the page says %v", got, c.allowed)
					}
				})
			})
		}
	}
}

// tutorialCase is a request that a tutorial sends, and what becomes of it.
type tutorialCase struct {
	credential, method, path, firstname string
	allowed                             bool
}

// input is the request in the plugin's form.
func (c tutorialCase) input(t *testing.T) string {
	t.Helper()
	http := map[string]any{"method": c.method, "path": c.path, "host": "service.example", "headers": map[string]string{"authorization": c.credential}}
	input := map[string]any{"attributes": map[string]any{"request": map[string]any{"http": http}}}
	if c.firstname != "" {
		body := map[string]string{"firstname": c.firstname, "lastname": "OPA"}
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		http["body"], http["headers"] = string(text), map[string]string{"authorization": c.credential, "content-type": "application/json"}
		input["parsed_body"] = body
	}
	text, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	return withParsedPath(t, string(text))
}

// withParsedPath adds the members that the plugin makes of a request, where a
// documented input leaves them out, so that OPA alone reads the same.
func withParsedPath(t *testing.T, input string) string {
	t.Helper()
	var whole map[string]any
	if err := json.Unmarshal([]byte(input), &whole); err != nil {
		t.Fatal(err)
	}
	path := whole["attributes"].(map[string]any)["request"].(map[string]any)["http"].(map[string]any)["path"].(string)
	path, _, _ = strings.Cut(path, "?")
	whole["parsed_path"] = strings.Split(strings.Trim(path, "/"), "/")
	if strings.HasSuffix(path, "/") {
		whole["parsed_path"] = append(whole["parsed_path"].([]string), "")
	}
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sameAsObject compares an answer to Envoy with the documented object.
func sameAsObject(t *testing.T, got *authv3.CheckResponse, want map[string]any) {
	t.Helper()
	text := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	metadata := got.GetDynamicMetadata().AsMap()
	for name, v := range want["dynamic_metadata"].(map[string]any) {
		if text(metadata[name]) != text(v) {
			t.Errorf("metadata %s is %v, want %v", name, metadata[name], v)
		}
	}
	headers := make(map[string]string)
	ok, denied := got.GetOkResponse(), got.GetDeniedResponse()
	for _, h := range append(ok.GetHeaders(), denied.GetHeaders()...) {
		headers[h.Header.Key] = h.Header.Value
	}
	for name, v := range want["headers"].(map[string]any) {
		if headers[name] != v {
			t.Errorf("header %s is %q, want %q", name, headers[name], v)
		}
	}
	if (ok != nil) != (want["allowed"] == true) {
		t.Fatalf("got %v, want allowed %v", got, want["allowed"])
	}
	if ok == nil {
		if fmt.Sprint(int(denied.Status.Code)) != fmt.Sprint(want["http_status"]) || denied.Body != want["body"] {
			t.Errorf("got %d %q, want %v %v", denied.Status.Code, denied.Body, want["http_status"], want["body"])
		}
		return
	}
	if text(ok.HeadersToRemove) != text(want["request_headers_to_remove"]) {
		t.Errorf("removes %v, want %v", ok.HeadersToRemove, want["request_headers_to_remove"])
	}
	if text(ok.QueryParametersToRemove) != text(want["query_parameters_to_remove"]) {
		t.Errorf("removes query parameters %v, want %v", ok.QueryParametersToRemove, want["query_parameters_to_remove"])
	}
	added := make(map[string]any)
	for _, h := range ok.ResponseHeadersToAdd {
		added[h.Header.Key] = h.Header.Value
	}
	if !maps.Equal(added, want["response_headers_to_add"].(map[string]any)) {
		t.Errorf("adds %v, want %v", added, want["response_headers_to_add"])
	}
	query := make(map[string][]string)
	for _, q := range ok.QueryParametersToSet {
		query[q.Key] = append(query[q.Key], q.Value)
	}
	for name, v := range want["query_parameters_to_set"].(map[string]any) {
		var values []string
		switch v := v.(type) {
		case string:
			values = []string{v}
		case []any:
			for _, item := range v {
				values = append(values, item.(string))
			}
		}
		if !slices.Equal(query[name], values) {
			t.Errorf("query %s is %v, want %v", name, query[name], values)
		}
	}
}
