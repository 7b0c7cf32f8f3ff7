package config

import (
	"fmt"
	"strings"
)

// MCP says which requests speak MCP.
type MCP struct {
	Paths []string `yaml:"paths"` // on these paths everything must be MCP
}

// A2A says which requests speak A2A: the paths of its JSON-RPC binding, and the
// base paths of its HTTP binding.
type A2A struct {
	Paths []string `yaml:"paths"` // on these paths everything must be A2A over JSON-RPC
	HTTP  []string `yaml:"http"`  // below these paths everything must be A2A over HTTP
}

// GRPC says what is behind a listener that speaks gRPC: the files with the
// descriptor sets of its services (FileDescriptorSet, binary, imports included).
type GRPC struct {
	Descriptors []string `yaml:"descriptors"` // files with the descriptor sets of its services
}

// protocolProblems reports what is wrong with where a listener speaks what.
func (l *Listener) protocolProblems(key string, say sayFunc) {
	spoken := make(map[string]string)
	check := func(what string, paths []string) {
		for i, path := range paths {
			at := fmt.Sprintf("%s.%s[%d]", key, what, i)
			if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#*{}") {
				say(at, "%q is not a path: it must begin with \"/\" and has no query or pattern", path)
			}
			if other := spoken[path]; other != "" {
				say(at, "%q is in %s as well: a path speaks one protocol", path, other)
			}
			spoken[path] = what
		}
	}
	check("mcp.paths", l.MCP.Paths)
	check("a2a.paths", l.A2A.Paths)
	check("a2a.http", l.A2A.HTTP)
	for i, file := range l.GRPC.Descriptors {
		if file == "" {
			say(fmt.Sprintf("%s.grpc.descriptors[%d]", key, i), "names no file")
		}
	}
}

// rebaseProtocols makes relative paths absolute.
func (l *Listener) rebaseProtocols(under func(*string)) {
	for i := range l.GRPC.Descriptors {
		under(&l.GRPC.Descriptors[i])
	}
}
