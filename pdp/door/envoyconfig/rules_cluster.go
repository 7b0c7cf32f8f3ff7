package envoyconfig

import (
	"fmt"
	"slices"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	upstreamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
)

// upstream is a cluster of Envoy's that leads to one of remit's doors.
type upstream struct {
	*clusterv3.Cluster
	endpoints []endpoint
	door      *Door
	needs     *Needs
	decides   bool // it is asked for decisions, not told outcomes
}

// clusterRules are what remit needs of the clusters that lead to it
// (envoy.config.cluster.v3.Cluster).
var clusterRules = []rule[upstream]{
	{Error, func(u upstream) string { return when(http2(u.Cluster) == nil, "the cluster does not speak HTTP/2") },
		"gRPC needs it: no question gets through", "copy typed_extension_protocol_options from integration/envoy/envoy.yaml"},
	{Error, func(u upstream) string {
		ping := http2(u.Cluster).GetConnectionKeepalive().GetInterval()
		return when(ping != nil && ping.AsDuration() < u.door.MinPing,
			fmt.Sprintf("connection_keepalive.interval is %s, remit's connections.min_ping %s", ping.AsDuration(), u.door.MinPing))
	}, "remit takes pings that often for an attack and ends the connection", "set connection_keepalive.interval: 30s"},
	{Error, func(u upstream) string {
		_, isTLS := transport(u.Cluster)
		return when(u.door.TLS && !isTLS, "the cluster has no TLS, and remit's address "+u.door.Address+" has")
	}, "no connection comes about", "copy transport_socket from integration/envoy/mtls.yaml"},
	{Error, func(u upstream) string {
		_, isTLS := transport(u.Cluster)
		return when(!u.door.TLS && isTLS, "the cluster has TLS, and remit's address "+u.door.Address+" has not")
	}, "no connection comes about", "remove transport_socket, or give remit's address tls"},
	{Error, func(u upstream) string {
		context, isTLS := transport(u.Cluster)
		return when(u.door.TLS && isTLS && !names(context), "the cluster takes every certificate of its authority for remit's")
	}, "any other service of that authority could decide", "set match_typed_subject_alt_names as integration/envoy/mtls.yaml has it"},
	{Error, func(u upstream) string {
		sick := slices.ContainsFunc(u.endpoints, func(e endpoint) bool { return !e.healthy })
		return when(sick, "Envoy's health check finds an endpoint of the cluster not healthy")
	}, "remit does not answer there, or is not ready: without another endpoint every request answers 503", "see what doctor says about the serving remit, and /ready"},
	{Warning, func(u upstream) string {
		return when(u.decides && len(u.endpoints) > 1 && len(u.GetHealthChecks()) == 0, "the cluster has several endpoints and no health check")
	}, "a remit that ends or hangs is asked on", "copy health_checks from integration/envoy/mtls.yaml"},
	{Warning, func(u upstream) string {
		noticed := notices(u.Cluster)
		return when(u.decides && len(u.endpoints) > 1 && noticed >= u.needs.Pause && noticed > 0,
			fmt.Sprintf("the health check notices after %s, remit's shutdown.pause is %s", noticed, u.needs.Pause))
	}, "a remit that ends in order is still asked when it has stopped answering", "look more often (interval × unhealthy_threshold), or raise shutdown.pause"},
}

// cluster examines the cluster of a gRPC service that leads to a door.
func (m *manager) cluster(service *corev3.GrpcService, door *Door) []Finding {
	return m.Config.cluster(service, door, m.needs)
}

func (c *Config) cluster(service *corev3.GrpcService, door *Door, needs *Needs) []Finding {
	name := service.GetEnvoyGrpc().GetClusterName()
	known := c.clusters[name]
	if known == nil {
		return nil // Google's client has no cluster
	}
	u := upstream{known, c.endpoints[name], door, needs, door.Address != needs.Outcomes.Address}
	return examine(clusterRules, "cluster "+name, u)
}

// http2 are the options that say that a cluster speaks HTTP/2; nil where it does
// not. What it is to speak with TLS may be found out by ALPN.
func http2(c *clusterv3.Cluster) *corev3.Http2ProtocolOptions {
	options, ok := messageIn(c.GetTypedExtensionProtocolOptions()["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]).(*upstreamv3.HttpProtocolOptions)
	if !ok {
		//lint:ignore SA1019 Envoy still takes it.
		return c.GetHttp2ProtocolOptions()
	}
	for _, one := range []*corev3.Http2ProtocolOptions{
		options.GetExplicitHttpConfig().GetHttp2ProtocolOptions(),
		options.GetUseDownstreamProtocolConfig().GetHttp2ProtocolOptions(),
		options.GetAutoConfig().GetHttp2ProtocolOptions(),
	} {
		if one != nil {
			return one
		}
	}
	return nil
}

func transport(c *clusterv3.Cluster) (*tlsv3.UpstreamTlsContext, bool) {
	context, ok := messageIn(c.GetTransportSocket().GetTypedConfig()).(*tlsv3.UpstreamTlsContext)
	return context, ok
}

// names reports whether a context accepts certain names only.
func names(context *tlsv3.UpstreamTlsContext) bool {
	common := context.GetCommonTlsContext()
	for _, v := range []*tlsv3.CertificateValidationContext{common.GetValidationContext(), common.GetCombinedValidationContext().GetDefaultValidationContext()} {
		if len(v.GetMatchTypedSubjectAltNames()) > 0 {
			return true
		}
	}
	return context.GetAutoSniSanValidation()
}

// notices is how long a cluster's health check takes to find that an endpoint is
// not to be asked any more; 0 where there is none.
func notices(c *clusterv3.Cluster) (soonest time.Duration) {
	for _, check := range c.GetHealthChecks() {
		after := check.GetInterval().AsDuration() * time.Duration(check.GetUnhealthyThreshold().GetValue())
		if soonest == 0 || after < soonest {
			soonest = after
		}
	}
	return soonest
}

// adminRules are about Envoy itself.
var adminRules = []rule[*Config]{
	{Warning, func(c *Config) string {
		v := c.bootstrap.Node.Build.Version
		return when(c.Version != "" && (v.Major < 1 || v.Major == 1 && v.Minor < 40), "Envoy is "+c.Version)
	}, "before 1.40 paths with ; and requests without a path get past, or crash, what decides by path (CVE-2026-73551, CVE-2026-73547)", "run Envoy 1.40 or later"},
	{Warning, func(c *Config) string {
		host := c.bootstrap.Admin.Address.Socket.Address
		return when(host != "" && !loopback(host), "the admin interface listens on "+host)
	}, "whoever reaches it reads the configuration, and may end Envoy", "bind admin to 127.0.0.1 and name what it answers in allow_paths"},
	{Error, func(c *Config) string {
		return when(len(c.refused) > 0, "Envoy refused an update: "+strings.Join(c.refused, "; "))
	}, "what runs is not what was configured last", "correct the configuration that the control plane sends"},
}
