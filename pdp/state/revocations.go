package state

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// Revocations are the revocation points of a store: the fold of its entries of
// the kinds [Revoked] and [Lifted]. Immutable; the zero value and nil have none.
type Revocations struct {
	points   map[mark]*pdp.Revocation
	sessions int // how many of them are of sessions
}

// A mark is what a point is found by, and what an action is found to carry.
type mark struct {
	kind            pdp.RevocationKind
	subject, issuer string
}

func markOf(r *pdp.Revocation) mark { return mark{r.Kind, r.Subject, r.Issuer} }

// MaxRevocations bounds the points of a store; a wider point takes the place
// of many narrow ones.
const MaxRevocations = 1 << 16

// With returns the points after entries of the kinds [Revoked] and [Lifted], in
// the order they were accepted. Points that had ended by themselves by then are
// left out.
func (r *Revocations) With(entries ...*Entry) *Revocations {
	if len(entries) == 0 {
		return r
	}
	next := &Revocations{points: make(map[mark]*pdp.Revocation)}
	for _, point := range r.list() {
		next.points[markOf(point)] = point
	}
	for _, e := range entries {
		next.apply(e)
	}
	now := time.Unix(0, entries[len(entries)-1].At)
	maps.DeleteFunc(next.points, func(_ mark, point *pdp.Revocation) bool { return !point.In(now) })
	next.countSessions()
	return next
}

func (r *Revocations) countSessions() {
	r.sessions = 0
	for at := range r.points {
		if at.kind == pdp.RevokedSession {
			r.sessions++
		}
	}
}

// apply changes r, which nobody else has yet. Revoking what is revoked never
// shortens it.
func (r *Revocations) apply(e *Entry) {
	at := markOf(e.Revoking)
	if e.Kind == Lifted {
		delete(r.points, at)
		return
	}
	point := *e.Revoking
	if before := r.find(at, time.Unix(0, e.At)); before != nil && !point.Until.IsZero() && (before.Until.IsZero() || before.Until.After(point.Until)) {
		point.Until = before.Until
	}
	r.points[at] = &point
}

// CanTake returns why an entry cannot follow: [pdp.ErrNotRevoked] for lifting
// what is not revoked, [pdp.ErrBadOrder] for a point too many.
func (r *Revocations) CanTake(e *Entry) error {
	point := r.find(markOf(e.Revoking), time.Unix(0, e.At))
	switch {
	case e.Kind == Lifted && point == nil:
		return pdp.ErrNotRevoked
	case e.Kind == Revoked && point == nil && r != nil && len(r.points) >= MaxRevocations:
		return fmt.Errorf("%d revocations are in force, and no more are kept; lift some, or revoke something wider: %w", len(r.points), pdp.ErrBadOrder)
	default:
		return nil
	}
}

func (r *Revocations) none() bool { return r == nil || len(r.points) == 0 }

// All returns the points that count at now, the latest first.
func (r *Revocations) All(now time.Time) []pdp.Revocation {
	var all []pdp.Revocation
	for _, point := range r.list() {
		if point.In(now) {
			all = append(all, *point)
		}
	}
	slices.SortFunc(all, func(a, b pdp.Revocation) int { return cmp.Or(b.At.Compare(a.At), strings.Compare(a.ID, b.ID)) })
	return all
}

func (r *Revocations) list() []*pdp.Revocation {
	if r == nil {
		return nil
	}
	return slices.Collect(maps.Values(r.points))
}

func (r *Revocations) find(m mark, now time.Time) *pdp.Revocation {
	if r == nil {
		return nil
	}
	if point := r.points[m]; point != nil && point.In(now) {
		return point
	}
	return nil
}

// Check returns a [*RevokedError] for an entry that records an allow which a
// point covers, at the entry's time. It is what a store asks as the last step
// of accepting an entry.
func (r *Revocations) Check(e *Entry) error {
	if e.Record == nil || e.Record.Effect != pdp.Allow || r.none() {
		return nil
	}
	if point := r.covering(subjectOf(e.Record), time.Unix(0, e.At)); point != nil {
		return &RevokedError{By: *point}
	}
	return nil
}

// RevokedError says that an allow was not accepted because a point covers it.
type RevokedError struct{ By pdp.Revocation }

// Error implements error.
func (e *RevokedError) Error() string { return "revoked by " + e.By.ID }

// subject is everything of an action that can be revoked.
type subject struct {
	session    string
	credential string
	owner      string
	agent      pdp.Principal
	chain      []pdp.Principal // whom it acts for, nearest first
	// workload presents the agent's token, with a credential of its own.
	workload           pdp.Principal
	workloadCredential string
	system             string
	resource           string
}

func subjectOf(r *Record) *subject {
	return &subject{session: r.Session, credential: r.Credential, owner: r.Owner, agent: r.Agent, chain: r.Chain,
		workload: r.Workload, workloadCredential: r.WorkloadCredential, system: r.System, resource: r.Resource}
}

// covering returns the point that covers a subject, the widest where several
// do; nil where none does.
//
// What a point means: an agent is revoked with everybody who acts for it, so
// its point covers the chains it is in (RFC 8693 section 4.1 lets a chain only
// tighten), and what it presents as a workload; a root's covers what is done for
// it by whomever; a target's covers callers without an identity as well.
func (r *Revocations) covering(s *subject, now time.Time) *pdp.Revocation {
	if r.none() {
		return nil
	}
	if point := r.find(mark{kind: pdp.RevokedEverything}, now); point != nil {
		return point
	}
	if point := cmp.Or(r.find(mark{kind: pdp.RevokedTarget, subject: s.system}, now),
		r.find(mark{kind: pdp.RevokedTarget, subject: s.system + ":" + s.resource}, now)); point != nil {
		return point
	}
	root := s.agent
	if n := len(s.chain); n > 0 {
		root = s.chain[n-1]
	}
	if point := cmp.Or(r.principal(pdp.RevokedRoot, root, now), r.named(pdp.RevokedOwner, s.owner, now),
		r.principal(pdp.RevokedAgent, s.agent, now), r.principal(pdp.RevokedAgent, s.workload, now)); point != nil {
		return point
	}
	for _, principal := range s.chain {
		if point := r.principal(pdp.RevokedAgent, principal, now); point != nil {
			return point
		}
	}
	return cmp.Or(r.named(pdp.RevokedCredential, s.credential, now), r.named(pdp.RevokedCredential, s.workloadCredential, now), r.named(pdp.RevokedSession, s.session, now))
}

// principal looks for a point of any issuer's, then of the principal's own.
func (r *Revocations) principal(kind pdp.RevocationKind, p pdp.Principal, now time.Time) *pdp.Revocation {
	if p.ID == "" {
		return nil
	}
	return cmp.Or(r.find(mark{kind, p.ID, ""}, now), r.find(mark{kind, p.ID, p.Issuer}, now))
}

// NameSessions reports whether any point is of a session.
func (r *Revocations) NameSessions() bool {
	return r != nil && r.sessions > 0
}

func (r *Revocations) named(kind pdp.RevocationKind, name string, now time.Time) *pdp.Revocation {
	if name == "" {
		return nil
	}
	return r.find(mark{kind: kind, subject: name}, now)
}

// CoveredBy counts the open sessions that a point covers: for a target, those
// that have reached it.
func (p *Partition) CoveredBy(point *pdp.Revocation, now time.Time) (open int) {
	only := &Revocations{points: map[mark]*pdp.Revocation{markOf(point): point}}
	for _, s := range p.Sessions {
		if s.ended(now.UnixNano()) {
			continue
		}
		if point.Kind == pdp.RevokedTarget && s.reached(point.Subject) || only.coveringSession(p, s, now) != nil {
			open++
		}
	}
	return open
}

// coveringSession returns the point that covers all that a session may do.
func (r *Revocations) coveringSession(p *Partition, s *Session, now time.Time) *pdp.Revocation {
	is := &subject{session: s.ID, owner: s.Owner, chain: s.Chain}
	if agent := p.Agents[s.Agent]; agent != nil {
		is.agent = agent.Is
	}
	if len(s.Credentials) == 1 { // a session goes on with its other ones
		is.credential = s.Credentials[0]
	}
	return r.covering(is, now)
}

// reached reports whether the session has touched a system, or a resource of
// it ("SYSTEM:RESOURCE").
func (s *Session) reached(target string) bool {
	_, system := s.Activity.BySystem.find(target)
	return system || s.Activity.touched(targetHash(target))
}

// AppendBinary appends the encoding of the points to dst.
func (r *Revocations) AppendBinary(dst []byte) []byte {
	points := r.list()
	slices.SortFunc(points, func(a, b *pdp.Revocation) int { return strings.Compare(a.ID, b.ID) })
	return encode(dst, &points, codeRevocations)
}

// DecodeRevocations reads what [Revocations.AppendBinary] wrote. Any other
// bytes are an error.
func DecodeRevocations(b []byte) (*Revocations, error) {
	points, err := decode(string(b), codeRevocations)
	if err != nil {
		return nil, err
	}
	r := &Revocations{points: make(map[mark]*pdp.Revocation, len(*points))}
	for _, point := range *points {
		r.points[markOf(point)] = point
	}
	r.countSessions()
	return r, nil
}

func codeRevocations(c *coder, points *[]*pdp.Revocation) { list(c, points, pointer(codeRevocation)) }

func codeRevocation(c *coder, r *pdp.Revocation) {
	text(c, &r.ID)
	text(c, &r.Subject)
	word(c, &r.Issuer)
	word(c, &r.Reason)
	word(c, &r.Actor)
	word(c, &r.Kind)
	codeTime(c, &r.At)
	codeTime(c, &r.Until)
}

// codeTime codes a moment to the nanosecond; the zero time as 0.
func codeTime(c *coder, t *time.Time) {
	var at int64
	if !t.IsZero() {
		at = t.UnixNano()
	}
	c.int(&at)
	if c.reading && at != 0 {
		*t = time.Unix(0, at)
	}
}
