package state

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// History gives the decision point its turns on the partitions of a store. It
// implements [pdp.History]. Safe for concurrent use.
type History struct {
	store    Store
	keys     *pdp.Keys
	settings Settings
	now      func() time.Time
	crowd    *crowd
	signed   atomic.Pointer[signatures]
	hashed   atomic.Pointer[hashed]
}

var _ pdp.History = (*History)(nil)

// New returns a history that is kept in store. now is the clock of outcomes;
// a decision brings its own time.
func New(store Store, keys *pdp.Keys, settings Settings, now func() time.Time) *History {
	h := &History{store: store, keys: keys, settings: settings, now: now}
	h.crowd = newCrowd(store, settings.AnonymousPerSecond, now)
	return h
}

// Close writes what is still to be written. The store stays open.
func (h *History) Close() error { return h.crowd.close() }

// Begin implements [pdp.History].
func (h *History) Begin(ctx context.Context, c *pdp.Case) (pdp.Turn, error) {
	if c.Partition == (pdp.PartitionKey{}) {
		return &nobodysTurn{h}, nil
	}
	held, err := h.store.Acquire(ctx, c.Partition)
	if err != nil {
		return nil, fmt.Errorf("wait for the partition: %w", err)
	}
	t := &turn{History: h, held: held, state: held.State(), keyring: keyring{keys: h.keys}}
	t.at = max(c.Now.UnixNano(), t.state.Last) // a partition's time never goes back
	t.find(c, h.store.Revocations())
	return t, nil
}

// turn is one question's turn on a partition.
type turn struct {
	*History
	held  Held
	state *Partition
	at    int64
	agent *Agent // nil before its first action
	// ref selects the session, shared says that it is the agent's own.
	ref    Ref
	shared bool
	// session is the one the action belongs to; nil where one would have to
	// begin. ended is the one that a token or a claim names and that is over.
	session, ended *Session
	// afterRevocation says that the session that would begin comes after one
	// of the agent that was revoked.
	afterRevocation bool
	// refused is why the session token is not good; nil where it is, or none
	// was presented.
	refused *pdp.Refusal
	keyring keyring
	// checkOf and targetOf are made when they are asked for.
	checkOf   string
	targetOf  uint64
	hasCheck  bool
	hasTarget bool
	views     views
}

// find resolves the session reference (DESIGN 5.4): remit's own session token,
// a claim of the verified token, else the agent itself. What the agent could
// choose never selects. A revoked session that a token or a claim names stays
// the one it selects, and denies; the agent's own gives way to a new one, which
// must be admitted.
func (t *turn) find(c *pdp.Case, revocations *Revocations) {
	is := pdp.Principal{ID: c.Agent.ID, Issuer: c.Agent.Issuer}
	t.agent = t.state.Agents[is]
	if tokens := presented(c); len(tokens) > 0 {
		t.byToken(c, tokens)
	} else if claim := c.Agent.SessionClaim; claim != "" {
		t.byRef(Ref{ByClaim, is, t.keys.Fingerprint("session claim", claim)}, false, revocations)
	} else {
		t.byRef(Ref{By: ByAgent, Agent: is}, true, revocations)
	}
	if c.Question == pdp.AboutSession { // another one is to begin, whichever is open
		t.ref, t.shared, t.session, t.ended = Ref{}, false, nil, nil
		t.afterRevocation = t.anyRevoked(revocations)
	}
}

// byRef finds the session that a reference selects.
func (t *turn) byRef(ref Ref, shared bool, revocations *Revocations) {
	t.ref, t.shared = ref, shared
	s := t.state.Sessions[t.state.Refs[ref]]
	closed := s != nil && s.Closed && t.at <= s.Expires // so long not even the agent's own gives way
	switch {
	case s == nil && t.state.hasEnded(ref, t.at):
		t.ended = &Session{Ref: ref, Closed: true}
	case s == nil:
	case s.Shared && !closed && !s.Quarantined && revocations.named(pdp.RevokedSession, s.ID, time.Unix(0, t.at)) != nil:
		t.afterRevocation = true
	case !s.ended(t.at):
		t.session = s
	case !s.Shared || closed:
		t.ended = s // a new one under the same name would shed its age
	}
}

// Release implements [pdp.Turn].
func (t *turn) Release() { t.held.Release() }

// View implements [pdp.Turn].
func (t *turn) View(c *pdp.Case) pdp.Snapshot {
	t.look(c)
	snapshot := pdp.Snapshot{
		Kept: true, Open: t.session != nil,
		Session:   sessionFields.In(&t.views.session.view, &t.views.session),
		Activity:  activityFields.In(&t.views.activity.view, &t.views.activity),
		Memory:    value.From(&t.views.memory),
		Budgets:   value.From(&t.views.budgets),
		NewTarget: t.newTarget(c),
	}
	// Not even the recorded answer is given again after a revocation.
	if snapshot.Refusal = t.revoked(c); snapshot.Refusal != nil {
		return snapshot
	}
	snapshot.Recorded, snapshot.Refusal = t.repeated(c)
	if snapshot.Refusal == nil && snapshot.Recorded == nil {
		snapshot.Refusal = t.forbidden(c)
	}
	return snapshot
}

// views are what a policy reads a turn through.
type views struct {
	session  sessionView
	activity activityView
	memory   memoryView
	budgets  budgetsView
}

// look makes the views show the turn to c.
func (t *turn) look(c *pdp.Case) {
	t.views.session.turn, t.views.session.c = t, c
	t.views.activity.turn = t
	t.views.memory.turn, t.views.memory.c = t, c
	t.views.budgets.turn, t.views.budgets.c = t, c
}

// revoked returns why a revocation point forbids c; nil where none does. The
// commit asks again: see [Store].
func (t *turn) revoked(c *pdp.Case) *pdp.Refusal {
	points := t.store.Revocations()
	if points.none() {
		return nil
	}
	is := &subject{
		credential: c.Agent.Credential.Fingerprint, owner: c.Agent.Owner,
		agent: pdp.Principal{ID: c.Agent.ID, Issuer: c.Agent.Issuer}, chain: c.Agent.Chain,
		workload: c.Agent.Workload.Principal(), system: c.Action.Target.System, resource: c.Action.Target.Resource,
	}
	if w := c.Agent.Workload; w != nil {
		is.workloadCredential = w.Credential.Fingerprint
	}
	switch {
	case t.session != nil:
		is.session = t.session.ID
	case t.ended != nil:
		is.session = t.ended.ID
	}
	if point := points.covering(is, time.Unix(0, t.at)); point != nil {
		return (&RevokedError{By: *point}).refusal()
	}
	return nil
}

// refusal tells the caller no more than that it is so, and the operator which
// point it was.
func (e *RevokedError) refusal() *pdp.Refusal {
	detail := strings.TrimSpace(string(e.By.Kind) + " " + e.By.Subject)
	return pdp.Refuse(pdp.Revoked, pdp.CodeRevoked, "the authority to do this was revoked",
		fmt.Sprintf("%s: %s was revoked by %s: %s", e.By.ID, detail, e.By.Actor, e.By.Reason))
}

// forbidden returns why the state itself says no; nil where it does not.
func (t *turn) forbidden(c *pdp.Case) *pdp.Refusal {
	switch {
	case t.refused != nil:
		return t.refused
	case c.Question == pdp.Supposed && t.questions() >= t.settings.MaxQuestions:
		return tooManyQuestions(t.settings.MaxQuestions)
	case t.ended != nil:
		return pdp.Refuse(pdp.Revoked, pdp.CodeSessionEnded, "the session has ended",
			"session "+t.ended.ID+" was closed or is past its maximum age")
	case t.session != nil && t.session.Quarantined:
		return pdp.Refuse(pdp.Revoked, pdp.CodeQuarantined, "the session is quarantined", "session "+t.session.ID)
	case t.session == nil && t.agent != nil:
		return t.limits()
	default:
		return nil
	}
}

// limits returns why the agent may not begin another session now.
func (t *turn) limits() *pdp.Refusal {
	if t.agent.OpenMinute == t.at/int64(time.Minute) && t.agent.Opened >= t.settings.MaxPerMinute {
		return t.tooMany(fmt.Sprintf("%d sessions were begun in this minute", t.agent.Opened))
	}
	if open := t.openSessions(); open >= t.settings.MaxOpen {
		return t.tooMany(fmt.Sprintf("%d sessions are open", open))
	}
	if n := len(t.state.Sessions); n >= maxSessions {
		return t.tooMany(fmt.Sprintf("the partition has %d sessions", n))
	}
	return nil
}

func (t *turn) tooMany(detail string) *pdp.Refusal {
	return pdp.Refuse(pdp.OutOfScope, pdp.CodeSessionLimit, "too many sessions", detail)
}

func (t *turn) openSessions() (open int) {
	if t.agent == nil {
		return 0
	}
	for _, id := range t.agent.Open {
		if s := t.state.Sessions[id]; s != nil && !s.ended(t.at) {
			open++
		}
	}
	return open
}

func (t *turn) newTarget(c *pdp.Case) bool {
	return t.session == nil || !t.session.Activity.touched(t.target(c))
}

// repeated finds the check in flight that c repeats (invariant 10): its
// recorded answer where it is the same action, a refusal where it is another.
func (t *turn) repeated(c *pdp.Case) (*pdp.Decision, *pdp.Refusal) {
	id, known := t.state.Checks[t.check(c)]
	if !known {
		return nil, nil
	}
	f := t.state.Flights[id]
	if f == nil || f.Check == "" {
		return nil, nil
	}
	if f.Digest != c.Request.Digest {
		return nil, pdp.Refuse(pdp.Unreadable, pdp.CodeRepeatedCheck, "the request was asked about before, and was another",
			"the same request id and time with another digest")
	}
	if f.Answer == nil {
		return nil, pdp.Refuse(pdp.Pending, pdp.CodeRepeatedCheck, "the same request is being carried out", "the recorded answer was too long to keep")
	}
	d, err := f.decision(id)
	if err != nil {
		return nil, pdp.Refuse(pdp.Unavailable, pdp.CodeInternal, "the recorded answer cannot be read", err.Error())
	}
	return d, nil
}

// check is what a repeated check is recognised by; "" where the caller chooses
// the id.
func (t *turn) check(c *pdp.Case) string {
	if !t.hasCheck {
		t.checkOf, t.hasCheck = checkKey(c.Envelope), true
	}
	return t.checkOf
}

// target names the action's target in the set of distinct targets.
func (t *turn) target(c *pdp.Case) uint64 {
	if !t.hasTarget {
		t.targetOf, t.hasTarget = targetHash(c.Action.Target.ID), true
	}
	return t.targetOf
}

func checkKey(e *pdp.Envelope) string {
	if e == nil || !e.TrustID || e.HTTPID == "" {
		return ""
	}
	b := make([]byte, 0, 256)
	for _, part := range [...]string{e.Proxy, e.HTTPID} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	sum := sha256.Sum256(binary.AppendVarint(b, e.Sent.UnixNano()))
	return string(sum[:16])
}

func targetHash(id string) uint64 {
	sum := sha256.Sum256(append(make([]byte, 0, 256), id...))
	return binary.BigEndian.Uint64(sum[:8])
}
