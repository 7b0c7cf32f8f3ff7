package envoyconfig

import (
	"fmt"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	headerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	mcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/mcp/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// managerRules are what remit needs of the connection manager whose requests it
// decides about (HttpConnectionManager).
var managerRules = []rule[*asked]{
	{Warning, func(a *asked) string { return when(!a.hcm.GetNormalizePath().GetValue(), "normalize_path is not true") },
		"a path with two spellings chooses a route by one of them, and remit refuses it", "set normalize_path: true"},
	{Warning, func(a *asked) string { return when(!a.hcm.GetMergeSlashes(), "merge_slashes is not true") },
		"a path with doubled slashes chooses another route than the tool reads, and remit refuses it", "set merge_slashes: true"},
	{Warning, func(a *asked) string {
		action := a.hcm.GetPathWithEscapedSlashesAction()
		return when(action != hcmv3.HttpConnectionManager_REJECT_REQUEST, "path_with_escaped_slashes_action is "+action.String())
	}, "%2F is one character to Envoy and a slash to many tools; remit refuses what is left of it", "set path_with_escaped_slashes_action: REJECT_REQUEST"},
	{Warning, func(a *asked) string {
		action := a.hcm.GetCommonHttpProtocolOptions().GetHeadersWithUnderscoresAction()
		return when(action == corev3.HttpProtocolOptions_ALLOW, "headers_with_underscores_action is ALLOW")
	}, "many tools read x_remit_decision as x-remit-decision: a client can speak for remit", "set common_http_protocol_options.headers_with_underscores_action: REJECT_REQUEST"},
	{Warning, func(a *asked) string {
		limit := a.hcm.GetCommonHttpProtocolOptions().GetMaxHeadersCount().GetValue()
		return when(limit > 1000, fmt.Sprintf("max_headers_count is %d", limit))
	}, "every header of a request is sent to remit and read there", "set common_http_protocol_options.max_headers_count: 100"},
	{Warning, func(a *asked) string {
		limit := a.hcm.GetMaxRequestHeadersKb().GetValue()
		return when(int(limit)<<10 > spare*3/4, fmt.Sprintf("max_request_headers_kb is %d", limit))
	}, "headers and a body together may not fit into a message to remit, which answers 503", "leave max_request_headers_kb at 60"},
	{Warning, func(a *asked) string {
		return when(a.hcm.GetCommonHttpProtocolOptions().GetMaxStreamDuration() == nil, "max_stream_duration is not set")
	}, "a stream that was allowed once outlives its agent's revocation", "set common_http_protocol_options.max_stream_duration: 900s"},
	{Warning, func(a *asked) string {
		return when(!a.hcm.GetUseRemoteAddress().GetValue(), "use_remote_address is not true")
	},
		"a client's own x-forwarded-for and x-envoy-* headers are believed", "set use_remote_address: true (unless another trusted proxy stands in front)"},
	{Warning, func(a *asked) string {
		return when(a.hcm.GetPreserveExternalRequestId(), "preserve_external_request_id is true")
	}, "clients choose the ids that requests are correlated by", "set preserve_external_request_id: false"},
	{Error, func(a *asked) string { return when(a.door.XFCC && forwards(a.hcm), forwarding(a.hcm)) },
		"callers are known by x-forwarded-client-cert here, and a client can write it", "set forward_client_cert_details: SANITIZE_SET"},
	{Warning, func(a *asked) string { return when(!a.door.XFCC && forwards(a.hcm), forwarding(a.hcm)) },
		"a client's x-forwarded-client-cert reaches the tools as if Envoy had written it", "set forward_client_cert_details: SANITIZE"},
	{Warning, func(a *asked) string {
		return when(len(a.hcm.GetUpgradeConfigs()) > 0, "upgrade_configs is set")
	}, "nobody sees what a WebSocket or a tunnel carries; remit refuses upgrades", "remove upgrade_configs"},
	{Warning, func(a *asked) string {
		return when(!stripped(a.filters[:a.at]), "no filter before ext_authz removes x-remit-* headers")
	},
		"a client can speak in remit's name to tools on every route that remit does not decide about", "put the header_mutation filter of integration/envoy/envoy.yaml first"},
	{Warning, func(a *asked) string { return changer(a.filters[a.at+1:]) },
		"what was decided is not what the tool gets", "move the filter before ext_authz, or make sure that it changes neither path, host nor body"},
	{Warning, func(a *asked) string {
		return when(has[*mcpv3.Mcp](a.filters[a.at+1:]), "the MCP filter is behind ext_authz")
	}, "remit does not get what Envoy read in a message", "move the MCP filter before ext_authz"},
}

func forwards(hcm *hcmv3.HttpConnectionManager) bool {
	switch hcm.GetForwardClientCertDetails() {
	case hcmv3.HttpConnectionManager_SANITIZE, hcmv3.HttpConnectionManager_SANITIZE_SET:
		return false
	default:
		return true
	}
}

func forwarding(hcm *hcmv3.HttpConnectionManager) string {
	return "forward_client_cert_details is " + hcm.GetForwardClientCertDetails().String()
}

// stripped reports whether one of some filters removes what a client says in
// remit's name.
func stripped(filters []filter) bool {
	for _, f := range filters {
		mutation, ok := f.message.(*headerv3.HeaderMutation)
		if !ok || f.disabled || f.matched {
			continue
		}
		for _, m := range mutation.GetMutations().GetRequestMutations() {
			if removes(m, "x-remit-decision") {
				return true
			}
		}
	}
	return false
}

func removes(m *mutationv3.HeaderMutation, header string) bool {
	if m.GetRemove() == header {
		return true
	}
	switch key := m.GetRemoveOnMatch().GetKeyMatcher(); pattern := key.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		return pattern.Exact == header
	case *matcherv3.StringMatcher_Prefix:
		return len(pattern.Prefix) <= len(header) && header[:len(pattern.Prefix)] == pattern.Prefix
	case *matcherv3.StringMatcher_SafeRegex:
		return fits(pattern.SafeRegex.GetRegex(), header)
	default:
		return false
	}
}

// changers are filters that change requests as they like, by what their
// configuration is called. (Theirs is not read: what they do is elsewhere.)
var changers = map[string]bool{
	"envoy.filters.http.lua": true, "envoy.filters.http.wasm": true, "envoy.filters.http.golang": true,
	"envoy.filters.http.ext_proc": true, "envoy.filters.http.dynamic_modules": true,
}

func changer(behind []filter) string {
	for _, f := range behind {
		if changers[f.name] {
			return "filter " + f.name + " is behind ext_authz"
		}
	}
	return ""
}

// mcpRules are what remit needs of Envoy's MCP filter, where there is one
// (envoy.extensions.filters.http.mcp.v3.Mcp).
var mcpRules = []rule[*mcpv3.Mcp]{
	{Warning, func(m *mcpv3.Mcp) string {
		return when(m.GetTrafficMode() != mcpv3.Mcp_REJECT_NO_MCP, "traffic_mode is "+m.GetTrafficMode().String())
	}, "what Envoy cannot read passes without metadata; remit alone refuses it", "set traffic_mode: REJECT_NO_MCP, and disable the filter for hosts that are no MCP"},
	{Warning, func(m *mcpv3.Mcp) string {
		return when(!m.GetRejectDuplicateKeys().GetValue(), "reject_duplicate_keys is not true")
	}, "a name that is twice in a message means its last value to Envoy; remit alone refuses it", "set reject_duplicate_keys: true"},
	{Warning, func(m *mcpv3.Mcp) string {
		return when(m.GetAttributeSource() == mcpv3.Mcp_HEADERS, "attribute_source is HEADERS")
	}, "Envoy believes a header about the method; remit refuses every message that says otherwise", "set attribute_source: BODY"},
	{Warning, func(m *mcpv3.Mcp) string {
		return when(m.GetClearRouteCache(), "the MCP filter's clear_route_cache is true")
	},
		"a message chooses the route, and with it whether remit is asked", "set clear_route_cache: false"},
}
