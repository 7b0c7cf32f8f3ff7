package checks

import (
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/remit-pdp/remit/integration/harness"
)

// Envoy's access log service holds entries back for as long, or until they are
// as large (buffer_flush_interval and buffer_size_bytes of envoy.yaml).
const (
	holdTime  = 250 * time.Millisecond
	holdBytes = 256 << 10
)

// outcomes collects the access log entries of what was allowed.
type outcomes struct {
	first   []byte // identifies the log, in the first message
	entries map[string]logged
	held    []byte
	since   time.Time
	sent    bool
}

// logged is an entry for a host, with its tag and length.
type logged struct {
	entry []byte
	at    []int // where the decision's id is in it
}

func newOutcomes() (outcomes, error) {
	first, err := proto.Marshal(&accesslogv3.StreamAccessLogsMessage{Identifier: &accesslogv3.StreamAccessLogsMessage_Identifier{
		LogName: "remit", Node: &corev3.Node{Id: "gateway-1", Cluster: "gateways", UserAgentName: "envoy"},
	}})
	if err != nil {
		return outcomes{}, err
	}
	o := outcomes{first: first, entries: make(map[string]logged)}
	// An outcome of another host than the action's is refused as a forged one.
	for host, path := range map[string]string{harness.ToolsHost: "/mcp", harness.APIHost: "/v1/tickets/" + ticketMark} {
		mark := strings.Repeat("~", IDSize)
		entry, err := proto.Marshal(logEntry(mark, host, path))
		if err != nil {
			return outcomes{}, err
		}
		entry = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), entry)
		o.entries[host] = logged{entry, places(entry, mark)}
	}
	return o, nil
}

// logEntry is what Envoy logs of a request that the tool answered.
func logEntry(id, host, path string) *datav3.HTTPAccessLogEntry {
	took := func(d time.Duration) *durationpb.Duration { return durationpb.New(d) }
	return &datav3.HTTPAccessLogEntry{
		CommonProperties: &datav3.AccessLogCommon{
			DownstreamRemoteAddress: peer("10.4.0.9", 40112).Address, DownstreamLocalAddress: peer("10.4.0.3", 10000).Address,
			DownstreamDirectRemoteAddress: peer("10.4.0.9", 40112).Address, UpstreamRemoteAddress: peer("10.4.7.2", 8080).Address,
			StartTime: timestamppb.New(time.Unix(1_700_000_000, 999_999_999)), TimeToLastRxByte: took(31 * time.Microsecond),
			TimeToFirstUpstreamTxByte: took(900 * time.Microsecond), TimeToLastDownstreamTxByte: took(12 * time.Millisecond),
			UpstreamCluster: "tools", UpstreamRequestAttemptCount: 1, ResponseFlags: &datav3.ResponseFlags{},
			Metadata: &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
				"envoy.filters.http.ext_authz": {Fields: map[string]*structpb.Value{"decision_id": structpb.NewStringValue(id)}},
			}},
			CustomTags: map[string]string{"remit_decision_id": id}, AccessLogType: datav3.AccessLogType_DownstreamEnd,
		},
		ProtocolVersion: datav3.HTTPAccessLogEntry_HTTP11,
		Request: &datav3.HTTPRequestProperties{
			RequestMethod: corev3.RequestMethod_POST, Scheme: "http", Authority: host, Path: path,
			UserAgent: "python-httpx/0.28.1", RequestId: requestMark, RequestHeadersBytes: 1600, RequestBodyBytes: 420,
		},
		Response: &datav3.HTTPResponseProperties{
			ResponseCode: wrapperspb.UInt32(200), ResponseCodeDetails: "via_upstream", ResponseHeadersBytes: 160, ResponseBodyBytes: 900,
			ResponseHeaders: map[string]string{"content-type": "application/json"},
		},
	}
}

// reconnected has the next message begin a stream: it says whose log it is.
func (o *outcomes) reconnected() { o.sent = false }

// add holds the entry of an allowed decision about a host back.
func (o *outcomes) add(id []byte, host string) {
	start, l := len(o.held), o.entries[host]
	o.held = append(o.held, l.entry...)
	for _, at := range l.at {
		copy(o.held[start+at:], id)
	}
}

// message returns what is to be sent now, nil for nothing.
func (o *outcomes) message(now time.Time, last bool) []byte {
	if len(o.held) == 0 || (!last && len(o.held) < holdBytes && now.Sub(o.since) < holdTime) {
		return nil
	}
	var message []byte
	if !o.sent {
		message, o.sent = append(message, o.first...), true
	}
	// StreamAccessLogsMessage.http_logs, its entries behind one another.
	message = protowire.AppendBytes(protowire.AppendTag(message, 2, protowire.BytesType), o.held)
	o.held, o.since = o.held[:0], now
	return message
}
