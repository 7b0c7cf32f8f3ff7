package attributes

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// reader is the reader of these tests: MCP is at /mcp of the listener "agents".
var reader = New(Settings{MCPPaths: map[string][]string{"agents": {"/mcp"}}})

// A change makes an envelope what a test is about.
type change func(*pdp.Envelope)

// header adds header lines: name, value, name, value, …
func header(pairs ...string) change {
	return func(e *pdp.Envelope) {
		for i := 0; i < len(pairs); i += 2 {
			e.Headers = append(e.Headers, pdp.Header{Name: pairs[i], Value: pairs[i+1]})
		}
	}
}

func joined(e *pdp.Envelope) { e.HeadersJoined = true }

func method(m string) change { return func(e *pdp.Envelope) { e.Method = m } }

func target(path string) change { return func(e *pdp.Envelope) { e.Path = path } }

// request returns a plain request without a body, of which nothing is wrong.
func request(method, path string, changes ...change) *pdp.Envelope {
	e := &pdp.Envelope{Listener: "agents", Method: method, Host: "api.example.com", Path: path, Protocol: "HTTP/1.1"}
	for _, c := range changes {
		c(e)
	}
	return e
}

// posted returns a request with a body.
func posted(path, contentType, body string, changes ...change) *pdp.Envelope {
	e := request("POST", path, header("content-type", contentType))
	e.Body = body
	for _, c := range changes {
		c(e)
	}
	return e
}

func mustRead(t *testing.T, e *pdp.Envelope) pdp.Request {
	t.Helper()
	q, err := reader.Read(e)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return q
}

// mustRefuse checks that e is refused with a code, for a reason whose detail
// has about in it, and returns as much of the request as was read.
func mustRefuse(t *testing.T, e *pdp.Envelope, code, about string) pdp.Request {
	t.Helper()
	q, err := reader.Read(e)
	var r *pdp.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("not refused: error %v, request %+v", err, q)
	}
	if r.Class != pdp.Unreadable || r.Reason.Code != code || !strings.Contains(r.Detail, about) {
		t.Fatalf("refused as %s %s %q, want %s about %q", r.Class, r.Reason.Code, r.Detail, code, about)
	}
	return q
}

func asJSON(v value.Value) string { return string(value.AppendJSON(nil, v)) }

func TestReadPlainRequest(t *testing.T) {
	e := request("GET", "/v1/tickets/7%20a?x=1&y=2&x=3", header("x-request-id", "r-1", "accept", "a", "accept", "b"))
	e.Host = "API.Example.com:8443"
	q := mustRead(t, e)
	want := pdp.Request{
		Protocol: pdp.HTTP, Binding: pdp.BindingHTTP, Method: "GET", Host: "api.example.com", Path: "/v1/tickets/7%20a",
		Segments: []string{"v1", "tickets", "7 a"}, BodyState: pdp.BodyNone, ID: "r-1", Digest: q.Digest,
		Query: q.Query, Headers: q.Headers,
	}
	if !reflect.DeepEqual(q, want) {
		t.Errorf("read %+v\nwant %+v", q, want)
	}
	if got := asJSON(q.Query); got != `{"x":["1","3"],"y":["2"]}` {
		t.Errorf("query %s", got)
	}
	if got := asJSON(q.Headers); got != `{"accept":"a,b","x-request-id":"r-1"}` {
		t.Errorf("headers %s", got)
	}
}

func TestMethod(t *testing.T) {
	for _, m := range []string{"GET", "POST", "PATCH", "QUERY", "M-SEARCH", "X_Y"} {
		if q := mustRead(t, request(m, "/a", header("content-length", "0"))); q.Method != m {
			t.Errorf("%s is read as %s", m, q.Method)
		}
	}
	refused := map[string]string{"": "no method", "get": "upper-case", "Post": "upper-case", "GE T": "upper-case",
		"GET\n": "upper-case", "GÉT": "upper-case", "CONNECT": "tunnel"}
	for m, about := range refused {
		mustRefuse(t, request(m, "/a"), CodeHeader, about)
	}
}

func TestHost(t *testing.T) {
	tests := map[string]string{
		"api.example.com": "api.example.com", "API.Example.COM": "api.example.com", "api.example.com:443": "api.example.com",
		"api.example.com.": "api.example.com", "api.example.com.:80": "api.example.com", "a_b-c": "a_b-c", "10.0.0.1": "10.0.0.1",
		"[::1]": "[::1]", "[::1]:8080": "[::1]", "[0:0::0:1]": "[::1]", "[2001:DB8::A]": "[2001:db8::a]",
		"[::ffff:10.0.0.1]": "[::ffff:10.0.0.1]",
		"":                  "", ".": "", "..": "", "api.example.com..": "", ".example.com": "", "a..b": "", ":80": "", "a:": "", "a:b": "", "a:8a": "",
		"a b": "", "a/b": "", "a@b": "", "user@api.example.com": "", "a%2eb": "", "münchen.de": "", "a\x00": "", "a,b": "", "a:1:2": "",
		"::1": "", "[]": "", "[": "", "]": "", "[::1": "", "::1]": "", "[1:2:3:4:5:6:7:8:9": "", "[::1]]": "", "[[::1]]": "", "[::1].": "", "[::1%25eth0]": "",
		"[::1%eth0]": "", "[10.0.0.1]": "", "a[::1]": "", "[a]": "",
		strings.Repeat("a.", 126) + "b": strings.Repeat("a.", 126) + "b", strings.Repeat("a.", 126) + "bc": "",
	}
	for host, want := range tests {
		e := request("GET", "/a")
		e.Host = host
		if want == "" {
			q := mustRefuse(t, e, CodeHost, "no host has")
			if q.Host != "" {
				t.Errorf("%q: the refused host is read as %q", host, q.Host)
			}
			continue
		}
		if q := mustRead(t, e); q.Host != want {
			t.Errorf("%q is read as %q, want %q", host, q.Host, want)
		}
	}
}

func TestHostSaidTwice(t *testing.T) {
	mustRead(t, request("GET", "/a", header("host", "API.example.com", ":authority", "api.example.com")))
	mustRefuse(t, request("GET", "/a", header("host", "other.example.com")), CodeHost, "host and :authority")
	mustRefuse(t, request("GET", "/a", header(":authority", "other.example.com")), CodeHost, "of the check")
	mustRefuse(t, request("GET", "/a", header("host", "api.example.com", "host", "other.example.com")), CodeHeader, "host is there more than once")
}

func TestHeaders(t *testing.T) {
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	tests := []struct {
		name   string
		change change
		joined bool
		about  string // "" where it is read
	}{
		{"an ordinary header twice", header("accept", "a", "accept", "b"), false, ""},
		{"an ordinary header joined", header("accept", "a,b"), true, ""},
		{"an ordinary header with an underscore", header("x_y", "1"), false, ""},
		{"a comma that is the value's own", header("x-request-id", "a,b"), false, ""},
		{"a credential with a comma, joined", header("authorization", `Digest a="1",b="2"`), true, ""},
		{"the same trace twice", header("traceparent", trace, "traceparent", trace), false, ""},
		{"another trace", header("traceparent", trace, "traceparent", trace[:54]+"0"), false, "traceparent"},
		{"a third trace that differs", header("traceparent", trace, "traceparent", trace, "traceparent", "x"), false, "traceparent"},
		{"an upgrade", header("upgrade", "websocket"), false, "upgrade"},
		{"an upgrade to nothing", header("upgrade", ""), false, "upgrade"},
		{"another method", header("x-http-method-override", "DELETE"), false, "another method"},
		{"another method, underscores", header("x_http_method_override", "DELETE"), false, "another method"},
		{"another method, short", header("x-http-method", "DELETE"), false, "another method"},
		{"another method, shorter", header("x-method-override", "DELETE"), false, "another method"},
		{"another path", header("x-original-url", "/admin"), false, "another method or path"},
		{"another path still", header("x-rewrite-url", "/admin"), false, "another method or path"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := request("GET", "/a", test.change)
			e.HeadersJoined = test.joined
			if test.about == "" {
				mustRead(t, e)
				return
			}
			mustRefuse(t, e, CodeHeader, test.about)
		})
	}
}

// What decides something is there once: as two lines, joined into one, and
// under the name that CGI makes of it.
func TestHeadersThatDecide(t *testing.T) {
	names := []string{"authorization", "content-encoding", "content-length", "content-type", "host", "mcp-method", "mcp-name",
		"mcp-protocol-version", "mcp-session-id", "x-request-id", "x-envoy-auth-partial-body"}
	for _, name := range names {
		mustRefuse(t, request("GET", "/a", header(name, "api.example.com", name, "api.example.com")), CodeHeader, name+" is there more than once")
		if dashed := strings.ReplaceAll(name, "-", "_"); dashed != name {
			mustRefuse(t, request("GET", "/a", header(dashed, "x")), CodeHeader, "underscore where servers read a dash: "+name)
		}
		switch name {
		case "authorization", "content-type", "mcp-name": // a comma can be theirs; what reads them compares the whole value
		case "host":
			mustRefuse(t, request("GET", "/a", joined, header(name, "a,b")), CodeHost, "differ")
		default:
			mustRefuse(t, request("GET", "/a", joined, header(name, "a,b")), CodeHeader, name+" may have been there more than once")
		}
	}
	mustRefuse(t, posted("/a", "application/json,text/plain", "{}", joined), CodeBody, "content-type cannot be read")
}

// What the request holds must not get into the record by way of a detail.
func TestDetailHoldsNoValue(t *testing.T) {
	const secret = "s3cr3t"
	for _, e := range []*pdp.Envelope{
		request("s3cr3t", "/a"),
		request("GET", "/s3cr3t;a"),
		request("GET", "/a?s3cr3t=%zz"),
		request("GET", "/a", header("host", secret)),
		request("GET", "/a", header("x-request-id", secret, "x-request-id", secret)),
		posted("/a", "application/json", `{"s3cr3t":1,"s3cr3t":2}`),
		posted("/a", "application/json", `{"s3cr3t":1,"S3cr3t":2}`),
		posted("/a", "application/json", `s3cr3t`),
		posted("/a", "text/plain; charset=s3cr3t", `a`),
		posted("/a", "application/x-www-form-urlencoded", `s3cr3t=%zz`),
		posted("/mcp", "application/json", `{"jsonrpc":"2.0","method":"tools/call","params":{"s3cr3t":1}}`),
		posted("/mcp", "application/json", `{"jsonrpc":"2.0","method":"ping","s3cr3t":1}`),
		posted("/mcp", "application/json", `{"jsonrpc":"2.0","method":"ping"}`, header("mcp-method", secret)),
	} {
		_, err := reader.Read(e)
		if err == nil {
			t.Errorf("%s %s %s is not refused", e.Method, e.Path, e.Body)
		} else if strings.Contains(strings.ToLower(err.Error()), secret) {
			t.Errorf("the detail holds a value: %v", err)
		}
	}
}

func TestDigest(t *testing.T) {
	base := func() *pdp.Envelope {
		return posted("/v1/a?b=c", "application/json", `{"a":1}`)
	}
	q := mustRead(t, base())
	// The form is a contract with the tools that make it themselves.
	const want = "a3e1bbaba37151945b3f26eaf75d2c41e4ab117613047d905748c1505f411e13"
	if got := hex.EncodeToString(q.Digest[:]); got != want {
		t.Errorf("the digest is %s, want %s", got, want)
	}
	changes := map[string]change{
		"method":        method("PUT"),
		"host":          func(e *pdp.Envelope) { e.Host = "api2.example.com" },
		"port":          func(e *pdp.Envelope) { e.Host += ":8443" },
		"path":          target("/v1/b?b=c"),
		"query":         target("/v1/a?b=d"),
		"query removed": target("/v1/a"),
		"body":          func(e *pdp.Envelope) { e.Body = `{"a":2}` },
		"body's space":  func(e *pdp.Envelope) { e.Body = `{"a": 1}` },
		"body removed":  func(e *pdp.Envelope) { e.Body = "" },
	}
	for name, c := range changes {
		e := base()
		c(e)
		if changed := mustRead(t, e); changed.Digest == q.Digest {
			t.Errorf("another %s has the same digest", name)
		}
	}
	// No part can take over the end of the one before.
	split := request("GET", "/aexample", func(e *pdp.Envelope) { e.Host = "h" })
	other := request("GET", "/a", func(e *pdp.Envelope) { e.Host, e.Body = "h", "example" })
	if a, b := mustRead(t, split), mustRead(t, other); a.Digest == b.Digest {
		t.Error("two requests of other parts have the same digest")
	}
	e := base()
	header("x-request-id", "r-2", "accept", "b")(e)
	e.Metadata, e.HTTPID = value.Obj(value.M("a", value.Int(1))), "7"
	if again := mustRead(t, e); again.Digest != q.Digest {
		t.Error("what the tool does not act on changes the digest")
	}
	e.Path = "/v1/a;?b=c"
	if refused := mustRefuse(t, e, CodePath, ""); refused.Digest == q.Digest || refused.Digest == [32]byte{} {
		t.Error("a refused request has no digest of its own")
	}
}

// What is refused comes back as far as it was certain.
func TestRefusedRequest(t *testing.T) {
	q := mustRefuse(t, request("GET", "/a/../b", header("x-request-id", "r")), CodePath, "dot segment")
	if q.Host != "api.example.com" || q.Path != "" || q.Segments != nil || q.BodyState != pdp.BodyUnreadable || q.ID != "r" || q.Method != "GET" {
		t.Errorf("bad path: %+v", q)
	}
	q = mustRefuse(t, posted("/a", "application/json", "{"), CodeBody, "")
	if q.Path != "/a" || q.Body.Defined() || q.BodyState != pdp.BodyUnreadable || q.Protocol != pdp.HTTP {
		t.Errorf("bad body: %+v", q)
	}
	if q = mustRefuse(t, posted("/mcp", "application/json", "{"), CodeBody, ""); q.Protocol != pdp.MCP {
		t.Errorf("bad body on a path that speaks MCP: %+v", q)
	}
	q = mustRefuse(t, posted("/mcp", "application/json", `{"jsonrpc":"2.0"}`), CodeRPC, "")
	if q.RPC != nil || q.Protocol != pdp.MCP || q.BodyState != pdp.BodyComplete {
		t.Errorf("bad message: %+v", q)
	}
	mustRefuse(t, &pdp.Envelope{}, CodeHeader, "no method")
}
