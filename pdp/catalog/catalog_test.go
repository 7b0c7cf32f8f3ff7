package catalog

import (
	"slices"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

func parse(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return v
}

// compiled returns the catalog of these systems.
func compiled(t testing.TB, systems string) *Catalog {
	t.Helper()
	c, err := New(parse(t, `{"systems":`+systems+`}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// get returns an HTTP request as package attributes reads it; its path has no
// escapes.
func get(host, path string) *pdp.Request {
	return &pdp.Request{Protocol: pdp.HTTP, Method: "GET", Host: host, Path: path, Segments: strings.Split(path[1:], "/"), Digest: [32]byte{1}}
}

func with(method string, q *pdp.Request) *pdp.Request {
	q.Method = method
	return q
}

// names says what was found in a few words: "system:resource operation
// sensitivity", with a question mark in front where it is not known.
func names(a pdp.Action) string {
	s := a.Target.ID + " " + string(a.Operation) + " " + string(a.Target.Sensitivity)
	if !a.Target.Known {
		s = "? " + s
	}
	return s
}

func TestFindHTTP(t *testing.T) {
	c := compiled(t, `{"crm":{"hosts":["crm.example.com"],"sensitivity":"internal","http":[
		{"methods":["GET"],"path":"/","operation":"discover","resource":"root"},
		{"methods":["GET","HEAD"],"path":"/v1/customers","operation":"discover"},
		{"methods":["GET"],"path":"/v1/customers/{id}","operation":"read","sensitivity":"confidential","resource":"customer/{id}"},
		{"methods":["*"],"path":"/v1/customers/{id}","operation":"write","resource":"customer/{id}"},
		{"methods":["GET"],"path":"/v1/customers/me","operation":"read","resource":"self"},
		{"methods":["GET"],"path":"/v1/customers/{customer}/orders/{order}","operation":"read","resource":"order/{order}/of/{customer}"},
		{"methods":["GET"],"path":"/v1/customers/{id}/**","operation":"read","resource":"parts of {id}"},
		{"methods":["DELETE"],"path":"/v1/**","operation":"delete","resource":"anything"},
		{"methods":["GET"],"path":"/files/","operation":"read","resource":"folder"},
		{"methods":["GET"],"path":"/files/**","operation":"read"},
		{"methods":["GET"],"path":"/größe/a b","operation":"read"}
	]}}`)
	tests := []struct{ method, path, want string }{
		{"GET", "/", "crm:root discover internal"},
		{"GET", "/v1/customers", "crm:v1/customers discover internal"},
		{"HEAD", "/v1/customers", "crm:v1/customers discover internal"},
		{"POST", "/v1/customers", "? crm.example.com:/v1/customers admin restricted"},
		{"GET", "/v1/customers/", "? crm.example.com:/v1/customers/ admin restricted"},
		{"GET", "/v1/customers/7", "crm:customer/7 read confidential"},
		{"PUT", "/v1/customers/7", "crm:customer/7 write internal"},
		{"DELETE", "/v1/customers/7", "crm:customer/7 write internal"}, // the path decides before the method
		{"GET", "/v1/customers/me", "crm:self read internal"},
		{"PUT", "/v1/customers/me", "crm:customer/me write internal"},
		{"GET", "/v1/customers/7/orders/9", "crm:order/9/of/7 read internal"},
		{"GET", "/v1/customers/7/orders", "crm:parts of 7 read internal"},
		{"GET", "/v1/customers/me/orders", "crm:parts of me read internal"},
		{"GET", "/v1/customers/7/", "crm:parts of 7 read internal"},
		{"GET", "/v1/customers/7/a/b/c/d", "crm:parts of 7 read internal"},
		{"DELETE", "/v1/customers/7/orders/9", "crm:anything delete internal"},
		{"DELETE", "/v1/x", "crm:anything delete internal"},
		{"DELETE", "/v1", "? crm.example.com:/v1 admin restricted"},
		{"PATCH", "/v1/x", "? crm.example.com:/v1/x admin restricted"},
		{"GET", "/v2", "? crm.example.com:/v2 admin restricted"},
		{"GET", "/V1/customers", "? crm.example.com:/V1/customers admin restricted"},
		{"GET", "/files", "? crm.example.com:/files admin restricted"},
		{"GET", "/files/", "crm:folder read internal"},
		{"GET", "/files/a/b", "crm:files read internal"},
		{"GET", "/größe/a b", "crm:größe/a b read internal"},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			a := c.Find(with(test.method, get("crm.example.com", test.path)))
			if names(a) != test.want {
				t.Errorf("found %s, want %s", names(a), test.want)
			}
			if a.Digest != [32]byte{1} || a.Tool != "" || a.Arguments.Defined() {
				t.Errorf("the action is %+v", a)
			}
		})
	}
}

func TestFindHost(t *testing.T) {
	entry := `,"http":[{"methods":["GET"],"path":"/a","operation":"read"}]`
	c := compiled(t, `{
		"exact":{"hosts":["api.example.com","api2.example.com"]`+entry+`},
		"wild":{"hosts":["*.example.com"]`+entry+`},
		"near":{"hosts":["*.eu.example.com"]`+entry+`},
		"top":{"hosts":["*.test"]`+entry+`},
		"empty":{"hosts":["empty.example.com"]},
		"address":{"hosts":["10.0.0.1"]`+entry+`}
	}`)
	tests := map[string]string{
		"api.example.com": "exact:a", "api2.example.com": "exact:a", "www.example.com": "wild:a", "a.b.example.com": "wild:a",
		"a.eu.example.com": "near:a", "a.b.eu.example.com": "near:a", "eu.example.com": "wild:a", "a.api.example.com": "wild:a",
		"x.test": "top:a", "10.0.0.1": "address:a",
		"example.com": "", "test": "", "empty.example.com": "", "other.com": "", "badexample.com": "", "": "", "[::1]": "", "example.com.test.": "",
	}
	for name, want := range tests {
		a := c.Find(get(name, "/a"))
		if want == "" {
			if a.Target.Known || a.Target.System != name || a.Target.Sensitivity != pdp.Restricted || a.Operation != pdp.Admin || a.Target.ID != name+":/a" {
				t.Errorf("%q: found %s", name, names(a))
			}
			continue
		}
		if a.Target.ID != want || !a.Target.Known {
			t.Errorf("%q: found %s, want %s", name, names(a), want)
		}
	}
}

// Systems may share a host, but not a request.
func TestFindSharedHost(t *testing.T) {
	c := compiled(t, `{
		"a":{"hosts":["h"],"http":[{"methods":["GET"],"path":"/{x}","operation":"read","resource":"x/{x}"}]},
		"b":{"hosts":["h"],"http":[{"methods":["POST"],"path":"/{y}","operation":"write","resource":"y/{y}"}],"mcp":{"path":"/mcp"}}
	}`)
	if got := names(c.Find(get("h", "/1"))); got != "a:x/1 read restricted" {
		t.Error(got)
	}
	if got := names(c.Find(with("POST", get("h", "/1")))); got != "b:y/1 write restricted" {
		t.Error(got)
	}
}

func TestFindTarget(t *testing.T) {
	c := compiled(t, `{"crm":{"hosts":["h"],"environment":"prod","owner":"team-crm","sensitivity":"internal","labels":["customers"],"http":[
		{"methods":["GET"],"path":"/a/{id}","operation":"read","sensitivity":"public","labels":["pii"],"adds":["untrusted-content"],"resource":"a/{id}"},
		{"methods":["GET"],"path":"/b","operation":"credential"}
	]},"bare":{"hosts":["bare"],"http":[{"methods":["GET"],"path":"/a","operation":"send"}]}}`)
	a := c.Find(get("h", "/a/7"))
	want := pdp.Target{ID: "crm:a/7", System: "crm", Resource: "a/7", Environment: "prod", Owner: "team-crm", Sensitivity: pdp.Public, Known: true}
	checkTarget(t, a.Target, want, "customers pii", "untrusted-content")
	b := c.Find(get("h", "/b"))
	want = pdp.Target{ID: "crm:b", System: "crm", Resource: "b", Environment: "prod", Owner: "team-crm", Sensitivity: pdp.Internal, Known: true}
	checkTarget(t, b.Target, want, "customers", "")
	if a.Operation != pdp.Read || b.Operation != pdp.Credential {
		t.Errorf("operations %s and %s", a.Operation, b.Operation)
	}
	// What a system does not say about itself counts as the worst.
	bare := c.Find(get("bare", "/a"))
	checkTarget(t, bare.Target, pdp.Target{ID: "bare:a", System: "bare", Resource: "a", Sensitivity: pdp.Restricted, Known: true}, "", "")
	checkTarget(t, c.Find(get("h", "/c")).Target, pdp.Target{ID: "h:/c", System: "h", Resource: "/c", Sensitivity: pdp.Restricted}, "", "")
}

// checkTarget compares targets; labels and adds are separated by spaces.
func checkTarget(t *testing.T, got, want pdp.Target, labels, adds string) {
	t.Helper()
	if !slices.Equal(got.Labels, strings.Fields(labels)) || !slices.Equal(got.Adds, strings.Fields(adds)) {
		t.Errorf("labels %q and adds %q, want %q and %q", got.Labels, got.Adds, labels, adds)
	}
	if got.ID != want.ID || got.System != want.System || got.Resource != want.Resource || got.Environment != want.Environment ||
		got.Owner != want.Owner || got.Sensitivity != want.Sensitivity || got.Known != want.Known {
		t.Errorf("found %+v\nwant  %+v", got, want)
	}
}

// The empty catalog knows nothing and asks for everything.
func TestFindInNothing(t *testing.T) {
	for _, text := range []string{"", `{}`, `{"systems":{}}`} {
		data := value.Nothing
		if text != "" {
			data = parse(t, text)
		}
		c, err := New(data, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range []*pdp.Request{get("h", "/a"), {}, {Protocol: pdp.MCP, Host: "h", RPC: &pdp.RPC{}}, {Protocol: pdp.MCP, Host: "h"}} {
			if a := c.Find(q); a.Target.Known || a.Target.Sensitivity != pdp.Restricted || a.Operation != pdp.Admin {
				t.Errorf("%q: found %s", text, names(a))
			}
		}
	}
}

// No name of a target grows with the request, or brings its control
// characters with it.
func TestNamesAreBounded(t *testing.T) {
	c := compiled(t, `{"s":{"hosts":["h"],"http":[{"methods":["GET"],"path":"/k/{id}","operation":"read"}]}}`)
	long := strings.Repeat("ü", 4000)
	seen := make(map[string]bool)
	for _, path := range []string{"/k/" + long, "/k/" + long + "a", "/u/" + long, "/u/" + long + "a", "/k/x" + long} {
		a := c.Find(get("h", path))
		if len(a.Target.Resource) > 512 || len(a.Target.ID) > 515 || seen[a.Target.ID] || strings.ToValidUTF8(a.Target.ID, "") != a.Target.ID {
			t.Errorf("a path of %d bytes is named %q", len(path), a.Target.ID)
		}
		seen[a.Target.ID] = true
	}
	if a := c.Find(get("h", "/k/a\nb\x7f\x00")); a.Target.Resource != "k/a\ufffdb\ufffd\ufffd" {
		t.Errorf("control characters: %q", a.Target.Resource)
	}
	if a := c.Find(get("h", "/k/"+strings.Repeat("a", 510))); a.Target.Resource != "k/"+strings.Repeat("a", 510) {
		t.Errorf("a name at the bound is cut: %q", a.Target.Resource)
	}
}
