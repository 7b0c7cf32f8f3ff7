package envoyconfig

import (
	"fmt"
	"slices"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	grpclogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/grpc/v3"
	tracingv3 "github.com/envoyproxy/go-control-plane/envoy/type/tracing/v3"
)

// logger is an access logger of a connection manager that tells remit.
type logger struct {
	*accesslogv3.AccessLog
	config *grpclogv3.HttpGrpcAccessLogConfig
}

// loggerRules are what remit needs of the access log that outcomes come by
// (HttpGrpcAccessLogConfig).
var loggerRules = []rule[logger]{
	{Error, func(l logger) string {
		v := l.config.GetCommonConfig().GetTransportApiVersion()
		return when(v != corev3.ApiVersion_V3, "the access log's transport_api_version is "+v.String())
	}, "remit understands envoy.service.accesslog.v3 only: no outcome arrives", "set transport_api_version: V3"},
	{Warning, func(l logger) string { return when(l.GetFilter() != nil, "the access log has a filter") },
		"the outcomes of what is filtered out never arrive: those actions become unknown", "remove the filter of this access log"},
	{Warning, func(l logger) string {
		return when(!slices.ContainsFunc(l.config.GetCommonConfig().GetCustomTags(), carriesDecision), "the access log has no tag with the decision's id")
	}, "without the metadata of ext_authz (another proxy on the way) an outcome belongs to no decision", "copy custom_tags (remit_decision_id) from integration/envoy/envoy.yaml"},
	{Warning, func(l logger) string {
		size := l.config.GetCommonConfig().GetBufferSizeBytes()
		return when(size == nil || size.GetValue() > 0 && size.GetValue() < 65536, fmt.Sprintf("the access log's buffer_size_bytes is %d", bufferSize(size.GetValue())))
	}, "above it Envoy drops entries: actions become unknown under load", "set buffer_size_bytes: 262144"},
	{Warning, func(l logger) string {
		every := l.config.GetCommonConfig().GetBufferFlushInterval()
		return when(every == nil || every.AsDuration() > time.Second/2, "the access log's buffer_flush_interval is "+flushed(every.AsDuration()).String())
	}, "for as long every action is pending, and whatever depends on it waits", "set buffer_flush_interval: 0.25s"},
	{Warning, func(l logger) string {
		return when(!slices.Contains(l.config.GetAdditionalResponseHeadersToLog(), "content-type"), "additional_response_headers_to_log lacks content-type")
	}, "outcome rules do not learn what kind of result it was", "set additional_response_headers_to_log: [ content-type ]"},
}

// bufferSize and flushed are Envoy's own where nothing is set: 16 KiB and 1 s.
func bufferSize(set uint32) uint32 {
	if set == 0 {
		return 16384
	}
	return set
}

func flushed(set time.Duration) time.Duration {
	if set == 0 {
		return time.Second
	}
	return set
}

// carriesDecision reports whether a tag is the id that remit put into the metadata.
func carriesDecision(tag *tracingv3.CustomTag) bool {
	key := tag.GetMetadata().GetMetadataKey()
	path := key.GetPath()
	return tag.GetTag() == "remit_decision_id" && key.GetKey() == authzNamespace && len(path) == 1 && path[0].GetKey() == "decision_id"
}

// outcomes examines how what happened gets to remit.
func (m *manager) outcomes() (found []Finding) {
	if m.needs.Outcomes.Address == "" {
		return nil // remit's own configuration says what follows from that
	}
	where, known := m.where+", access log", false
	for _, log := range m.hcm.GetAccessLog() {
		config, ok := messageIn(log.GetTypedConfig()).(*grpclogv3.HttpGrpcAccessLogConfig)
		service := config.GetCommonConfig().GetGrpcService()
		if !ok || m.doorOf(service, []Door{m.needs.Outcomes}) == nil {
			continue
		}
		known = true
		found = append(found, examine(loggerRules, where, logger{log, config})...)
		found = append(found, m.cluster(service, &m.needs.Outcomes)...)
	}
	if !known {
		found = append(found, Finding{Error, "no gRPC access log leads to remit's outcomes (" + m.needs.Outcomes.Address + ")", where,
			"no outcome ever arrives: every allowed action becomes unknown, and budgets stay charged", "copy access_log from integration/envoy/envoy.yaml, with a cluster whose endpoint is that address"})
	}
	return found
}
