package attributes

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// checkRouting holds the headers that proxies route by against the message
// (MCP 2026-07-28, "Standard headers"): from that revision on they must be
// there, and in any revision they must not say something else.
func checkRouting(e *asked, rpc *pdp.RPC) string {
	method, methods := e.header(headerMCPMethod)
	name, names := e.header(headerMCPName)
	version, versions := e.header(headerMCPVersion)
	own := rpc.Params.Path("_meta", revisionMember).Text()
	if rpc.Revision >= modern && e.Method == "POST" && !rpc.Response {
		switch {
		case methods == 0:
			return "the header mcp-method is missing"
		case rpc.Name != "" && names == 0:
			return "the header mcp-name is missing"
		case versions == 0:
			return "the header mcp-protocol-version is missing"
		}
	}
	if versions > 0 && own != "" && version != own {
		return "the header mcp-protocol-version is not the message's revision"
	}
	if methods > 0 && method != rpc.Method {
		return "the header mcp-method is not the message's method"
	}
	if names > 0 {
		decoded, ok := decodeHeader(name)
		if !ok || decoded != rpc.Name {
			return "the header mcp-name is not what the message names"
		}
	}
	return ""
}

// namespaces are where Envoy's MCP filter puts its reading: since 1.38, and
// before.
var namespaces = []string{"envoy.filters.http.mcp", "mcp_proxy"}

// hinted reports whether Envoy read an MCP message in the request.
func hinted(e *asked) bool {
	return slices.ContainsFunc(namespaces, func(namespace string) bool {
		return e.Metadata.Get(namespace).Get("method").Defined()
	})
}

// checkHints holds Envoy's reading of the message against ours. It is a hint:
// Envoy's parser takes single quotes and unquoted names, and passes what it
// cannot parse (reference: MCP filter). Where both say something they must
// say the same.
func checkHints(e *asked, rpc *pdp.RPC) string {
	for _, namespace := range namespaces {
		hint := e.Metadata.Get(namespace)
		if !hint.Defined() {
			continue
		}
		if exceeding, _ := hint.Get("is_exceeding_limit").Bool(); exceeding || hint.Get("passthrough_reason").Text() != "" {
			return "Envoy passed the message without having parsed it"
		}
		if rule := compareHint(hint, rpc); rule != "" {
			return rule
		}
	}
	return ""
}

func compareHint(hint value.Value, rpc *pdp.RPC) string {
	method := hint.Get("method").Text()
	if method == "" {
		return ""
	}
	if rpc.Response != (method == "__jsonrpc_response") || !rpc.Response && method != rpc.Method {
		return "Envoy read another method in the message"
	}
	if id := hint.Get("id"); !rpc.Response && id.Defined() && idText(id) != rpc.ID {
		return "Envoy read another id in the message"
	}
	params := hint.Get("params")
	for _, member := range []string{"name", "uri", "taskId"} {
		if read := params.Get(member); read.Defined() && read.Text() != rpc.Params.Get(member).Text() {
			return "Envoy read another " + member + " in the message"
		}
	}
	return ""
}

// decodeHeader decodes a header value of MCP 2026-07-28: text that a header
// cannot hold as it is stands in =?base64?…?=.
func decodeHeader(v string) (string, bool) {
	inner, found := strings.CutPrefix(v, "=?base64?")
	if !found {
		return v, true
	}
	inner, found = strings.CutSuffix(inner, "?=")
	if !found {
		return "", false
	}
	return decodeBase64(inner)
}

func decodeBase64(s string) (string, bool) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return string(b), err == nil && utf8.Valid(b)
}
