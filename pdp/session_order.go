package pdp

import (
	"context"
	"errors"
	"slices"
	"time"
)

// SessionOrderKind says what an operator wants done to a session.
type SessionOrderKind string

// The kinds of orders about one session.
const (
	CloseSession   SessionOrderKind = "close"       // it ends for good
	ReleaseSession SessionOrderKind = "release"     // its quarantine is taken back
	ClearLabel     SessionOrderKind = "clear-label" // a label is taken off it
)

// SessionOrderKinds lists every kind.
var SessionOrderKinds = []SessionOrderKind{CloseSession, ReleaseSession, ClearLabel}

// Known reports whether k is one of [SessionOrderKinds].
func (k SessionOrderKind) Known() bool { return slices.Contains(SessionOrderKinds, k) }

// SessionOrder is what an operator wants done to one session.
type SessionOrder struct {
	Kind    SessionOrderKind
	Session string // its id
	Label   string // which one to clear; empty in every other order
	Reason  string
	Actor   string // who ordered it: an operator as the door authenticated them
}

// SessionAcknowledgement says that an order was carried out: no allow that it
// forbids was or will be accepted after it.
type SessionAcknowledgement struct {
	ID    string // of the order: "o_…"
	Order SessionOrder
	At    time.Time // when it was acknowledged
	// OwnSession says that the session is the agent's own, which no token names.
	// Once it is closed the agent's next request asks for a new one; where it was
	// in quarantine, not before RefusedUntil.
	OwnSession   bool
	RefusedUntil time.Time
	// KeptBy are the agent's sessions that picked the cleared label up
	// themselves: they keep it, and it reaches others from them. Carried says
	// that it reaches sessions of the agent that begin from here on.
	KeptBy  []string
	Carried bool
}

// SessionKeeper carries out operators' orders about sessions. Safe for
// concurrent use.
type SessionKeeper interface {
	// Order carries out an order. An error means that it was not acknowledged:
	// [ErrBadOrder], [ErrNoSuchSession], [ErrSessionEnded], [ErrNotQuarantined]
	// and [ErrNoSuchLabel] say that nothing was done; after any other it may or
	// may not count and must be given again.
	Order(context.Context, SessionOrder) (SessionAcknowledgement, error)
}

// The ways in which a session is not as an order takes it to be.
var (
	ErrSessionEnded   = errors.New("the session has ended already")
	ErrNotQuarantined = errors.New("the session is not in quarantine")
	ErrNoSuchLabel    = errors.New("the session has no such label")
)
