package envoyconfig

import (
	"fmt"
	"slices"
	"strings"

	mcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/mcp/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
)

// Examine compares the configuration with what remit needs and returns what is
// good and what is not, in Envoy's order.
func (c *Config) Examine(needs *Needs) []Finding {
	found := examine(adminRules, "envoy", c)
	guarded := make(map[string]string) // clusters, and where remit is asked about what goes there
	var open []*manager
	asking := 0
	for _, m := range c.managers(needs) {
		a := m.asks()
		switch {
		case a == nil:
			open = append(open, m)
			continue
		case a.door == nil:
			found = append(found, asksSomebodyElse(a))
			open = append(open, m)
			continue
		}
		asking++
		found = append(found, a.examine()...)
		for _, p := range a.passages() {
			if !c.isAgentsDoor(p.cluster, needs) {
				guarded[p.cluster] = m.where
			}
		}
	}
	connections, asked := c.connections(needs, guarded)
	found = append(found, connections...)
	for _, m := range open {
		found = append(found, m.unasked(guarded)...)
	}
	if asking+asked == 0 {
		found = append(found, Finding{Error, "nothing in this Envoy asks remit", "envoy",
			"whatever agents send through it is not decided", "copy http_filters and the cluster remit_authz from integration/envoy/envoy.yaml; remit listens for " + addressesOf(needs.Doors)})
	}
	return found
}

// examine holds a manager that asks remit against everything.
func (a *asked) examine() []Finding {
	where := a.where + ", filter " + a.filter.name
	found := []Finding{{OK, fmt.Sprintf("asks remit's listener %s, by %s", a.door.Name, a.describe(a.config.GetGrpcService())), where, "", ""}}
	found = append(found, examine(authzRules, where, a)...)
	found = append(found, examine(bodyRules, where, body{a.config.GetWithRequestBody(), a.door})...)
	found = append(found, examine(managerRules, a.where, a)...)
	for _, f := range a.filters {
		if mcp, ok := f.message.(*mcpv3.Mcp); ok {
			found = append(found, examine(mcpRules, a.where+", filter "+f.name, mcp)...)
		}
	}
	found = append(found, a.beforeRouter()...)
	found = append(found, a.ways()...)
	found = append(found, a.cluster(a.config.GetGrpcService(), a.door)...)
	return append(found, a.outcomes()...)
}

// beforeRouter sees a router that sends requests on before remit is asked.
func (a *asked) beforeRouter() []Finding {
	if !has[*routerv3.Router](a.filters[:a.at]) {
		return nil
	}
	return []Finding{{Error, "the router is before ext_authz", a.where, "requests have gone on when remit would be asked", "put ext_authz before envoy.filters.http.router"}}
}

// unasked says what a manager that asks nobody opens: nothing where it leads to
// the agents' door or nowhere, a way around remit where it leads to what remit
// guards elsewhere.
func (m *manager) unasked(guarded map[string]string) []Finding {
	var around, others []string
	for _, p := range m.passages() {
		switch at := guarded[p.cluster]; {
		case m.isAgentsDoor(p.cluster, m.needs):
		case at != "":
			around = append(around, fmt.Sprintf("%s (which %s guards)", named(p.cluster), at))
		default:
			others = append(others, named(p.cluster))
		}
	}
	if len(around) > 0 {
		return []Finding{{Error, "requests reach cluster " + listed(around) + " and remit is not asked", m.where,
			"a way around remit: whoever takes it does what they like", "put ext_authz before the router here too, or remove the route"}}
	}
	if len(others) > 0 {
		return []Finding{{Warning, "requests reach cluster " + listed(others) + " and remit is not asked", m.where,
			"where one of these is an agent's tool, nobody decides about it", "put ext_authz before the router, or see to it that no agent reaches this listener"}}
	}
	return nil
}

func listed(names []string) string {
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
