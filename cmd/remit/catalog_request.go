package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/remit-pdp/remit/bundles"
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// asked is the request that a person means, as it would have been read.
func asked(text, arguments string, bundle *bundles.Bundle) (*pdp.Request, error) {
	verb, rest, found := strings.Cut(strings.TrimSpace(text), " ")
	if !found {
		return nil, fmt.Errorf("%q is not a request: see remit catalog explain --help", text)
	}
	rest = strings.TrimSpace(rest)
	given := value.Nothing
	if arguments != "" {
		var err error
		if given, err = value.ParseJSON([]byte(arguments)); err != nil || given.Kind() != value.Map {
			return nil, fmt.Errorf("--arguments is not a JSON object: %v", err)
		}
	}
	if server, isMCP := strings.CutPrefix(verb, "mcp:"); isMCP {
		return askedTool(server, rest, given, bundle)
	}
	if host, isGRPC := strings.CutPrefix(verb, "grpc:"); isGRPC {
		return askedGRPC(host, rest, given)
	}
	if !strings.Contains(rest, "://") { // as remit eval and remit log print it
		rest = "https://" + rest
	}
	u, err := url.Parse(rest)
	if err != nil || u.Host == "" || !strings.HasPrefix(u.Path, "/") {
		return nil, fmt.Errorf("%q is not a URL with a host and a path", rest)
	}
	q := &pdp.Request{Protocol: pdp.HTTP, Method: verb, Host: strings.ToLower(u.Hostname()), Path: u.EscapedPath()}
	for segment := range strings.SplitSeq(strings.TrimPrefix(u.EscapedPath(), "/"), "/") {
		decoded, err := url.PathUnescape(segment)
		if err != nil {
			return nil, err
		}
		q.Segments = append(q.Segments, decoded)
	}
	return q, nil
}

// askedTool is the call of a tool; server is the name of a system, or a host
// and a path.
func askedTool(server, tool string, arguments value.Value, bundle *bundles.Bundle) (*pdp.Request, error) {
	q := &pdp.Request{Protocol: pdp.MCP, Method: "POST", RPC: &pdp.RPC{Method: "tools/call", Name: tool, Arguments: arguments, Known: true}}
	host, path, isAddress := strings.Cut(server, "/")
	if isAddress {
		q.Host, q.Path = strings.ToLower(host), "/"+path
		return q, nil
	}
	system := bundle.Data.Path("remit", "catalog", "systems", server)
	if !system.Path("mcp", "path").Defined() {
		return nil, fmt.Errorf("the catalog has no system %q with an MCP server; name host and path instead: mcp:HOST/PATH", server)
	}
	q.Path = system.Path("mcp", "path").Text()
	for _, name := range system.Get("hosts").Items() {
		// A label stands for what a wildcard leaves open.
		q.Host = strings.Replace(name.Text(), "*", "any", 1)
		break
	}
	return q, nil
}

func askedGRPC(host, method string, arguments value.Value) (*pdp.Request, error) {
	service, name, found := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	if !found || service == "" || name == "" {
		return nil, fmt.Errorf("%q is not a gRPC method: package.Service/Method", method)
	}
	return &pdp.Request{
		Protocol: pdp.GRPC, Method: "POST", Host: strings.ToLower(host), Path: "/" + service + "/" + name, Segments: []string{service, name},
		RPC: &pdp.RPC{Service: service, Method: name, Name: service + "/" + name, Arguments: arguments, Known: true},
	}, nil
}
