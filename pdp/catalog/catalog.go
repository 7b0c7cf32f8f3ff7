// Package catalog says what each request does and to what: the systems of
// `data.remit.catalog`, compiled into an index whose cost does not grow with
// the number of entries. README.md describes the format.
package catalog

import (
	"strings"

	"github.com/remit-pdp/remit/pdp"
)

// Catalog is a compiled catalog. It implements [pdp.Catalog]; immutable, safe
// for concurrent use.
type Catalog struct {
	hosts map[string]*host // exact
	wild  map[string]*host // by what follows "*."
	// entries are all of them; one of a system with several hosts is there
	// for each.
	entries []*entry
}

var _ pdp.Catalog = (*Catalog)(nil)

// host is everything known under one host name.
type host struct {
	mcp     map[string]*endpoint // by path
	http    *node
	grpc    map[string]*entry // by "service/method"; the method may be "*"
	a2a     []*peerAgent
	network map[uint32]*entry // by port
}

// endpoint is one MCP server.
type endpoint struct {
	system                    *system
	tools, prompts, resources map[string]*entry
	longest                   int // the longest key of resources, in bytes
}

// system is what entries of one system share.
type system struct {
	name, environment, owner string
	sensitivity              pdp.Sensitivity
	labels                   []string
}

// entry says what one kind of request does and to what.
type entry struct {
	system      *system
	operation   pdp.Operation
	sensitivity pdp.Sensitivity
	resource    template
	labels      []string
	adds        []string
	captures    []string // names of an HTTP path's captures, in order
	path        []string // where it stands below data.remit.catalog
	place       string   // the same for policy, see [pdp.Target]
	definition  string   // digest of the tool's definition that was reviewed
	// review says that a person has still to look at it: until then it
	// describes nothing.
	review bool
}

// Find implements [pdp.Catalog]. What no entry covers is an unknown target:
// restricted, with the most restrictive operation. Nothing is ever guessed to
// be harmless.
func (c *Catalog) Find(q *pdp.Request) pdp.Action {
	a := pdp.Action{Operation: pdp.Admin, Digest: q.Digest}
	if q.RPC != nil {
		a.Tool, a.Arguments = tool(q), q.RPC.Arguments
	}
	a.Target = unknown(q)
	if h := c.host(hostOf(q)); h != nil {
		h.find(q, &a)
	}
	if a.Target.ID == "" {
		a.Target.ID = a.Target.System + ":" + a.Target.Resource
	}
	return a
}

// find describes a request to the host, where an entry or the protocol does.
func (h *host) find(q *pdp.Request, a *pdp.Action) {
	switch {
	case q.Protocol == pdp.MCP:
		if e := h.mcp[q.Path]; e != nil && q.RPC != nil {
			e.find(q.RPC, a)
		}
	case q.Protocol == pdp.A2A:
		if agent := h.agent(q); agent != nil && q.RPC != nil {
			agent.find(q.RPC, a)
		}
	case q.Protocol == pdp.GRPC:
		h.findGRPC(q, a)
	case q.Protocol == pdp.Network:
		h.findPort(q, a)
	case h.http != nil:
		if found, captured := h.http.find(q.Method, q.Segments); found != nil {
			found.describe(a, func(name string) (string, bool) {
				for i, capture := range found.captures {
					if capture == name {
						return captured[i], true
					}
				}
				return "", false
			})
		}
	}
}

// host finds the entries of a host: its own, else those of the nearest
// wildcard.
func (c *Catalog) host(name string) *host {
	if h := c.hosts[name]; h != nil {
		return h
	}
	for {
		_, parent, found := strings.Cut(name, ".")
		if !found {
			return nil
		}
		if h := c.wild[parent]; h != nil {
			return h
		}
		name = parent
	}
}

// unknown is the target of a request that no entry covers, but for its ID: most
// requests are covered.
func unknown(q *pdp.Request) pdp.Target {
	resource := q.Path
	switch {
	case q.Protocol == pdp.Network:
		resource = portResource(q)
	case q.RPC != nil && q.RPC.Name != "":
		resource = q.RPC.Name
	}
	return pdp.Target{System: hostOf(q), Resource: bounded(resource), Sensitivity: pdp.Restricted}
}

// unknown makes of t, which is unknown, an unknown resource of the system.
func (s *system) unknown(t *pdp.Target, resource string) {
	t.ID, t.System, t.Resource = s.name+":"+resource, s.name, resource
	t.Environment, t.Owner, t.Labels = s.environment, s.owner, s.labels
}

// describe makes a the action that the entry says it is. A resource whose
// parts the request does not have leaves the target unknown; so does an entry
// that is still to be reviewed.
func (e *entry) describe(a *pdp.Action, part func(string) (string, bool)) {
	if e.review {
		e.system.unknown(&a.Target, a.Target.Resource)
		a.Target.Entry, a.Target.Definition.Pinned = e.place, e.definition
		return
	}
	id, resource, complete := e.resource.fill(e.system.name, part)
	a.Operation = e.operation
	a.Target = pdp.Target{
		ID: id, System: e.system.name, Resource: resource,
		Environment: e.system.environment, Owner: e.system.owner,
		Sensitivity: e.sensitivity, Labels: e.labels, Adds: e.adds, Known: complete,
		Entry: e.place, Definition: pdp.Definition{Pinned: e.definition},
	}
	if !complete {
		a.Target.Sensitivity = pdp.Restricted
	}
}

// find describes a message to an MCP server.
func (e *endpoint) find(rpc *pdp.RPC, a *pdp.Action) {
	var found *entry
	switch rpc.Method {
	case "tools/call":
		found = lookUp(e.tools, rpc.Name)
	case "prompts/get":
		found = lookUp(e.prompts, rpc.Name)
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		found = e.resourceEntry(rpc.Name)
	default:
		e.system.protocol(rpc, a)
		return
	}
	if found == nil {
		e.system.unknown(&a.Target, a.Target.Resource)
		return
	}
	found.describe(a, func(name string) (string, bool) { return argument(rpc, name) })
}

// lookUp finds an entry by its name, else the declared fallback.
func lookUp(entries map[string]*entry, name string) *entry {
	if e := entries[name]; e != nil {
		return e
	}
	return entries[fallback]
}

// fallback is the name of an entry that stands for all that have none.
const fallback = "*"

// resourceEntry finds the entry of a resource's URI: the URI itself, else the
// longest of its folders that is described ("docs://manual/"), else the
// declared fallback. Of a URI that could be another one to the server only the
// URI itself counts.
func (e *endpoint) resourceEntry(uri string) *entry {
	if found := e.resources[uri]; found != nil {
		return found
	}
	if !straight(uri) {
		return nil
	}
	// No more is looked up than the longest key: the URI may be very long.
	rest := uri[:min(len(uri), e.longest)]
	for end := strings.LastIndexByte(rest, '/'); end >= 0; end = strings.LastIndexByte(rest, '/') {
		if found := e.resources[rest[:end+1]]; found != nil {
			return found
		}
		rest = rest[:end]
	}
	return e.resources[fallback]
}

// protocol describes a message whose operation the protocol itself says: it
// concerns the server and no tool. A response to a request of the server can
// carry anything, a person's answer or a model's words: it sends. A method that
// is not known stays unknown.
func (s *system) protocol(rpc *pdp.RPC, a *pdp.Action) {
	resource := bounded(rpc.Method)
	switch {
	case rpc.Response:
		a.Operation, resource = pdp.Send, "response"
	case !rpc.Known || rpc.Operation == "":
		s.unknown(&a.Target, resource)
		return
	default:
		a.Operation = rpc.Operation
	}
	a.Target = pdp.Target{
		ID: s.name + ":" + resource, System: s.name, Resource: resource, Environment: s.environment,
		Owner: s.owner, Sensitivity: s.sensitivity, Labels: s.labels, Known: true,
	}
	if a.Operation == pdp.Discover {
		a.Target.Sensitivity = pdp.Public // what a server offers, not what it holds
	}
}

// argument reads a part of a template from a message: "arguments.a.b" or "uri".
func argument(rpc *pdp.RPC, name string) (string, bool) {
	if name == "uri" || name == "name" {
		return rpc.Name, rpc.Name != ""
	}
	v := rpc.Arguments
	for member := range strings.SplitSeq(strings.TrimPrefix(name, "arguments."), ".") {
		v = v.Get(member)
	}
	if s, ok := v.Str(); ok {
		return s, s != ""
	}
	// Only integers: 7.0 and 7e0 are other spellings of the customer 7.
	if _, whole := v.Int(); whole {
		return v.Literal()
	}
	return "", false
}
