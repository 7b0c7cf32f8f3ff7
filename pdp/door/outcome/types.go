package outcome

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/protobuf/proto"

	"github.com/remit-pdp/remit/pdp/door/wire"
)

// fromTypes reads the entries of a message by the generated types: whatever
// protobuf takes, as protobuf takes it.
func fromTypes(message string) ([]entry, error) {
	var logs accesslogv3.StreamAccessLogsMessage
	if err := proto.Unmarshal([]byte(message), &logs); err != nil {
		return nil, err
	}
	return entriesOf(&logs), nil
}

func entriesOf(logs *accesslogv3.StreamAccessLogsMessage) []entry {
	entries := make([]entry, len(logs.GetHttpLogs().GetLogEntry()))
	for i, e := range logs.GetHttpLogs().GetLogEntry() {
		entries[i] = entryOf(e)
	}
	return entries
}

func entryOf(e *datav3.HTTPAccessLogEntry) entry {
	common, request, response := e.GetCommonProperties(), e.GetRequest(), e.GetResponse()
	flags := common.GetResponseFlags()
	return entry{
		id:           common.GetMetadata().GetFilterMetadata()[authzNamespace].GetFields()[idField].GetStringValue(),
		tag:          common.GetCustomTags()[idTag],
		kind:         common.GetAccessLogType(),
		unauthorized: flags.GetUnauthorizedDetails() != nil,
		never:        flags.GetUpstreamConnectionFailure() || flags.GetNoHealthyUpstream() || flags.GetNoRouteFound() || flags.GetUpstreamOverflow(),
		upstream:     addressOf(common.GetUpstreamRemoteAddress()),
		attempts:     common.GetUpstreamRequestAttemptCount(),
		authority:    request.GetAuthority(),
		sent:         request.GetRequestBodyBytes(),
		status:       response.GetResponseCode().GetValue(),
		received:     response.GetResponseBodyBytes(),
		contentType:  response.GetResponseHeaders()[contentTypeHeader],
		details:      response.GetResponseCodeDetails(),
	}
}

func addressOf(a *corev3.Address) wire.Address {
	switch is := a.GetAddress().(type) {
	case *corev3.Address_SocketAddress:
		return wire.Address{Kind: wire.Socket, Name: is.SocketAddress.GetAddress(), Port: is.SocketAddress.GetPortValue()}
	case *corev3.Address_Pipe:
		return wire.Address{Kind: wire.Pipe, Name: is.Pipe.GetPath()}
	default:
		return wire.Address{}
	}
}
