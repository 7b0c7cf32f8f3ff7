package operators

import (
	"context"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// The paths of the door.
const (
	pathRevocations = "/v1/revocations"
	pathLift        = "/v1/revocations/lift"
)

// Order asks for something to be revoked, or no longer revoked.
type Order struct {
	Kind       string `json:"kind"`              // session, credential, agent, owner, root, target, everything
	Subject    string `json:"subject,omitempty"` // which one; none for everything
	Issuer     string `json:"issuer,omitempty"`  // of an agent or a root; empty is any
	Reason     string `json:"reason"`
	ForSeconds int64  `json:"for_seconds,omitempty"` // 0 is until it is lifted
}

func (o Order) about() (what, why string) {
	return strings.TrimSpace(o.Kind + " " + o.Subject), o.Reason
}

// maxFor is the longest that a revocation can last which ends by itself.
const maxFor = 10 * 365 * 24 * time.Hour

// revoking carries out orders to revoke, or to lift.
func revoking(do func(context.Context, pdp.RevocationOrder) (pdp.Acknowledgement, error)) func(context.Context, Order, string) (Acknowledgement, error) {
	return func(ctx context.Context, o Order, actor string) (Acknowledgement, error) {
		if o.ForSeconds < 0 || o.ForSeconds > int64(maxFor/time.Second) {
			return Acknowledgement{}, pdp.BadOrder("for_seconds: %d is not between 0 and %d", o.ForSeconds, int64(maxFor/time.Second))
		}
		a, err := do(ctx, pdp.RevocationOrder{
			Kind: pdp.RevocationKind(o.Kind), Subject: o.Subject, Issuer: o.Issuer, Reason: o.Reason, Actor: actor,
			For: time.Duration(o.ForSeconds) * time.Second,
		})
		return shownAcknowledgement(&a), err
	}
}

// Revocation is a revocation point.
type Revocation struct {
	ID      string     `json:"id"`
	Kind    string     `json:"kind"`
	Subject string     `json:"subject,omitempty"`
	Issuer  string     `json:"issuer,omitempty"`
	Reason  string     `json:"reason"`
	Actor   string     `json:"actor"`
	At      time.Time  `json:"at"`
	Until   *time.Time `json:"until,omitempty"`
}

// Acknowledgement says that an order counts.
type Acknowledgement struct {
	Revocation     Revocation `json:"revocation"`
	AcknowledgedAt time.Time  `json:"acknowledged_at"`
	// OpenSessions is how many open sessions it covers; null where they were
	// not counted in time.
	OpenSessions *int `json:"open_sessions"`
	// OwnSession says that the session is the agent's own: its next request
	// asks for a new one.
	OwnSession bool `json:"own_session,omitempty"`
}

// Revocations is the list of what is revoked now, the latest first.
type Revocations struct {
	Revocations []Revocation `json:"revocations"`
}

// A problem is why a call was refused (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"` // none for a caller who is not known
}

func shownPoint(r *pdp.Revocation) Revocation {
	shown := Revocation{
		ID: r.ID, Kind: string(r.Kind), Subject: r.Subject, Issuer: r.Issuer, Reason: r.Reason, Actor: r.Actor, At: r.At.UTC(),
	}
	if !r.Until.IsZero() {
		until := r.Until.UTC()
		shown.Until = &until
	}
	return shown
}

func shownAcknowledgement(a *pdp.Acknowledgement) Acknowledgement {
	shown := Acknowledgement{Revocation: shownPoint(&a.Revocation), AcknowledgedAt: a.At.UTC(), OwnSession: a.OwnSession}
	if a.Sessions >= 0 {
		shown.OpenSessions = &a.Sessions
	}
	return shown
}
