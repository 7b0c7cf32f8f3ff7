package operators

import (
	"context"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// pathSessions and the kind of an order are the path for orders about a session.
const pathSessions = "/v1/sessions/"

// sessionRoles are what orders about a session ask of their caller.
var sessionRoles = map[pdp.SessionOrderKind]Role{
	pdp.CloseSession:   Revoker,
	pdp.ReleaseSession: Approver,
	pdp.ClearLabel:     Approver,
}

// SessionOrder asks for something to be done to one session; the path says what.
type SessionOrder struct {
	Session string `json:"session"`
	Label   string `json:"label,omitempty"` // which one to clear; none in other orders
	Reason  string `json:"reason"`
}

func (o SessionOrder) about() (what, why string) {
	if o.Label == "" {
		return o.Session, o.Reason
	}
	return o.Session + " " + o.Label, o.Reason
}

// SessionAcknowledgement says that an order about a session counts.
type SessionAcknowledgement struct {
	ID             string    `json:"id"`   // of the order
	Kind           string    `json:"kind"` // close, release, clear-label
	Session        string    `json:"session"`
	Label          string    `json:"label,omitempty"`
	Reason         string    `json:"reason"`
	Actor          string    `json:"actor"`
	AcknowledgedAt time.Time `json:"acknowledged_at"`
	// OwnSession says that the session is the agent's own. Once it is closed the
	// agent's next request asks for a new one, not before RefusedUntil.
	OwnSession   bool       `json:"own_session,omitempty"`
	RefusedUntil *time.Time `json:"refused_until,omitempty"`
	// KeptBy are the agent's sessions that keep a cleared label because they
	// picked it up themselves; Carried says that those that begin get it.
	KeptBy  []string `json:"kept_by,omitempty"`
	Carried bool     `json:"carried,omitempty"`
}

// keeping carries out orders of a kind about a session.
func keeping(keeper pdp.SessionKeeper, kind pdp.SessionOrderKind) func(context.Context, SessionOrder, string) (SessionAcknowledgement, error) {
	return func(ctx context.Context, o SessionOrder, actor string) (SessionAcknowledgement, error) {
		a, err := keeper.Order(ctx, pdp.SessionOrder{Kind: kind, Session: o.Session, Label: o.Label, Reason: o.Reason, Actor: actor})
		shown := SessionAcknowledgement{
			ID: a.ID, Kind: string(a.Order.Kind), Session: a.Order.Session, Label: a.Order.Label, Reason: a.Order.Reason, Actor: a.Order.Actor,
			AcknowledgedAt: a.At.UTC(), OwnSession: a.OwnSession, KeptBy: a.KeptBy, Carried: a.Carried,
		}
		if !a.RefusedUntil.IsZero() {
			until := a.RefusedUntil.UTC()
			shown.RefusedUntil = &until
		}
		return shown, err
	}
}
