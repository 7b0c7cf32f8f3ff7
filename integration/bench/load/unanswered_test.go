package load

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
)

// What a server that dies leaves unanswered can be had: all that was asked.
func TestWhatStaysUnanswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			time.AfterFunc(100*time.Millisecond, func() { c.Close() })
		}
	}()
	a := &asker{t: t, path: "/x", answers: make(map[string]int)}
	c, err := Dial("unix:"+path, "", 2, a)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Closed(7, 10*time.Second); err == nil {
		t.Fatal("it did not die")
	}
	left := 0
	c.Unanswered(func(*Call) { left++ })
	if left != 7 {
		t.Errorf("%d unanswered, want 7", left)
	}
}

// slow answers the first question when a thousand more were answered, twice as
// many as a connection has places for.
type slow struct {
	authv3.UnimplementedAuthorizationServer
	answered chan bool
}

func (s *slow) Check(_ context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	path := r.GetAttributes().GetRequest().GetHttp().GetPath()
	if path == "/first" {
		for range 2 * maxInFlight {
			<-s.answered
		}
	} else {
		s.answered <- true
	}
	return &authv3.CheckResponse{HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{Body: path}}}, nil
}

// first asks for /first first.
type first struct{ asker }

func (f *first) Next(c *Call) {
	f.path, c.Kind = "/x", 1
	if len(f.answers) == 0 && f.pad == 0 {
		f.path, f.pad, c.Kind = "/first", 1, 0
	}
	f.asker.Next(c)
}

func (f *first) Answered(c *Call, status string, answer []byte) {
	f.asker.Answered(c, status+"/"+[]string{"first", "x"}[c.Kind]+" ", answer)
}

// An answer that takes longer than any other is still that of its question.
func TestALateAnswerIsItsQuestions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	authv3.RegisterAuthorizationServer(g, &slow{answered: make(chan bool, 4*maxInFlight)})
	go g.Serve(listener)
	defer g.Stop()
	f := &first{asker{t: t, answers: make(map[string]int)}}
	c, err := Dial("unix:"+path, "", 1, f)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const n = 3 * maxInFlight
	if err := c.Once(n, 8); err != nil {
		t.Fatal(err)
	}
	if f.answers["0/first /first"] != 1 || f.answers["0/x /x"] != n-1 {
		t.Errorf("answers %v", f.answers)
	}
}

// A server may let go of a stream long after it ended, when another one has its
// place: that one goes on.
func TestALateResetIsOfItsStream(t *testing.T) {
	c := &conn{header: []byte{0}}
	c.nextStream = 1 + 2*maxInFlight
	call := &Call{}
	c.send(call)
	reset := func(id uint32) (over int) {
		if err := c.take(http2.FrameRSTStream, 0, id, be32(uint32(http2.ErrCodeCancel)), func(*Call) { over++ }); err != nil {
			t.Fatal(err)
		}
		return over
	}
	if reset(1) != 0 || c.inFlight != 1 {
		t.Error("the reset of an old stream ended another one")
	}
	if reset(call.stream) != 1 || c.inFlight != 0 {
		t.Error("its own did not")
	}
}
