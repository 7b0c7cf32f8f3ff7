package envoyconfig

import (
	"fmt"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// perFilter is what is said about filters for some requests, by their names.
type perFilter = map[string]*anypb.Any

// passage is one way through a connection manager: a route to one cluster.
type passage struct {
	where    string
	cluster  string // "" where a header or a plugin chooses it
	grpc     bool
	settings []perFilter // the most specific first
	retries  bool
}

// passages are the ways to an upstream: what is answered by Envoy itself
// (a redirect, a direct response) is none.
func (m *manager) passages() (all []passage) {
	for _, host := range m.routes.GetVirtualHosts() {
		for _, r := range host.GetRoutes() {
			action := r.GetRoute()
			if action == nil {
				continue
			}
			one := passage{
				where:    m.where + ", virtual host " + host.GetName() + ", route " + nameOf(r),
				cluster:  action.GetCluster(),
				grpc:     r.GetMatch().GetGrpc() != nil,
				settings: []perFilter{r.GetTypedPerFilterConfig(), host.GetTypedPerFilterConfig(), m.routes.GetTypedPerFilterConfig()},
				retries:  action.GetRetryPolicy() != nil || host.GetRetryPolicy() != nil,
			}
			weighted := action.GetWeightedClusters().GetClusters()
			if len(weighted) == 0 {
				all = append(all, one)
			}
			for _, share := range weighted {
				part := one
				part.cluster, part.settings = share.GetName(), append([]perFilter{share.GetTypedPerFilterConfig()}, one.settings...)
				part.where += ", cluster " + share.GetName()
				all = append(all, part)
			}
		}
	}
	return all
}

// nameOf is what a route is called, or else what it matches.
func nameOf(r *routev3.Route) string {
	match := r.GetMatch()
	for _, s := range []string{r.GetName(), match.GetPath(), match.GetPrefix(), match.GetPathSeparatedPrefix(), match.GetSafeRegex().GetRegex()} {
		if s != "" {
			return s
		}
	}
	return "without a name"
}

// setting is what is said about a filter for a passage: the most specific word
// counts (https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/http/http_filters).
func (p *passage) setting(name string) (disabled bool, check *authzv3.CheckSettings) {
	for _, said := range p.settings {
		any := said[name]
		if any == nil {
			continue
		}
		message := messageIn(any)
		if wrapped, ok := message.(*routev3.FilterConfig); ok {
			if wrapped.GetDisabled() {
				return true, nil
			}
			message = messageIn(wrapped.GetConfig())
		}
		if override, ok := message.(*authzv3.ExtAuthzPerRoute); ok {
			return override.GetDisabled(), override.GetCheckSettings()
		}
		return false, nil
	}
	return false, nil
}

// override is what a route says otherwise than the filter.
type override struct {
	*asked
	passage
	*authzv3.CheckSettings
}

// overrideRules are about check_settings of a route (ExtAuthzPerRoute).
var overrideRules = []rule[override]{
	{Error, func(o override) string {
		other := o.GetGrpcService()
		return when(other != nil && o.doorOf(other, o.needs.Doors) == nil, "the route asks somebody else: "+o.describe(other))
	}, "what takes this route is not decided by remit", "remove grpc_service from check_settings, or name remit's cluster"},
	{Error, func(o override) string {
		return when(o.GetHttpService() != nil, "the route asks somebody else over HTTP")
	},
		"what takes this route is not decided by remit", "remove http_service from check_settings"},
	{Warning, func(o override) string {
		return when(o.GetDisableRequestBodyBuffering() && !o.passage.grpc, "the route has disable_request_body_buffering")
	}, "remit sees no body of these requests, and denies what it would have to read", "remove it; it is for gRPC methods whose client streams (match: { grpc: {} })"},
}

// ways examines every passage of a manager that asks remit.
func (a *asked) ways() (found []Finding) {
	var retried []string
	for _, p := range a.passages() {
		disabled, check := p.setting(a.filter.name)
		switch {
		case disabled && !a.isAgentsDoor(p.cluster, a.needs):
			found = append(found, Finding{Error, "ext_authz is disabled on a route to cluster " + named(p.cluster), p.where,
				"a way around remit: whoever takes it does what they like", "remove disabled from typed_per_filter_config; only the route to the agents' door may have it"})
		case check != nil:
			found = append(found, examine(overrideRules, p.where, override{a, p, check})...)
			if check.GetWithRequestBody() != nil {
				found = append(found, examine(bodyRules, p.where, body{check.GetWithRequestBody(), a.door})...)
			}
		}
		if p.retries {
			retried = append(retried, p.where)
		}
	}
	return append(append(found, a.scoped()...), retries(retried)...)
}

func named(cluster string) string {
	if cluster == "" {
		return "(chosen by the request)"
	}
	return cluster
}

// scoped tells of routes that cannot be followed here.
func (m *manager) scoped() []Finding {
	if m.routes != nil {
		return nil
	}
	what := "its routes are not in the dump"
	if name := m.hcm.GetRds().GetRouteConfigName(); name != "" {
		what = fmt.Sprintf("route configuration %s is not in the dump", name)
	}
	return []Finding{{Warning, what, m.where, "a route that disables ext_authz would not be seen", "read the configuration from a running Envoy, and look at scoped routes by hand"}}
}

// retries notes what a retry means.
func retries(where []string) []Finding {
	if len(where) == 0 {
		return nil
	}
	slices.Sort(where)
	return []Finding{{OK, fmt.Sprintf("it retries on %d of its routes: remit is asked once, whatever the number of attempts, and an action counts once", len(where)), strings.Join(where, "; "), "", ""}}
}

// asksSomebodyElse says that the only filter of a manager asks another service.
func asksSomebodyElse(a *asked) Finding {
	what := "ext_authz asks somebody else: " + a.describe(a.config.GetGrpcService())
	if a.config.GetHttpService() != nil {
		what = "ext_authz asks over HTTP, and remit answers gRPC"
	}
	return Finding{Error, what, a.where + ", filter " + a.filter.name,
		"remit decides nothing here", "let grpc_service lead to " + addressesOf(a.needs.Doors) + ", as this host and its mounts know it"}
}
