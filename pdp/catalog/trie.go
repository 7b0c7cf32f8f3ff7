package catalog

import "fmt"

// A node is one segment of the HTTP paths of a host. A literal segment wins
// over a capture, a capture over the rest of the path.
type node struct {
	literal map[string]*node
	capture *node
	rest    map[string]*entry // by method: whatever comes from here on
	here    map[string]*entry // by method: the path ends here
}

// anyMethod is how an entry for every method is kept.
const anyMethod = "*"

// add puts an entry under a path pattern. It returns an error where another
// entry matches exactly the same requests.
func (n *node) add(pattern []string, method string, e *entry) error {
	if len(pattern) == 0 {
		return put(&n.here, method, e)
	}
	switch segment := pattern[0]; {
	case segment == "**":
		return put(&n.rest, method, e)
	case isCapture(segment):
		if n.capture == nil {
			n.capture = &node{}
		}
		return n.capture.add(pattern[1:], method, e)
	default:
		if n.literal == nil {
			n.literal = make(map[string]*node)
		}
		if n.literal[segment] == nil {
			n.literal[segment] = &node{}
		}
		return n.literal[segment].add(pattern[1:], method, e)
	}
}

func put(entries *map[string]*entry, method string, e *entry) error {
	if *entries == nil {
		*entries = make(map[string]*entry)
	}
	if other := (*entries)[method]; other != nil {
		return fmt.Errorf("system %s has an entry for the same requests", other.system.name)
	}
	(*entries)[method] = e
	return nil
}

func isCapture(segment string) bool {
	return len(segment) > 2 && segment[0] == '{' && segment[len(segment)-1] == '}'
}

// find returns the entry of a path and what its captures took.
func (n *node) find(method string, segments []string) (*entry, []string) {
	return n.walk(method, segments, nil)
}

func (n *node) walk(method string, segments, captured []string) (*entry, []string) {
	if len(segments) == 0 {
		return pick(n.here, method), captured
	}
	if child := n.literal[segments[0]]; child != nil {
		if e, c := child.walk(method, segments[1:], captured); e != nil {
			return e, c
		}
	}
	if n.capture != nil && segments[0] != "" {
		if e, c := n.capture.walk(method, segments[1:], append(captured[:len(captured):len(captured)], segments[0])); e != nil {
			return e, c
		}
	}
	return pick(n.rest, method), captured
}

func pick(entries map[string]*entry, method string) *entry {
	if e := entries[method]; e != nil {
		return e
	}
	return entries[anyMethod]
}
