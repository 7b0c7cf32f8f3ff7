package envoyconfig

import (
	"encoding/json"
	"errors"
	"fmt"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Config is the configuration that an Envoy runs with.
type Config struct {
	Version   string // "1.40.0"; "" where the dump does not say
	bootstrap bootstrap
	listeners []*listenerv3.Listener
	clusters  map[string]*clusterv3.Cluster
	endpoints map[string][]endpoint // by cluster
	routes    map[string]*routev3.RouteConfiguration
	filters   map[string]*anypb.Any // that come by themselves (ECDS), by name
	refused   []string              // listeners whose update Envoy did not take, with its reason
}

// endpoint is one address of a cluster.
type endpoint struct {
	address string // "unix:PATH" or "HOST:PORT"
	healthy bool
}

// section begins a part of the dump (envoy.admin.v3.ConfigDump.configs).
type section struct {
	Type      string    `json:"@type"`
	Bootstrap bootstrap `json:"bootstrap"`
}

// Parse reads what /config_dump?include_eds answers (envoy.admin.v3.ConfigDump
// as JSON). Extensions that remit knows nothing of are kept and not looked into.
func Parse(dump []byte) (*Config, error) {
	var whole struct {
		Configs []json.RawMessage `json:"configs"`
	}
	if err := json.Unmarshal(dump, &whole); err != nil {
		return nil, fmt.Errorf("it is not the JSON of /config_dump: %w", err)
	}
	c := &Config{
		clusters: make(map[string]*clusterv3.Cluster), endpoints: make(map[string][]endpoint),
		routes: make(map[string]*routev3.RouteConfiguration), filters: make(map[string]*anypb.Any),
	}
	for _, text := range whole.Configs {
		if err := c.take(text); err != nil {
			return nil, err
		}
	}
	if len(c.listeners) == 0 {
		return nil, errors.New("it names no listener: save the whole answer of /config_dump?include_eds")
	}
	return c, nil
}

func (c *Config) take(text json.RawMessage) error {
	var s section
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	switch s.Type {
	case typeURL(&adminv3.BootstrapConfigDump{}):
		c.bootstrap, c.Version = s.Bootstrap, s.Bootstrap.version()
		return nil
	case typeURL(&adminv3.ListenersConfigDump{}):
		return takeAs(text, c.takeListeners)
	case typeURL(&adminv3.ClustersConfigDump{}):
		return takeAs(text, c.takeClusters)
	case typeURL(&adminv3.EndpointsConfigDump{}):
		return takeAs(text, c.takeEndpoints)
	case typeURL(&adminv3.RoutesConfigDump{}):
		return takeAs(text, c.takeRoutes)
	case typeURL(&adminv3.EcdsConfigDump{}):
		return takeAs(text, c.takeFilters)
	}
	return nil
}

func (c *Config) takeListeners(dump *adminv3.ListenersConfigDump) error {
	all := make([]*anypb.Any, 0, len(dump.GetStaticListeners())+len(dump.GetDynamicListeners()))
	for _, l := range dump.GetStaticListeners() {
		all = append(all, l.GetListener())
	}
	for _, l := range dump.GetDynamicListeners() {
		all = append(all, l.GetActiveState().GetListener())
		if details := l.GetErrorState().GetDetails(); details != "" {
			c.refused = append(c.refused, l.GetName()+": "+details)
		}
	}
	return each(all, func(l *listenerv3.Listener) { c.listeners = append(c.listeners, l) })
}

func (c *Config) takeClusters(dump *adminv3.ClustersConfigDump) error {
	var all []*anypb.Any
	for _, one := range dump.GetStaticClusters() {
		all = append(all, one.GetCluster())
	}
	for _, one := range dump.GetDynamicActiveClusters() {
		all = append(all, one.GetCluster())
	}
	return each(all, func(one *clusterv3.Cluster) {
		c.clusters[one.GetName()] = one
		c.know(one.GetName(), one.GetLoadAssignment())
	})
}

func (c *Config) takeEndpoints(dump *adminv3.EndpointsConfigDump) error {
	var all []*anypb.Any
	for _, one := range dump.GetStaticEndpointConfigs() {
		all = append(all, one.GetEndpointConfig())
	}
	for _, one := range dump.GetDynamicEndpointConfigs() {
		all = append(all, one.GetEndpointConfig())
	}
	return each(all, func(one *endpointv3.ClusterLoadAssignment) { c.know(one.GetClusterName(), one) })
}

// know takes in the endpoints of a cluster, in the place of those known before:
// the section with endpoints comes after that with clusters, and knows their health.
func (c *Config) know(cluster string, assigned *endpointv3.ClusterLoadAssignment) {
	var list []endpoint
	for _, locality := range assigned.GetEndpoints() {
		for _, one := range locality.GetLbEndpoints() {
			status := one.GetHealthStatus()
			list = append(list, endpoint{
				address: addressOf(one.GetEndpoint().GetAddress()),
				healthy: status != corev3.HealthStatus_UNHEALTHY && status != corev3.HealthStatus_TIMEOUT,
			})
		}
	}
	if list != nil {
		c.endpoints[cluster] = list
	}
}

func (c *Config) takeRoutes(dump *adminv3.RoutesConfigDump) error {
	var all []*anypb.Any
	for _, one := range dump.GetDynamicRouteConfigs() {
		all = append(all, one.GetRouteConfig())
	}
	return each(all, func(one *routev3.RouteConfiguration) { c.routes[one.GetName()] = one })
}

func (c *Config) takeFilters(dump *adminv3.EcdsConfigDump) error {
	var all []*anypb.Any
	for _, one := range dump.GetEcdsFilters() {
		all = append(all, one.GetEcdsFilter())
	}
	return each(all, func(one *corev3.TypedExtensionConfig) { c.filters[one.GetName()] = one.GetTypedConfig() })
}

// each hands out the messages in a list; what is not there is left out.
func each[M proto.Message](list []*anypb.Any, take func(M)) error {
	for _, one := range list {
		if one == nil {
			continue
		}
		message, err := one.UnmarshalNew()
		if err != nil {
			return err
		}
		if m, ok := message.(M); ok {
			take(m)
		}
	}
	return nil
}
