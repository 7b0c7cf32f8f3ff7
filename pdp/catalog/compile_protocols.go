package catalog

import (
	"fmt"
	"strings"

	"github.com/remit-pdp/remit/pdp/value"
)

// grpc compiles the entries of gRPC methods.
func (c *compiler) grpc(s *system, h *host, v value.Value, path []string) {
	parts := func(name string) bool { return name == "service" || name == "method" || isArgument(name) }
	c.each(v, path, func(name string, v value.Value, path []string) {
		c.members(v, entryMembers, path...)
		service, method, _ := strings.Cut(name, "/")
		if !isName(service, ".") || method != fallback && !isName(method, "") {
			c.say(path, "%q is neither \"package.Service/Method\" nor \"package.Service/*\"", name)
		}
		if other := h.grpc[name]; other != nil {
			c.say(path, "system %s has the same method", other.system.name)
		}
		h.grpc[name] = c.entry(s, v, "rpc/{service}/{method}", parts, path)
	})
}

// isName reports whether name is made of what protobuf's names are made of, and
// of the bytes in more.
func isName(name, more string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"+more) == ""
}

// a2a compiles an agent that speaks A2A.
func (c *compiler) a2a(s *system, h *host, v value.Value, path []string) {
	if !v.Defined() {
		return
	}
	c.members(v, []string{"paths", "message"}, path...)
	paths := c.strings(v, "paths", path)
	if len(paths) == 0 {
		c.say(path, "has no paths: name the paths where the agent is, for example [\"/a2a\"]")
	}
	agent := peerAgent{system: s}
	if message := v.Get("message"); message.Defined() {
		below := append(path[:len(path):len(path)], "message")
		c.members(message, entryMembers, below...)
		agent.message = c.entry(s, message, "message", isArgument, below)
	}
	for _, at := range paths {
		if !strings.HasPrefix(at, "/") || strings.ContainsAny(at, "*{}?#") {
			c.say(append(path, "paths"), "%q is not a path like \"/a2a\"", at)
		}
		for _, other := range h.a2a {
			if other.path == at {
				c.say(append(path, "paths"), "system %s has the same agent at %s", other.system.name, at)
			}
		}
		here := agent
		here.path = at
		h.a2a = append(h.a2a, &here)
	}
}

// network compiles the entries of connections.
func (c *compiler) network(s *system, h *host, v value.Value, path []string) {
	if v.Defined() && v.Kind() != value.Array {
		c.say(path, "is not a list")
	}
	for i, item := range v.Items() {
		path := append(path[:len(path):len(path)], fmt.Sprint(i))
		c.members(item, append([]string{"ports"}, entryMembers...), path...)
		e := c.entry(s, item, "port/{port}", func(name string) bool { return name == "port" }, path)
		ports := item.Get("ports").Items()
		if len(ports) == 0 {
			c.say(path, "has no ports: list the ports that connections go to")
		}
		for _, port := range ports {
			n, whole := port.Int()
			if !whole || n < 1 || n > 65535 {
				c.say(append(path, "ports"), "holds something that is not a port between 1 and 65535")
				continue
			}
			if other := h.network[uint32(n)]; other != nil {
				c.say(append(path, "ports"), "system %s has port %d already", other.system.name, n)
			}
			h.network[uint32(n)] = e
		}
	}
}
