package pdp

import (
	"context"
	"errors"
	"slices"
	"time"
)

// RevocationKind says what a revocation point ends the authority of.
type RevocationKind string

// The kinds of revocation points, from the narrowest to the widest.
const (
	RevokedSession    RevocationKind = "session"    // one session, by its id
	RevokedCredential RevocationKind = "credential" // one credential, by its fingerprint
	RevokedAgent      RevocationKind = "agent"      // an agent, and whoever acts for it
	RevokedOwner      RevocationKind = "owner"      // every agent of an owner
	RevokedRoot       RevocationKind = "root"       // everything done for a principal
	RevokedTarget     RevocationKind = "target"     // everything done to a system, or to one resource of it
	RevokedEverything RevocationKind = "everything"
)

// RevocationKinds lists every kind, from the narrowest to the widest.
var RevocationKinds = []RevocationKind{
	RevokedSession, RevokedCredential, RevokedAgent, RevokedOwner, RevokedRoot, RevokedTarget, RevokedEverything,
}

// Known reports whether k is one of [RevocationKinds].
func (k RevocationKind) Known() bool { return slices.Contains(RevocationKinds, k) }

// Revocation is a revocation point: from At on, nothing that it covers is
// allowed (invariant 4). Immutable.
type Revocation struct {
	ID   string // of the point: "r_…"
	Kind RevocationKind
	// Subject is what is revoked: a session's or an agent's id, a
	// credential's fingerprint, an owner, the id of a root, a system or
	// "SYSTEM:RESOURCE"; empty for everything.
	Subject string
	// Issuer narrows an agent or a root to that of one issuer; "" is any.
	Issuer string
	Reason string
	Actor  string // who revoked: an operator as the door authenticated them
	At     time.Time
	// Until is when the point ends by itself; zero is never. At exactly Until
	// it no longer covers anything.
	Until time.Time
}

// In reports whether the point has not ended by itself at now.
func (r *Revocation) In(now time.Time) bool { return r.Until.IsZero() || now.Before(r.Until) }

// RevocationOrder is what an operator wants revoked, or no longer revoked.
type RevocationOrder struct {
	Kind    RevocationKind
	Subject string
	Issuer  string
	Reason  string
	Actor   string
	// For is how long the point lasts; 0 is until it is lifted. It says
	// nothing in an order to lift.
	For time.Duration
}

// Acknowledgement says that an order was carried out: no allow that the point
// covers was or will be accepted after it (and, after lifting, that it no
// longer stands in the way).
type Acknowledgement struct {
	Revocation Revocation
	At         time.Time // when it was acknowledged
	// Sessions is how many open sessions the point covers: for a target, those
	// that have reached it. -1 where they could not be counted in time.
	Sessions int
	// OwnSession says that the revoked session is the agent's own, which no
	// claim of a token names: the agent's next request asks for a new one.
	OwnSession bool
}

// Revoker ends authority and gives it back. Its methods are safe for
// concurrent use.
type Revoker interface {
	// Revoke carries out an order. An error means that it was not
	// acknowledged: one that wraps [ErrBadOrder] says what is wrong with the
	// order, [ErrNoSuchSession] that there is no such session; after any other
	// it may or may not count and must be given again.
	Revoke(context.Context, RevocationOrder) (Acknowledgement, error)
	// Lift takes a point back. The error wraps [ErrNotRevoked] where there is
	// no such point.
	Lift(context.Context, RevocationOrder) (Acknowledgement, error)
	// Revocations lists the points that count now, the latest first.
	Revocations() []Revocation
}

// ErrNotRevoked says that there is nothing to lift.
var ErrNotRevoked = errors.New("there is no such revocation")
