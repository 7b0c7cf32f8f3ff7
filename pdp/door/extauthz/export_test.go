package extauthz

import (
	"context"
	"errors"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/remit-pdp/remit/pdp"
)

// Rendered is an answer as it leaves.
type Rendered = rendered

// Ask has a check answered as it is over gRPC.
func (s *Server) Ask(ctx context.Context, request *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	message, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	response := &authv3.CheckResponse{}
	return response, proto.Unmarshal(s.Check(ctx, string(message)), response)
}

// OffTheWire makes s read checks off the wire, or not at all.
func (s *Server) OffTheWire() *Server {
	s.read = func(message string) (*pdp.Envelope, error) {
		if e, plain := fromWire(message); plain {
			return e, nil
		}
		return nil, errors.New("the check is not plain")
	}
	return s
}

// ByTypes makes s read every check by the generated types.
func (s *Server) ByTypes() *Server {
	s.read = fromTypes
	return s
}
