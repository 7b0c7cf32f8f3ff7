package state

import (
	"slices"

	"github.com/remit-pdp/remit/pdp"
)

// Bounds of a session's memory. A policy sees when one is reached.
const (
	maxLabels      = 64
	maxCredentials = 64
	maxRecent      = 64
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
	}
}

func (p *Partition) decided(e *Entry, fx *Effects) {
	if p.Root.ID == "" {
		p.Root = fx.Root
	}
	if fx.Generation != "" {
		p.declare(fx, e.At)
	}
	agent := p.agent(fx.Agent)
	if fx.Open != nil {
		p.open(e, fx, agent)
	}
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
		p.label(session, agent, label, Label{At: e.At, Seq: e.Seq, Source: fx.Action.System})
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
	p.Generation, p.Declared = fx.Generation, make(map[string]int64, len(fx.Declares))
	for _, name := range fx.Declares {
		since, known := before[name]
		if !known {
			since = at
		}
		p.Declared[name] = since
	}
}

func deadline(f *InFlight) int64 {
	if f == nil {
		return 0
	}
	return f.Deadline
}

func (p *Partition) agent(is pdp.Principal) *Agent {
	if p.Agents == nil {
		p.Agents = make(map[string]*Agent)
	}
	key := agentKey(is)
	if p.Agents[key] == nil {
		p.Agents[key] = &Agent{Is: is}
	}
	return p.Agents[key]
}

// open begins a session. An agent's own session takes the place of its last
// one, which is forgotten when nothing of it is in flight.
func (p *Partition) open(e *Entry, fx *Effects, agent *Agent) {
	o := fx.Open
	if p.Sessions == nil {
		p.Sessions, p.Refs = make(map[string]*Session), make(map[string]string)
	}
	if last := p.Sessions[p.Refs[o.Ref]]; last != nil && last.InFlight == 0 {
		delete(p.Sessions, last.ID)
	}
	if o.Past {
		agent.Past, agent.Labels = merged(agent.Past, agent.Labels), nil
	}
	p.Sessions[o.ID] = &Session{
		ID: o.ID, Ref: o.Ref, Agent: agentKey(fx.Agent), Shared: o.Shared, Task: o.Task, Token: o.Token,
		Started: e.At, Seen: e.At, Expires: o.Expires, Idle: o.Idle, Alone: o.Alone,
		AfterRevocation: o.AfterRevocation, Owner: o.Owner, Chain: o.Chain,
	}
	p.Refs[o.Ref] = o.ID
	agent.Started++
	if minute := e.At / int64(60e9); minute != agent.OpenMinute {
		agent.OpenMinute, agent.Opened = minute, 0
	}
	agent.Opened++
	p.prune(e.At)
}

// prune forgets sessions that ended long ago, so that a partition stays
// bounded however many sessions an agent begins.
func (p *Partition) prune(now int64) {
	for id, s := range p.Sessions {
		if s.InFlight == 0 && now > s.Forgotten() {
			delete(p.Sessions, id)
			if p.Refs[s.Ref] == id {
				delete(p.Refs, s.Ref)
			}
		}
	}
}

// merged goes by name, so that replaying finds the same ones beyond the bound.
func merged(into, from map[string]Label) map[string]Label {
	for _, name := range sortedNames(from) {
		into = labelled(into, name, from[name])
	}
	return into
}

// act counts an action in its session.
func (s *Session) act(fx *Effects, e *Entry) {
	s.Seen = e.At
	s.Activity.add(&fx.Action, e.At)
	if fp := fx.Action.Credential; fp != "" && !slices.Contains(s.Credentials, fp) && len(s.Credentials) < maxCredentials {
		s.Credentials = append(s.Credentials, fp)
	}
	if len(s.Recent) >= maxRecent {
		s.Recent = append(s.Recent[:0:0], s.Recent[1:]...)
	}
	s.Recent = append(s.Recent, Recent{At: e.At, Seq: e.Seq, Action: fx.Action})
	s.Quarantined = s.Quarantined || fx.Quarantine
	s.Closed = s.Closed || fx.Close
	if fx.Expires > 0 {
		s.Expires = min(s.Expires, fx.Expires)
	}
}

// label marks the session, and the agent, whose labels reach its other
// sessions. A session's label stays with how it came in first, an agent's with
// how it came in last: it reaches every session that began before that.
func (p *Partition) label(s *Session, a *Agent, name string, l Label) {
	s.Labels = labelled(s.Labels, name, l)
	if _, has := a.Labels[name]; has {
		a.Labels[name] = l
		return
	}
	a.Labels = labelled(a.Labels, name, l)
}

func labelled(labels map[string]Label, name string, l Label) map[string]Label {
	if _, has := labels[name]; has {
		return labels
	}
	if labels == nil {
		labels = make(map[string]Label)
	}
	if len(labels) >= maxLabels {
		name = LabelOverflow
	}
	labels[name] = l
	return labels
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

// fly puts an allowed action in flight.
func (p *Partition) fly(e *Entry, fx *Effects, s *Session) *InFlight {
	if p.Flights == nil {
		p.Flights = make(map[string]*InFlight)
	}
	if p.Checks == nil { // it may be empty where Flights is not
		p.Checks = make(map[string]string)
	}
	f := &InFlight{
		Flight: *fx.Flight, At: e.At, Seq: e.Seq, Session: s.ID, Agent: s.Agent, Action: fx.Action,
		Tool: fx.Action.Tool, System: fx.Action.System,
	}
	if e.Record != nil {
		f.Target = e.Record.Resource
	}
	p.makeRoom(e.At)
	id := e.Record.ID
	p.Flights[id] = f
	p.order = append(p.order, id)
	if f.Check != "" {
		p.Checks[f.Check] = id
	}
	s.InFlight++
	return f
}

// makeRoom stops waiting for the oldest actions whose outcome is long overdue.
// What they charged stays charged, what they noted stays open: unknown for
// good.
func (p *Partition) makeRoom(now int64) {
	for len(p.order) > 0 {
		f := p.Flights[p.order[0]]
		if f != nil && len(p.Flights) < maxFlights && now <= f.Deadline+int64(overdue) {
			return
		}
		if f != nil && now <= f.Deadline {
			return // refused at the commit: see bounds
		}
		p.land(p.order[0])
		p.order = append(p.order[:0:0], p.order[1:]...)
	}
}

// land takes an action out of flight.
func (p *Partition) land(id string) *InFlight {
	f := p.Flights[id]
	if f == nil {
		return nil
	}
	delete(p.Flights, id)
	if f.Check != "" {
		delete(p.Checks, f.Check)
	}
	if s := p.Sessions[f.Session]; s != nil {
		s.InFlight--
	}
	return f
}

// settled makes true, or drops, what waited for the outcome.
func (p *Partition) settled(e *Entry, o *Settling) {
	f := p.land(o.ID)
	if f == nil {
		return
	}
	for _, name := range o.Undeclared {
		delete(p.Declared, name)
		p.Generation = "" // so that the next decision declares what it knows
	}
	p.order = slices.DeleteFunc(p.order, func(id string) bool { return id == o.ID })
	agent, session := p.Agents[f.Agent], p.Sessions[f.Session]
	if agent == nil || session == nil {
		return
	}
	if o.State != pdp.OutcomeUnknown { // unknown leaves open what was open
		p.close(f, session, agent, o.State == pdp.OutcomeDone)
	}
	for i := range o.Notes {
		n := &o.Notes[i]
		p.memory(n.Scope, session, agent).note(n, e.At, e.Seq, false, 0)
	}
	for _, label := range o.Labels {
		p.label(session, agent, label, Label{At: e.At, Seq: e.Seq, Source: "outcome"})
	}
	session.Heard = e.At
	session.Sent += o.Sent
	session.Received += o.Received
	for i := range session.Recent {
		if session.Recent[i].Seq == f.Seq {
			session.Recent[i].Outcome = o.State
		}
	}
}

// close ends the wait of what the action charged and noted.
func (p *Partition) close(f *InFlight, session *Session, agent *Agent, done bool) {
	for _, charge := range f.Charges {
		m := p.memory(charge.Scope, session, agent).Meters[charge.Budget]
		if m != nil && m.Window == charge.Window {
			m.settle(charge.bucket, charge.N, done || charge.Keep)
		}
	}
	for i := range f.Notes {
		n := &f.Notes[i]
		p.memory(n.Scope, session, agent).settle(n, f.Seq, done == (n.On == pdp.OnDone))
	}
}
