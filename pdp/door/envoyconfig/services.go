package envoyconfig

import (
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// targets are the addresses that a gRPC service may be found at.
func (c *Config) targets(service *corev3.GrpcService) (addresses []string) {
	if uri := service.GetGoogleGrpc().GetTargetUri(); uri != "" {
		// grpc's names: unix:///path and dns:///host:port are ways to write these.
		if path, isSocket := strings.CutPrefix(uri, "unix://"); isSocket {
			return []string{socketScheme + path}
		}
		return []string{strings.TrimPrefix(uri, "dns:///")}
	}
	for _, e := range c.endpoints[service.GetEnvoyGrpc().GetClusterName()] {
		addresses = append(addresses, e.address)
	}
	return addresses
}

// doorOf is the door that a gRPC service is; nil for one that is none.
func (c *Config) doorOf(service *corev3.GrpcService, doors []Door) *Door {
	targets := c.targets(service)
	for i := range doors {
		if doors[i].Address != "" && slices.ContainsFunc(targets, func(t string) bool { return same(t, doors[i].Address) }) {
			return &doors[i]
		}
	}
	return nil
}

// describe says where a gRPC service leads.
func (c *Config) describe(service *corev3.GrpcService) string {
	targets := strings.Join(c.targets(service), ", ")
	name := service.GetEnvoyGrpc().GetClusterName()
	switch {
	case service == nil:
		return "no gRPC service"
	case name == "":
		return targets
	case targets == "":
		return "cluster " + name + ", which has no endpoint"
	}
	return "cluster " + name + " (" + targets + ")"
}

// isAgentsDoor reports whether a cluster is nothing but remit's own door for agents.
func (c *Config) isAgentsDoor(cluster string, needs *Needs) bool {
	endpoints := c.endpoints[cluster]
	return needs.Agents != "" && len(endpoints) > 0 &&
		!slices.ContainsFunc(endpoints, func(e endpoint) bool { return !same(e.address, needs.Agents) })
}

// addressesOf are where doors are, for a person.
func addressesOf(doors []Door) string {
	list := make([]string, len(doors))
	for i, d := range doors {
		list[i] = d.Name + " at " + d.Address
	}
	return strings.Join(list, ", ")
}
