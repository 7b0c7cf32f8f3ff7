package load

import (
	"errors"
	"time"
)

// A Source makes the messages and judges the answers. The client calls it from
// the goroutine that it is used from.
type Source interface {
	// Next makes the next question: it calls [Call.Set].
	Next(c *Call)
	// Answered is told a call's answer: a message of gRPC, empty where status
	// (grpc-status) is not "0".
	Answered(c *Call, status string, answer []byte)
	// Outcomes returns a message for the stream of outcomes, nil for none.
	// last says that whatever is held back must come now.
	Outcomes(now time.Time, last bool) []byte
}

// Call is one question. It is used again for another one when it is answered.
type Call struct {
	// Kind, Who and Run are the source's own.
	Kind, Who, Run int

	stream  uint32
	due     time.Time // when it was to be sent
	message []byte    // of gRPC, with its head
	answer  []byte
	status  string
}

// grpcHead is the length of what gRPC puts in front of a message: a flag (not
// compressed) and the length.
const grpcHead = 5

// Set copies a message into the call and returns the copy, which may be changed
// until the call is sent.
func (c *Call) Set(message []byte) []byte {
	c.message = appendMessage(c.message[:0], message)
	return c.message[grpcHead:]
}

// Message is what the call asks with.
func (c *Call) Message() []byte { return c.message[grpcHead:] }

func appendMessage(b, message []byte) []byte {
	return append(append(append(b, 0), be32(uint32(len(message)))...), message...)
}

// Client asks one server. Not safe for concurrent use.
type Client struct {
	source   Source
	conns    []*conn
	outcomes *conn // nil where there is none
	free     []*Call
	next     int // the connection whose turn it is
}

// The methods that are called.
const (
	checkMethod    = "/envoy.service.auth.v3.Authorization/Check"
	outcomesMethod = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs"
)

// Dial opens connections to a server at "unix:PATH" or "HOST:PORT", and one to
// where the outcomes go; "" is nowhere.
func Dial(address, outcomes string, connections int, s Source) (*Client, error) {
	c := &Client{source: s}
	for range connections {
		opened, err := dial(address, checkMethod)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c.conns = append(c.conns, opened)
	}
	if outcomes == "" {
		return c, nil
	}
	opened, err := dial(outcomes, outcomesMethod)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	opened.log = &stream{window: opened.streamWindow, id: opened.begin()}
	c.outcomes = opened
	return c, nil
}

// Close ends the connections.
func (c *Client) Close() (err error) {
	for _, open := range c.all() {
		err = errors.Join(err, open.close())
	}
	return err
}

// Unanswered visits the calls in flight: those that get no answer when the
// server is gone.
func (c *Client) Unanswered(visit func(*Call)) {
	for _, open := range c.conns {
		for _, call := range open.calls {
			if call != nil {
				visit(call)
			}
		}
	}
}

func (c *Client) all() []*conn {
	if c.outcomes == nil {
		return c.conns
	}
	return append(c.conns[:len(c.conns):len(c.conns)], c.outcomes)
}

// ask sends the source's next question, which was due at a time.
func (c *Client) ask(to *conn, due time.Time) {
	call := &Call{}
	if n := len(c.free); n > 0 {
		call, c.free = c.free[n-1], c.free[:n-1]
	}
	call.due, call.answer = due, call.answer[:0]
	c.source.Next(call)
	to.send(call)
}

// answered hands an answer to the source.
func (c *Client) answered(call *Call) {
	message := call.answer
	if len(message) >= grpcHead {
		message = message[grpcHead:]
	}
	c.source.Answered(call, call.status, message)
	c.free = append(c.free, call)
}

// report sends what has become of what was allowed.
func (c *Client) report(now time.Time, last bool) {
	if c.outcomes == nil {
		return
	}
	if message := c.source.Outcomes(now, last); message != nil {
		c.outcomes.data(piece{stream: c.outcomes.log.id, log: true, data: appendMessage(nil, message)})
	}
}
