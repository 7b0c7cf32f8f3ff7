package outcome

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/test/bufconn"

	"github.com/remit-pdp/remit/pdp"
)

// settler is a function that settles.
type settler func(context.Context, pdp.Outcome) error

func (s settler) Settle(ctx context.Context, o pdp.Outcome) error { return s(ctx, o) }

// dial serves a door, and health beside it, and connects to both.
func dial(t *testing.T, door *AccessLog) *grpc.ClientConn {
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

// rawCodec sends messages as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}
func (rawCodec) Unmarshal(mem.BufferSlice, any) error { return nil }
func (rawCodec) Name() string                         { return "proto" }

// sent is what comes of a stream: the outcomes that were settled, and how it ended.
func sent(t *testing.T, messages ...[]byte) (settled []pdp.Outcome, err error) {
	t.Helper()
	door := NewAccessLog(settler(func(_ context.Context, o pdp.Outcome) error {
		settled = append(settled, o)
		return nil
	}), time.Now, nil)
	conn := dial(t, door)
	stream, err := conn.NewStream(t.Context(), &description.Streams[0], accesslogv3.AccessLogService_StreamAccessLogs_FullMethodName, grpc.ForceCodecV2(rawCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range messages {
		stream.SendMsg(message) // fails where the stream has ended, which its end tells
	}
	stream.CloseSend()
	err = stream.RecvMsg(nil)
	return settled, err
}

// Messages go by as they are on the wire; generated clients do not notice, nor do
// other services of the same server.
func TestOverGRPC(t *testing.T) {
	var settled []pdp.Outcome
	conn := dial(t, NewAccessLog(settler(func(_ context.Context, o pdp.Outcome) error {
		settled = append(settled, o)
		return nil
	}), time.Now, nil))
	stream, err := accesslogv3.NewAccessLogServiceClient(conn).StreamAccessLogs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	many := make([]*datav3.HTTPAccessLogEntry, 500) // spread over several buffers
	for i := range many {
		many[i] = realistic()
	}
	for _, m := range []*accesslogv3.StreamAccessLogsMessage{identified(messageOf(realistic())), messageOf(many...), messageOf()} {
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	if answer, err := stream.CloseAndRecv(); err != nil || answer == nil {
		t.Fatalf("got %v, %v", answer, err)
	}
	if len(settled) != 501 || settled[0].DecisionID != settled[500].DecisionID || settled[500].State != pdp.OutcomeDone {
		t.Errorf("settled %d: %+v", len(settled), settled)
	}
	if answer, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil || answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", answer, err)
	}
}

// A message that protobuf refuses ends the stream with an error. Nothing of it
// counts, not even the entries before the one that cannot be read; what came
// before it does.
func TestWhatCannotBeReadEndsTheStream(t *testing.T) {
	good := marshal(t, messageOf(logged(nil)))
	entry := marshal(t, logged(nil))
	for name, bad := range map[string][]byte{
		"no message":                  []byte("GET / HTTP/1.1\r\n"),
		"cut off":                     good[:len(good)-1],
		"a second entry cut off":      field(2, field(1, entry), field(1, entry[:len(entry)-1])),
		"a second entry not UTF-8":    field(2, field(1, entry), field(1, field(3, field(5, []byte{0xff})))),
		"a field that nobody reads":   field(2, field(1, entry), field(1, field(1, field(5, []byte{0x08})))),
		"an identifier that is none":  append(field(1, []byte{0x0a}), good...),
		"not UTF-8 after good fields": field(2, field(1, entry, field(4, field(6, []byte{0xff})))),
	} {
		settled, err := sent(t, good, bad, good)
		if err == nil || len(settled) != 1 {
			t.Errorf("%s: settled %d, %v", name, len(settled), err)
		}
	}
	if settled, err := sent(t, good, good); err != nil || len(settled) != 2 {
		t.Errorf("settled %d, %v", len(settled), err)
	}
}

// What could not be settled is told of, and does not keep the others back; one
// that is stuck does so for as long as patience lasts.
func TestAStuckOutcomeIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var lost []string
		var settled int
		door := NewAccessLog(settler(func(ctx context.Context, o pdp.Outcome) error {
			switch o.Details {
			case "stuck":
				<-ctx.Done()
				return ctx.Err()
			case "refused":
				return pdp.ErrForged
			case "slow":
				time.Sleep(patience * 2 / 5)
			}
			if d, ok := ctx.Deadline(); !ok || time.Until(d) < patience/2-patience*2/5 {
				t.Errorf("it has until %v", d)
			}
			settled++
			return ctx.Err()
		}), time.Now, func(o pdp.Outcome, err error) { lost = append(lost, o.Details) })
		e := entry{id: "id", never: true}
		var entries []entry
		for _, details := range []string{"", "stuck", "", "refused", "slow", "slow", "slow", "stuck", ""} {
			e.details = details
			entries = append(entries, e)
		}
		stream, end := context.WithCancel(t.Context())
		end() // what has come is settled even so
		door.take(stream, entries)
		if settled != 6 || len(lost) != 3 || lost[0] != "stuck" || lost[1] != "refused" || lost[2] != "stuck" {
			t.Errorf("settled %d, lost %q", settled, lost)
		}
		if took := time.Since(began); took > 2*patience+3*patience*2/5 {
			t.Errorf("it took %v", took)
		}
	})
}

// Each outcome has between half and all of the patience.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wait{stream: t.Context()}
		defer w.end()
		for range 20 {
			until, _ := w.next().Deadline()
			if left := time.Until(until); left < patience/2 || left > patience {
				t.Errorf("%v left", left)
			}
			time.Sleep(patience / 7)
		}
		last := w.next()
		w.end()
		if !errors.Is(last.Err(), context.Canceled) {
			t.Error("the last context is not let go of")
		}
	})
}
