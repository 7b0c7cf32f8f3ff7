// Package outcome is the door that outcomes come in by: Envoy's access log
// service (envoy.service.accesslog.v3.AccessLogService over gRPC). Every final
// entry of a request that was allowed settles its action.
//
// The log is best-effort by design of Envoy: no acknowledgements, and its own
// counters do not show a loss. So an outcome may confirm and clear, and what
// never arrives stays in doubt: it is the session's `outcomes` and its
// unknown actions that show it.
//
// Entries are read off the wire where they are plain, and by the generated types
// where they are not; both ways fill the same [entry].
package outcome

import (
	"context"
	"errors"
	"io"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/door/wire"
)

// Settler settles an action once. It is [pdp.Point]. The strings of an outcome
// are parts of the message that it came in: what is remembered of them is copied.
type Settler interface {
	Settle(context.Context, pdp.Outcome) error
}

// AccessLog receives access logs. Safe for concurrent use.
type AccessLog struct {
	settler Settler
	now     func() time.Time
	// lost is told of every outcome that could not be settled.
	lost func(pdp.Outcome, error)
	// seen is told of every passage, but for those to own; nil where nobody
	// counts them.
	seen func(Passage)
	own  string
}

// NewAccessLog returns the service; lost is told of every outcome that could
// not be settled, and why.
func NewAccessLog(s Settler, now func() time.Time, lost func(pdp.Outcome, error)) *AccessLog {
	return &AccessLog{settler: s, now: now, lost: lost}
}

// receive answers a stream. Each worker of Envoy holds one; nothing is ever
// answered but its end. A message that cannot be read ends it, and nothing that
// the message says counts.
func (l *AccessLog) receive(stream grpc.ServerStream) error {
	for {
		var message wire.Message
		err := stream.RecvMsg(&message)
		if errors.Is(err, io.EOF) {
			return stream.SendMsg(&accesslogv3.StreamAccessLogsResponse{})
		}
		if err != nil {
			return err
		}
		entries, err := read(message.Text)
		if err != nil {
			return status.Errorf(codes.Internal, "the message cannot be read: %v", err)
		}
		l.take(stream.Context(), entries)
	}
}

// read reads the entries of a message off the wire where it is plain, and by the
// generated types where it is not.
func read(message string) ([]entry, error) {
	if entries, plain := fromWire(message); plain {
		return entries, nil
	}
	return fromTypes(message)
}

// take tells what became of requests, and settles those that were allowed. It gives
// way to decisions: a message holds hundreds of entries.
func (l *AccessLog) take(ctx context.Context, entries []entry) {
	// What Envoy has sent is settled even when the stream ends meanwhile.
	w := wait{stream: context.WithoutCancel(ctx)}
	defer w.end()
	var p pdp.Pace
	for i := range entries {
		p.Step()
		e := &entries[i]
		l.tell(e)
		o, ok := e.outcome(l.now())
		if !ok {
			continue
		}
		if err := l.settler.Settle(w.next(), o); err != nil {
			l.lost(o, err)
		}
	}
}
