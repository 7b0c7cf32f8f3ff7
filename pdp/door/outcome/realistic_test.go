package outcome

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// realistic is what Envoy logs with integration/envoy/envoy.yaml of a request that
// the tool answered.
func realistic() *datav3.HTTPAccessLogEntry {
	took := func(d time.Duration) *durationpb.Duration { return durationpb.New(d) }
	const id = "AaRq7b0h9mWvJ2sP4uYxKc1nTzDfGe8L"
	return &datav3.HTTPAccessLogEntry{
		CommonProperties: &datav3.AccessLogCommon{
			DownstreamRemoteAddress: socket("10.4.0.9", 40112), DownstreamLocalAddress: socket("10.4.0.3", 10000),
			DownstreamDirectRemoteAddress: socket("10.4.0.9", 40112), UpstreamRemoteAddress: socket("10.4.7.2", 8080),
			UpstreamLocalAddress: socket("10.4.0.3", 51234), StartTime: timestamppb.New(time.Unix(1_700_000_000, 999_999_999)),
			TimeToLastRxByte: took(31 * time.Microsecond), TimeToFirstUpstreamTxByte: took(900 * time.Microsecond),
			TimeToLastUpstreamTxByte: took(910 * time.Microsecond), TimeToFirstUpstreamRxByte: took(11 * time.Millisecond),
			TimeToLastUpstreamRxByte: took(11 * time.Millisecond), TimeToFirstDownstreamTxByte: took(11 * time.Millisecond),
			TimeToLastDownstreamTxByte: took(12 * time.Millisecond), Duration: took(12 * time.Millisecond),
			UpstreamCluster: "tools", RouteName: "mcp", UpstreamRequestAttemptCount: 1, ResponseFlags: &datav3.ResponseFlags{},
			Metadata: &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
				authzNamespace:           {Fields: map[string]*structpb.Value{idField: structpb.NewStringValue(id)}},
				"envoy.filters.http.mcp": {Fields: map[string]*structpb.Value{"method": structpb.NewStringValue("tools/call"), "id": structpb.NewNumberValue(7)}},
			}},
			CustomTags: map[string]string{idTag: id}, StreamId: "4f0c2f4e-9ae5-9d5f-8a5e-0f5a3f0f0a1b",
			DownstreamWireBytesSent: 1100, DownstreamWireBytesReceived: 2100, UpstreamWireBytesSent: 2200, UpstreamWireBytesReceived: 1000,
			AccessLogType: datav3.AccessLogType_DownstreamEnd,
		},
		ProtocolVersion: datav3.HTTPAccessLogEntry_HTTP11,
		Request: &datav3.HTTPRequestProperties{
			RequestMethod: corev3.RequestMethod_POST, Scheme: "http", Authority: "tools.example.test", Path: "/mcp",
			UserAgent: "python-httpx/0.28.1", RequestId: "4f0c2f4e-9ae5-9d5f-8a5e-0f5a3f0f0a1b", RequestHeadersBytes: 1600, RequestBodyBytes: 420,
			UpstreamHeaderBytesSent: 1700, DownstreamHeaderBytesReceived: 1600,
		},
		Response: &datav3.HTTPResponseProperties{
			ResponseCode: wrapperspb.UInt32(200), ResponseCodeDetails: "via_upstream", ResponseHeadersBytes: 160, ResponseBodyBytes: 900,
			ResponseHeaders: map[string]string{"content-type": "application/json"}, UpstreamHeaderBytesReceived: 150, DownstreamHeaderBytesSent: 160,
		},
	}
}

// everything has every field that a plain entry may have.
func everything() *datav3.HTTPAccessLogEntry {
	e := realistic()
	certificate := &datav3.TLSProperties_CertificateProperties{
		SubjectAltName: []*datav3.TLSProperties_CertificateProperties_SubjectAltName{
			{San: &datav3.TLSProperties_CertificateProperties_SubjectAltName_Uri{Uri: "spiffe://a/b"}},
			{San: &datav3.TLSProperties_CertificateProperties_SubjectAltName_Dns{Dns: "a.test"}}, {},
		},
		Subject: "CN=a", Issuer: "CN=b",
	}
	common := e.CommonProperties
	common.SampleRate, common.UpstreamRemoteAddress = 0.5, pipe("/run/tool.sock")
	common.UpstreamTransportFailureReason, common.DownstreamTransportFailureReason, common.ConnectionTerminationDetails = "a", "b", "c"
	common.TlsProperties = &datav3.TLSProperties{
		TlsVersion: datav3.TLSProperties_TLSv1_3, TlsCipherSuite: wrapperspb.UInt32(4865), TlsSniHostname: "a.test", TlsSessionId: "s", Ja3Fingerprint: "j",
		LocalCertificateProperties: certificate, PeerCertificateProperties: certificate,
	}
	common.ResponseFlags = allFlags()
	e.Request.Port, e.Request.Referer, e.Request.ForwardedFor, e.Request.OriginalPath = wrapperspb.UInt32(443), "r", "f", "/"
	e.Request.RequestHeaders = map[string]string{"a": "b"}
	e.Response.ResponseTrailers = map[string]string{"grpc-status": "0"}
	return e
}

// allFlags has every flag set.
func allFlags() *datav3.ResponseFlags {
	flags := &datav3.ResponseFlags{UnauthorizedDetails: &datav3.ResponseFlags_Unauthorized{Reason: datav3.ResponseFlags_Unauthorized_EXTERNAL_SERVICE}}
	set(flags.ProtoReflect())
	return flags
}

// messageOf is the message of entries, without who sends it.
func messageOf(entries ...*datav3.HTTPAccessLogEntry) *accesslogv3.StreamAccessLogsMessage {
	return &accesslogv3.StreamAccessLogsMessage{LogEntries: &accesslogv3.StreamAccessLogsMessage_HttpLogs{
		HttpLogs: &accesslogv3.StreamAccessLogsMessage_HTTPAccessLogEntries{LogEntry: entries},
	}}
}

// identified adds who sends it.
func identified(m *accesslogv3.StreamAccessLogsMessage) *accesslogv3.StreamAccessLogsMessage {
	m.Identifier = &accesslogv3.StreamAccessLogsMessage_Identifier{LogName: "remit", Node: &corev3.Node{Id: "gateway-1", Cluster: "gateways"}}
	return m
}
