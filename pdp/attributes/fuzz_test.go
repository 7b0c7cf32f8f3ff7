package attributes

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// FuzzPath reads request targets. One that is accepted is what comes of
// decoding it and writing it again, and net/url, the web's own standard and
// fasthttp read the same in it; they may accept more.
func FuzzPath(f *testing.F) {
	for _, path := range []string{
		"/", "/v1/tickets/7?x=1&y=%20", "/a%20b/%C3%9F", "/a/../b", "/%2e%2e/b", "/a%2Fb", "//a", "/a;b", "/a\\b", "/a%40b@c", "/%FF", "/%C0%AF",
		"/a?%FF", "/a?b;c", "/a?b#c", "/a%25", "*", "http://h/a", "/a?b=%00", "/%3A:", "/...", "/a//",
		"/a?b=%2B+c&b=&=d&e", "/:80/a", "/@h/a", "/C:/a", "/C|/a", "/%7E~", "/a?b=c=d&b%5B%5D='", "/a?//h/../b", "/.a/..b/c.", "/%F0%9D%84%9E",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		q, err := reader.Read(request("GET", path))
		if err != nil {
			checkRefusal(t, err)
			return
		}
		var canonical strings.Builder
		for _, segment := range q.Segments {
			if !utf8.ValidString(segment) || segment == "." || segment == ".." || strings.ContainsAny(segment, "/\\;?#%*\x00\r\n") {
				t.Fatalf("%q has the segment %q", path, segment)
			}
			canonical.WriteString("/" + escapeSegment(segment))
		}
		raw, query, _ := strings.Cut(path, "?")
		if q.Path != raw || q.Path != canonical.String() {
			t.Fatalf("%q is read as %q; the one spelling of its segments is %q", path, q.Path, canonical.String())
		}
		u, err := url.ParseRequestURI(path)
		if err != nil || u.Path != "/"+strings.Join(q.Segments, "/") || u.EscapedPath() != q.Path || u.Host != "" {
			t.Fatalf("%q is read as %q by net/url: %v", path, u, err)
		}
		checkQuery(t, query, q.Query)
		checkOtherPaths(t, path, &q)
	})
}

// escapeSegment writes a segment in the one spelling, by the table of RFC 3986
// rather than by the code under test.
func escapeSegment(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()+,=:@", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func checkQuery(t *testing.T, query string, got value.Value) {
	want, err := url.ParseQuery(query)
	if err != nil {
		t.Fatalf("%q is accepted, and net/url refuses it: %v", query, err)
	}
	names := 0
	got.Range(func(name string, list value.Value) bool {
		names++
		if !value.Equal(list, value.Strs(want[name])) {
			t.Fatalf("%q: %q is %s, and %q to net/url", query, name, asJSON(list), want[name])
		}
		return true
	})
	if names != len(want) {
		t.Fatalf("%q: %d names, and %d to net/url", query, names, len(want))
	}
}

func checkRefusal(t *testing.T, err error) {
	var r *pdp.Refusal
	codes := []string{CodeHost, CodePath, CodeHeader, CodeBody, CodeRPC, CodeGRPC, CodeTruncated, pdp.CodeRevision}
	if !errors.As(err, &r) || r.Class != pdp.Unreadable || !slices.Contains(codes, r.Reason.Code) || r.Detail == "" {
		t.Fatalf("refused with %#v", err)
	}
}

// FuzzRead reads whole requests: every answer is the same when asked again and
// leaves the envelope alone, and equal digests mean equal requests.
func FuzzRead(f *testing.F) {
	const plain = "content-type: application/json\ncontent-length: 7\n"
	f.Add("POST", "api.example.com", "/a", "HTTP/2", plain, []byte(`{"a":1}`), int64(7), 1)
	f.Add("POST", "[::1]:80", "/mcp", "HTTP/1.1", "content-type: application/json\n", []byte(oldCall), int64(0), -1)
	f.Add("POST", "A.", "/mcp", "HTTP/1.1", "content-type: text/json\nmcp-protocol-version: 2026-07-28\nmcp-method: tools/call\nmcp-name: read\n", []byte(modernCall), int64(0), 3)
	f.Add("GET", "a", "/mcp?x=1", "", "x_y: 1\ntraceparent: a\n", []byte{}, int64(0), 2)
	f.Add("PUT", "a:1", "/a;b", "HTTP/1.0", "content-type: text/plain\ncontent-encoding: gzip\n", []byte("   {"), int64(-1), 0)
	f.Add("POST", "a", "/a", "HTTP/2", "content-type: application/x-www-form-urlencoded\n", []byte("a=1&b=%20&a=2"), int64(0), 5)
	f.Add("POST", "a", "/a", "HTTP/2", "x-envoy-auth-partial-body: true\nhost: a\n:authority: a\n", []byte("x"), int64(0), 0)
	f.Fuzz(func(t *testing.T, method, host, path, protocol, headers string, body []byte, size int64, cut int) {
		e := &pdp.Envelope{Listener: "agents", Method: method, Host: host, Path: path, Protocol: protocol, Body: string(body), BodySize: size,
			Headers: headerLines(headers), HeadersJoined: cut%2 == 0, BodyLossy: cut%5 == 0}
		before := *e
		before.Headers = slices.Clone(e.Headers)
		q, err := reader.Read(e)
		again, errAgain := reader.Read(e)
		if !reflect.DeepEqual(q, again) || !reflect.DeepEqual(err, errAgain) {
			t.Fatalf("read twice:\n%+v %v\n%+v %v", q, err, again, errAgain)
		}
		if e.Body != before.Body || !slices.Equal(e.Headers, before.Headers) {
			t.Fatal("reading changes the envelope")
		}
		checkDigest(t, e, q.Digest, cut)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		checkRead(t, e, &q)
	})
}

func headerLines(text string) (h pdp.Headers) {
	for line := range strings.Lines(text) {
		name, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		h = append(h, pdp.Header{Name: strings.ToLower(name), Value: v})
	}
	return h
}

// checkRead checks what is true of every request that was read.
func checkRead(t *testing.T, e *pdp.Envelope, q *pdp.Request) {
	if !strings.HasPrefix(strings.ToLower(e.Host), q.Host) && q.Host[0] != '[' {
		t.Fatalf("the host %q is read as %q", e.Host, q.Host)
	}
	other := *e
	other.Host, other.Path = q.Host, q.Path
	other.Headers = slices.DeleteFunc(slices.Clone(e.Headers), func(h pdp.Header) bool { return h.Name == "host" || h.Name == ":authority" })
	if again, err := reader.Read(&other); err != nil || again.Path != q.Path || again.Host != q.Host || !value.Equal(again.Body, q.Body) {
		t.Fatalf("what was read is read otherwise: %+v %v", again, err)
	}
	switch {
	case q.Body.Defined() && (q.BodyState != pdp.BodyComplete || e.BodyLossy || e.BodySize < 0):
		t.Fatalf("a body that is %s is read: %s", q.BodyState, asJSON(q.Body))
	case len(e.Body) > 0 && q.BodyState != pdp.BodyComplete:
		t.Fatalf("a body is %s", q.BodyState)
	case (q.RPC != nil) != (q.Protocol == pdp.MCP) || q.Path == "/mcp" && q.RPC == nil:
		t.Fatalf("%s at %s with the message %+v", q.Protocol, q.Path, q.RPC)
	}
}

// checkDigest moves a few bytes from one part of the request to the next: the
// digest stays the same only where nothing moves.
func checkDigest(t *testing.T, e *pdp.Envelope, is [32]byte, cut int) {
	whole := e.Method + e.Host + e.Path + e.Body
	ends := [3]int{len(e.Method), len(e.Method + e.Host), len(e.Method + e.Host + e.Path)}
	ends[uint(cut)%3] = int(uint(cut) % uint(len(whole)+1))
	slices.Sort(ends[:])
	other := pdp.Envelope{Method: whole[:ends[0]], Host: whole[ends[0]:ends[1]], Path: whole[ends[1]:ends[2]], Body: whole[ends[2]:]}
	same := other.Method == e.Method && other.Host == e.Host && other.Path == e.Path && other.Body == e.Body
	if q, _ := reader.Read(&other); (q.Digest == is) != same {
		t.Fatalf("%q and %q: the digests are equal: %v", []string{e.Method, e.Host, e.Path}, []string{other.Method, other.Host, other.Path}, q.Digest == is)
	}
}

// FuzzRPC reads messages. In one that is accepted a server that ignores the
// case of names, as encoding/json does, finds the same, and so do two servers as
// tools are made with.
func FuzzRPC(f *testing.F) {
	for _, body := range []string{oldCall, modernCall, wholeCall, oldList, response,
		`{"jsonrpc":"2.0","id":"a","method":"resources/read","params":{"uri":"docs://a"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"t"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Arguments":{"x":1}}}`,
		`{"jsonrpc":"2.0","method":"x","params":{"name":1,"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}}`,
		`{"JSONRPC":"2.0"}`, `[` + oldCall + `]`, `{"jsonrpc":"2.0","id":1,"error":{}}`,
		`{"jsonrpc":"2.0","id":1.0,"method":"prompts/get","params":{"name":"a","arguments":{"x":"\u00e9"}}}`, `{"jsonrpc":"2.0","id":1,"method":"ping"}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":1.5,"y":[null,{}]},"_meta":{"progressToken":"t"},"task":{"ttl":1}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"a"},"argument":{"name":"n","value":"v"}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"debug"}}`, `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"c"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"docs://a"}}`, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,"reason":"r"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"sampling":{}},"clientInfo":{"name":"a","version":"1"}}}`,
	} {
		f.Add([]byte(body), "", "", "")
		f.Add([]byte(body), "2025-11-25", "", "")
		f.Add([]byte(body), "2026-07-28", "tools/call", "=?base64?cmVhZA==?=")
	}
	servers := newMCPServers(f)
	f.Fuzz(func(t *testing.T, body []byte, version, routedMethod, routedName string) {
		e := message(string(body))
		for name, v := range map[string]string{"mcp-protocol-version": version, "mcp-method": routedMethod, "mcp-name": routedName} {
			if v != "" {
				header(name, v)(e)
			}
		}
		q, err := reader.Read(e)
		e.Path = "/elsewhere"
		undeclared, errUndeclared := reader.Read(e)
		if err != nil {
			checkRefusal(t, err)
			if errUndeclared == nil && undeclared.Protocol == pdp.MCP {
				t.Fatalf("%s is a message on a path that does not speak MCP alone", body)
			}
			return
		}
		if errUndeclared != nil || !reflect.DeepEqual(undeclared.RPC, q.RPC) {
			t.Fatalf("%s is another message on another path: %+v %v", body, undeclared.RPC, errUndeclared)
		}
		checkMessage(t, body, q.RPC)
		if !q.RPC.Response {
			servers.check(t, body, q.RPC)
		}
		decoded, ok := decodeHeader(routedName)
		if routedMethod != "" && routedMethod != q.RPC.Method || routedName != "" && (!ok || decoded != q.RPC.Name) {
			t.Fatalf("%s is routed as %q %q", body, routedMethod, routedName)
		}
	})
}

func checkMessage(t *testing.T, body []byte, rpc *pdp.RPC) {
	var loose struct {
		JSONRPC               string
		ID                    json.RawMessage
		Method                string
		Result, Error, Params json.RawMessage
	}
	if err := json.Unmarshal(body, &loose); err != nil || loose.JSONRPC != "2.0" || loose.Method != rpc.Method {
		t.Fatalf("%s is read by encoding/json as %+v: %v", body, loose, err)
	}
	if rpc.Response != (loose.Result != nil || loose.Error != nil) || !rpc.Response && (rpc.ID == "") != (loose.ID == nil) {
		t.Fatalf("%s is read by encoding/json as %+v, and here as %+v", body, loose, rpc)
	}
	if loose.Params == nil {
		return
	}
	var params struct{ Name, URI, TaskID, Arguments json.RawMessage }
	if err := json.Unmarshal(loose.Params, &params); err != nil {
		t.Fatalf("%s: params: %v", body, err)
	}
	for name, raw := range map[string]json.RawMessage{"name": params.Name, "uri": params.URI, "taskId": params.TaskID, "arguments": params.Arguments} {
		read := rpc.Params.Get(name)
		if read.Defined() != (raw != nil) {
			t.Fatalf("%s: encoding/json reads %s as %s", body, name, raw)
		}
		if other, err := value.ParseJSON(raw); raw != nil && (err != nil || !value.Equal(read, other)) {
			t.Fatalf("%s: encoding/json reads %s as %s", body, name, raw)
		}
	}
}
