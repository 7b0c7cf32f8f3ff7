package envoyconfig

import (
	"fmt"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matchingv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/matching/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// chain is one filter chain of a listener: what becomes of a connection.
type chain struct {
	where   string
	filters []*listenerv3.Filter
}

// chains are all filter chains, the default ones too.
func (c *Config) chains() (all []chain) {
	for _, l := range c.listeners {
		for i, one := range l.GetFilterChains() {
			where := "listener " + l.GetName()
			switch {
			case one.GetName() != "":
				where += ", filter chain " + one.GetName()
			case len(l.GetFilterChains()) > 1:
				where += fmt.Sprintf(", filter chain %d", i)
			}
			all = append(all, chain{where, one.GetFilters()})
		}
		if one := l.GetDefaultFilterChain(); one != nil {
			all = append(all, chain{"listener " + l.GetName() + ", default filter chain", one.GetFilters()})
		}
	}
	return all
}

// manager is one HTTP connection manager.
type manager struct {
	*Config
	needs   *Needs
	where   string
	hcm     *hcmv3.HttpConnectionManager
	routes  *routev3.RouteConfiguration // nil where they are not known here
	filters []filter
}

// filter is one HTTP filter, in its place.
type filter struct {
	name     string
	message  proto.Message // nil where its configuration is not known here
	disabled bool          // unless a route enables it
	matched  bool          // it is passed by where a matcher says so
}

// managers are the connection managers of all listeners.
func (c *Config) managers(needs *Needs) (all []*manager) {
	for _, one := range c.chains() {
		for _, f := range one.filters {
			if hcm, ok := messageIn(f.GetTypedConfig()).(*hcmv3.HttpConnectionManager); ok {
				m := &manager{Config: c, needs: needs, where: one.where, hcm: hcm, routes: hcm.GetRouteConfig()}
				if m.routes == nil {
					m.routes = c.routes[hcm.GetRds().GetRouteConfigName()]
				}
				m.filters = c.filtersOf(hcm)
				all = append(all, m)
			}
		}
	}
	return all
}

func (c *Config) filtersOf(hcm *hcmv3.HttpConnectionManager) (all []filter) {
	for _, f := range hcm.GetHttpFilters() {
		typed := f.GetTypedConfig()
		if f.GetConfigDiscovery() != nil {
			typed = c.filters[f.GetName()]
		}
		one := filter{name: f.GetName(), message: messageIn(typed), disabled: f.GetDisabled()}
		if conditional, ok := one.message.(*matchingv3.ExtensionWithMatcher); ok {
			one.message, one.matched = messageIn(conditional.GetExtensionConfig().GetTypedConfig()), true
		}
		all = append(all, one)
	}
	return all
}

// messageIn is the message in an Any; nil where its type is not known here.
func messageIn(any *anypb.Any) proto.Message {
	if any == nil {
		return nil
	}
	message, err := any.UnmarshalNew()
	if err != nil {
		return nil
	}
	return message
}

// asked is the filter of a manager that asks remit.
type asked struct {
	*manager
	filter
	at     int // its place among the manager's filters
	config *authzv3.ExtAuthz
	door   *Door
}

// asks is the filter that asks remit; without a door, the filter that asks
// somebody else; nil where nobody is asked.
func (m *manager) asks() (other *asked) {
	for i, f := range m.filters {
		config, ok := f.message.(*authzv3.ExtAuthz)
		if !ok {
			continue
		}
		one := &asked{manager: m, filter: f, at: i, config: config, door: m.doorOf(config.GetGrpcService(), m.needs.Doors)}
		if one.door != nil {
			return one
		}
		other = one
	}
	return other
}
