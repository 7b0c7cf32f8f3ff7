package extauthz

import (
	"context"
	"runtime/debug"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

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
		if response, ok := answer.(rendered); err != nil || !ok || !explicit(response) {
			return broken(), nil
		}
		return answer, nil
	}
}

// explicit reports whether Envoy reads the bytes of an answer as what they say: a
// status and, once, what goes with it. No bytes at all are an allow to Envoy.
func explicit(answer rendered) bool {
	var times [5]int // that each field of CheckResponse is there
	var status []byte
	for len(answer) > 0 {
		number, kind, size := protowire.ConsumeTag(answer)
		if size < 0 || kind != protowire.BytesType || int(number) >= len(times) {
			return false
		}
		part, inner := protowire.ConsumeBytes(answer[size:])
		if inner < 0 {
			return false
		}
		times[number]++
		if number == statusField {
			status = part
		}
		answer = answer[size+inner:]
	}
	if times[statusField] != 1 || !isStatus(status) {
		return false
	}
	if len(status) == 0 { // a code of OK
		return times[okField] == 1 && times[deniedField] == 0
	}
	return times[deniedField] == 1 && times[okField] == 0
}

// isStatus reports whether a google.rpc.Status is its code and nothing else: no
// bytes are that of OK.
func isStatus(status []byte) bool {
	if len(status) == 0 {
		return true
	}
	number, kind, size := protowire.ConsumeTag(status)
	if size < 0 || number != 1 || kind != protowire.VarintType {
		return false
	}
	code, inner := protowire.ConsumeVarint(status[size:])
	return inner > 0 && size+inner == len(status) && codes.Code(code) != codes.OK
}

// broken is the denial where something in the door itself failed.
func broken() rendered {
	out, err := proto.Marshal(renderer{}.response(&pdp.Decision{
		Class:   pdp.Unavailable,
		Reasons: []pdp.Reason{{Code: pdp.CodeInternal, Message: "the decision could not be made"}},
	}, nil))
	if err != nil {
		panic(err) // of constants
	}
	return out
}
