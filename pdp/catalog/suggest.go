package catalog

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/remit-pdp/remit/pdp"
)

// Suggest returns an entry to begin with for a request that the catalog does not
// know, as YAML, and the file of the bundle it belongs to; nothing for one that
// is known. What the request does it leaves for a person to say.
func Suggest(q *pdp.Request, c *Catalog) (entry, file string) {
	t := c.Find(q).Target
	if t.Known || t.Entry != "" {
		return "", ""
	}
	name, isKnown := c.systemAt(q)
	if !isKnown {
		name = strings.ReplaceAll(hostOf(q), ".", "-")
	}
	system := yaml.MapSlice{{Key: "hosts", Value: []string{hostOf(q)}}}
	describe := yaml.MapSlice{{Key: "review", Value: true}} // until somebody has said it
	switch {
	case q.Protocol == pdp.MCP && q.RPC != nil && q.RPC.Name != "":
		member := "tools"
		if kind, _, _ := strings.Cut(q.RPC.Method, "/"); kind == "prompts" || kind == "resources" {
			member = kind
		}
		system = append(system, yaml.MapItem{Key: "mcp", Value: yaml.MapSlice{
			{Key: "path", Value: q.Path}, {Key: member, Value: yaml.MapSlice{{Key: q.RPC.Name, Value: describe}}},
		}})
	case q.Protocol == pdp.GRPC && q.RPC != nil:
		system = append(system, yaml.MapItem{Key: "grpc", Value: yaml.MapSlice{{Key: q.RPC.Name, Value: describe}}})
	case q.Protocol == pdp.HTTP:
		system = append(system, yaml.MapItem{Key: "http", Value: []yaml.MapSlice{append(yaml.MapSlice{
			{Key: "methods", Value: []string{q.Method}}, {Key: "path", Value: pattern(q.Segments)},
		}, describe...)}})
	default:
		return "", ""
	}
	text, err := yaml.MarshalWithOptions(yaml.MapSlice{{Key: "systems", Value: yaml.MapSlice{{Key: name, Value: system}}}}, yaml.IndentSequence(false))
	if err != nil {
		return "", ""
	}
	const choice = "operation: %s, in place of review: true"
	return string(text) + "# " + fmt.Sprintf(choice, operations()) + "\n", "remit/catalog/data.yaml"
}

func operations() string {
	words := make([]string, len(pdp.Operations))
	for i, o := range pdp.Operations {
		words[i] = string(o)
	}
	return strings.Join(words, " | ")
}

// systemAt is the system that has other entries where the request goes to.
func (c *Catalog) systemAt(q *pdp.Request) (name string, found bool) {
	h := c.host(hostOf(q))
	if h == nil {
		return "", false
	}
	if e := h.mcp[q.Path]; q.Protocol == pdp.MCP && e != nil {
		return e.system.name, true
	}
	for _, e := range c.entries {
		if q.Protocol == pdp.HTTP && h.http.has(e) || q.Protocol == pdp.GRPC && h.grpc[e.path[len(e.path)-1]] == e {
			return e.system.name, true
		}
	}
	return "", false
}

// has reports whether an entry is in the tree.
func (n *node) has(e *entry) bool {
	if n == nil {
		return false
	}
	for _, entries := range []map[string]*entry{n.here, n.rest} {
		for _, other := range entries {
			if other == e {
				return true
			}
		}
	}
	for _, child := range n.literal {
		if child.has(e) {
			return true
		}
	}
	return n.capture.has(e)
}

// pattern is a path with captures for what looks like the name of one thing
// among many: segments with a digit that are not a version.
func pattern(segments []string) string {
	parts := make([]string, len(segments))
	for i, s := range segments {
		parts[i] = s
		isVersion := len(s) <= 3 && strings.HasPrefix(s, "v")
		if strings.ContainsAny(s, "0123456789") && !isVersion || strings.ContainsAny(s, "*{}?#%/") {
			parts[i] = fmt.Sprintf("{id%d}", i)
		}
	}
	return "/" + strings.Join(parts, "/")
}
