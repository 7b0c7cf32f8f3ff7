package catalog

import (
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

const servers = `{
	"support":{"hosts":["tools.example.com"],"environment":"prod","owner":"team","sensitivity":"internal","labels":["support"],"mcp":{"path":"/mcp",
		"tools":{
			"search":{"operation":"discover"},
			"read_ticket":{"operation":"read","resource":"ticket {arguments.ticket}"},
			"issue":{"operation":"write","sensitivity":"confidential","resource":"repo {arguments.repo.owner}/{arguments.repo.name}","adds":["seen"]},
			"by_name":{"operation":"read","resource":"tool {name}"}
		},
		"prompts":{"greet":{"operation":"read","resource":"greeting of {arguments.who}"},"*":{"operation":"read","sensitivity":"public"}},
		"resources":{
			"docs://manual/":{"operation":"read","sensitivity":"public"},
			"docs://manual/secret/":{"operation":"read","sensitivity":"restricted","resource":"secret page {uri}"},
			"docs://manual/index":{"operation":"discover"},
			"DOCS://Odd/../Key":{"operation":"read","resource":"odd"},
			"*":{"operation":"read","sensitivity":"confidential"}
		}
	}},
	"any":{"hosts":["any.example.com"],"mcp":{"path":"/mcp","tools":{"*":{"operation":"execute","resource":"tool {name}"}}}},
	"none":{"hosts":["none.example.com"],"mcp":{"path":"/mcp"},"http":[{"methods":["*"],"path":"/**","operation":"read","resource":"all"}]}
}`

// said is what MCP itself says about its methods, as package attributes reads it.
var said = map[string]pdp.Operation{
	"tools/list": pdp.Discover, "server/discover": pdp.Discover, "initialize": pdp.Discover, "stream/open": pdp.Discover,
	"session/delete": pdp.Discover, "completion/complete": pdp.Read, "tasks/get": pdp.Read, "tasks/result": pdp.Read,
	"tasks/cancel": pdp.Write, "tasks/update": pdp.Send,
}

// call returns an MCP message as package attributes reads it.
func call(t testing.TB, host, method, name, arguments string) *pdp.Request {
	q := &pdp.Request{Protocol: pdp.MCP, Method: "POST", Host: host, Path: "/mcp", Segments: []string{"mcp"}, RPC: &pdp.RPC{Method: method, Name: name, Known: true, Operation: said[method]}}
	if arguments != "" {
		q.RPC.Arguments = parse(t, arguments)
	}
	return q
}

func TestFindMCP(t *testing.T) {
	c := compiled(t, servers)
	tests := []struct{ host, method, name, arguments, want string }{
		{"tools", "tools/call", "search", "", "support:tool/search discover internal"},
		{"tools", "tools/call", "read_ticket", `{"ticket":"T-7"}`, "support:ticket T-7 read internal"},
		{"tools", "tools/call", "read_ticket", `{"ticket":7}`, "support:ticket 7 read internal"},
		{"tools", "tools/call", "read_ticket", `{"ticket":-0}`, "support:ticket 0 read internal"},
		{"tools", "tools/call", "read_ticket", `{"ticket":"a/b%2Fc"}`, "support:ticket a%2Fb%252Fc read internal"},
		{"tools", "tools/call", "read_ticket", ``, "? support:ticket ? read restricted"},
		{"tools", "tools/call", "read_ticket", `{}`, "? support:ticket ? read restricted"},
		{"tools", "tools/call", "read_ticket", `{"Ticket":"7"}`, "? support:ticket ? read restricted"},
		{"tools", "tools/call", "read_ticket", `{"ticket":""}`, "? support:ticket ? read restricted"},
		{"tools", "tools/call", "read_ticket", `{"ticket":null}`, "? support:ticket ? read restricted"},
		{"tools", "tools/call", "read_ticket", `{"ticket":true}`, "? support:ticket ? read restricted"},
		{"tools", "tools/call", "read_ticket", `{"ticket":["7"]}`, "? support:ticket ? read restricted"},
		{"tools", "tools/call", "read_ticket", `{"ticket":7.0}`, "? support:ticket ? read restricted"},
		{"tools", "tools/call", "read_ticket", `{"ticket":70e-1}`, "? support:ticket ? read restricted"},
		{"tools", "tools/call", "issue", `{"repo":{"owner":"a","name":"b"}}`, "support:repo a/b write confidential"},
		{"tools", "tools/call", "issue", `{"repo":{"owner":"a/b","name":"c"}}`, "support:repo a%2Fb/c write confidential"},
		{"tools", "tools/call", "issue", `{"repo":{"owner":"a"}}`, "? support:repo a/? write restricted"},
		{"tools", "tools/call", "issue", `{"repo":"a/b"}`, "? support:repo ?/? write restricted"},
		{"tools", "tools/call", "issue", `{"repo.owner":"a","repo.name":"b"}`, "? support:repo ?/? write restricted"},
		{"tools", "tools/call", "by_name", "", "support:tool by_name read internal"},
		{"tools", "tools/call", "Search", "", "? support:Search admin restricted"},
		{"tools", "tools/call", "greet", `{"who":"Ada"}`, "? support:greet admin restricted"},
		{"tools", "tools/call", "*", "", "? support:* admin restricted"},
		{"tools", "prompts/get", "greet", `{"who":"Ada"}`, "support:greeting of Ada read internal"},
		{"tools", "prompts/get", "greet", "", "? support:greeting of ? read restricted"},
		{"tools", "prompts/get", "other", "", "support:prompt/other read public"},
		{"tools", "prompts/get", "a/b", "", "support:prompt/a%2Fb read public"},
		{"any", "tools/call", "whatever", "", "any:tool whatever execute restricted"},
		{"any", "tools/call", "*", "", "any:tool * execute restricted"},
		{"any", "prompts/get", "whatever", "", "? any:whatever admin restricted"},
		{"any", "resources/read", "docs://a", "", "? any:docs://a admin restricted"},
		{"none", "tools/call", "search", "", "? none:search admin restricted"},
		{"elsewhere", "tools/call", "search", "", "? elsewhere.example.com:search admin restricted"},

		{"tools", "tools/list", "", "", "support:tools/list discover public"},
		{"tools", "server/discover", "", "", "support:server/discover discover public"},
		{"tools", "initialize", "", "", "support:initialize discover public"},
		{"tools", "stream/open", "", "", "support:stream/open discover public"},
		{"tools", "session/delete", "", "", "support:session/delete discover public"},
		{"tools", "tasks/result", "t1", "", "support:tasks/result read internal"},
		{"tools", "tasks/cancel", "t1", "", "support:tasks/cancel write internal"},
		{"tools", "tasks/update", "t1", "", "support:tasks/update send internal"},
		{"tools", "completion/complete", "", "", "support:completion/complete read internal"},
		{"elsewhere", "tools/list", "", "", "? elsewhere.example.com:/mcp admin restricted"},
	}
	for _, test := range tests {
		t.Run(test.host+" "+test.method+" "+test.name+test.arguments, func(t *testing.T) {
			q := call(t, test.host+".example.com", test.method, test.name, test.arguments)
			a := c.Find(q)
			if names(a) != test.want {
				t.Errorf("found %s\nwant  %s", names(a), test.want)
			}
			tool := test.name
			if strings.HasPrefix(test.method, "tasks/") {
				tool = "" // a task's id is no tool
			}
			if a.Tool != tool || a.Arguments.Defined() != (test.arguments != "") {
				t.Errorf("the action is %+v", a)
			}
		})
	}
}

func TestFindMCPTarget(t *testing.T) {
	c := compiled(t, servers)
	place := pdp.Target{System: "support", Environment: "prod", Owner: "team"}
	tests := []struct {
		q           *pdp.Request
		resource    string
		sensitivity pdp.Sensitivity
		known       bool
		adds        string
	}{
		{call(t, "tools.example.com", "tools/call", "issue", `{"repo":{"owner":"a","name":"b"}}`), "repo a/b", pdp.Confidential, true, "seen"},
		{call(t, "tools.example.com", "tools/call", "issue", ``), "repo ?/?", pdp.Restricted, false, "seen"},
		{call(t, "tools.example.com", "tools/call", "unknown", ``), "unknown", pdp.Restricted, false, ""},
		{call(t, "tools.example.com", "tools/list", "", ``), "tools/list", pdp.Public, true, ""},
		{call(t, "tools.example.com", "tasks/get", "t", ``), "tasks/get", pdp.Internal, true, ""},
	}
	for _, test := range tests {
		want := place
		want.ID, want.Resource, want.Sensitivity, want.Known = "support:"+test.resource, test.resource, test.sensitivity, test.known
		checkTarget(t, c.Find(test.q).Target, want, "support", test.adds)
	}
	// What the revision does not have is not known, wherever it is sent.
	unknown := call(t, "tools.example.com", "admin/reset", "", "")
	unknown.RPC.Known = false
	want := place
	want.ID, want.Resource, want.Sensitivity = "support:admin/reset", "admin/reset", pdp.Restricted
	a := c.Find(unknown)
	if a.Operation != pdp.Admin {
		t.Errorf("an unknown method: %s", a.Operation)
	}
	checkTarget(t, a.Target, want, "support", "")
	for _, method := range []string{"tasks/steal", strings.Repeat("a/", 1000)} {
		unknown.RPC.Method = method
		if a := c.Find(unknown); a.Target.Known || a.Operation != pdp.Admin || len(a.Target.Resource) > 512 {
			t.Errorf("an unknown method: %s", names(a))
		}
	}
}

// A response carries what a person or a model answered: it sends, whatever
// else is said about it.
func TestFindResponse(t *testing.T) {
	c := compiled(t, servers)
	for _, known := range []bool{true, false} {
		q := call(t, "tools.example.com", "", "", "")
		q.RPC.Response, q.RPC.Known = true, known
		if got := names(c.Find(q)); got != "support:response send internal" {
			t.Error(got)
		}
	}
	q := call(t, "elsewhere.example.com", "", "", "")
	q.RPC.Response = true
	if got := names(c.Find(q)); got != "? elsewhere.example.com:/mcp admin restricted" {
		t.Error(got)
	}
}

// MCP and HTTP on one host do not stand in for each other.
func TestFindProtocols(t *testing.T) {
	c := compiled(t, servers)
	tests := map[string]*pdp.Request{
		"none:all read restricted": get("none.example.com", "/mcp"),
		"? none.example.com:search admin restricted": func() *pdp.Request {
			q := call(t, "none.example.com", "tools/call", "search", "")
			q.Path = "/other"
			return q
		}(),
		"? tools.example.com:/mcp admin restricted": get("tools.example.com", "/mcp"),
		"? any.example.com:/mcp admin restricted":   {Protocol: pdp.MCP, Host: "any.example.com", Path: "/mcp"},
	}
	for want, q := range tests {
		if got := names(c.Find(q)); got != want {
			t.Errorf("found %s, want %s", got, want)
		}
	}
}

func TestFindResource(t *testing.T) {
	c := compiled(t, servers)
	tests := map[string]string{
		"docs://manual/a":               "support:docs://manual/a read public",
		"docs://manual/a/b.md?c=d#e":    "support:docs://manual/a/b.md?c=d#e read public",
		"docs://manual/":                "support:docs://manual/ read public",
		"docs://manual/%22a%22%7B":      "support:docs://manual/%22a%22%7B read public",
		"docs://manual/a%20b":           "support:docs://manual/a%20b read public",
		"docs://manual/gr%C3%B6%C3%9Fe": "support:docs://manual/gr%C3%B6%C3%9Fe read public",
		"docs://manual/index":           "support:docs://manual/index discover internal",
		"docs://manual/index/a":         "support:docs://manual/index/a read public",
		"docs://manual/secret":          "support:docs://manual/secret read public",
		"docs://manual/secret/":         "support:secret page docs://manual/secret/ read restricted",
		"docs://manual/secret/a/b":      "support:secret page docs://manual/secret/a/b read restricted",
		"docs://manual":                 "support:docs://manual read confidential",
		"docs://manuals/a":              "support:docs://manuals/a read confidential",
		"docs:manual/a":                 "support:docs:manual/a read confidential",
		"file:///etc/passwd":            "support:file:///etc/passwd read confidential",
		"urn:isbn:1":                    "support:urn:isbn:1 read confidential",
		"*":                             "support:* read confidential",
		"docs://odd/key":                "support:docs://odd/key read confidential", // an odd key is found by its own spelling alone
		"DOCS://Odd/../Key":             "support:odd read internal",
	}
	for uri, want := range tests {
		for _, method := range []string{"resources/read", "resources/subscribe", "resources/unsubscribe"} {
			if got := names(c.Find(call(t, "tools.example.com", method, uri, ""))); got != want {
				t.Errorf("%s %s: found %s, want %s", method, uri, got, want)
			}
		}
	}
	// What a server could take for something else is nobody's: not the
	// folder's, and not the fallback's either.
	for _, uri := range []string{
		"docs://manual/../secrets", "docs://manual/a/..", "docs://manual/./secret/a", "docs://manual/.", "docs://manual//secret/a", "docs:////manual/a",
		"docs://manual/..%2Fsecrets", "docs://manual/%2E%2E/secrets", "docs://manual/%2e%2e/a", "docs://manual/s%65cret/a", "docs://manual/a%5Cb", "docs://manual/a%c3%b6",
		"docs://manual/a%252F", "docs://manual/a%", "docs://manual/a%4", "docs://manual/a%zz", "docs://manual/a%00", "docs://manual/a%3Fb", "docs://manual/a%40b",
		`docs://manual/a\..\b`, "docs://manual/a b", "docs://manual/ö", "docs://manual/{a}", "docs://manual/a\nb", "docs://manual/a\x7f", "docs://manual/\xff",
		"DOCS://manual/a", "docs://Manual/a", "Urn:isbn:1", "file://localhost/etc/passwd", "file:/etc/passwd", "file:////etc/passwd", "./a", "../a",
	} {
		a := c.Find(call(t, "tools.example.com", "resources/read", uri, ""))
		if a.Target.Known || a.Operation != pdp.Admin || a.Target.Sensitivity != pdp.Restricted || a.Target.System != "support" {
			t.Errorf("%s: found %s", uri, names(a))
		}
	}
}

// A long URI does not cost more than a long key.
func TestFindLongResource(t *testing.T) {
	c := compiled(t, servers)
	uri := "docs://manual/" + strings.Repeat("a/", 200_000)
	start := time.Now()
	a := c.Find(call(t, "tools.example.com", "resources/read", uri, ""))
	if !a.Target.Known || a.Target.Sensitivity != pdp.Public {
		t.Errorf("found %s", names(a))
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %s", took)
	}
}
