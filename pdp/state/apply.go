package state

import (
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp"
)

// Bounds of a session's memory. A policy sees when one is reached.
const (
	maxLabels      = 64
	maxCredentials = 64
	maxRecent      = 64 // that a policy may see; up to spareRecent more are kept
	spareRecent    = 16
	maxFlights     = 4096 // of a partition
)

// LabelOverflow stands for labels beyond the bound of a session.
const LabelOverflow = "label-overflow"

// Apply makes an accepted entry part of the partition. It depends on the entry
// and the partition alone, so that replaying a journal gives the same state.
func (p *Partition) Apply(e *Entry) {
	if p.Created == 0 {
		p.Created = e.At
	}
	p.Last = max(p.Last, e.At)
	p.Seq = e.Seq
	switch {
	case e.Effects != nil:
		p.decided(e, e.Effects)
	case e.Settling != nil:
		p.settled(e, e.Settling)
	case e.Ordering != nil:
		p.ordered(e, &e.Ordering.Order)
	}
}

func (p *Partition) decided(e *Entry, fx *Effects) {
	if e.Seq == 1 {
		p.Root, p.Lost, p.LostMarks = fx.Root, fx.Lost, fx.LostMarks
	}
	if fx.Generation != "" {
		p.declare(fx, e.At)
	}
	agent := p.agent(fx.Agent)
	if fx.Open != nil {
		p.open(e, fx, agent)
	}
	p.prune(e)
	session := p.Sessions[fx.Session]
	if fx.Question != pdp.AboutAction {
		p.asked(e, fx, agent, session)
		return
	}
	agent.Activity.add(&fx.Action, e.At)
	if session == nil {
		return
	}
	agent.LastSeen = e.At
	session.act(fx, e)
	for _, label := range fx.Labels {
		p.label(session, agent, Label{Name: label, At: e.At, Seq: e.Seq, Source: fx.Action.System})
	}
	var flight *InFlight
	if fx.Flight != nil {
		flight = p.fly(e, fx, session)
	}
	for i := range fx.Notes {
		n := &fx.Notes[i]
		waits := n.On == pdp.OnDone || n.On == pdp.OnFailed
		if waits && flight == nil {
			continue
		}
		p.memory(n.Scope, session, agent).note(n, e.At, e.Seq, waits, deadline(flight))
		if waits {
			flight.Notes = append(flight.Notes, *n)
		}
	}
	for _, charge := range fx.Charges {
		charge.bucket = p.memory(charge.Scope, session, agent).meter(charge.Budget, charge.Window, e.At).charge(charge.N, e.At)
		if flight != nil {
			flight.Charges = append(flight.Charges, charge)
		}
	}
}

// declare remembers since when each fact has been recorded. A fact that a
// generation leaves out has a hole from there on.
func (p *Partition) declare(fx *Effects, at int64) {
	before := p.Declared
	p.Generation, p.Declared = generationHash(fx.Generation), make([]Since, 0, len(fx.Declares))
	for _, name := range fx.Declares {
		since, known := declaredSince(before, name)
		if !known {
			since = at
		}
		p.Declared = append(p.Declared, Since{Fact: name, At: since})
	}
}

func deadline(f *InFlight) int64 {
	if f == nil {
		return 0
	}
	return f.Deadline
}

func (p *Partition) agent(is pdp.Principal) *Agent {
	agent := p.Agents[is]
	if agent == nil {
		agent = &Agent{Is: is}
		if p.Agents == nil {
			p.Agents = make(map[pdp.Principal]*Agent)
		}
		p.Agents[is] = agent
	}
	return agent
}

// open begins a session. An agent's own session takes the place of its last
// one, which is forgotten when nothing of it is in flight.
func (p *Partition) open(e *Entry, fx *Effects, agent *Agent) {
	o := fx.Open
	if p.Sessions == nil {
		p.Sessions, p.Refs = make(map[string]*Session), make(map[Ref]string)
	}
	if last := p.Sessions[p.Refs[o.Ref]]; last != nil && last.InFlight == 0 {
		delete(p.Sessions, last.ID)
	}
	if o.Past {
		agent.Past.merge(agent.Labels)
		agent.Labels = nil
	}
	p.Sessions[o.ID] = &Session{
		ID: o.ID, Ref: o.Ref, Agent: fx.Agent, Shared: o.Shared, Task: o.Task, Token: o.Token,
		Started: e.At, Seen: e.At, Expires: o.Expires, Idle: o.Idle, Alone: o.Alone,
		AfterRevocation: o.AfterRevocation, Owner: o.Owner, Chain: o.Chain,
	}
	p.Refs[o.Ref] = o.ID
	agent.Started++
	if minute := e.At / int64(60e9); minute != agent.OpenMinute {
		agent.OpenMinute, agent.Opened = minute, 0
	}
	agent.Opened++
	agent.Open = append(slices.DeleteFunc(agent.Open, func(id string) bool {
		s := p.Sessions[id]
		return s == nil || s.ended(e.At)
	}), o.ID)
	if p.marksLost(e.At) && (!o.Alone || o.Ref.By == ByClaim) {
		p.label(p.Sessions[o.ID], agent, Label{Name: pdp.LabelIncomplete, At: e.At, Seq: e.Seq, Source: "state"})
	}
}

// act counts an action in its session.
func (s *Session) act(fx *Effects, e *Entry) {
	s.Seen = e.At
	s.Activity.add(&fx.Action, e.At)
	if fp := fx.Action.Credential; fp != "" && !slices.Contains(s.Credentials, fp) && len(s.Credentials) < maxCredentials {
		s.Credentials = append(s.Credentials, fp)
	}
	if len(s.Recent) >= maxRecent+spareRecent { // several at once: all others move
		s.Recent = slices.Delete(s.Recent, 0, spareRecent+1)
	}
	s.Recent = append(s.Recent, Recent{
		At: e.At, Seq: e.Seq, Effect: fx.Action.Effect, Operation: fx.Action.Operation, Level: fx.Action.Level,
		System: s.own(s.Activity.BySystem, fx.Action.System), Tool: s.own(s.Activity.ByTool, fx.Action.Tool),
	})
	s.Quarantined = s.Quarantined || fx.Quarantine
	s.Closed = s.Closed || fx.Close
	if fx.Expires > 0 {
		s.Expires = min(s.Expires, fx.Expires)
	}
}

// own returns name as the session keeps it already, or a copy: a request's
// strings are parts of its message, which is not to be kept for their sake.
func (s *Session) own(counts Counts, name string) string {
	if i, known := counts.find(name); known {
		return counts[i].Name
	}
	for i := range s.Recent {
		switch r := &s.Recent[i]; name {
		case r.System:
			return r.System
		case r.Tool:
			return r.Tool
		}
	}
	return strings.Clone(name)
}

// label marks the session, and the agent, whose labels reach its other
// sessions. A session's label stays with how it came in first, an agent's with
// how it came in last: it reaches every session that began before that.
func (p *Partition) label(s *Session, a *Agent, l Label) {
	s.Labels.add(l)
	if i, has := a.Labels.find(l.Name); has {
		l.Name, l.Source = a.Labels[i].Name, strings.Clone(l.Source)
		a.Labels[i] = l
		return
	}
	a.Labels.add(l)
}

// memory returns the memory of a scope.
func (p *Partition) memory(scope pdp.Scope, s *Session, a *Agent) *Memory {
	switch scope {
	case pdp.PerSession:
		return &s.Memory
	case pdp.PerAgent:
		return &a.Memory
	default:
		return &p.Memory
	}
}
