package attributes

import (
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp"
)

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
)

func TestBodyRead(t *testing.T) {
	tests := []struct{ contentType, body, want string }{
		{jsonType, `{"b":[1,2.5,null],"a":{"A":"ß"}}`, `{"a":{"A":"ß"},"b":[1,2.5,null]}`},
		{jsonType, " [1]\n", `[1]`},
		{jsonType, `"text"`, `"text"`},
		{"application/json; charset=utf-8", `{}`, `{}`},
		{`Application/JSON;CHARSET="UTF-8"`, `{}`, `{}`},
		{"application/merge-patch+json", `{"a":null}`, `{"a":null}`},
		{"text/json", `{"a":1}`, `{"a":1}`},
		{"application/json-rpc", `{"a":1}`, `{"a":1}`},
		{"application/jsonrequest", `{"a":1}`, `{"a":1}`},
		{formType, "a=1&b=x+y&a=2", `{"a":["1","2"],"b":["x y"]}`},
		{formType + "; charset=utf-8", "a=%C3%9F", `{"a":["ß"]}`},
		{formType, "a=ß", `{"a":["ß"]}`},
		{"text/plain", "hello {", ""},
		{"application/octet-stream", "\x00\xff{", ""},
		{"multipart/form-data; boundary=x", "--x--", ""},
	}
	for _, test := range tests {
		q := mustRead(t, posted("/a", test.contentType, test.body))
		if q.BodyState != pdp.BodyComplete || q.RPC != nil || q.Protocol != pdp.HTTP {
			t.Errorf("%s %s: %+v", test.contentType, test.body, q)
		}
		if got := asJSON(q.Body); q.Body.Defined() != (test.want != "") || q.Body.Defined() && got != test.want {
			t.Errorf("%s %s is read as %s, want %s", test.contentType, test.body, got, test.want)
		}
	}
	e := request("POST", "/a")
	e.Body = "plain bytes"
	if q := mustRead(t, e); q.Body.Defined() || q.BodyState != pdp.BodyComplete {
		t.Errorf("a body of no type: %+v", q)
	}
}

func TestBodyRefuses(t *testing.T) {
	tests := []struct{ name, contentType, body, about string }{
		{"a name twice", jsonType, `{"a":1,"a":1}`, "name twice"},
		{"a name twice, deep", jsonType, `[{"b":{"a":1,"c":2,"a":3}}]`, "name twice"},
		{"a name twice, once escaped", jsonType, `{"name":1,"n\u0061me":2}`, "name twice"},
		{"another case", jsonType, `{"name":"a","Name":"b"}`, "only in case"},
		{"another case, deep", jsonType, `{"a":[{"name":"a","NAME":"b"}]}`, "only in case"},
		{"another case, the Kelvin sign", jsonType, `{"k":1,"` + "\u212a" + `":2}`, "only in case"},
		{"unquoted names", jsonType, `{a:1}`, "double quotes"},
		{"single quotes", jsonType, `{'a':1}`, "double quotes"},
		{"a value in single quotes", jsonType, `{"a":'b'}`, "value is expected"},
		{"a comma too many", jsonType, `{"a":1,}`, "double quotes"},
		{"a comment", jsonType, `{/**/}`, "double quotes"},
		{"a second value", jsonType, `{}{}`, "something follows"},
		{"a byte order mark", jsonType, "\ufeff{}", "byte order mark"},
		{"invalid UTF-8", jsonType, "{\"a\":\"\xff\"}", "UTF-8"},
		{"UTF-16", jsonType, "{\x00}\x00", "expected"},
		{"half a surrogate pair", jsonType, `{"a":"\ud800"}`, "surrogate"},
		{"U+0000", jsonType, `{"a\u0000":1}`, "U+0000"},
		{"a lossy integer", jsonType, `{"a":9007199254740993}`, "lose digits"},
		{"a lossy fraction", jsonType, `{"a":0.12345678901234567890}`, "lose digits"},
		{"an endless number", jsonType, `{"a":1e999}`, "lose digits"},
		{"too deep", jsonType, strings.Repeat("[", 65) + strings.Repeat("]", 65), "nested"},
		{"half a value", jsonType, `{"a":`, "expected"},
		{"space alone", jsonType, "  ", "expected"},
		{"JSON by another name", "application/vnd.api+json", `{"a":1,"a":2}`, "name twice"},
		{"JSON by a name of the web's", "text/json", `{"a":1,"a":2}`, "name twice"},
		{"JSON called text", "text/plain", `{"a":1}`, "called text"},
		{"a JSON list called text", "text/plain; charset=utf-8", " \r\n\t[1]", "called text"},
		{"JSON called text behind a byte order mark", "text/plain", "\ufeff{}", "called text"},
		{"JSON called text behind much space", "text/plain", strings.Repeat(" ", 4096) + `{"a":1}`, "called text"},
		{"another charset", "application/json; charset=utf-7", `{}`, "charset"},
		{"another charset of a text", "text/plain; charset=latin1", `a`, "charset"},
		{"two types", "application/json, text/plain", `{}`, "content-type"},
		{"no type", "", `{}`, "content-type"},
		{"a parameter twice", "application/json; charset=utf-8; charset=utf-7", `{}`, "content-type"},
		{"a parameter without a value", "application/json; charset", `{}`, "content-type"},
		{"form: invalid UTF-8", formType, "a=\xff", "not UTF-8"},
		{"form: invalid UTF-8 completed by an escape", formType, "a=\xc3%9f", "not UTF-8"},
		{"form: escaped invalid UTF-8", formType, "a=%ff", "not UTF-8"},
		{"form: semicolon", formType, "a=1;b=2", "semicolon"},
		{"form: invalid escape", formType, "a=%zz", "invalid escape"},
		{"form: NUL", formType, "a=%00", "control"},
		{"form: a NUL as it is", formType, "a=\x00", "control"},
		{"form: a name with a control character", formType, "%01=a", "control"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			q := mustRefuse(t, posted("/a", test.contentType, test.body), CodeBody, test.about)
			if q.Body.Defined() || q.BodyState != pdp.BodyUnreadable {
				t.Errorf("the refused body is %s: %s", q.BodyState, asJSON(q.Body))
			}
		})
	}
}

func TestBodyWithoutType(t *testing.T) {
	for _, body := range []string{`{"a":1}`, "[1]", strings.Repeat("\n", 200) + "{}", "\ufeff{}"} {
		e := request("POST", "/a")
		e.Body = body
		mustRefuse(t, e, CodeBody, "no content-type")
	}
}

func size(n int64) change { return func(e *pdp.Envelope) { e.BodySize = n } }

// What is shown may not be all of what the tool gets, or not the same.
func TestBodyNotWhole(t *testing.T) {
	tests := []struct {
		name   string
		change change
		code   string
		about  string
	}{
		{"the proxy says that it cut it", header("x-envoy-auth-partial-body", "true"), CodeTruncated, "cut"},
		{"the proxy has no size for it", size(-1), CodeTruncated, "cut"},
		{"replaced bytes", func(e *pdp.Envelope) { e.BodyLossy = true }, CodeBody, "pack_as_bytes"},
		{"longer than announced", header("content-length", "6"), CodeBody, "content-length"},
		{"shorter than announced", header("content-length", "8"), CodeBody, "content-length"},
		{"an unusual length", header("content-length", "07"), CodeBody, "content-length"},
		{"the proxy counted more", size(8), CodeBody, "as the proxy says"},
		{"the proxy counted less", size(6), CodeBody, "as the proxy says"},
		{"gzip", header("content-encoding", "gzip"), CodeBody, "encoded"},
		{"two encodings", header("content-encoding", "identity, gzip"), CodeBody, "encoded"},
		{"an empty encoding", header("content-encoding", ""), CodeBody, "encoded"},
	}
	for _, test := range tests {
		for _, contentType := range []string{jsonType, "application/octet-stream"} {
			t.Run(test.name, func(t *testing.T) {
				q := mustRefuse(t, posted("/a", contentType, `{"a":1}`, test.change), test.code, test.about)
				want := pdp.BodyUnreadable
				if test.code == CodeTruncated {
					want = pdp.BodyTruncated
				}
				if q.BodyState != want || q.Body.Defined() {
					t.Errorf("the body is %s: %s", q.BodyState, asJSON(q.Body))
				}
			})
		}
	}
	whole := []change{size(7), size(0), header("content-length", "7"), header("x-envoy-auth-partial-body", "false"), header("content-encoding", "Identity")}
	for _, c := range whole {
		if q := mustRead(t, posted("/a", jsonType, `{"a":1}`, c)); q.BodyState != pdp.BodyComplete {
			t.Errorf("the whole body is %s", q.BodyState)
		}
	}
	for _, c := range []change{header("x-envoy-auth-partial-body", "true"), size(-1)} {
		if q := mustRefuse(t, request("POST", "/a", c), CodeTruncated, "cut"); q.BodyState != pdp.BodyTruncated {
			t.Errorf("cut down to nothing: %s", q.BodyState)
		}
	}
}

func protocol(p string) change { return func(e *pdp.Envelope) { e.Protocol = p } }

// No bytes is either no body or one that the decision point was not sent.
func TestBodyEmpty(t *testing.T) {
	buffered := header("x-envoy-auth-partial-body", "false")
	typed := header("content-type", jsonType)
	tests := []struct {
		name    string
		method  string
		changes []change
		want    pdp.BodyState
	}{
		{"a GET", "GET", nil, pdp.BodyNone},
		{"a GET with a type", "GET", []change{typed}, pdp.BodyNone},
		{"a GET over HTTP/2", "GET", []change{protocol("HTTP/2")}, pdp.BodyNone},
		{"a GET with a length", "GET", []change{header("content-length", "5")}, pdp.BodyUnseen},
		{"a DELETE", "DELETE", []change{protocol("HTTP/2")}, pdp.BodyNone},
		{"a HEAD", "HEAD", []change{protocol("HTTP/2")}, pdp.BodyNone},
		{"OPTIONS", "OPTIONS", []change{protocol("HTTP/2")}, pdp.BodyNone},
		{"a POST over HTTP/1", "POST", nil, pdp.BodyNone},
		{"a POST of length 0", "POST", []change{header("content-length", "0"), typed, protocol("HTTP/2")}, pdp.BodyNone},
		{"a POST with a length", "POST", []change{header("content-length", "5")}, pdp.BodyUnseen},
		{"a POST of length 00", "POST", []change{header("content-length", "00")}, pdp.BodyUnseen},
		{"a POST in chunks", "POST", []change{header("transfer-encoding", "chunked")}, pdp.BodyUnseen},
		{"a POST the proxy counted", "POST", []change{size(5)}, pdp.BodyUnseen},
		{"a POST with a type", "POST", []change{typed}, pdp.BodyUnseen},
		{"a POST over HTTP/2", "POST", []change{protocol("HTTP/2")}, pdp.BodyUnseen},
		{"a POST over HTTP/3", "POST", []change{protocol("HTTP/3")}, pdp.BodyUnseen},
		{"a POST over nobody knows what", "POST", []change{protocol("")}, pdp.BodyUnseen},
		{"a PATCH over HTTP/2", "PATCH", []change{protocol("HTTP/2")}, pdp.BodyUnseen},
		{"a QUERY over HTTP/2", "QUERY", []change{protocol("HTTP/2")}, pdp.BodyUnseen},
		{"a POST over HTTP/2, waited for", "POST", []change{protocol("HTTP/2"), typed, buffered}, pdp.BodyNone},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if q := mustRead(t, request(test.method, "/a", test.changes...)); q.BodyState != test.want || q.Body.Defined() {
				t.Errorf("the body is %s, want %s", q.BodyState, test.want)
			}
		})
	}
}

// A field of a form may be a text of several lines; a query's may not.
func TestFormsHoldLines(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	if q := mustRead(t, posted("/a", form, "note=one%0D%0Atwo%09x")); asJSON(q.Body) != `{"note":["one\r\ntwo\tx"]}` {
		t.Errorf("read %s", asJSON(q.Body))
	}
	mustRefuse(t, posted("/a", form, "note=%00"), CodeBody, "control")
	mustRefuse(t, posted("/a", form, "no%0Ate=x"), CodeBody, "control")
	mustRefuse(t, request("GET", "/a?note=one%0Atwo"), CodePath, "control")
}
