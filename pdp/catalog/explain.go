package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp"
)

// Explanation is why a request is what the catalog says it is.
type Explanation struct {
	Action pdp.Action
	// Entry is the path of the entry that describes the request, below
	// data.remit.catalog; nil where there is none, or where the protocol says it.
	Entry []string
	// Because says in words how it came to that.
	Because []string
	// RunnersUp are entries that nearly covered it.
	RunnersUp []RunnerUp
}

// RunnerUp is an entry that did not describe a request, and why.
type RunnerUp struct {
	Entry []string
	Why   string
}

// Explain finds what [Catalog.Find] does, and says why.
func (c *Catalog) Explain(q *pdp.Request) Explanation {
	x := &explaining{Explanation: Explanation{Action: c.Find(q)}, request: q}
	for _, e := range c.entries {
		if e.place == x.Action.Target.Entry && e.place != "" {
			x.found = e
		}
	}
	h := x.host(c)
	switch {
	case h == nil:
	case q.Protocol == pdp.MCP && q.RPC != nil:
		x.server(h)
	case q.Protocol == pdp.GRPC && q.RPC != nil:
		x.named(h.grpc, q.RPC.Name, q.RPC.Service+"/"+fallback, "method")
	case q.Protocol == pdp.HTTP && h.http != nil:
		x.path(h.http)
	}
	x.conclude()
	return x.Explanation
}

type explaining struct {
	Explanation
	request *pdp.Request
	found   *entry
}

func (x *explaining) say(format string, args ...any) {
	x.Because = append(x.Because, fmt.Sprintf(format, args...))
}

func (x *explaining) runnerUp(e *entry, format string, args ...any) {
	if e == nil || e == x.found {
		return
	}
	for _, other := range x.RunnersUp {
		if slices.Equal(other.Entry, e.path) {
			return
		}
	}
	x.RunnersUp = append(x.RunnersUp, RunnerUp{e.path, fmt.Sprintf(format, args...)})
}

// host says which host's entries are asked.
func (x *explaining) host(c *Catalog) *host {
	name := hostOf(x.request)
	h := c.host(name)
	switch {
	case h == nil:
		x.say("no system has the host %s", name)
	case c.hosts[name] == h:
		x.say("the host %s has entries of its own", name)
	default:
		x.say("a wildcard covers the host %s", name)
	}
	return h
}

// server explains a message to an MCP server.
func (x *explaining) server(h *host) {
	e := h.mcp[x.request.Path]
	if e == nil {
		x.say("no system has an MCP server at %s; the host has them at %v", x.request.Path, slices.Sorted(maps.Keys(h.mcp)))
		return
	}
	x.say("the MCP server at %s is that of system %s", x.request.Path, e.system.name)
	switch rpc := x.request.RPC; rpc.Method {
	case "tools/call":
		x.named(e.tools, rpc.Name, fallback, "tool")
	case "prompts/get":
		x.named(e.prompts, rpc.Name, fallback, "prompt")
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		x.resource(e, rpc.Name)
	default:
		if x.Action.Target.Known {
			x.say("%s names no tool: the protocol says what it does", rpc.Method)
		}
	}
}

// named explains entries that stand under a name or under what stands for all.
func (x *explaining) named(entries map[string]*entry, name, all, what string) {
	switch {
	case entries[name] != nil:
		x.say("the %s %q has an entry", what, name)
		x.runnerUp(entries[all], "stands for those that have no entry, and this one has")
	case entries[all] != nil:
		x.say("the %s %q has no entry, and %q stands for all that have none", what, name, all)
	default:
		x.say("the %s %q has no entry", what, name)
	}
	for other, e := range entries {
		if other != name && strings.EqualFold(other, name) {
			x.runnerUp(e, "is for the %s %q: the case differs", what, other)
		}
	}
}

func (x *explaining) resource(e *endpoint, uri string) {
	if x.found == nil {
		x.say("the resource %q has no entry", uri)
	}
	if !straight(uri) {
		x.say("the URI has another spelling by RFC 3986: no folder and no \"*\" covers it")
	}
	for name, other := range e.resources {
		if name == fallback || strings.HasSuffix(name, "/") && strings.HasPrefix(uri, name) {
			x.runnerUp(other, "covers less of the URI, or does not cover this spelling of it")
		}
	}
}

// path explains a path of plain HTTP.
func (x *explaining) path(root *node) {
	root.each(x.request.Segments, func(n *node, entries map[string]*entry, how string) {
		for _, method := range slices.Sorted(maps.Keys(entries)) {
			e := entries[method]
			switch {
			case e == x.found:
				x.say("%s, and its methods have %s", how, method)
			case method != x.request.Method && method != anyMethod:
				x.runnerUp(e, "%s, and its method is %s", how, method)
			default:
				x.runnerUp(e, "%s: another entry is nearer", how)
			}
		}
	})
	if x.found == nil && len(x.RunnersUp) == 0 {
		x.say("no entry of the host covers the path")
	}
}

// each visits every place of the tree that covers a path, the nearest first.
func (n *node) each(segments []string, visit func(*node, map[string]*entry, string)) {
	if len(segments) == 0 {
		visit(n, n.here, "the path is that of the entry")
		return
	}
	if child := n.literal[segments[0]]; child != nil {
		child.each(segments[1:], visit)
	}
	if n.capture != nil && segments[0] != "" {
		n.capture.each(segments[1:], visit)
	}
	visit(n, n.rest, "\"**\" covers the rest of the path")
}

// conclude says what follows.
func (x *explaining) conclude() {
	t := &x.Action.Target
	if x.found == nil {
		if !t.Known {
			x.say("what no entry covers is unknown: restricted, and the operation is %s", x.Action.Operation)
		}
		return
	}
	x.Entry = x.found.path
	switch {
	case x.found.review:
		x.say("the entry is still to be reviewed: until then the target is unknown")
	case !t.Known:
		x.say("the resource is named by a part that the request does not have: the target is unknown")
	}
}
