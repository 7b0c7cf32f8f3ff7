package catalog

import (
	"fmt"
	"net/url"
	"path"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// FuzzNew compiles any data: it is refused with places, or it answers.
func FuzzNew(f *testing.F) {
	f.Add([]byte(`{"systems":` + servers + `}`))
	f.Add([]byte(`{"systems":{"s":{"hosts":["*.h"],"http":[{"methods":["GET","*"],"path":"/{a}/**","operation":"read","resource":"x/{a}"}]}}}`))
	f.Add([]byte(`{"systems":{"":{"hosts":["h","h"],"http":[{"methods":["GET"],"path":"/","operation":"read"}],"mcp":{"path":"/","tools":{"*":null}}}}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, text []byte) {
		data, err := value.ParseJSON(text)
		if err != nil {
			return
		}
		asked := 0
		c, err := New(data, func(path ...string) (string, int) {
			asked++
			return "f", len(path)
		})
		if (c == nil) != (err != nil) {
			t.Fatalf("%v and %v", c, err)
		}
		if err != nil {
			if asked == 0 || !strings.HasPrefix(err.Error(), "f:") || !strings.Contains(err.Error(), ": data.remit.catalog") {
				t.Fatalf("a mistake has no place: %v", err)
			}
			return
		}
		data.Get("systems").Range(func(name string, s value.Value) bool {
			for _, h := range s.Get("hosts").Items() {
				find(t, c, get(h.Text(), "/a/b"))
				find(t, c, call(t, h.Text(), "tools/call", "a", `{"a":{"b":1}}`))
				find(t, c, call(t, h.Text(), "resources/read", "a://b/c/d", ""))
			}
			return true
		})
	})
}

// find finds q and checks what is true of every answer.
func find(t *testing.T, c *Catalog, q *pdp.Request) pdp.Action {
	a := c.Find(q)
	if again := c.Find(q); !reflect.DeepEqual(a, again) {
		t.Fatalf("found %+v, and then %+v", a, again)
	}
	known := &a.Target
	switch {
	case !known.Known && known.Sensitivity != pdp.Restricted:
		t.Fatalf("an unknown target is %s", known.Sensitivity)
	case pdp.Operations[a.Operation.Index()] != a.Operation || pdp.Sensitivities[known.Sensitivity.Level()] != known.Sensitivity:
		t.Fatalf("%q on what is %q", a.Operation, known.Sensitivity)
	case known.ID != known.System+":"+known.Resource || len(known.Resource) > maxResource:
		t.Fatalf("the target's names: %q %q %q", known.ID, known.System, known.Resource)
	case a.Digest != q.Digest:
		t.Fatal("the digest is another one")
	}
	return a
}

// FuzzFind looks anything up. What has an entry's word for it lies where the
// entry is, however the request is spelled.
func FuzzFind(f *testing.F) {
	f.Add("GET", "crm.example.com", "/v1/customers/7", "", "", "")
	f.Add("DELETE", "a.b.example.com", "/", "", "", "")
	f.Add("POST", "tools.example.com", "/mcp", "tools/call", "issue", `{"repo":{"owner":"a/b","name":"c"}}`)
	f.Add("POST", "tools.example.com", "/mcp", "resources/read", "docs://manual/a/b", "")
	f.Add("POST", "tools.example.com", "/mcp", "resources/read", "docs://manual/../secret/a", "")
	f.Add("POST", "tools.example.com", "/mcp", "resources/read", "docs://manual/%2E%2E/%73ecret/a", "")
	f.Add("POST", "tools.example.com", "/mcp", "tasks/get", "t", "")
	f.Add("POST", "tools.example.com", "/mcp", strings.Repeat("long/", 1000), "", "")
	http := `,"crm":{"hosts":["crm.example.com","*.example.com"],"http":[
		{"methods":["GET"],"path":"/v1/customers/{id}","operation":"read","sensitivity":"public","resource":"customer/{id}"},
		{"methods":["*"],"path":"/v1/**","operation":"write"}]}}`
	c := compiled(f, strings.TrimSuffix(strings.TrimSpace(servers), "}")+http)
	f.Fuzz(func(t *testing.T, method, host, at, rpcMethod, name, arguments string) {
		if at == "" || at[0] != '/' {
			return
		}
		q := with(method, get(host, at))
		a := find(t, c, q)
		if a.Target.Known && a.Target.Sensitivity == pdp.Public && (len(q.Segments) != 3 || method != "GET" || !strings.HasPrefix(at, "/v1/customers/")) {
			t.Fatalf("%s %s is %s", method, at, names(a))
		}
		args, err := value.ParseJSON([]byte(arguments))
		if err != nil {
			args = value.Nothing
		}
		q.Protocol, q.RPC = pdp.MCP, &pdp.RPC{Method: rpcMethod, Name: name, Arguments: args, Known: len(name)%2 == 0}
		a = find(t, c, q)
		if rpcMethod == "resources/read" && a.Target.Known && a.Target.Sensitivity == pdp.Public && host == "tools.example.com" && at == "/mcp" {
			if err := inManual(name); err != nil {
				t.Fatalf("%q is public: %v", name, err)
			}
		}
	})
}

// inManual checks with other code than the catalog's that a URI is in the
// public folder, for servers that normalise and for those that do not.
func inManual(uri string) error {
	u, err := url.Parse(uri)
	if err != nil {
		return err
	}
	for _, p := range []string{u.Path, u.EscapedPath(), strings.ToLower(u.Path), strings.ReplaceAll(u.Path, `\`, "/"), u.Path + u.RawQuery} {
		clean := path.Clean(p)
		if u.Scheme != "docs" || u.Host != "manual" || !utf8.ValidString(uri) || strings.TrimSuffix(p, "/") != strings.TrimSuffix(clean, "/") || strings.HasPrefix(clean, "/../") {
			return fmt.Errorf("it is %s of %s", clean, u.Host)
		}
		if strings.HasPrefix(u.Path, "/secret/") {
			return fmt.Errorf("it is secret")
		}
	}
	return nil
}

// FuzzTemplate fills templates in: other parts never make the same name.
func FuzzTemplate(f *testing.F) {
	f.Add("a", "b/c", "a/b", "c")
	f.Add("a%2Fb", "c", "a/b", "c")
	f.Add("", "x", "?", "x")
	template, err := parseTemplate("of {a}/x:{b}!", func(string) bool { return true })
	if err != nil {
		f.Fatal(err)
	}
	fill := func(a, b string) string {
		_, name, _ := template.fill("system", func(name string) (string, bool) {
			if name == "a" {
				return a, true
			}
			return b, true
		})
		return name
	}
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		for _, s := range []string{a, b, c, d} {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				return // of these a name shows no more than that they are there
			}
		}
		if (fill(a, b) == fill(c, d)) != (a == c && b == d) {
			t.Fatalf("%q %q and %q %q are both %q", a, b, c, d, fill(a, b))
		}
	})
}
