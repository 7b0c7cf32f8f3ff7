package state

import (
	"fmt"
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp"
)

// Ordering is an operator's order about one session, as it was carried out.
type Ordering struct {
	ID    string // "o_…"
	Order pdp.SessionOrder
}

// Order returns the entry that carries out an order at now, in UnixNano, or an
// error where the session is not as the order takes it to be:
// [pdp.ErrNoSuchSession], [pdp.ErrSessionEnded], [pdp.ErrNotQuarantined] or
// [pdp.ErrNoSuchLabel].
func (p *Partition) Order(o *pdp.SessionOrder, now int64) (*Entry, error) {
	at := max(now, p.Last) // a partition's time never goes back
	if err := p.forbidsOrder(o, at); err != nil {
		return nil, err
	}
	return &Entry{Kind: Ordered, At: at, Partition: p.Key, Seq: p.Seq + 1, Ordering: &Ordering{ID: pdp.NewName("o_"), Order: *o}}, nil
}

// forbidsOrder returns why an order cannot be carried out. A label may be
// cleared off a session that has ended: it reaches the agent's next one.
func (p *Partition) forbidsOrder(o *pdp.SessionOrder, at int64) error {
	s := p.Sessions[o.Session]
	switch {
	case s == nil:
		return fmt.Errorf("session %s: %w", o.Session, pdp.ErrNoSuchSession)
	case o.Kind == pdp.ClearLabel && !p.has(s, o.Label):
		return fmt.Errorf("session %s, label %s: %w", o.Session, o.Label, pdp.ErrNoSuchLabel)
	case o.Kind != pdp.ClearLabel && s.ended(at):
		return fmt.Errorf("session %s: %w", o.Session, pdp.ErrSessionEnded)
	case o.Kind == pdp.ReleaseSession && !s.Quarantined:
		return fmt.Errorf("session %s: %w", o.Session, pdp.ErrNotQuarantined)
	default:
		return nil
	}
}

// ordered does to a session what an operator ordered.
func (p *Partition) ordered(e *Entry, o *pdp.SessionOrder) {
	s := p.Sessions[o.Session]
	if s == nil {
		return
	}
	agent := p.agent(s.Agent)
	switch o.Kind {
	case pdp.CloseSession:
		s.close(e, agent)
	case pdp.ReleaseSession:
		s.release(e, agent)
	case pdp.ClearLabel:
		p.clearLabel(s, agent, o.Label, e.Seq)
	}
}

// close ends a session for good. The agent's own is over as if it had reached
// its age, so that a new one takes its place; unless it is in quarantine, which
// being closed is no way out of. Its labels are carried from this moment on: a
// session that nothing was done in for long sheds none by being closed.
func (s *Session) close(e *Entry, agent *Agent) {
	s.Closed = true
	agent.LastSeen = e.At
	if s.Shared && !s.Quarantined {
		s.Expires = min(s.Expires, e.At)
	}
}

// release takes a quarantine back. The session goes on with all that is
// remembered of it: it is not idle because it had to wait, and denials after
// somebody looked are not in one row with those before, which would bring the
// quarantine back at once.
func (s *Session) release(e *Entry, agent *Agent) {
	s.Quarantined, s.Seen = false, e.At
	s.Activity.Consecutive, agent.Activity.Consecutive = 0, 0
}

// Cleared says up to which entry a label came in that was cleared off a session.
type Cleared struct {
	Label string
	Seq   uint64
}

// clearLabel takes a label off a session. What came in by now, in whichever
// session of the agent, does not reach it any more; what comes in later does.
//
// The agent carries the label no longer, and so it is off every session that it
// had reached and off those that begin later, except where that could shed what
// nobody looked at (invariant 12): another session that picked the label up
// itself keeps it, and the agent carries it from there; and a session that was
// admitted alone never had what its agent carried before. Of sessions that are not
// remembered any more there is nothing but what the agent carries: that goes, or
// nobody could ever clear it.
func (p *Partition) clearLabel(s *Session, agent *Agent, label string, seq uint64) {
	s.Labels.remove(label)
	if s.Alone || len(p.KeptBy(s.ID, label)) > 0 {
		s.clearUpTo(label, seq)
	} else {
		agent.Labels.remove(label)
	}
	s.Cleared = slices.DeleteFunc(s.Cleared, func(c Cleared) bool { return !agent.carries(c.Label) })
}

func (s *Session) clearUpTo(label string, seq uint64) {
	i, before := s.findCleared(label)
	if !before {
		s.Cleared = slices.Insert(s.Cleared, i, Cleared{Label: strings.Clone(label)})
	}
	s.Cleared[i].Seq = seq
}

func (s *Session) findCleared(label string) (int, bool) {
	return slices.BinarySearchFunc(s.Cleared, label, func(c Cleared, label string) int { return strings.Compare(c.Label, label) })
}

// KeptBy returns the other sessions of a session's agent that picked a label up
// themselves, or may have: they have more labels than are kept by name.
func (p *Partition) KeptBy(session, label string) (ids []string) {
	s := p.Sessions[session]
	if s == nil {
		return nil
	}
	for id, other := range p.Sessions {
		if id != session && other.Agent == s.Agent && (other.Labels.have(label) || other.Labels.have(LabelOverflow)) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Carried reports whether a session's agent carries a label to other sessions.
func (p *Partition) Carried(session, label string) bool {
	s := p.Sessions[session]
	return s != nil && p.Agents[s.Agent].carries(label)
}

func (a *Agent) carries(label string) bool { return a != nil && a.Labels.have(label) }

// has reports whether a session has a label: its own, or one of the agent's
// that reaches it.
func (p *Partition) has(s *Session, label string) bool {
	if s.Labels.have(label) {
		return true
	}
	agent := p.Agents[s.Agent]
	if agent == nil {
		return false
	}
	i, carried := agent.Labels.find(label)
	return carried && s.reachedBy(&agent.Labels[i])
}

// reachedBy reports whether a label of the agent reaches the session. One that
// was admitted alone is reached by what came in since it began, and one that the
// label was cleared off by what came in after that.
func (s *Session) reachedBy(l *Label) bool {
	if i, cleared := s.findCleared(l.Name); cleared && l.Seq <= s.Cleared[i].Seq {
		return false
	}
	return !s.Alone || l.At > s.Started
}
