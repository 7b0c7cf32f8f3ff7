package extauthz

import (
	"context"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"

	"github.com/remit-pdp/remit/pdp/door/wire"
)

// Service is the name of the service, which its health is asked for by.
const Service = "envoy.service.auth.v3.Authorization"

// checker is what answers the service.
type checker interface {
	Check(ctx context.Context, message string) []byte
}

// description is the service as the generated code describes it, but for its
// messages: they come and go as they are on the wire.
var description = grpc.ServiceDesc{
	ServiceName: Service,
	HandlerType: (*checker)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Check", Handler: handleCheck}},
	Metadata:    authv3.Authorization_ServiceDesc.Metadata,
}

// Register makes server, which was made with [Server.Options], answer the
// service.
func (s *Server) Register(server grpc.ServiceRegistrar) { server.RegisterService(&description, s) }

// Options are what a gRPC server needs to answer the service: other services
// beside it are not concerned.
func (s *Server) Options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(codec{wire.NewCodec()}),
		grpc.UnaryInterceptor(Guard(s.crashed)),
		grpc.NumStreamWorkers(uint32(s.settings.Workers)),
	}
}

func handleCheck(server any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
	question := &wire.Message{}
	if err := decode(question); err != nil {
		return nil, err
	}
	answer := func(ctx context.Context, question any) (any, error) {
		return rendered(server.(checker).Check(ctx, question.(*wire.Message).Text)), nil
	}
	if intercept == nil {
		return answer(ctx, question)
	}
	return intercept(ctx, question, &grpc.UnaryServerInfo{Server: server, FullMethod: authv3.Authorization_Check_FullMethodName}, answer)
}

// codec leaves checks and their answers as they are.
type codec struct{ wire.Codec }

// Marshal implements [encoding.CodecV2].
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if answer, ok := v.(rendered); ok {
		return mem.BufferSlice{mem.SliceBuffer(answer)}, nil
	}
	return c.Codec.Marshal(v)
}
