package catalog

import (
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp/value"
)

// Every mistake names its place in the data.
func TestNewRefuses(t *testing.T) {
	const http = `{"methods":["GET"],"path":"/a","operation":"read"`
	inSystem := func(members string) string { return `{"systems":{"s":{"hosts":["h"]` + members + `}}}` }
	inEntry := func(members string) string { return inSystem(`,"http":[` + http + members + `}]`) }
	inServer := func(members string) string { return inSystem(`,"mcp":{"path":"/mcp"` + members + `}`) }
	tests := []struct{ name, data, want string }{
		{"no object", `5`, `: is not an object`},
		{"null", `null`, `: is not an object`},
		{"a list", `[]`, `: is not an object`},
		{"a member of nobody's", `{"system":{}}`, `.system: is not a member; known are systems`},
		{"systems a list", `{"systems":[]}`, `.systems: is not an object`},
		{"systems null", `{"systems":null}`, `.systems: is not an object`},
		{"a system that is none", `{"systems":{"s":1}}`, `.systems.s: has no hosts`},
		{"a system's member", inSystem(`,"host":"h"`), `.systems.s.host: is not a member; known are hosts, environment, owner, sensitivity, labels, mcp, http`},
		{"no hosts", `{"systems":{"s":{}}}`, `.systems.s: has no hosts`},
		{"hosts a string", `{"systems":{"s":{"hosts":"h"}}}`, `.systems.s.hosts: is not a list`},
		{"hosts of numbers", `{"systems":{"s":{"hosts":["h",1]}}}`, `.systems.s.hosts: holds something that is not a string`},
		{"hosts of nothing", `{"systems":{"s":{"hosts":["h",""]}}}`, `.systems.s.hosts: holds something that is not a string`},
		{"environment a number", inSystem(`,"environment":1`), `.systems.s.environment: is not a string`},
		{"owner a list", inSystem(`,"owner":["a"]`), `.systems.s.owner: is not a string`},
		{"sensitivity", inSystem(`,"sensitivity":"secret"`), `.systems.s.sensitivity: "secret" is not one of [public internal confidential restricted]`},
		{"sensitivity a number", inSystem(`,"sensitivity":1`), `.systems.s.sensitivity: is not a string`},
		{"labels a string", inSystem(`,"labels":"pii"`), `.systems.s.labels: is not a list`},
		{"labels in upper case", inSystem(`,"labels":["PII"]`), `.systems.s.labels: "PII" is not a label`},
		{"a label with a space", inSystem(`,"labels":["a b"]`), `.systems.s.labels: "a b" is not a label`},
		{"a label too long", inSystem(`,"labels":["` + strings.Repeat("a", 65) + `"]`), `is not a label`},
		{"http an object", inSystem(`,"http":{}`), `.systems.s.http: is not a list`},
		{"http of numbers", inSystem(`,"http":[5]`), `.systems.s.http.0.path: path must begin with a slash`},
		{"an entry's member", inEntry(`,"method":"GET"`), `.systems.s.http.0.method: is not a member; known are methods, path, operation, sensitivity, resource, labels, adds`},
		{"a pattern", inSystem(`,"http":[{"methods":["GET"],"path":"a","operation":"read"}]`), `.systems.s.http.0.path: path must begin with a slash`},
		{"a path that is a number", inSystem(`,"http":[{"methods":["GET"],"path":1,"operation":"read"}]`), `.systems.s.http.0.path: is not a string`},
		{"no methods", inSystem(`,"http":[{"path":"/a","operation":"read"}]`), `.systems.s.http.0: has no methods`},
		{"a method in lower case", inSystem(`,"http":[{"methods":["get"],"path":"/a","operation":"read"}]`), `.systems.s.http.0.methods: "get" is not a method in upper case`},
		{"methods in one", inSystem(`,"http":[{"methods":["GET,POST"],"path":"/a","operation":"read"}]`), `.systems.s.http.0.methods: "GET,POST" is not a method`},
		{"no operation", inSystem(`,"http":[{"methods":["GET"],"path":"/a"}]`), `.systems.s.http.0.operation: "" is not one of [discover read write delete execute send credential admin]`},
		{"another operation", inSystem(`,"http":[{"methods":["GET"],"path":"/a","operation":"Read"}]`), `.systems.s.http.0.operation: "Read" is not one of`},
		{"a label of nothing", inEntry(`,"labels":[""]`), `.systems.s.http.0.labels: holds something that is not a string`},
		{"adds", inEntry(`,"adds":["Tainted"]`), `.systems.s.http.0.adds: "Tainted" is not a label`},
		{"a resource of nothing", inEntry(`,"resource":"a/{id}"`), `.systems.s.http.0.resource: {id} is filled in by nothing`},
		{"a resource by argument", inEntry(`,"resource":"{arguments.id}"`), `.systems.s.http.0.resource: {arguments.id} is filled in by nothing`},
		{"a resource not closed", inEntry(`,"resource":"a/{id"`), `.systems.s.http.0.resource: a brace is not closed`},
		{"the same request twice", inSystem(`,"http":[` + http + `},` + http + `}]`), `.systems.s.http.1: GET /a: system s has an entry for the same requests`},
		{"the same by other captures", inSystem(`,"http":[{"methods":["GET"],"path":"/{a}/x","operation":"read"},{"methods":["PUT","GET"],"path":"/{b}/x","operation":"read"}]`), `.systems.s.http.1: GET /{b}/x: system s has an entry for the same requests`},
		{"the same rest", inSystem(`,"http":[{"methods":["*"],"path":"/a/**","operation":"read"},{"methods":["*"],"path":"/a/**","operation":"write"}]`), `.systems.s.http.1: * /a/**: system s has`},
		{"the same in two systems", `{"systems":{"a":{"hosts":["h"],"http":[` + http + `}]},"b":{"hosts":["g","h"],"http":[` + http + `}]}}}`, `.systems.b.http.0: GET /a: system a has an entry for the same requests`},
		{"mcp a list", inSystem(`,"mcp":[]`), `.systems.s.mcp: path must say where the MCP server is`},
		{"mcp without a path", inSystem(`,"mcp":{}`), `.systems.s.mcp: path must say where the MCP server is`},
		{"mcp with a pattern", inSystem(`,"mcp":{"path":"/{tenant}/mcp"}`), `.systems.s.mcp: path must say where the MCP server is`},
		{"mcp with a query", inSystem(`,"mcp":{"path":"/mcp?x"}`), `.systems.s.mcp: path must say where the MCP server is`},
		{"mcp's member", inServer(`,"tool":{}`), `.systems.s.mcp.tool: is not a member; known are path, tools, prompts, resources`},
		{"tools a list", inServer(`,"tools":["a"]`), `.systems.s.mcp.tools: is not an object`},
		{"a tool that is none", inServer(`,"tools":{"a":1}`), `.systems.s.mcp.tools.a.operation: "" is not one of`},
		{"a tool's member", inServer(`,"tools":{"a":{"operation":"read","methods":["GET"]}}`), `.systems.s.mcp.tools.a.methods: is not a member; known are operation, sensitivity, resource, labels, adds`},
		{"a tool's resource", inServer(`,"tools":{"a":{"operation":"read","resource":"{uri}"}}`), `.systems.s.mcp.tools.a.resource: {uri} is filled in by nothing`},
		{"a tool's argument", inServer(`,"tools":{"a":{"operation":"read","resource":"{id}"}}`), `.systems.s.mcp.tools.a.resource: {id} is filled in by nothing`},
		{"an argument of no name", inServer(`,"tools":{"a":{"operation":"read","resource":"{arguments.}"}}`), `{arguments.} is filled in by nothing`},
		{"an argument of half a name", inServer(`,"tools":{"a":{"operation":"read","resource":"{arguments.a..b}"}}`), `{arguments.a..b} is filled in by nothing`},
		{"a prompt's sensitivity", inServer(`,"prompts":{"a":{"operation":"read","sensitivity":"x"}}`), `.systems.s.mcp.prompts.a.sensitivity: "x" is not one of`},
		{"a resource's name", inServer(`,"resources":{"docs://a":{"operation":"read","resource":"{name}"}}`), `.systems.s.mcp.resources.docs://a.resource: {name} is filled in by nothing`},
		{"a folder with two spellings", inServer(`,"resources":{"Docs://a/":{"operation":"read"}}`), `.systems.s.mcp.resources.Docs://a/: the folder is not written as RFC 3986`},
		{"the same server", `{"systems":{"a":{"hosts":["h"],"mcp":{"path":"/mcp"}},"b":{"hosts":["h"],"mcp":{"path":"/mcp"}}}}`, `.systems.b.mcp: system a has the same MCP server`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := New(parse(t, test.data), nil)
			if c != nil || err == nil {
				t.Fatal("it compiles")
			}
			if !strings.Contains("\n"+err.Error(), "\ndata.remit.catalog") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v\nwant data.remit.catalog%s", err, test.want)
			}
		})
	}
	// The base of the tables above is good, so each refusal is for its own reason.
	for _, good := range []string{inSystem(""), inEntry(""), inServer(`,"tools":{},"prompts":{},"resources":{}`)} {
		if _, err := New(parse(t, good), nil); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

func TestNewHosts(t *testing.T) {
	tests := map[string]bool{
		"h": true, "api.example.com": true, "*.example.com": true, "*.com": true, "a_b-c.d": true, "10.0.0.1": true,
		"*": false, "*.": false, "**.a": false, "*.*.a": false, "a.*": false, "*a": false, "API.example.com": false, "a:80": false, "http://a": false, "a/b": false,
		"a b": false, "a.": false, ".a": false, "a..b": false, "*..a": false, "münchen.de": false, "[::1]": false, "a,b": false,
	}
	for name, good := range tests {
		_, err := New(parse(t, `{"systems":{"s":{"hosts":["`+name+`"]}}}`), nil)
		if good != (err == nil) {
			t.Errorf("%q: %v", name, err)
		}
		if err != nil && !strings.Contains(err.Error(), "data.remit.catalog.systems.s.hosts: \""+name+"\" is not a host") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestNewPatterns(t *testing.T) {
	tests := map[string]string{ // what is wrong, "" for nothing
		"/": "", "/a": "", "/a/": "", "/a/{b}/c": "", "/**": "", "/a/**": "", "/{a}/**": "", "/größe": "", "/a b": "", "/a.b:c@d": "",
		"": "begin with a slash", "a": "begin with a slash", "**": "begin with a slash",
		"/**/a": "at the end only", "/a/**/": "at the end only", "/**/**": "at the end only",
		"/{a}/{a}": "{a} is there twice", "/{}": "neither literal", "/{a": "neither literal", "/a}": "neither literal", "/a{b}": "neither literal", "/{a}b": "neither literal",
		"/*": "neither literal", "/***": "neither literal", "/a*": "neither literal", "/a?b": "neither literal", "/a#b": "neither literal", "/a%20b": "neither literal",
	}
	for pattern, about := range tests {
		_, err := New(parse(t, `{"systems":{"s":{"hosts":["h"],"http":[{"methods":["GET"],"operation":"read","path":"`+pattern+`"}]}}}`), nil)
		switch {
		case about == "" && err != nil:
			t.Errorf("%q: %v", pattern, err)
		case about != "" && (err == nil || !strings.Contains(err.Error(), "data.remit.catalog.systems.s.http.0.path: ") || !strings.Contains(err.Error(), about)):
			t.Errorf("%q: %v, want %q", pattern, err, about)
		}
	}
}

// Everything that is wrong is said at once, in an order that does not change,
// once each, and with its line.
func TestNewSaysEverything(t *testing.T) {
	data := parse(t, `{"extra":1,"systems":{
		"a":{"hosts":["h","g"],"sensitivity":"x","http":[{"methods":["get"],"path":"a","operation":"x","resource":"{"}],
			"mcp":{"tools":{"t":{"operation":"x"}},"prompts":{"p":{"operation":"x"}},"resources":{"r":{"operation":"x"}}}},
		"b":{"hosts":["H",""]}
	}}`)
	lines := map[string]int{"extra": 1, "systems.a.sensitivity": 3, "systems.a.mcp.tools.t.operation": 7}
	at := func(path ...string) (string, int) {
		if path[0] != "remit" || path[1] != "catalog" {
			t.Errorf("asked for the line of %q", path)
		}
		line, known := lines[strings.Join(path[2:], ".")]
		if !known {
			return "", 0
		}
		return "catalog/data.yaml", line
	}
	want := strings.Join([]string{
		`catalog/data.yaml:1: data.remit.catalog.extra: is not a member; known are systems`,
		`catalog/data.yaml:3: data.remit.catalog.systems.a.sensitivity: "x" is not one of [public internal confidential restricted]`,
		`data.remit.catalog.systems.a.mcp: path must say where the MCP server is, for example "/mcp"`,
		`catalog/data.yaml:7: data.remit.catalog.systems.a.mcp.tools.t.operation: "x" is not one of [discover read write delete execute send credential admin]`,
		`data.remit.catalog.systems.a.mcp.prompts.p.operation: "x" is not one of [discover read write delete execute send credential admin]`,
		`data.remit.catalog.systems.a.mcp.resources.r.operation: "x" is not one of [discover read write delete execute send credential admin]`,
		`data.remit.catalog.systems.a.http.0.path: path must begin with a slash`,
		`data.remit.catalog.systems.a.http.0.operation: "x" is not one of [discover read write delete execute send credential admin]`,
		`data.remit.catalog.systems.a.http.0.resource: a brace is not closed`,
		`data.remit.catalog.systems.a.http.0.methods: "get" is not a method in upper case`,
		`data.remit.catalog.systems.b.hosts: holds something that is not a string`,
		`data.remit.catalog.systems.b.hosts: "H" is not a host in lower case, without port, with at most one "*." in front`,
	}, "\n")
	for range 20 {
		if _, err := New(data, at); err == nil || err.Error() != want {
			t.Fatalf("%v\n\nwant\n%s", err, want)
		}
	}
}

func TestTemplate(t *testing.T) {
	any := func(string) bool { return true }
	values := map[string]string{"a": "1", "b": "2/3", "c": "%", "uri": "x://y/z"}
	part := func(name string) (string, bool) { v, ok := values[name]; return v, ok }
	tests := []struct {
		template, want string
		complete       bool
	}{
		{"", "", true}, {"plain", "plain", true}, {"{a}", "1", true}, {"x{a}y", "x1y", true}, {"{a}/{b}", "1/2%2F3", true}, {"{a} of x/y {b}", "1 of x/y 2%2F3", true},
		{"{c}", "%25", true}, {"{uri}", "x://y/z", true}, {"{d}", "?", false}, {"{a}/{d}/{a}", "1/?/1", false}, {"a}b", "a}b", true},
	}
	for _, test := range tests {
		parsed, err := parseTemplate(test.template, any)
		if err != nil {
			t.Errorf("%s: %v", test.template, err)
			continue
		}
		if id, got, complete := parsed.fill("system", part); got != test.want || id != "system:"+test.want || complete != test.complete {
			t.Errorf("%s is filled in as %q, %v", test.template, got, complete)
		}
	}
	for _, bad := range []string{"{a}{b}", "{a}:{b}", "x/{a}.{b}", "{a}/{b}-{c}", "{", "{a", "a{b"} {
		if _, err := parseTemplate(bad, any); err == nil {
			t.Errorf("%s is a template", bad)
		}
	}
}

// A catalog is not changed by who looks in it.
func TestLabelsAreNotShared(t *testing.T) {
	c := compiled(t, `{"s":{"hosts":["h"],"labels":["a","b","c"],"http":[
		{"methods":["GET"],"path":"/1","operation":"read","labels":["one"]},{"methods":["GET"],"path":"/2","operation":"read","labels":["two"]}]}}`)
	one, two := c.Find(get("h", "/1")).Target, c.Find(get("h", "/2")).Target
	if got := asText(one.Labels) + " " + asText(two.Labels); got != `["a","b","c","one"] ["a","b","c","two"]` {
		t.Error(got)
	}
}

func asText(labels []string) string { return string(value.AppendJSON(nil, value.Strs(labels))) }
