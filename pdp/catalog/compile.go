package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Locator says where in a bundle a datum stands: path is from the root of the
// data ("remit", "catalog", …). It returns "" where it does not know.
type Locator func(path ...string) (file string, line int)

// New compiles the catalog in data, the document `data.remit.catalog`;
// undefined is the empty catalog, in which everything is unknown. Every
// mistake is reported, with file and line where at knows them.
func New(data value.Value, at Locator) (*Catalog, error) {
	c := &compiler{catalog: &Catalog{hosts: make(map[string]*host), wild: make(map[string]*host)}, at: at, said: make(map[string]bool)}
	if data.Defined() {
		if data.Kind() != value.Map {
			c.say(nil, "is not an object")
		}
		c.members(data, []string{"systems"})
		c.each(data.Get("systems"), []string{"systems"}, c.system)
	}
	if len(c.problems) > 0 {
		return nil, errors.Join(c.problems...)
	}
	return c.catalog, nil
}

type compiler struct {
	catalog  *Catalog
	at       Locator
	problems []error
	said     map[string]bool
}

// say reports a mistake at a place below data.remit.catalog, once: a system is
// compiled again for each of its hosts.
func (c *compiler) say(path []string, format string, args ...any) {
	place := strings.Join(append([]string{"data.remit.catalog"}, path...), ".")
	if c.at != nil {
		if file, line := c.at(append([]string{"remit", "catalog"}, path...)...); file != "" {
			place = fmt.Sprintf("%s:%d: %s", file, line, place)
		}
	}
	problem := place + ": " + fmt.Sprintf(format, args...)
	if !c.said[problem] {
		c.said[problem] = true
		c.problems = append(c.problems, errors.New(problem))
	}
}

// members reports members of an object that the format does not have.
func (c *compiler) members(v value.Value, allowed []string, path ...string) {
	v.Range(func(name string, _ value.Value) bool {
		if !slices.Contains(allowed, name) {
			c.say(append(path, name), "is not a member; known are %s", strings.Join(allowed, ", "))
		}
		return true
	})
}

// each visits the members of an object.
func (c *compiler) each(v value.Value, path []string, visit func(name string, v value.Value, path []string)) {
	if !v.Defined() {
		return
	}
	if v.Kind() != value.Map {
		c.say(path, "is not an object")
		return
	}
	v.Range(func(name string, member value.Value) bool {
		visit(name, member, append(path[:len(path):len(path)], name))
		return true
	})
}

func (c *compiler) system(name string, v value.Value, path []string) {
	c.members(v, []string{"hosts", "environment", "owner", "sensitivity", "labels", "mcp", "http", "grpc", "a2a", "network"}, path...)
	s := &system{
		name: name, environment: c.text(v, "environment", path), owner: c.text(v, "owner", path),
		sensitivity: c.sensitivity(v, pdp.Restricted, path), labels: c.labels(v, "labels", path),
	}
	hosts := c.strings(v, "hosts", path)
	if len(hosts) == 0 {
		c.say(path, "has no hosts: name the hosts that requests to it are sent to")
	}
	for _, name := range hosts {
		h := c.host(name, append(path, "hosts"))
		c.mcp(s, h, v.Get("mcp"), append(path[:len(path):len(path)], "mcp"))
		c.http(s, h, v.Get("http"), append(path[:len(path):len(path)], "http"))
		c.grpc(s, h, v.Get("grpc"), append(path[:len(path):len(path)], "grpc"))
		c.a2a(s, h, v.Get("a2a"), append(path[:len(path):len(path)], "a2a"))
		c.network(s, h, v.Get("network"), append(path[:len(path):len(path)], "network"))
	}
}

func (c *compiler) host(name string, path []string) *host {
	hosts, key := c.catalog.hosts, name
	if rest, isWild := strings.CutPrefix(name, "*."); isWild {
		hosts, key = c.catalog.wild, rest
	}
	if !isHost(key) {
		c.say(path, "%q is not a host in lower case, without port, with at most one \"*.\" in front", name)
	}
	if hosts[key] == nil {
		hosts[key] = newHost()
	}
	return hosts[key]
}

// isHost reports whether a request can have this host (package attributes
// leaves no other): an entry for another one would never be found.
func isHost(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

func (c *compiler) mcp(s *system, h *host, v value.Value, path []string) {
	if !v.Defined() {
		return
	}
	c.members(v, []string{"path", "tools", "prompts", "resources"}, path...)
	at := c.text(v, "path", path)
	if !strings.HasPrefix(at, "/") || strings.ContainsAny(at, "*{}?#") {
		c.say(path, "path must say where the MCP server is, for example \"/mcp\"")
	}
	if other := h.mcp[at]; other != nil {
		c.say(path, "system %s has the same MCP server", other.system.name)
	}
	byName := func(name string) bool { return name == "name" || isArgument(name) }
	byURI := func(name string) bool { return name == "uri" }
	e := &endpoint{
		system:    s,
		tools:     c.named(s, v, "tools", "tool/{name}", byName, path),
		prompts:   c.named(s, v, "prompts", "prompt/{name}", byName, path),
		resources: c.named(s, v, "resources", "{uri}", byURI, path),
	}
	h.mcp[at] = e
	for uri := range e.resources {
		e.longest = max(e.longest, len(uri))
	}
}

// named compiles the entries of an MCP server that stand under a name.
func (c *compiler) named(s *system, v value.Value, member, standard string, parts func(string) bool, path []string) map[string]*entry {
	entries := make(map[string]*entry)
	c.each(v.Get(member), append(path[:len(path):len(path)], member), func(name string, v value.Value, path []string) {
		members := entryMembers
		if member == "tools" {
			members = append(members[:len(members):len(members)], "definition")
		}
		c.members(v, members, path...)
		if member == "resources" && strings.HasSuffix(name, "/") && !straight(name) {
			c.say(path, "the folder is not written as RFC 3986 would write it: nothing would be found in it")
		}
		entries[name] = c.entry(s, v, standard, parts, path)
	})
	return entries
}

// isArgument reports whether name is the path of an argument.
func isArgument(name string) bool {
	path, found := strings.CutPrefix(name, "arguments.")
	return found && !slices.Contains(strings.Split(path, "."), "")
}

var entryMembers = []string{"operation", "sensitivity", "resource", "labels", "adds", "review"}

func (c *compiler) http(s *system, h *host, v value.Value, path []string) {
	if v.Defined() && v.Kind() != value.Array {
		c.say(path, "is not a list")
	}
	for i, item := range v.Items() {
		path := append(path[:len(path):len(path)], fmt.Sprint(i))
		c.members(item, append([]string{"methods", "path"}, entryMembers...), path...)
		pattern := c.text(item, "path", path)
		captures, err := checkPattern(pattern)
		if err != nil {
			c.say(append(path, "path"), "%v", err)
		}
		known := func(name string) bool { return err != nil || slices.Contains(captures, name) }
		e := c.entry(s, item, strings.TrimPrefix(strings.TrimSuffix(pattern, "/**"), "/"), known, path)
		e.captures = captures
		methods := c.strings(item, "methods", path)
		if len(methods) == 0 {
			c.say(path, "has no methods: name them, or [\"*\"] for all")
		}
		if h.http == nil {
			h.http = &node{}
		}
		for _, method := range methods {
			if method != anyMethod && strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "" {
				c.say(append(path, "methods"), "%q is not a method in upper case", method)
			}
			if err != nil {
				continue // it has no place
			}
			if err := h.http.add(strings.Split(pattern[1:], "/"), method, e); err != nil {
				c.say(path, "%s %s: %v", method, pattern, err)
			}
		}
	}
}

// checkPattern reads a path pattern: literal segments, {captures}, and "**"
// for the rest at its end.
func checkPattern(pattern string) (captures []string, err error) {
	if !strings.HasPrefix(pattern, "/") {
		return nil, fmt.Errorf("path must begin with a slash")
	}
	segments := strings.Split(pattern[1:], "/")
	for i, segment := range segments {
		switch {
		case segment == "**" && i != len(segments)-1:
			return nil, fmt.Errorf("\"**\" stands at the end only")
		case isCapture(segment):
			name := segment[1 : len(segment)-1]
			if slices.Contains(captures, name) {
				return nil, fmt.Errorf("{%s} is there twice", name)
			}
			captures = append(captures, name)
		case segment != "**" && strings.ContainsAny(segment, "*{}?#%"):
			return nil, fmt.Errorf("segment %q is neither literal nor a {capture}", segment)
		}
	}
	return captures, nil
}

func (c *compiler) entry(s *system, v value.Value, standard string, parts func(string) bool, path []string) *entry {
	e := &entry{
		system: s, sensitivity: c.sensitivity(v, s.sensitivity, path),
		labels: append(slices.Clone(s.labels), c.labels(v, "labels", path)...), adds: c.labels(v, "adds", path),
		path: slices.Clone(path), place: strings.Join(path, "."), definition: c.text(v, "definition", path), review: c.flag(v, "review", path),
	}
	if e.definition != "" && !isDigest(e.definition) {
		c.say(append(path, "definition"), "%q is not a digest as remit catalog import writes it", e.definition)
	}
	e.operation = pdp.Operation(c.text(v, "operation", path))
	if e.review && e.operation == "" {
		e.operation = pdp.Admin // as good as unknown
	}
	if !slices.Contains(pdp.Operations, e.operation) {
		c.say(append(path, "operation"), "%q is not one of %v", e.operation, pdp.Operations)
	}
	resource := c.text(v, "resource", path)
	if resource == "" {
		resource = standard
	}
	var err error
	if e.resource, err = parseTemplate(resource, parts); err != nil {
		c.say(append(path, "resource"), "%v", err)
	}
	c.catalog.entries = append(c.catalog.entries, e)
	return e
}

func (c *compiler) flag(v value.Value, member string, path []string) bool {
	m := v.Get(member)
	set, isFlag := m.Bool()
	if m.Defined() && !isFlag {
		c.say(append(path, member), "is neither true nor false")
	}
	return set
}

func (c *compiler) text(v value.Value, member string, path []string) string {
	m := v.Get(member)
	if m.Defined() && m.Kind() != value.String {
		c.say(append(path, member), "is not a string")
	}
	return m.Text()
}

func (c *compiler) strings(v value.Value, member string, path []string) (list []string) {
	m := v.Get(member)
	if m.Defined() && m.Kind() != value.Array {
		c.say(append(path, member), "is not a list")
	}
	for _, item := range m.Items() {
		s, ok := item.Str()
		if !ok || s == "" {
			c.say(append(path, member), "holds something that is not a string")
			continue
		}
		list = append(list, s)
	}
	return list
}

// labels reads a list of labels: words in lower case with dashes.
func (c *compiler) labels(v value.Value, member string, path []string) []string {
	list := c.strings(v, member, path)
	for _, label := range list {
		if strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || len(label) > 64 {
			c.say(append(path, member), "%q is not a label: lower-case letters, digits and dashes, at most 64", label)
		}
	}
	return list
}

func (c *compiler) sensitivity(v value.Value, fallback pdp.Sensitivity, path []string) pdp.Sensitivity {
	s := pdp.Sensitivity(c.text(v, "sensitivity", path))
	if s == "" {
		return fallback
	}
	if !slices.Contains(pdp.Sensitivities, s) {
		c.say(append(path, "sensitivity"), "%q is not one of %v", s, pdp.Sensitivities)
	}
	return s
}
