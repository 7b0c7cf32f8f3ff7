package extauthz_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/door/extauthz"
)

// servesVariable names, in the environment of a child process of the benchmark,
// what it serves; the child's CPU time is the server's and nobody else's.
const servesVariable = "REMIT_BENCHMARK_SERVES"

func TestMain(m *testing.M) {
	if kind := os.Getenv(servesVariable); kind != "" {
		if err := serveBenchmark(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveBenchmark serves on the socket named behind the kind, "floor=PATH" or
// "door=PATH", until its standard input ends.
func serveBenchmark(kind string) error {
	kind, socket, _ := strings.Cut(kind, "=")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	var server *grpc.Server
	switch kind {
	case "floor":
		server = grpc.NewServer()
		authv3.RegisterAuthorizationServer(server, floor{})
	case "door":
		server, err = benchmarkDoor()
	}
	if err != nil {
		return err
	}
	go func() {
		os.Stdin.Read(make([]byte, 1))
		server.Stop()
	}()
	return server.Serve(listener)
}

// floor is the least that a server with generated types does.
type floor struct {
	authv3.UnimplementedAuthorizationServer
}

func (floor) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{Status: &rpcstatus.Status{}, HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
		Headers: []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: "x-floor", Value: "yes"}}},
	}}}, nil
}

// benchmarkDoor is the door alone: the decision is there at once.
func benchmarkDoor() (*grpc.Server, error) {
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		return nil, err
	}
	ids := pdp.NewIDs(keys)
	allow := decider(func(ctx context.Context, e *pdp.Envelope) pdp.Decision {
		if ctx.Err() != nil || e.Path != "/mcp" {
			return pdp.Decision{}
		}
		return pdp.Decision{ID: ids.New(pdp.PartitionKey{1}), Effect: pdp.Allow, Digest: [32]byte{2}}
	})
	crashed := func(any, []byte) {}
	door := extauthz.NewServer(extauthz.Settings{
		Listener: "l", Caller: named, TrustID: true, SessionHeader: "remit-session", DenyAs: extauthz.AsToolError, Deadline: time.Second, Margin: 20 * time.Millisecond, Workers: 64,
	}, allow, keys, time.Now, crashed)
	server := grpc.NewServer(door.Options()...)
	door.Register(server)
	return server, nil
}

// wireCodec sends and receives messages as they are.
type wireCodec struct{}

func (wireCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (wireCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

func (wireCodec) Name() string { return "proto" }

// BenchmarkCheck is a check from socket to socket, 64 at a time, through the
// door and through the floor. cpu-ns/op is of the server's process.
func BenchmarkCheck(b *testing.B) {
	for _, kind := range []string{"floor", "door"} {
		b.Run(kind, func(b *testing.B) { benchmarkServer(b, kind) })
	}
}

func benchmarkServer(b *testing.B, kind string) {
	socket := filepath.Join(b.TempDir(), "s")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), servesVariable+"="+kind+"="+socket)
	child.Stderr = os.Stderr
	end, err := child.StdinPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		end.Close()
		child.Wait()
	}()
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wireCodec{}), grpc.WaitForReady(true)))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	check, err := proto.Marshal(extauthz.Realistic())
	if err != nil {
		b.Fatal(err)
	}
	ask := func() []byte {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		var answer []byte
		if err := conn.Invoke(ctx, authv3.Authorization_Check_FullMethodName, &check, &answer); err != nil {
			b.Error(err)
		}
		return answer
	}
	flood := func(n int) {
		var left atomic.Int64
		left.Store(int64(n))
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				for left.Add(-1) >= 0 {
					ask()
				}
			})
		}
		all.Wait()
	}
	var answer authv3.CheckResponse
	if err := proto.Unmarshal(ask(), &answer); err != nil || answer.GetOkResponse() == nil {
		b.Fatalf("the answer is %v, %v", &answer, err)
	}
	flood(2000) // warm
	before := cpuTime(b, child.Process.Pid)
	b.ResetTimer()
	flood(b.N)
	b.StopTimer()
	b.ReportMetric(float64(cpuTime(b, child.Process.Pid)-before)/float64(b.N), "cpu-ns/op")
}

// cpuTime is how long a process has used a processor (proc_pid_stat(5)).
func cpuTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var ticks int64
	for _, field := range fields[11:13] { // utime and stime, of which 100 are a second
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
