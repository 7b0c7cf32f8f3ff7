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
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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
		ID: newID(), Kind: o.Kind, Subject: o.Subject, Issuer: o.Issuer, Reason: o.Reason, Actor: o.Actor, At: r.now().Round(0),
	}
	if o.For > 0 {
		point.Until = point.At.Add(o.For)
	}
	var own bool
	if o.Kind == pdp.RevokedSession {
		session, err := r.session(ctx, o.Subject)
		if err != nil {
			return pdp.Acknowledgement{}, err
		}
		own = session.Shared
		// Nothing is found under the session's name any more after this.
		if forgotten := time.Unix(0, session.Forgotten()); point.Until.IsZero() || point.Until.After(forgotten) {
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

var errFound = errors.New("found")

// session finds a session, open or not. The copy is of its head alone.
func (r *Revoker) session(ctx context.Context, id string) (found state.Session, err error) {
	err = r.store.Partitions(ctx, func(p *state.Partition) error {
		if s := p.Sessions[id]; s != nil {
			found = state.Session{ID: s.ID, Shared: s.Shared, Expires: s.Expires}
			return errFound
		}
		return nil
	})
	switch {
	case errors.Is(err, errFound):
		return found, nil
	case err != nil:
		return found, fmt.Errorf("look for session %s: %w", id, err)
	default:
		return found, fmt.Errorf("session %s: %w", id, pdp.ErrNoSuchSession)
	}
}

// The longest that a name, and a reason, may be, in bytes.
const (
	maxName   = 512
	maxReason = 1024
)

// fingerprint is the form of every credential's fingerprint: see
// [pdp.Keys.Fingerprint].
var fingerprint = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)

// check returns what is wrong with an order, with the remedy.
func check(o *pdp.RevocationOrder) error {
	switch {
	case !o.Kind.Known():
		return bad("%q is not something that can be revoked: name one of %v", o.Kind, pdp.RevocationKinds)
	case o.Kind == pdp.RevokedEverything && o.Subject != "":
		return bad("everything is revoked without naming anything, but %q is named", o.Subject)
	case o.Kind != pdp.RevokedEverything && o.Subject == "":
		return bad("it does not say which %s", o.Kind)
	case o.Issuer != "" && o.Kind != pdp.RevokedAgent && o.Kind != pdp.RevokedRoot:
		return bad("an issuer narrows an agent or a root, not a %s", o.Kind)
	case o.Kind == pdp.RevokedCredential && !fingerprint.MatchString(o.Subject):
		return bad("a credential is named by its fingerprint, 22 characters that remit log show prints, and never by its value: if that was one, it must be replaced now")
	case o.Reason == "":
		return bad("it gives no reason: say why, for those who read the log")
	case o.Actor == "":
		return bad("nobody is known to have given it")
	case o.For < 0:
		return bad("%s is no time to last", o.For)
	}
	for what, text := range map[string]string{"name": o.Subject, "issuer": o.Issuer, "actor": o.Actor} {
		if len(text) > maxName || !printable(text) {
			return bad("the %s is longer than %d bytes, or not printable text", what, maxName)
		}
	}
	if len(o.Reason) > maxReason || !printable(o.Reason) {
		return bad("the reason is longer than %d bytes, or not printable text", maxReason)
	}
	return nil
}

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", pdp.ErrBadOrder, fmt.Sprintf(format, args...))
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

func name(kind pdp.RevocationKind, subject string) string {
	return strings.TrimSpace(string(kind) + " " + subject)
}

func newID() string {
	var b [10]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return "r_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}
