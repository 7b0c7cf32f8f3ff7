package extauthz

import (
	"context"
	"runtime/debug"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/remit-pdp/remit/pdp"
)

// Guard is the last thing an answer passes on its way out: whatever is not an
// explicit allow or an explicit denial becomes a denial, an error and a panic
// included. It holds for every method of the service, however it is written.
func Guard(crashed func(cause any, stack []byte)) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
		if info.FullMethod != authv3.Authorization_Check_FullMethodName {
			return handle(ctx, request)
		}
		defer func() {
			if cause := recover(); cause != nil {
				crashed(cause, debug.Stack())
				answer, err = broken(), nil
			}
		}()
		answer, err = handle(ctx, request)
		if response, ok := answer.(*authv3.CheckResponse); err != nil || !ok || !explicit(response) {
			return broken(), nil
		}
		return answer, nil
	}
}

// explicit reports whether Envoy reads the answer as what it says.
func explicit(r *authv3.CheckResponse) bool {
	if r.GetStatus() == nil {
		return false
	}
	if codes.Code(r.GetStatus().GetCode()) == codes.OK {
		return r.GetOkResponse() != nil
	}
	return r.GetDeniedResponse() != nil
}

// broken is the denial where something in the door itself failed.
func broken() *authv3.CheckResponse {
	return renderer{}.response(pdp.Decision{
		Class:   pdp.Unavailable,
		Reasons: []pdp.Reason{{Code: pdp.CodeInternal, Message: "the decision could not be made"}},
	}, nil)
}

// recovered turns a panic of the goroutine that decides into the denial.
func (s *Server) recovered(answer chan<- *authv3.CheckResponse) {
	if cause := recover(); cause != nil {
		s.crashed(cause, debug.Stack())
		answer <- broken()
	}
}
