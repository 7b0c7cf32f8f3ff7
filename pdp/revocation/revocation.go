// Package revocation ends authority: it turns an operator's order into a
// revocation point, hands it to the store, and says what it covers. It
// implements [pdp.Revoker].
//
// What there is to revoke, and what each point covers:
//
//	session     all that resolves to the session. One that a claim of a token
//	            names stays revoked under that name. An agent's own session
//	            (none is named) gives way to a new one, which the admission
//	            policy is asked for and sees `session.after_revocation`
//	credential  whoever presents the credential with this fingerprint
//	agent       the agent, and every agent that acts for it: no session that is
//	            open goes on, none begins
//	owner       every agent of the owner
//	root        everything done for a principal, by whatever agent
//	target      everything done to a system, or to one resource of it, callers
//	            without an identity included
//	everything  everything
//
// What was allowed before is in flight and settles as usual. A point covers an
// action whatever the policy says, before the policy is asked and again when
// the allow is committed. The store keeps the points, finds the one that covers
// an action ([state.Revocations]) and keeps the promise that none is
// acknowledged too early ([state.Store]).
package revocation

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// Revoker carries out orders on a store. Safe for concurrent use.
type Revoker struct {
	store state.Store
	now   func() time.Time
}

var _ pdp.Revoker = (*Revoker)(nil)

// New returns a revoker of what store keeps. now is the clock of the points.
func New(store state.Store, now func() time.Time) *Revoker { return &Revoker{store, now} }

// countingTime bounds how long an acknowledgement waits for the count of
// sessions: it counts already, and the operator should know.
const countingTime = 2 * time.Second

// Revoke implements [pdp.Revoker].
func (r *Revoker) Revoke(ctx context.Context, o pdp.RevocationOrder) (pdp.Acknowledgement, error) {
	if err := check(&o); err != nil {
		return pdp.Acknowledgement{}, err
	}
	point := pdp.Revocation{
		ID: pdp.NewName("r_"), Kind: o.Kind, Subject: o.Subject, Issuer: o.Issuer, Reason: o.Reason, Actor: o.Actor, At: r.now().Round(0),
	}
	if o.For > 0 {
		point.Until = point.At.Add(o.For)
	}
	var own bool
	if o.Kind == pdp.RevokedSession {
		var forgotten time.Time
		err := state.VisitSession(ctx, r.store, o.Subject, func(_ *state.Partition, s *state.Session) {
			own, forgotten = s.Shared, time.Unix(0, s.Forgotten())
		})
		if err != nil {
			return pdp.Acknowledgement{}, err
		}
		// Nothing is found under the session's name any more after this.
		if point.Until.IsZero() || point.Until.After(forgotten) {
			point.Until = forgotten
		}
	}
	return r.order(ctx, state.Revoked, point, own)
}

// Lift implements [pdp.Revoker].
func (r *Revoker) Lift(ctx context.Context, o pdp.RevocationOrder) (pdp.Acknowledgement, error) {
	o.For = 0
	if err := check(&o); err != nil {
		return pdp.Acknowledgement{}, err
	}
	for _, point := range r.Revocations() {
		if point.Kind == o.Kind && point.Subject == o.Subject && point.Issuer == o.Issuer {
			point.Reason, point.Actor, point.At = o.Reason, o.Actor, r.now().Round(0)
			return r.order(ctx, state.Lifted, point, false)
		}
	}
	return pdp.Acknowledgement{}, fmt.Errorf("%s: %w", name(o.Kind, o.Subject), pdp.ErrNotRevoked)
}

// Revocations implements [pdp.Revoker].
func (r *Revoker) Revocations() []pdp.Revocation { return r.store.Revocations().All(r.now()) }

func (r *Revoker) order(ctx context.Context, kind state.Kind, point pdp.Revocation, own bool) (pdp.Acknowledgement, error) {
	if err := r.store.Revoke(ctx, &state.Entry{Kind: kind, At: point.At.UnixNano(), Revoking: &point}); err != nil {
		return pdp.Acknowledgement{}, fmt.Errorf("%s: not acknowledged: %w", name(point.Kind, point.Subject), err)
	}
	a := pdp.Acknowledgement{Revocation: point, At: r.now(), OwnSession: own}
	a.Sessions = r.count(ctx, &point)
	return a, nil
}

// count counts the open sessions that a point covers.
func (r *Revoker) count(ctx context.Context, point *pdp.Revocation) (sessions int) {
	ctx, cancel := context.WithTimeout(ctx, countingTime)
	defer cancel()
	now := r.now()
	err := r.store.Partitions(ctx, func(p *state.Partition) error {
		sessions += p.CoveredBy(point, now)
		return nil
	})
	if err != nil {
		return -1
	}
	return sessions
}

// fingerprint is the form of every credential's fingerprint: see
// [pdp.Keys.Fingerprint].
var fingerprint = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)

// check returns what is wrong with an order, with the remedy.
func check(o *pdp.RevocationOrder) error {
	switch {
	case !o.Kind.Known():
		return pdp.BadOrder("%q is not something that can be revoked: name one of %v", o.Kind, pdp.RevocationKinds)
	case o.Kind == pdp.RevokedEverything && o.Subject != "":
		return pdp.BadOrder("everything is revoked without naming anything, but %q is named", o.Subject)
	case o.Kind != pdp.RevokedEverything && o.Subject == "":
		return pdp.BadOrder("it does not say which %s", o.Kind)
	case o.Issuer != "" && o.Kind != pdp.RevokedAgent && o.Kind != pdp.RevokedRoot:
		return pdp.BadOrder("an issuer narrows an agent or a root, not a %s", o.Kind)
	case o.Kind == pdp.RevokedCredential && !fingerprint.MatchString(o.Subject):
		return pdp.BadOrder("a credential is named by its fingerprint, 22 characters that remit log show prints, and never by its value: if that was one, it must be replaced now")
	case o.For < 0:
		return pdp.BadOrder("%s is no time to last", o.For)
	}
	return pdp.CheckOrder(o.Reason, o.Actor, pdp.OrderName{Of: "name", Name: o.Subject}, pdp.OrderName{Of: "issuer", Name: o.Issuer})
}

func name(kind pdp.RevocationKind, subject string) string {
	return strings.TrimSpace(string(kind) + " " + subject)
}
