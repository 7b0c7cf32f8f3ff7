package envoyconfig

import "time"

// mistake is one wrong line of Envoy's configuration.
type mistake struct {
	name     string
	replace  []string     // in integration/envoy/envoy.yaml, old and new
	needs    func(*Needs) // what remit's side says otherwise
	severity Severity
	what     string // of the finding, with " in " and its place
	remedy   string
}

const (
	beginAuthz  = "          - name: envoy.filters.http.ext_authz\n            typed_config:"
	asksAuthz   = "envoy_grpc: { cluster_name: remit_authz, authority: remit }"
	routeOfAPI  = "- match: { prefix: / }\n                route: { cluster: api, timeout: 15s }"
	disabledAPI = routeOfAPI + "\n                typed_per_filter_config: { envoy.filters.http.ext_authz: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, "
)

var mistakes = []mistake{
	{name: "fail open", replace: []string{"failure_mode_allow: false", "failure_mode_allow: true"}, severity: Error, what: "failure_mode_allow is true in listener agents, filter envoy.filters.http.ext_authz", remedy: "failure_mode_allow: false"},
	{name: "shadow", replace: []string{"failure_mode_allow: false", "shadow_mode: true"}, severity: Error, what: "shadow_mode", remedy: "remove shadow_mode"},
	{name: "half of the requests", replace: []string{"failure_mode_allow: false", "filter_enabled: { default_value: { numerator: 50 } }"}, severity: Error, what: "filter_enabled is 50 of 100", remedy: "deny_at_disable"},
	{name: "disabled filter", replace: []string{beginAuthz, "          - name: envoy.filters.http.ext_authz\n            disabled: true\n            typed_config:"}, severity: Error, what: "the filter is disabled", remedy: "remove disabled"},
	{name: "another API version", replace: []string{"transport_api_version: V3\n              stat_prefix: remit", "stat_prefix: remit"}, severity: Error, what: "transport_api_version is AUTO", remedy: "V3"},
	{name: "no time-out", replace: []string{"                timeout: 0.5s\n", ""}, severity: Warning, what: "timeout is not set", remedy: "0.5s"},
	{name: "Istio's time-out", replace: []string{"timeout: 0.5s", "timeout: 600s"}, severity: Warning, what: "timeout is 10m0s", remedy: "0.5s"},
	{name: "less than the policy has", replace: []string{"timeout: 0.5s", "timeout: 0.1s"}, severity: Warning, what: "timeout is 100ms", remedy: "0.5s"},
	{name: "no metadata", replace: []string{"encode_raw_headers: true", "encode_raw_headers: true\n              enable_dynamic_metadata_ingestion: false"}, severity: Error, what: "enable_dynamic_metadata_ingestion", remedy: "remove"},
	{name: "another route", replace: []string{"clear_route_cache: false\n              validate", "clear_route_cache: true\n              validate"}, severity: Error, what: "clear_route_cache is set", remedy: "false"},
	{name: "403 for an outage", replace: []string{"status_on_error: { code: ServiceUnavailable }", ""}, severity: Warning, what: "status_on_error is not set (403)", remedy: "ServiceUnavailable"},
	{name: "joined headers", replace: []string{"encode_raw_headers: true", ""}, severity: Warning, what: "encode_raw_headers", remedy: "true"},
	{name: "no certificate", replace: []string{"include_peer_certificate: true", ""}, severity: Warning, what: "include_peer_certificate", remedy: "true"},
	{name: "no certificate for spiffe", replace: []string{"include_peer_certificate: true", ""}, needs: func(n *Needs) { n.Doors[0].Certificate = true }, severity: Error, what: "include_peer_certificate", remedy: "true"},
	{name: "no payload for envoy_jwt", needs: func(n *Needs) { n.Doors[0].EnvoyJWT = true }, severity: Error, what: "lacks envoy.filters.http.jwt_authn", remedy: "add"},
	{name: "no MCP metadata", replace: []string{"metadata_context_namespaces:\n              - envoy.filters.http.mcp\n", "\n"}, severity: Warning, what: "lacks envoy.filters.http.mcp", remedy: "add"},
	{name: "some headers only", replace: []string{"encode_raw_headers: true", "encode_raw_headers: true\n              disallowed_headers: { patterns: [ { exact: cookie } ] }"}, severity: Warning, what: "disallowed_headers", remedy: "remove"},
	{name: "any mutation", replace: []string{"validate_mutations: true", ""}, severity: Warning, what: "validate_mutations", remedy: "true"},
	{name: "no rules of mutation", replace: []string{"decoder_header_mutation_rules:\n                disallow_all: true\n                # What remit sets; and the session token, which it takes off so\n                # that no tool gets hold of it.\n                allow_expression: { regex: \"^(x-remit-[a-z0-9-]+|remit-session)$\" }\n                disallow_is_error: true\n", "\n"}, severity: Warning, what: "decoder_header_mutation_rules", remedy: "copy"},
	{name: "no header of remit's", replace: []string{"|remit-session", ""}, severity: Error, what: "forbid remit-session", remedy: "allow_expression"},
	{name: "short denials", replace: []string{"max_denied_response_body_bytes: 16384", "max_denied_response_body_bytes: 100"}, severity: Warning, what: "max_denied_response_body_bytes is 100", remedy: "16384"},

	{name: "no body", replace: []string{"with_request_body:\n                max_request_bytes: 262144\n                allow_partial_message: false\n                pack_as_bytes: true", ""}, severity: Error, what: "with_request_body is not set", remedy: "copy"},
	{name: "a repaired body", replace: []string{"pack_as_bytes: true", "pack_as_bytes: false"}, severity: Error, what: "pack_as_bytes is false", remedy: "pack_as_bytes: true"},
	{name: "a part of the body", replace: []string{"allow_partial_message: false", "allow_partial_message: true"}, severity: Error, what: "allow_partial_message is true", remedy: "false"},
	{name: "a body that does not fit", replace: []string{"max_request_bytes: 262144", "max_request_bytes: 4194304"}, severity: Error, what: "max_request_bytes is 4194304", remedy: "max_message_bytes"},
	{name: "a small body", replace: []string{"max_request_bytes: 262144", "max_request_bytes: 8192"}, severity: Warning, what: "max_request_bytes is 8192", remedy: "262144"},

	{name: "no normal path", replace: []string{"normalize_path: true", "normalize_path: false"}, severity: Warning, what: "normalize_path", remedy: "true"},
	{name: "doubled slashes", replace: []string{"merge_slashes: true", ""}, severity: Warning, what: "merge_slashes", remedy: "true"},
	{name: "escaped slashes", replace: []string{"path_with_escaped_slashes_action: REJECT_REQUEST", ""}, severity: Warning, what: "path_with_escaped_slashes_action is IMPLEMENTATION_SPECIFIC_DEFAULT", remedy: "REJECT_REQUEST"},
	{name: "underscores", replace: []string{"headers_with_underscores_action: REJECT_REQUEST", ""}, severity: Warning, what: "underscores", remedy: "REJECT_REQUEST"},
	{name: "many headers", replace: []string{"max_headers_count: 100", "max_headers_count: 5000"}, severity: Warning, what: "max_headers_count is 5000", remedy: "100"},
	{name: "large headers", replace: []string{"use_remote_address: true", "use_remote_address: true\n          max_request_headers_kb: 4096"}, severity: Warning, what: "max_request_headers_kb is 4096", remedy: "60"},
	{name: "endless streams", replace: []string{"max_stream_duration: 900s", ""}, severity: Warning, what: "max_stream_duration", remedy: "900s"},
	{name: "what clients say of their address", replace: []string{"use_remote_address: true", "use_remote_address: false"}, severity: Warning, what: "use_remote_address", remedy: "true"},
	{name: "ids of clients", replace: []string{"preserve_external_request_id: false", "preserve_external_request_id: true"}, severity: Warning, what: "preserve_external_request_id", remedy: "false"},
	{name: "certificates of clients", replace: []string{"forward_client_cert_details: SANITIZE", "forward_client_cert_details: ALWAYS_FORWARD_ONLY"}, severity: Warning, what: "ALWAYS_FORWARD_ONLY", remedy: "SANITIZE"},
	{name: "certificates of clients that count", replace: []string{"forward_client_cert_details: SANITIZE", "forward_client_cert_details: APPEND_FORWARD"}, needs: func(n *Needs) { n.Doors[0].XFCC = true }, severity: Error, what: "APPEND_FORWARD", remedy: "SANITIZE_SET"},
	{name: "upgrades", replace: []string{"use_remote_address: true", "use_remote_address: true\n          upgrade_configs: [ { upgrade_type: websocket } ]"}, severity: Warning, what: "upgrade_configs", remedy: "remove"},
	{name: "who speaks for remit", replace: []string{"prefix: x-remit- ", "prefix: x-other- "}, severity: Warning, what: "x-remit-*", remedy: "header_mutation"},
	{name: "a filter behind the decision", replace: []string{"          - name: envoy.filters.http.router\n", "          - name: envoy.filters.http.lua\n            typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua }\n          - name: envoy.filters.http.router\n"}, severity: Warning, what: "envoy.filters.http.lua is behind", remedy: "before ext_authz"},

	{name: "what is no MCP passes", replace: []string{"REJECT_NO_MCP\n              max", "PASS_THROUGH\n              max"}, severity: Warning, what: "traffic_mode is PASS_THROUGH", remedy: "REJECT_NO_MCP"},
	{name: "duplicate keys", replace: []string{"reject_duplicate_keys: true", ""}, severity: Warning, what: "reject_duplicate_keys", remedy: "true"},
	{name: "the header's method", replace: []string{"attribute_source: BODY", "attribute_source: HEADERS"}, severity: Warning, what: "attribute_source is HEADERS", remedy: "BODY"},
	{name: "a message chooses", replace: []string{"clear_route_cache: false\n              parser", "clear_route_cache: true\n              parser"}, severity: Warning, what: "clear_route_cache is true", remedy: "false"},

	{name: "a route around", replace: []string{routeOfAPI, disabledAPI + "disabled: true } }"}, severity: Error, what: "disabled on a route to cluster api in listener agents, virtual host api, route /", remedy: "typed_per_filter_config"},
	{name: "a route around, the other way to write it", replace: []string{routeOfAPI, routeOfAPI + "\n                typed_per_filter_config: { envoy.filters.http.ext_authz: { \"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true } }"}, severity: Error, what: "disabled on a route to cluster api", remedy: "typed_per_filter_config"},
	{name: "a share of a route around", replace: []string{"route: { cluster: api, timeout: 15s }", "route: { weighted_clusters: { clusters: [ { name: api, weight: 99 }, { name: tools, weight: 1, typed_per_filter_config: { envoy.filters.http.ext_authz: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute, disabled: true } } } ] } }"}, severity: Error, what: "disabled on a route to cluster tools in listener agents, virtual host api, route /, cluster tools", remedy: "typed_per_filter_config"},
	{name: "the agents' door leads elsewhere", replace: []string{"cluster: remit_agents, timeout", "cluster: tools, timeout"}, severity: Error, what: "disabled on a route to cluster tools in listener agents, virtual host remit", remedy: "agents' door"},
	{name: "a route asks another", replace: []string{routeOfAPI, disabledAPI + "check_settings: { grpc_service: { google_grpc: { target_uri: other:1, stat_prefix: x } } } } }"}, severity: Error, what: "asks somebody else: other:1", remedy: "grpc_service"},
	{name: "a route without bodies", replace: []string{routeOfAPI, disabledAPI + "check_settings: { disable_request_body_buffering: true } } }"}, severity: Warning, what: "disable_request_body_buffering", remedy: "remove"},
	{name: "a route with a repaired body", replace: []string{routeOfAPI, disabledAPI + "check_settings: { with_request_body: { max_request_bytes: 262144 } } } }"}, severity: Error, what: "pack_as_bytes is false in listener agents, virtual host api", remedy: "true"},

	{name: "somebody else is asked", replace: []string{asksAuthz, "envoy_grpc: { cluster_name: tools }"}, severity: Error, what: "asks somebody else: cluster tools (127.0.0.1:8080)", remedy: "unix:/run/remit/authz.sock"},
	{name: "another socket", replace: []string{"/run/remit/authz.sock", "/run/other.sock"}, severity: Error, what: "nothing in this Envoy asks remit", remedy: "unix:/run/remit/authz.sock"},
	{name: "a second listener", replace: []string{"  clusters:\n", secondListener + "  clusters:\n"}, severity: Error, what: "cluster api (which listener agents guards) and remit is not asked in listener back", remedy: "ext_authz"},
	{name: "a second listener that leads elsewhere", replace: []string{"  clusters:\n", secondListener + "  clusters:\n", "prefix: /back } , route: { cluster: api", "prefix: /back } , route: { cluster: other"}, severity: Warning, what: "cluster other and remit is not asked in listener back", remedy: "ext_authz"},
	{name: "a port around", replace: []string{"  clusters:\n", "  - name: back\n    default_filter_chain: { filters: [ { name: tcp, typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: x, cluster: tools } } ] }\n  clusters:\n"}, severity: Error, what: "connections reach cluster tools", remedy: "network.ext_authz"},

	{name: "HTTP/1 to remit", replace: []string{"explicit_http_config:\n          http2_protocol_options:\n            connection_keepalive: { interval: 30s, timeout: 5s }", "explicit_http_config: { http_protocol_options: {} }"}, severity: Error, what: "does not speak HTTP/2 in cluster remit_authz", remedy: "typed_extension_protocol_options"},
	{name: "pings", replace: []string{"connection_keepalive: { interval: 30s", "connection_keepalive: { interval: 1s"}, severity: Error, what: "connection_keepalive.interval is 1s", remedy: "30s"},
	{name: "no TLS", needs: func(n *Needs) { n.Doors[0].TLS = true }, severity: Error, what: "the cluster has no TLS", remedy: "mtls.yaml"},
	{name: "late health checks", replace: []string{"        - endpoint: { address: { pipe: { path: /run/remit/authz.sock } } }", "        - endpoint: { address: { pipe: { path: /run/remit/authz.sock } } }\n        - endpoint: { address: { pipe: { path: /run/remit/second.sock } } }"}, severity: Warning, what: "notices after 10s", remedy: "shutdown.pause"},

	{name: "no access log", replace: []string{"cluster_name: remit_outcomes } }", "cluster_name: tools } }"}, severity: Error, what: "no gRPC access log leads to remit's outcomes", remedy: "access_log"},
	{name: "some outcomes", replace: []string{"- name: envoy.access_loggers.http_grpc\n", "- name: envoy.access_loggers.http_grpc\n            filter: { not_health_check_filter: {} }\n"}, severity: Warning, what: "the access log has a filter", remedy: "remove"},
	{name: "no tag", replace: []string{"tag: remit_decision_id", "tag: other"}, severity: Warning, what: "no tag", remedy: "custom_tags"},
	{name: "a small buffer", replace: []string{"buffer_size_bytes: 262144", ""}, severity: Warning, what: "buffer_size_bytes is 16384", remedy: "262144"},
	{name: "late outcomes", replace: []string{"buffer_flush_interval: 0.25s", "buffer_flush_interval: 30s"}, severity: Warning, what: "buffer_flush_interval is 30s", remedy: "0.25s"},
	{name: "no content type", replace: []string{"additional_response_headers_to_log: [ content-type ]", ""}, severity: Warning, what: "lacks content-type", remedy: "content-type"},

	{name: "an open admin", replace: []string{"address: 127.0.0.1, port_value: 9901", "address: 0.0.0.0, port_value: 9901"}, severity: Warning, what: "the admin interface listens on 0.0.0.0", remedy: "127.0.0.1"},
	{name: "the policy has more time than Envoy gives", needs: func(n *Needs) { n.PolicyTimeout = time.Second }, severity: Warning, what: "timeout is 500ms; policy.timeout is 1s", remedy: "policy.timeout"},
}

const secondListener = `  - name: back
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: back
          route_config: { virtual_hosts: [ { name: all, domains: [ "*" ], routes: [ { match: { prefix: /back } , route: { cluster: api } } ] } ] }
          http_filters: [ { name: router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } } ]
`
