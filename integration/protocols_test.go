package integration

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/remit-pdp/remit/integration/harness"
)

// protocolsEnvoy starts an Envoy with envoy/protocols.yaml in front of remit
// and returns it with the address of its TCP port.
func protocolsEnvoy(t *testing.T, dir, grpcAt, agentAt string) (*harness.Envoy, string) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	binary, err := harness.FetchEnvoy(ctx, root)
	if err != nil {
		t.Fatal(err)
	}
	reports, err := harness.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(reports)
	envoy, err := harness.StartEnvoy(ctx, binary, harness.EnvoySettings{
		Config: filepath.Join(root, "integration", "envoy", "protocols.yaml"), Dir: dir,
		Authz: filepath.Join(dir, "authz.sock"), Outcomes: filepath.Join(dir, "outcomes.sock"), Tools: grpcAt, API: agentAt,
		Replace: []string{"timeout: 0.5s", "timeout: 20s", "/run/remit/network.sock", filepath.Join(dir, "network.sock"), "port_value: 10001", "port_value: " + port},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(envoy.Stop)
	return envoy, reports
}

// tickets is the service of tickets.proto: it answers every call with its
// ticket_id, and a stream with how many messages it had in the subject.
type tickets struct {
	methods map[string]protoreflect.MethodDescriptor
}

func describeTickets(t *testing.T) tickets {
	t.Helper()
	text, err := os.ReadFile("../pdp/attributes/testdata/tickets.binpb")
	if err != nil {
		t.Fatal(err)
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		t.Fatal(err)
	}
	s := tickets{methods: make(map[string]protoreflect.MethodDescriptor)}
	files.RangeFilesByPackage("tickets.v1", func(file protoreflect.FileDescriptor) bool {
		methods := file.Services().Get(0).Methods()
		for i := range methods.Len() {
			s.methods["/tickets.v1.Tickets/"+string(methods.Get(i).Name())] = methods.Get(i)
		}
		return true
	})
	return s
}

func (s tickets) answer(_ any, stream grpc.ServerStream) error {
	name, _ := grpc.MethodFromServerStream(stream)
	method := s.methods[name]
	answer, got := dynamicpb.NewMessage(method.Output()), 0
	for {
		in := dynamicpb.NewMessage(method.Input())
		if err := stream.RecvMsg(in); err != nil {
			if errors.Is(err, io.EOF) {
				break
			}
			return err
		}
		got++
		if id := in.Descriptor().Fields().ByName("ticket_id"); id != nil {
			answer.Set(answer.Descriptor().Fields().ByName("ticket_id"), in.Get(id))
		}
	}
	answer.Set(answer.Descriptor().Fields().ByName("subject"), protoreflect.ValueOfString(strings.Repeat("x", got)))
	return stream.SendMsg(answer)
}

// call calls a method with a real gRPC client and returns the ticket's id.
func (s tickets) call(ctx context.Context, conn *grpc.ClientConn, name, ticket string, extra []byte) (string, error) {
	method := s.methods["/tickets.v1.Tickets/"+name]
	in, out := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
	in.Set(in.Descriptor().Fields().ByName("ticket_id"), protoreflect.ValueOfString(ticket))
	in.SetUnknown(extra)
	if err := conn.Invoke(ctx, "/tickets.v1.Tickets/"+name, in, out); err != nil {
		return "", err
	}
	return out.Get(out.Descriptor().Fields().ByName("ticket_id")).String(), nil
}

// A real gRPC client and the official A2A SDK through a real Envoy, and a
// connection that is no request.
func TestProtocolsThroughEnvoy(t *testing.T) {
	t.Parallel()
	binary, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	_, issuer, dir := protocolsRemit(t, binary)
	service := describeTickets(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnknownServiceHandler(service.answer))
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	agent := startAgentOfOthers(t)
	envoy, reports := protocolsEnvoy(t, dir, listener.Addr().String(), agent)
	token, err := issuer.Token("support-agent", "user:ada", "s1", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("grpc", func(t *testing.T) { grpcThroughEnvoy(t, service, envoy, token) })
	t.Run("a2a", func(t *testing.T) { a2aThroughEnvoy(t, envoy, token) })
	t.Run("network", func(t *testing.T) {
		conn, err := net.DialTimeout("tcp", reports, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// Envoy asks when the first byte arrives, and closes without an answer.
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		io.WriteString(conn, "GET /a2a HTTP/1.0\r\n\r\n")
		if got, err := io.ReadAll(conn); len(got) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a connection of nobody got %q, %v", got, err)
		}
		stats, err := envoy.Stats(t.Context(), "ext_authz.remit")
		if err != nil || !strings.Contains(stats, "ext_authz.remit.denied: 1") {
			t.Errorf("Envoy counted %s, %v", stats, err)
		}
	})
}

func grpcThroughEnvoy(t *testing.T, service tickets, envoy *harness.Envoy, token string) {
	conn, err := grpc.NewClient("passthrough:///"+envoy.Address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("grpc.example.test"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	nobody := ctx
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	if got, err := service.call(ctx, conn, "GetTicket", "T-7", nil); err != nil || got != "T-7" {
		t.Errorf("a read: %q, %v", got, err)
	}
	_, err = service.call(ctx, conn, "CloseTicket", "T-7", nil)
	if s := grpcstatus.Convert(err); s.Code() != grpccodes.PermissionDenied || !strings.Contains(s.Message(), "operation_out_of_task") {
		t.Errorf("a deletion: %v", err)
	} else if info, is := s.Details()[0].(*errdetails.ErrorInfo); !is || info.GetDomain() != "remit" || info.GetMetadata()["decision_id"] == "" {
		t.Errorf("its details are %v", s.Details())
	}
	// The same field again: one parser takes the first, another the last.
	if _, err = service.call(ctx, conn, "GetTicket", "T-7", []byte("\x0a\x03T-8")); grpcstatus.Code(err) != grpccodes.InvalidArgument {
		t.Errorf("a field twice: %v", err)
	}
	if _, err = service.call(nobody, conn, "GetTicket", "T-7", nil); grpcstatus.Code(err) != grpccodes.Unauthenticated {
		t.Errorf("without a token: %v", err)
	}
	// A client's stream is asked about before its end, and would change something.
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, "/tickets.v1.Tickets/Attach")
	if err != nil {
		t.Fatal(err)
	}
	out := dynamicpb.NewMessage(service.methods["/tickets.v1.Tickets/Attach"].Output())
	if err := stream.RecvMsg(out); grpcstatus.Code(err) != grpccodes.InvalidArgument || !strings.Contains(err.Error(), "body_not_seen") {
		t.Errorf("a client's stream: %v", err)
	}
}

// startAgentOfOthers serves an agent that answers every message, in both of
// A2A's HTTP bindings.
func startAgentOfOthers(t *testing.T) string {
	t.Helper()
	message := map[string]any{"message": map[string]any{"messageId": "a1", "role": "ROLE_AGENT", "parts": []any{map[string]any{"text": "nothing new"}}}}
	answer := func(w http.ResponseWriter, kind string, v any) {
		w.Header().Set("content-type", kind)
		json.NewEncoder(w).Encode(v)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/agent-card.json", func(w http.ResponseWriter, r *http.Request) {
		answer(w, "application/json", map[string]any{"name": "planner", "description": "plans", "version": "1"})
	})
	mux.HandleFunc("POST /a2a", func(w http.ResponseWriter, r *http.Request) {
		var request struct{ ID any }
		json.NewDecoder(r.Body).Decode(&request)
		answer(w, "application/json", map[string]any{"jsonrpc": "2.0", "id": request.ID, "result": message})
	})
	mux.HandleFunc("POST /a2a/v1/message:send", func(w http.ResponseWriter, r *http.Request) {
		answer(w, "application/a2a+json", message)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return listener.Addr().String()
}

func a2aThroughEnvoy(t *testing.T, envoy *harness.Envoy, token string) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	client, err := harness.FetchA2AClient(ctx, root)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ host, binding, path, text, err string }{
		{"agent.example.test", "JSONRPC", "/a2a", "nothing new", ""},
		{"agent.example.test", "HTTP+JSON", "/a2a/v1", "nothing new", ""},
		{"stranger.example.test", "JSONRPC", "/a2a", "", "operation_out_of_task"},
	} {
		sent, err := client.Send(ctx, envoy.Address, test.host, token, test.binding, test.path)
		if err != nil {
			t.Fatal(err)
		}
		if sent.Text != test.text || !strings.Contains(sent.Error, test.err) || (sent.Error == "") != (test.err == "") {
			t.Errorf("%s over %s: %+v", test.host, test.binding, sent)
		}
	}
}
