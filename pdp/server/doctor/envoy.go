package doctor

import (
	"fmt"
	"strings"

	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/door/envoyconfig"
)

// envoy judges the configuration of the Envoy that asks.
func envoy(s *signs) (found []Finding) {
	p := &s.proxy
	const remedy = "name its admin interface (--envoy http://HOST:PORT), or a file with what its /config_dump?include_eds answers (--envoy-config-dump FILE)"
	switch {
	case p.from == "":
		return nil
	case p.err != nil && s.options.Guessed:
		return []Finding{wrong(Warning, fmt.Sprintf("no Envoy is found: %v", p.err), p.from, "whether there is a way around remit is not known", remedy)}
	case p.err != nil:
		return []Finding{wrong(Error, fmt.Sprintf("its configuration cannot be read: %v", p.err), p.from, "whether there is a way around remit is not known", remedy)}
	}
	for _, f := range p.config.Examine(needs(s.config)) {
		found = append(found, Finding{Severity: Severity(f.Severity), What: f.What, Where: f.Where, Why: f.Why, Remedy: f.Remedy})
	}
	return found
}

// needs are what the configuration wants of Envoy's.
func needs(c *config.Config) *envoyconfig.Needs {
	n := &envoyconfig.Needs{
		Outcomes: envoyconfig.Door{Name: "outcomes", Address: c.Outcomes.Address, TLS: c.Outcomes.TLS != nil, MinPing: c.Outcomes.Connections.MinPing.D()},
		Agents:   c.Agents.Address, PolicyTimeout: c.Policy.Timeout.D(), Pause: c.Shutdown.Pause.D(),
	}
	if c.Agents.Address != "" {
		n.SessionHeader = strings.ToLower(c.Agents.SessionHeader)
	}
	for i := range c.Listeners {
		l := &c.Listeners[i]
		n.Doors = append(n.Doors, envoyconfig.Door{
			Name: l.Name, Address: l.Address, TLS: l.TLS != nil, Deadline: l.Deadline.D(),
			MaxMessage: l.Connections.MaxMessage, MinPing: l.Connections.MinPing.D(),
			Certificate: l.Identity.SPIFFE != nil && l.Identity.SPIFFE.Certificate == "required",
			EnvoyJWT:    l.Identity.EnvoyJWT != nil, XFCC: l.Identity.XFCC != nil, Network: l.Network,
		})
	}
	return n
}
