package load

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// server is grpc-go's, which the client must get on with.
type server struct {
	authv3.UnimplementedAuthorizationServer
	accesslogv3.UnimplementedAccessLogServiceServer
	logged chan int
}

// Check answers with the path, and with an error for one path.
func (s *server) Check(_ context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	path := r.GetAttributes().GetRequest().GetHttp().GetPath()
	if path == "/error" {
		return nil, status.Error(codes.Unavailable, "no")
	}
	return &authv3.CheckResponse{HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{Body: path}}}, nil
}

func (s *server) StreamAccessLogs(stream accesslogv3.AccessLogService_StreamAccessLogsServer) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return nil
		}
		s.logged <- len(m.GetIdentifier().GetLogName())
	}
}

func serve(t *testing.T) (address string, s *server) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s = &server{logged: make(chan int, 1000)}
	g := grpc.NewServer()
	authv3.RegisterAuthorizationServer(g, s)
	accesslogv3.RegisterAccessLogServiceServer(g, s)
	go g.Serve(listener)
	t.Cleanup(g.Stop)
	return "unix:" + path, s
}

// asker asks for one path and counts what comes back.
type asker struct {
	t        *testing.T
	path     string
	pad      int
	answers  map[string]int
	outcomes [][]byte
}

func (a *asker) Next(c *Call) {
	m, err := proto.Marshal(&authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
		Http: &authv3.AttributeContext_HttpRequest{Path: a.path, RawBody: make([]byte, a.pad)}}}})
	if err != nil {
		a.t.Fatal(err)
	}
	c.Set(m)
}

func (a *asker) Answered(_ *Call, status string, answer []byte) {
	var r authv3.CheckResponse
	if err := proto.Unmarshal(answer, &r); err != nil {
		a.t.Error(err)
	}
	a.answers[status+r.GetDeniedResponse().GetBody()]++
}

func (a *asker) Outcomes(time.Time, bool) []byte {
	if len(a.outcomes) == 0 {
		return nil
	}
	next := a.outcomes[0]
	a.outcomes = a.outcomes[1:]
	return next
}

func dialTest(t *testing.T, a *asker, outcomes bool) (*Client, *server) {
	t.Helper()
	a.t, a.answers = t, make(map[string]int)
	address, s := serve(t)
	to := ""
	if outcomes {
		to = address
	}
	c, err := Dial(address, to, 2, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, s
}

// Every question is answered once, whatever the windows are: the messages are
// larger than what a server lets through at a time.
func TestClosedGetsEveryAnswer(t *testing.T) {
	a := &asker{path: "/x", pad: 50_000}
	c, _ := dialTest(t, a, false)
	took, err := c.Closed(64, 500*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if n := int(took.Count()); n < 64 || a.answers["0/x"] != n || len(a.answers) != 1 {
		t.Errorf("%d asked, answers %v", n, a.answers)
	}
}

func TestOpenKeepsItsRate(t *testing.T) {
	a := &asker{path: "/x"}
	c, _ := dialTest(t, a, false)
	took, err := c.Open(500, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if n := took.Count(); n < 800 || n > 1200 {
		t.Errorf("%d asked in 2 s at 500/s", n)
	}
	if took.Quantile(0.5) <= 0 || took.Quantile(0.99) < took.Quantile(0.5) {
		t.Errorf("p50 %s, p99 %s", took.Quantile(0.5), took.Quantile(0.99))
	}
}

func TestOnceAsksAsOftenAsItIsTold(t *testing.T) {
	a := &asker{path: "/x"}
	c, _ := dialTest(t, a, false)
	if err := c.Once(1000, 64); err != nil {
		t.Fatal(err)
	}
	if a.answers["0/x"] != 1000 {
		t.Errorf("answers %v", a.answers)
	}
}

// A call that fails is told, and is none of the answers.
func TestAnErrorIsTold(t *testing.T) {
	a := &asker{path: "/error"}
	c, _ := dialTest(t, a, false)
	if err := c.Once(10, 2); err != nil {
		t.Fatal(err)
	}
	if a.answers["14"] != 10 {
		t.Errorf("answers %v", a.answers)
	}
}

// The stream of outcomes carries messages that are larger than its window.
func TestOutcomesArrive(t *testing.T) {
	a := &asker{path: "/x"}
	const size = 200_000
	for range 5 {
		m, err := proto.Marshal(&accesslogv3.StreamAccessLogsMessage{Identifier: &accesslogv3.StreamAccessLogsMessage_Identifier{LogName: string(make([]byte, size))}})
		if err != nil {
			t.Fatal(err)
		}
		a.outcomes = append(a.outcomes, m)
	}
	c, s := dialTest(t, a, true)
	if err := c.Once(10, 2); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		select {
		case n := <-s.logged:
			if n != size {
				t.Errorf("a message of %d", n)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("an outcome did not arrive")
		}
	}
}

// Nobody answers: that is an error, and not an empty measurement.
func TestADeadServerIsAnError(t *testing.T) {
	a := &asker{path: "/x", answers: make(map[string]int)}
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	defer listener.Close()
	c, err := Dial("unix:"+path, "", 1, a)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if took, err := c.Closed(4, time.Second); err == nil {
		t.Errorf("%d answers and no error", took.Count())
	}
}

func TestHistogramIsNearTheTruth(t *testing.T) {
	h := &Histogram{}
	for i := range 100_000 {
		h.Add(time.Duration(i) * time.Microsecond)
	}
	for _, q := range []float64{0.1, 0.5, 0.99, 0.999} {
		want := q * 100_000
		if got := float64(h.Quantile(q).Microseconds()); got < want*0.999 || got > want*1.04 {
			t.Errorf("quantile %v is %v µs, want about %v", q, got, want)
		}
	}
	var other Histogram
	other.Add(time.Hour)
	h.Merge(&other)
	if h.Count() != 100_001 || h.Quantile(1) != 0 && h.Quantile(1) < time.Hour {
		t.Errorf("after a merge: %d, last %s", h.Count(), h.Quantile(1))
	}
	for i := range 4095 {
		if bucket(upper(i)) != i && i < 64+58*32 || i > 0 && i < 64+58*32 && upper(i) <= upper(i-1) {
			t.Fatalf("bucket %d ends at %d, which is in bucket %d", i, upper(i), bucket(upper(i)))
		}
	}
}
