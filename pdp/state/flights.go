package state

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp"
)

// fly puts an allowed action in flight, which the session has counted.
func (p *Partition) fly(e *Entry, fx *Effects, s *Session) *InFlight {
	p.putInOrder()
	if p.Flights == nil {
		p.Flights = make(map[string]*InFlight)
	}
	if p.Checks == nil { // it may be empty where Flights is not
		p.Checks = make(map[string]string)
	}
	f := &InFlight{Flight: *fx.Flight, At: e.At, Seq: e.Seq, Session: s.ID, Agent: s.Agent, Action: fx.Action}
	f.Host = strings.Clone(f.Host)
	itself := &s.Recent[len(s.Recent)-1] // with the names as the session keeps them
	f.Action.System, f.Action.Tool = itself.System, itself.Tool
	if e.Record != nil {
		f.Target = strings.Clone(e.Record.Resource)
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
		p.order = p.order[1:]
	}
}

// putInOrder makes the order of what is in flight, where it is not known.
func (p *Partition) putInOrder() {
	if len(p.order) > 0 || len(p.Flights) == 0 {
		return
	}
	p.order = slices.SortedFunc(maps.Keys(p.Flights), func(a, b string) int { return cmp.Compare(p.Flights[a].Seq, p.Flights[b].Seq) })
}

// oldest returns the action that has been in flight longest, in a session
// where one is named; nil where none is.
func (p *Partition) oldest(session string) *InFlight {
	p.putInOrder()
	for _, id := range p.order {
		if f := p.Flights[id]; f != nil && (session == "" || f.Session == session) {
			return f
		}
	}
	return nil
}

// tidyOrder lets go of ids that were settled: those in front at once, the
// others when they are most of what is kept, so that it costs the same however
// much is in flight.
func (p *Partition) tidyOrder() {
	settled := func(id string) bool { return p.Flights[id] == nil }
	for len(p.order) > 0 && settled(p.order[0]) {
		p.order = p.order[1:]
	}
	if len(p.order) > 2*len(p.Flights)+8 {
		p.order = slices.DeleteFunc(p.order, settled)
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
	p.tidyOrder()
	for _, name := range o.Undeclared {
		p.undeclare(name)
	}
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
		p.label(session, agent, Label{Name: label, At: e.At, Seq: e.Seq, Source: "outcome"})
	}
	session.Heard = e.At
	session.Sent += o.Sent
	session.Received += o.Received
	session.outcome(f.Seq, o.State)
}

// outcome notes what became of the action seq, where it is one of the latest.
func (s *Session) outcome(seq uint64, state pdp.OutcomeState) {
	for i := len(s.Recent) - 1; i >= 0 && s.Recent[i].Seq >= seq; i-- {
		if s.Recent[i].Seq == seq {
			s.Recent[i].Outcome = state
		}
	}
}

// close ends the wait of what the action charged and noted.
func (p *Partition) close(f *InFlight, session *Session, agent *Agent, done bool) {
	for _, charge := range f.Charges {
		m := p.memory(charge.Scope, session, agent).metered(charge.Budget)
		if m != nil && m.Window == charge.Window {
			m.settle(charge.bucket, charge.N, done || charge.Keep)
		}
	}
	for i := range f.Notes {
		n := &f.Notes[i]
		p.memory(n.Scope, session, agent).settle(n, f.Seq, done == (n.On == pdp.OnDone))
	}
}
