package catalog

import "slices"

// InReview returns where the entries stand that a person has still to review,
// each a path below data.remit.catalog, in order. Until then they describe
// nothing: what they are for stays unknown.
func (c *Catalog) InReview() (paths [][]string) {
	for _, e := range c.entries {
		if e.review {
			paths = append(paths, e.path)
		}
	}
	slices.SortFunc(paths, slices.Compare[[]string])
	return slices.CompactFunc(paths, slices.Equal[[]string])
}

// PinnedTools returns the digests of the reviewed definitions of a system's
// tools, by their names.
func (c *Catalog) PinnedTools(system string) map[string]string {
	pinned := make(map[string]string)
	for _, h := range c.all() {
		for _, e := range h.mcp {
			if e.system.name != system {
				continue
			}
			for name, tool := range e.tools {
				if tool.definition != "" {
					pinned[name] = tool.definition
				}
			}
		}
	}
	return pinned
}

// all are the hosts, exact and wild.
func (c *Catalog) all() (hosts []*host) {
	for _, h := range c.hosts {
		hosts = append(hosts, h)
	}
	for _, h := range c.wild {
		hosts = append(hosts, h)
	}
	return hosts
}
