// Package extauthz is the door that Envoy asks at:
// envoy.service.auth.v3.Authorization over gRPC. It turns a CheckRequest into
// an envelope, has it decided, and renders the decision; it judges nothing.
//
// What makes it more than a translation is what Envoy takes for an allow: an
// empty answer, an answer without a status, a status of OK beside a denial. So
// there is one constructor of answers, which begins with a denial, and a guard
// around the service that replaces anything else (invariant 1).
package extauthz

import (
	"context"
	"slices"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// Decider decides about an envelope. It is [pdp.Point].
type Decider interface {
	Decide(context.Context, *pdp.Envelope) pdp.Decision
}

// Settings are those of one listener.
type Settings struct {
	Listener string // its name
	// Caller is the authenticated name of the proxy that asks; "" where it
	// has none, which denies.
	Caller func(context.Context) string
	// TrustID says that the proxy chooses the ids of its checks.
	TrustID bool
	// BodyIsExact says that the text field of a body holds its bytes.
	BodyIsExact bool
	// SessionHeader is the header that session tokens come in, in lower case.
	// It never gets to the tool.
	SessionHeader string
	// DenyAs is how a denied MCP call is answered.
	DenyAs DenyAs
	// Deadline is the longest a decision may take; Margin is left of the
	// caller's deadline for the answer to travel.
	Deadline, Margin time.Duration
	// Workers is how many goroutines are kept for requests, and as many for
	// decisions; where more are under way, each of the others has one of its
	// own.
	Workers int
}

// DenyAs is a way of answering a denied MCP call.
type DenyAs string

// The ways. With AsToolError the model reads the reason as the tool's result,
// and the client neither begins anew nor asks a person to log in.
const (
	AsToolError    DenyAs = "tool_error"
	AsJSONRPCError DenyAs = "jsonrpc_error"
	AsHTTP         DenyAs = "http"
)

// Server answers the checks of one listener. Safe for concurrent use.
type Server struct {
	settings Settings
	decider  Decider
	renderer renderer
	now      func() time.Time
	// read reads the message of a check.
	read    func(message string) (*pdp.Envelope, error)
	workers *workers
	// crashed is told of panics outside of the decision.
	crashed func(cause any, stack []byte)
}

// NewServer returns the door of a listener.
func NewServer(s Settings, d Decider, keys *pdp.Keys, now func() time.Time, crashed func(cause any, stack []byte)) *Server {
	server := &Server{settings: s, decider: d, renderer: renderer{s.DenyAs, keys, now}, now: now, read: readCheck, crashed: crashed}
	server.workers = newWorkers(s.Workers, server.answer, crashed)
	return server
}

// Check answers the CheckRequest that message is with a CheckResponse. The answer
// is always an explicit decision, and it is there before the caller stops waiting,
// even if the decision hangs.
func (s *Server) Check(ctx context.Context, message string) []byte {
	proxy := s.settings.Caller(ctx)
	if proxy == "" {
		return broken() // the transport lets nobody through without a name
	}
	c := &check{proxy: proxy, message: message}
	c.values, c.end = ctx, s.end(ctx)
	// Half of the margin is for a decision that ends in time and is still
	// being recorded.
	if answer := s.workers.do(c, c.end.Add(s.settings.Margin/2)); answer != nil {
		return answer
	}
	return s.renderer.render(&outOfTime, nil)
}

// answer reads a check, has it decided and renders the decision. What is no check
// has no path either, which is refused and recorded; nothing can allow it.
func (s *Server) answer(c *check) rendered {
	e, err := s.envelope(c.proxy, c.message)
	d := s.decide(c, e)
	if err != nil {
		d.Effect = pdp.Deny
	}
	return s.renderer.render(&d, e.Headers)
}

// decide has the session token taken off a request that carries one: a tool
// must not be able to use it.
func (s *Server) decide(ctx context.Context, e *pdp.Envelope) pdp.Decision {
	d := s.decider.Decide(ctx, e)
	if len(e.SessionTokens) > 0 {
		d.Response.RemoveHeaders = append(slices.Clone(d.Response.RemoveHeaders), s.settings.SessionHeader)
	}
	return d
}

// end is when the decision must have been made.
func (s *Server) end(ctx context.Context) time.Time {
	end := time.Now().Add(s.settings.Deadline)
	if callers, ok := ctx.Deadline(); ok && callers.Before(end) {
		end = callers
	}
	return end.Add(-s.settings.Margin)
}

// outOfTime is the answer where the decision itself does not end.
var outOfTime = pdp.Decision{
	Class:   pdp.Unavailable,
	Reasons: []pdp.Reason{{Code: pdp.CodeDeadline, Message: "no decision could be made in time"}},
}
