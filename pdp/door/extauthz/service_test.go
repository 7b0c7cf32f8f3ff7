package extauthz_test

import (
	"context"
	"net"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/door/extauthz"
)

// dial serves a door, and health beside it, and connects to both.
func dial(t *testing.T, door *extauthz.Server) *grpc.ClientConn {
	t.Helper()
	server := grpc.NewServer(door.Options()...)
	door.Register(server)
	healthv1.RegisterHealthServer(server, health.NewServer())
	listener := bufconn.Listen(1 << 20)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:test", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// The door's messages go by as they are on the wire; generated clients do not
// notice, nor do other services of the same server.
func TestOverGRPC(t *testing.T) {
	eachReader(t, func(t *testing.T, read reader) {
		var paths []string
		conn := dial(t, door(t, read, func(_ context.Context, e *pdp.Envelope) pdp.Decision {
			paths = append(paths, e.Path)
			return pdp.Decision{ID: "id", Effect: pdp.Allow}
		}))
		large := extauthz.Realistic() // spread over several buffers
		large.Attributes.Request.Http.RawBody = make([]byte, 200<<10)
		for _, request := range []*authv3.CheckRequest{extauthz.Realistic(), large} {
			answer, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), request)
			if err != nil || answer.GetOkResponse() == nil || answer.GetDynamicMetadata().GetFields()["decision_id"].GetStringValue() != "id" {
				t.Fatalf("got %v, %v", answer, err)
			}
		}
		if len(paths) != 2 || paths[0] != "/mcp" || paths[1] != "/mcp" {
			t.Errorf("asked about %q", paths)
		}
		if answer, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("health: %v, %v", answer, err)
		}
	})
}

// A message that is no check is denied like everything that cannot be read, and
// is asked about, so that it is recorded; whatever the decision is.
func TestWhatIsNoCheckIsDenied(t *testing.T) {
	eachReader(t, func(t *testing.T, read reader) {
		var asked []*pdp.Envelope
		conn := dial(t, door(t, read, func(_ context.Context, e *pdp.Envelope) pdp.Decision {
			asked = append(asked, e)
			return pdp.Decision{ID: "id", Effect: pdp.Allow}
		}))
		for _, message := range []string{"GET / HTTP/1.1\r\n", "\x0a\x80", "\x0a\x09\x22\x07\x12\x05\x22\x03/\xff/"} {
			var answer []byte
			question := []byte(message)
			err := conn.Invoke(t.Context(), authv3.Authorization_Check_FullMethodName, &question, &answer, grpc.ForceCodecV2(wireCodec{}))
			response := &authv3.CheckResponse{}
			if err != nil || proto.Unmarshal(answer, response) != nil || !denies(response) {
				t.Errorf("%q: %v, %v", message, response, err)
			}
		}
		if len(asked) != 3 {
			t.Fatalf("asked about %d", len(asked))
		}
		for _, e := range asked {
			if e.Network || e.Path != "" || e.Proxy != "test" {
				t.Errorf("asked about %+v", e)
			}
		}
	})
}

// What protobuf cannot write would leave the caller with an error, which is no
// denial.
func TestWhatCannotBeWrittenIsDenied(t *testing.T) {
	for name, response := range map[string]pdp.Response{
		"a header":          {Headers: pdp.Headers{{Name: "x-a", Value: "\xff"}}},
		"a response header": {ResponseHeaders: pdp.Headers{{Name: "x-\xff", Value: "a"}}},
		"a removed header":  {RemoveHeaders: []string{"\xff"}},
		"a query parameter": {SetQuery: pdp.Headers{{Name: "a", Value: "\xff"}}},
		"a body":            {Body: "\xff"},
	} {
		for _, effect := range []pdp.Effect{pdp.Allow, pdp.Deny} {
			if name == "a body" && effect == pdp.Allow {
				continue // which has none
			}
			conn := dial(t, door(t, (*extauthz.Server).OffTheWire, func(context.Context, *pdp.Envelope) pdp.Decision {
				return pdp.Decision{ID: "id", Effect: effect, Class: pdp.OutOfScope, Response: response}
			}))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			answer, err := authv3.NewAuthorizationClient(conn).Check(ctx, extauthz.Realistic())
			cancel()
			if err != nil || !denies(answer) {
				t.Errorf("%s of %v: %v, %v", name, effect, answer, err)
			}
		}
	}
}
