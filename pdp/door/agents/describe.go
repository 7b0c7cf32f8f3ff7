package agents

import (
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Bounds of a description.
const (
	maxMethod  = 32
	maxHost    = 256
	maxPath    = 8 << 10
	maxHeaders = 32
	maxHeader  = 4 << 10
)

// described reads the description of a request as Envoy would have put it to
// remit, had the caller sent it. It says what would be asked, never who asks.
func (d *Door) described(path string, v value.Value, caller *pdp.Envelope) (*pdp.Envelope, error) {
	var err error
	f := fieldsOf(path, v, &err)
	f.required("host", "path")
	e := &pdp.Envelope{
		Door: doorName, Listener: d.settings.Listener, Proxy: d.settings.Proxy, Received: caller.Received,
		Method: f.text("method", maxMethod).Text(), Scheme: "https", Host: f.text("host", maxHost).Text(),
		Path: f.text("path", maxPath).Text(), Protocol: "HTTP/1.1",
	}
	var kind string
	e.Body, kind = f.body()
	e.BodySize = int64(len(e.Body))
	if e.Method == "" {
		e.Method = "GET"
		if kind != "" {
			e.Method = "POST"
		}
	}
	e.Headers = append(pdp.Headers{
		{Name: ":method", Value: e.Method}, {Name: ":authority", Value: e.Host}, {Name: ":path", Value: e.Path},
	}, d.headers(f)...)
	if _, given := e.Headers.Get("content-type"); given == 0 && kind != "" {
		e.Headers = append(e.Headers, pdp.Header{Name: "content-type", Value: kind})
	}
	e.Attributes = pluginForm(e)
	f.done()
	return e, err
}

// body reads what would be sent: "body" is any JSON, "text" is as it stands,
// and "mcp" is short for the call of a tool. kind is its content type.
func (f *fields) body() (body, kind string) {
	sent, text, call := f.get("body"), f.text("text", maxBody), f.get("mcp")
	given := 0
	for _, v := range []value.Value{sent, text, call} {
		if v.Defined() {
			given++
		}
	}
	switch {
	case given > 1:
		f.wrong("", "may have one of body, text and mcp")
		return "", ""
	case sent.Defined():
		return string(value.AppendJSON(nil, sent)), "application/json"
	case text.Defined():
		return text.Text(), "text/plain"
	case call.Defined():
		return string(f.call(call)), "application/json"
	default:
		return "", ""
	}
}

// call is the body of an MCP tools/call.
func (f *fields) call(v value.Value) []byte {
	call := fieldsOf(f.at("mcp"), v, f.err)
	call.required("tool")
	tool, arguments := call.text("tool", maxName), call.get("arguments")
	if !arguments.Defined() {
		arguments = value.Obj()
	}
	call.done()
	return value.AppendJSON(nil, value.Obj(
		value.M("jsonrpc", value.Str("2.0")),
		value.M("id", value.Int(1)),
		value.M("method", value.Str("tools/call")),
		value.M("params", value.Obj(value.M("name", tool), value.M("arguments", arguments)))))
}

// reserved are headers that say who asks, or that a proxy makes.
var reserved = []string{"authorization", "proxy-authorization", "cookie", "host", "content-length", "transfer-encoding"}

// headers reads the headers that would be sent.
func (d *Door) headers(f *fields) (list pdp.Headers) {
	given := f.get("headers")
	if !given.Defined() {
		return nil
	}
	h := fieldsOf(f.at("headers"), given, f.err)
	given.Range(func(name string, v value.Value) bool {
		text := h.text(name, maxHeader).Text()
		switch {
		case len(list) >= maxHeaders:
			h.wrong("", "has more than %d members", maxHeaders)
		case !isHeader(name):
			h.wrong("", "has a name that is not of lower-case letters, digits and dashes")
		case slices.Contains(reserved, name) || name == d.settings.SessionHeader || strings.HasPrefix(name, "x-remit-") || strings.HasPrefix(name, "x-envoy-"):
			h.wrong("", "may not say %s: it is not the caller's to describe", name)
		}
		list = append(list, pdp.Header{Name: name, Value: text})
		return *f.err == nil
	})
	return list
}

func isHeader(name string) bool {
	return name != "" && len(name) <= maxName && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// pluginForm is `input.attributes` of a request, as far as it is described.
func pluginForm(e *pdp.Envelope) value.Value {
	http := []value.Member{
		value.M("method", value.Str(e.Method)), value.M("host", value.Str(e.Host)), value.M("path", value.Str(e.Path)),
		value.M("scheme", value.Str(e.Scheme)), value.M("protocol", value.Str(e.Protocol)), value.M("headers", e.Headers.Joined()),
	}
	if len(e.Body) > 0 {
		http = append(http, value.M("body", value.Str(e.Body)))
	}
	return value.Obj(value.M("request", value.Obj(value.M("http", value.Obj(http...)))))
}
