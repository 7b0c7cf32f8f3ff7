// Package sessions carries out what operators order about one session: it finds
// the session, takes the turn on its partition like a decision does, and commits
// the order as an entry of its own. It implements [pdp.SessionKeeper].
//
//	close        the session ends for good: what resolves to it is refused as
//	             ended. An agent's own session (no token names it) gives way to
//	             a new one, which the admission policy is asked for; in
//	             quarantine it does not, until its maximum age
//	release      the session's quarantine is taken back. It goes on with all that
//	             is remembered of it; denials in a row are counted anew
//	clear-label  the label is off the session, whichever session of the agent it
//	             came in through, and the agent carries it no longer: it is off
//	             every session that it had only reached, and off those that begin
//	             later. A session that picked it up itself keeps it, and passes it
//	             on, as long as it is remembered. What brings the label in again
//	             brings it back
//
// What was allowed before is in flight and settles as usual, and a check of it
// that is repeated gets its recorded answer. An order and a decision wait for
// each other, so behind the order in the journal stands no allow that it
// forbids; it is on the disk before it is acknowledged ([state.Store]).
package sessions

import (
	"context"
	"fmt"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// Keeper carries out orders on a store. Safe for concurrent use.
type Keeper struct {
	store state.Store
	now   func() time.Time
}

var _ pdp.SessionKeeper = (*Keeper)(nil)

// New returns a keeper of the sessions in store. now is the clock of the orders.
func New(store state.Store, now func() time.Time) *Keeper { return &Keeper{store, now} }

// Order implements [pdp.SessionKeeper].
func (k *Keeper) Order(ctx context.Context, o pdp.SessionOrder) (pdp.SessionAcknowledgement, error) {
	if err := check(&o); err != nil {
		return pdp.SessionAcknowledgement{}, err
	}
	var key pdp.PartitionKey
	err := state.VisitSession(ctx, k.store, o.Session, func(p *state.Partition, _ *state.Session) { key = p.Key })
	if err != nil {
		return pdp.SessionAcknowledgement{}, err
	}
	held, err := k.store.Acquire(ctx, key)
	if err != nil {
		return pdp.SessionAcknowledgement{}, fmt.Errorf("wait for the partition of session %s: %w", o.Session, err)
	}
	defer held.Release()
	e, err := held.State().Order(&o, k.now().UnixNano())
	if err != nil {
		return pdp.SessionAcknowledgement{}, err
	}
	if err := held.Commit(ctx, e); err != nil {
		return pdp.SessionAcknowledgement{}, fmt.Errorf("%s session %s: not acknowledged: %w", o.Kind, o.Session, err)
	}
	return k.acknowledge(e.Ordering, held.State()), nil
}

// acknowledge says what counts now that an order was carried out.
func (k *Keeper) acknowledge(o *state.Ordering, p *state.Partition) pdp.SessionAcknowledgement {
	s := p.Sessions[o.Order.Session]
	a := pdp.SessionAcknowledgement{ID: o.ID, Order: o.Order, At: k.now(), OwnSession: s.Shared}
	switch o.Order.Kind {
	case pdp.CloseSession:
		if s.Shared && s.Quarantined {
			a.RefusedUntil = time.Unix(0, s.Expires)
		}
	case pdp.ClearLabel:
		a.KeptBy, a.Carried = p.KeptBy(s.ID, o.Order.Label), p.Carried(s.ID, o.Order.Label)
	}
	return a
}

// check returns what is wrong with an order, with the remedy.
func check(o *pdp.SessionOrder) error {
	switch {
	case !o.Kind.Known():
		return pdp.BadOrder("%q is nothing that can be ordered about a session: it is one of %v", o.Kind, pdp.SessionOrderKinds)
	case o.Session == "":
		return pdp.BadOrder("it does not say which session")
	case o.Kind == pdp.ClearLabel && o.Label == "":
		return pdp.BadOrder("it does not say which label")
	case o.Kind != pdp.ClearLabel && o.Label != "":
		return pdp.BadOrder("to %s a session is not about one label, but %q is named", o.Kind, o.Label)
	default:
		return pdp.CheckOrder(o.Reason, o.Actor, pdp.OrderName{Of: "session", Name: o.Session}, pdp.OrderName{Of: "label", Name: o.Label})
	}
}
