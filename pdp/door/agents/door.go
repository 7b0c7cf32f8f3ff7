// Package agents is the door that agents themselves ask at: HTTP and JSON, to
// be routed through Envoy. An agent has a session admitted for a declared task
// and gets its token, asks what would be allowed, looks at its session and
// ends it. README.md describes the API.
//
// The door judges nothing: it reads strictly, has the decision point answer,
// and renders. Who asks is proved by the same rules as on a configured
// listener.
package agents

import (
	"context"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Decider answers an agent's questions. It is [pdp.Point].
type Decider interface {
	Admit(ctx context.Context, env *pdp.Envelope, task value.Value) pdp.Decision
	End(ctx context.Context, env *pdp.Envelope) pdp.Decision
	Own(ctx context.Context, env *pdp.Envelope) (pdp.Decision, value.Value)
	Suppose(ctx context.Context, caller, about *pdp.Envelope) pdp.Decision
}

// Settings are those of the door.
type Settings struct {
	// Listener names the listener whose rules hold: who its callers are, and
	// which of its paths speak MCP.
	Listener string
	// Proxy is the name of who passes requests on.
	Proxy string
	// SessionHeader is the header that session tokens come in, in lower case.
	SessionHeader string
	// MaxBatch is how many questions a request may hold, 1 at least.
	MaxBatch int
	// Deadline is the longest that a request may take, a batch included.
	Deadline time.Duration
}

// Bounds of what the door takes on.
const (
	maxBody     = 256 << 10
	maxRequests = 64 // under way at a time
)

// Door answers agents. Safe for concurrent use.
type Door struct {
	settings Settings
	decider  Decider
	now      func() time.Time
	// crashed is told of panics outside of the decision.
	crashed func(cause any, stack []byte)
	busy    chan struct{}
}

// New returns the door.
func New(s Settings, d Decider, now func() time.Time, crashed func(cause any, stack []byte)) *Door {
	return &Door{settings: s, decider: d, now: now, crashed: crashed, busy: make(chan struct{}, maxRequests)}
}

// Handler returns what serves the API.
func (d *Door) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/sessions", d.answering(d.admit))
	mux.HandleFunc("GET /v1/sessions/current", d.answering(d.own))
	mux.HandleFunc("DELETE /v1/sessions/current", d.answering(d.end))
	mux.HandleFunc("POST /v1/decisions", d.answering(d.suppose))
	return mux
}

// answering reads a request into an envelope and writes the answer; whatever
// happens there is one.
func (d *Door) answering(answer func(context.Context, *pdp.Envelope) reply) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case d.busy <- struct{}{}:
			defer func() { <-d.busy }()
		default:
			unable("too many requests are under way").write(w)
			return
		}
		defer func() {
			if cause := recover(); cause != nil {
				d.crashed(cause, debug.Stack())
				unable("the request could not be answered").write(w)
			}
		}()
		ctx, cancel := context.WithTimeout(r.Context(), d.settings.Deadline)
		defer cancel()
		env, refused := d.envelope(w, r)
		if refused != nil {
			refused.write(w)
			return
		}
		answer(ctx, env).write(w)
	}
}

// admit begins a session.
func (d *Door) admit(ctx context.Context, env *pdp.Envelope) reply {
	body, err := readBody(env)
	if err != nil {
		return unreadable(err)
	}
	task, err := readTask(body)
	if err != nil {
		return unreadable(err)
	}
	decision := d.decider.Admit(ctx, env, task)
	opened := decision.Opened
	if decision.Effect != pdp.Allow || decision.ID == "" || opened == nil {
		return denied(&decision)
	}
	return reply{http.StatusCreated, value.Obj(
		value.M("session", value.Str(decision.Session)),
		value.M("token", value.Str(opened.Token)),
		value.M("header", value.Str(d.settings.SessionHeader)),
		value.M("expires_in_seconds", value.Int(opened.ExpiresIn)),
		value.M("task", opened.Task),
		value.M("decision_id", value.Str(decision.ID))), nil}
}

// own shows a session to its agent.
func (d *Door) own(ctx context.Context, env *pdp.Envelope) reply {
	decision, own := d.decider.Own(ctx, env)
	if decision.Effect != pdp.Allow || !own.Defined() {
		return denied(&decision)
	}
	return reply{http.StatusOK, own, nil}
}

// end ends a session.
func (d *Door) end(ctx context.Context, env *pdp.Envelope) reply {
	decision := d.decider.End(ctx, env)
	if decision.Effect != pdp.Allow || decision.ID == "" {
		return denied(&decision)
	}
	return reply{http.StatusOK, value.Obj(
		value.M("session", value.Str(decision.Session)),
		value.M("state", value.Str("ended")),
		value.M("decision_id", value.Str(decision.ID))), nil}
}
