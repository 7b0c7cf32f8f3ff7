package envoyconfig

import (
	"fmt"
	"regexp"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	mcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/mcp/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
)

// Envoy's names of the filters whose metadata remit reads.
const (
	mcpNamespace   = "envoy.filters.http.mcp"
	jwtNamespace   = "envoy.filters.http.jwt_authn"
	authzNamespace = "envoy.filters.http.ext_authz"
)

// authzRules are what remit needs of the filter that asks it
// (envoy.extensions.filters.http.ext_authz.v3.ExtAuthz).
var authzRules = []rule[*asked]{
	{Error, func(a *asked) string { return when(a.config.GetFailureModeAllow(), "failure_mode_allow is true") },
		"whenever remit does not answer, every request reaches its tool undecided", "set failure_mode_allow: false"},
	{Error, func(a *asked) string { return when(a.config.GetShadowMode(), "shadow_mode is true") },
		"remit is asked and nothing that it denies is stopped", "remove shadow_mode; to try a policy, name it in data.remit.observe"},
	{Error, filterEnabled,
		"requests that the filter is not enabled for pass undecided", "remove filter_enabled and filter_enabled_metadata, or set deny_at_disable"},
	{Error, func(a *asked) string { return when(a.disabled, "the filter is disabled: true") },
		"it decides only where a route enables it, and a route that forgets to is open", "remove disabled from the filter, and disable it at the agents' door alone"},
	{Error, func(a *asked) string { return when(a.matched, "the filter is inside a matcher") },
		"what the matcher skips passes undecided", "configure ext_authz itself, without ExtensionWithMatcher"},
	{Error, func(a *asked) string {
		v := a.config.GetTransportApiVersion()
		return when(v != corev3.ApiVersion_V3, "transport_api_version is "+v.String())
	}, "remit answers envoy.service.auth.v3 only", "set transport_api_version: V3"},
	{Warning, func(a *asked) string { return timeout(a.config.GetGrpcService(), a.door, a.needs) },
		"shorter than remit needs, good requests answer 503; longer than it ever takes, a remit that hangs holds every request that long",
		"set grpc_service.timeout: 0.5s, and in any case more than policy.timeout and at most the listener's deadline"},
	{Error, func(a *asked) string {
		return when(a.config.GetEnableDynamicMetadataIngestion() != nil && !a.config.GetEnableDynamicMetadataIngestion().GetValue(), "enable_dynamic_metadata_ingestion is false")
	}, "the decision's id does not get into the access log: no action ever settles", "remove enable_dynamic_metadata_ingestion"},
	{Error, func(a *asked) string {
		return when(a.config.GetClearRouteCache() || len(a.config.GetClearRouteCacheHeaders()) > 0, "clear_route_cache is set")
	}, "the route is chosen anew after the decision: another one than was decided about", "set clear_route_cache: false and no clear_route_cache_headers"},
	{Warning, func(a *asked) string {
		code := a.config.GetStatusOnError().GetCode()
		return when(code != typev3.StatusCode_ServiceUnavailable, "status_on_error is "+statusName(code))
	}, "an outage looks like a denial: agents give up or log in again instead of trying later", "set status_on_error: { code: ServiceUnavailable }"},
	{Warning, func(a *asked) string {
		return when(!a.config.GetEncodeRawHeaders(), "encode_raw_headers is false")
	}, "headers that are there twice arrive joined, and remit refuses what could hide a second value", "set encode_raw_headers: true"},
	{Error, func(a *asked) string {
		return when(a.door.Certificate && !a.config.GetIncludePeerCertificate(), "include_peer_certificate is false")
	}, "callers are known by their certificate here, and remit does not get it: everybody is denied", "set include_peer_certificate: true"},
	{Warning, func(a *asked) string {
		return when(!a.door.Certificate && !a.config.GetIncludePeerCertificate(), "include_peer_certificate is false")
	}, "a token that is bound to a certificate (cnf) is refused", "set include_peer_certificate: true"},
	{Error, func(a *asked) string {
		return when(a.door.EnvoyJWT && !slices.Contains(a.config.GetMetadataContextNamespaces(), jwtNamespace), "metadata_context_namespaces lacks "+jwtNamespace)
	}, "callers are known by what jwt_authn verified, and remit does not get it: everybody is denied", "add " + jwtNamespace + " to metadata_context_namespaces"},
	{Warning, func(a *asked) string {
		return when(has[*mcpv3.Mcp](a.filters) && !slices.Contains(a.config.GetMetadataContextNamespaces(), mcpNamespace), "metadata_context_namespaces lacks "+mcpNamespace)
	}, "remit cannot hold its reading of a message against Envoy's", "add " + mcpNamespace + " to metadata_context_namespaces"},
	{Warning, func(a *asked) string {
		return when(a.config.GetAllowedHeaders() != nil || a.config.GetDisallowedHeaders() != nil, "allowed_headers or disallowed_headers is set")
	}, "remit decides without headers that the tool sees, and may miss the credential", "remove allowed_headers and disallowed_headers"},
	{Warning, func(a *asked) string { return when(!a.config.GetValidateMutations(), "validate_mutations is false") },
		"a policy's answer with an invalid header is passed on instead of refused", "set validate_mutations: true"},
	{Warning, func(a *asked) string {
		return when(a.config.GetDecoderHeaderMutationRules() == nil, "decoder_header_mutation_rules is not set")
	}, "a policy's answer may change any header of a request, the path too, after it was decided",
		"copy decoder_header_mutation_rules from integration/envoy/envoy.yaml"},
	{Error, forbidsOwnHeaders, "Envoy answers 500 where remit's answer sets its own header or takes the session token off",
		"set decoder_header_mutation_rules.allow_expression as integration/envoy/envoy.yaml has it"},
	{Warning, func(a *asked) string {
		limit := a.config.GetMaxDeniedResponseBodyBytes()
		return when(limit > 0 && limit < 16384, fmt.Sprintf("max_denied_response_body_bytes is %d", limit))
	}, "the reason of a denial is cut, and its JSON with it", "set max_denied_response_body_bytes: 16384"},
}

// filterEnabled sees a share of requests, or some by their metadata, that pass by.
func filterEnabled(a *asked) string {
	if a.config.GetDenyAtDisable().GetDefaultValue().GetValue() {
		return ""
	}
	if a.config.GetFilterEnabledMetadata() != nil {
		return "filter_enabled_metadata is set"
	}
	enabled := a.config.GetFilterEnabled()
	if enabled == nil {
		return ""
	}
	share, whole := enabled.GetDefaultValue().GetNumerator(), uint32(100)
	switch enabled.GetDefaultValue().GetDenominator() {
	case typev3.FractionalPercent_TEN_THOUSAND:
		whole = 10_000
	case typev3.FractionalPercent_MILLION:
		whole = 1_000_000
	}
	return when(share < whole || enabled.GetRuntimeKey() != "", fmt.Sprintf("filter_enabled is %d of %d (runtime key %q)", share, whole, enabled.GetRuntimeKey()))
}

// forbidsOwnHeaders sees rules of header mutation that remit's answer breaks.
func forbidsOwnHeaders(a *asked) string {
	rules := a.config.GetDecoderHeaderMutationRules()
	for _, header := range []string{"x-remit-decision", a.needs.SessionHeader} {
		allowed := fits(rules.GetAllowExpression().GetRegex(), header)
		forbidden := fits(rules.GetDisallowExpression().GetRegex(), header) || rules.GetDisallowAll().GetValue() && !allowed
		if forbidden && header != "" {
			return "decoder_header_mutation_rules forbid " + header
		}
	}
	return ""
}

// fits reports whether the whole of a text fits an expression; Envoy's (RE2) are
// Go's. None fits nothing.
func fits(expression, text string) bool {
	compiled, err := regexp.Compile("^(?:" + expression + ")$")
	return expression != "" && err == nil && compiled.MatchString(text)
}

// has reports whether a filter of a type is among some.
func has[M any](filters []filter) bool {
	return slices.ContainsFunc(filters, func(f filter) bool { _, is := f.message.(M); return is })
}

func statusName(code typev3.StatusCode) string {
	if code == typev3.StatusCode_Empty {
		return "not set (403)"
	}
	return code.String()
}

// minBody is how much of a body should be seen at the least: what is larger is
// answered 413 without a decision.
const minBody = 64 << 10

// spare is what a message holds besides a body: the headers, Envoy's metadata, a
// certificate. README, "Over TCP".
const spare = 256 << 10

// body is how much of requests' bodies remit sees, at the filter or at a route.
type body struct {
	*authzv3.BufferSettings
	door *Door
}

// bodyRules are what remit needs of with_request_body.
var bodyRules = []rule[body]{
	{Error, func(b body) string { return when(b.BufferSettings == nil, "with_request_body is not set") },
		"remit sees no body, and denies every MCP call and whatever else it would have to read", "copy with_request_body from integration/envoy/envoy.yaml"},
	{Error, func(b body) string {
		return when(b.BufferSettings != nil && b.GetAllowPartialMessage(), "allow_partial_message is true")
	}, "a body that was cut is refused, whatever it says", "set allow_partial_message: false"},
	{Error, func(b body) string {
		return when(b.BufferSettings != nil && !b.GetPackAsBytes(), "pack_as_bytes is false")
	}, "Envoy replaces bytes of the body, and remit refuses what is not the bytes that the tool gets", "set pack_as_bytes: true"},
	{Error, func(b body) string {
		return when(int(b.GetMaxRequestBytes())+spare > b.door.MaxMessage,
			fmt.Sprintf("max_request_bytes is %d, remit's connections.max_message_bytes %d", b.GetMaxRequestBytes(), b.door.MaxMessage))
	}, "a large request does not fit into a message to remit, and answers 503", "lower max_request_bytes, or raise max_message_bytes: it must be larger by 256 KiB"},
	{Warning, func(b body) string {
		return when(b.BufferSettings != nil && b.GetMaxRequestBytes() < minBody, fmt.Sprintf("max_request_bytes is %d", b.GetMaxRequestBytes()))
	}, "Envoy answers 413 to every larger body, and nobody decides about it", "set max_request_bytes: 262144"},
}

// timeout sees a time-out that does not fit how long a decision may take.
func timeout(service *corev3.GrpcService, door *Door, needs *Needs) string {
	if service.GetTimeout() == nil {
		return "grpc_service.timeout is not set (200 ms)"
	}
	t := service.GetTimeout().AsDuration()
	return when(t <= needs.PolicyTimeout || t > door.Deadline,
		fmt.Sprintf("grpc_service.timeout is %s; policy.timeout is %s, the deadline of listener %s %s", t, needs.PolicyTimeout, door.Name, door.Deadline))
}
