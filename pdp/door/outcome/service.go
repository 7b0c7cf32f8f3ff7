package outcome

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/grpc"

	"github.com/remit-pdp/remit/pdp/door/wire"
)

// Service is the name of the service, which its health is asked for by.
const Service = "envoy.service.accesslog.v3.AccessLogService"

// receiver is what answers the service.
type receiver interface {
	receive(grpc.ServerStream) error
}

// description is the service as the generated code describes it, but for its
// messages: they come as they are on the wire.
var description = grpc.ServiceDesc{
	ServiceName: Service,
	HandlerType: (*receiver)(nil),
	Streams: []grpc.StreamDesc{{
		StreamName:    "StreamAccessLogs",
		Handler:       func(server any, stream grpc.ServerStream) error { return server.(receiver).receive(stream) },
		ClientStreams: true,
	}},
	Metadata: accesslogv3.AccessLogService_ServiceDesc.Metadata,
}

// Register makes server, which was made with [AccessLog.Options], answer the
// service.
func (l *AccessLog) Register(server grpc.ServiceRegistrar) { server.RegisterService(&description, l) }

// Options are what a gRPC server needs to answer the service: other services
// beside it are not concerned.
func (l *AccessLog) Options() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ForceServerCodecV2(wire.NewCodec())}
}
