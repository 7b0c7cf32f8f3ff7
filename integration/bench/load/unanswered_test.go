package load

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/net/http2"
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

// An answer that takes longer than a thousand others is still that of its question:
// nobody gets its place.
func TestALateAnswerIsItsQuestions(t *testing.T) {
	c := &conn{header: []byte{0}, nextStream: 1}
	late := &Call{}
	c.send(late)
	for range 3 * maxInFlight {
		call := &Call{}
		c.send(call)
		if err := c.over(call.stream, "0", func(got *Call) {
			if got != call {
				t.Fatalf("stream %d ended the call of stream %d", call.stream, got.stream)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if c.call(late.stream) != late || c.inFlight != 1 {
		t.Error("the one that waits has lost its place")
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
