package envoyconfig

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	netauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/ext_authz/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
)

// connection is a network filter that asks remit about connections.
type connection struct {
	config *netauthzv3.ExtAuthz
	door   *Door
	needs  *Needs
}

// connectionRules are what remit needs of the network filter
// (envoy.extensions.filters.network.ext_authz.v3.ExtAuthz).
var connectionRules = []rule[connection]{
	{Error, func(c connection) string {
		return when(c.config.GetFailureModeAllow(), "failure_mode_allow is true")
	}, "whenever remit does not answer, every connection is let through undecided", "set failure_mode_allow: false"},
	{Error, func(c connection) string { return when(c.config.GetShadowMode(), "shadow_mode is true") },
		"remit is asked and no connection that it denies is closed", "remove shadow_mode"},
	{Error, func(c connection) string {
		return when(c.config.GetFilterEnabledMetadata() != nil, "filter_enabled_metadata is set")
	}, "connections that the filter is not enabled for pass undecided", "remove filter_enabled_metadata"},
	{Error, func(c connection) string {
		v := c.config.GetTransportApiVersion()
		return when(v != corev3.ApiVersion_V3, "transport_api_version is "+v.String())
	}, "remit answers envoy.service.auth.v3 only", "set transport_api_version: V3"},
	{Error, func(c connection) string {
		return when(!c.door.Network, "listener "+c.door.Name+" of remit does not take questions about connections")
	}, "every connection is denied", "set network: true at the listener, or let the filter ask one that has it"},
	{Warning, func(c connection) string { return timeout(c.config.GetGrpcService(), c.door, c.needs) },
		"shorter than remit needs, good connections are closed; longer than it ever takes, a remit that hangs holds every connection that long",
		"set grpc_service.timeout: 0.5s"},
	{Warning, func(c connection) string {
		return when(!c.config.GetIncludePeerCertificate(), "include_peer_certificate is false")
	}, "remit does not know who connects", "set include_peer_certificate: true"},
}

// connections examines the chains on which nobody speaks HTTP to Envoy. asked is
// how many ask remit.
func (c *Config) connections(needs *Needs, guarded map[string]string) (found []Finding, asked int) {
	for _, one := range c.chains() {
		isAsked := false
		for _, f := range one.filters {
			where := one.where + ", filter " + f.GetName()
			switch config := messageIn(f.GetTypedConfig()).(type) {
			case *netauthzv3.ExtAuthz:
				door := c.doorOf(config.GetGrpcService(), needs.Doors)
				if door == nil {
					continue
				}
				isAsked = true
				asked++
				found = append(found, Finding{OK, "asks remit's listener " + door.Name + " about connections, by " + c.describe(config.GetGrpcService()), where, "", ""})
				found = append(found, examine(connectionRules, where, connection{config, door, needs})...)
				found = append(found, c.cluster(config.GetGrpcService(), door, needs)...)
			case *tcpv3.TcpProxy:
				if at := guarded[config.GetCluster()]; at != "" && !isAsked {
					found = append(found, Finding{Error, "connections reach cluster " + config.GetCluster() + " (which " + at + " guards) and remit is not asked", where,
						"a way around remit: whoever takes it does what they like", "put envoy.filters.network.ext_authz before the proxy, or remove the listener"})
				}
			}
		}
	}
	return found, asked
}
