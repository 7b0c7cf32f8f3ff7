package state

import (
	"time"

	"github.com/remit-pdp/remit/pdp/value"
)

// Show returns what is remembered of a session for an operator: the members of
// `input.session` as a policy would see them now, and besides the agent, the
// partition and the actions in flight; undefined where p has no such session.
func (p *Partition) Show(id string, settings Settings, now time.Time) value.Value {
	s := p.Sessions[id]
	if s == nil {
		return value.Nothing
	}
	t := &turn{History: &History{settings: settings}, state: p, session: s, agent: p.Agents[s.Agent], shared: s.Shared, at: now.UnixNano()}
	var ended *Session
	if s.ended(t.at) {
		ended = s
	}
	t.ended = ended
	var members []value.Member
	sessionFields.Of(&sessionView{turn: t}).Range(func(name string, v value.Value) bool {
		members = append(members, value.M(name, v))
		return true
	})
	agent := &Agent{}
	if t.agent != nil {
		agent = t.agent
	}
	return value.Obj(append(members,
		value.M("agent", value.Obj(value.M("id", value.Str(agent.Is.ID)), value.M("issuer", value.OptStr(agent.Is.Issuer)))),
		value.M("root", value.Obj(value.M("id", value.Str(p.Root.ID)), value.M("issuer", value.OptStr(p.Root.Issuer)))),
		value.M("partition", value.Str(p.Key.String())),
		value.M("flights", p.flightsOf(id, t.at)),
	)...)
}

// flightsOf lists the session's actions whose outcome has not come.
func (p *Partition) flightsOf(id string, now int64) value.Value {
	var items []value.Value
	for _, decision := range p.order {
		f := p.Flights[decision]
		if f == nil || f.Session != id {
			continue
		}
		word := "pending"
		if now > f.Deadline {
			word = "unknown"
		}
		items = append(items, value.Obj(
			value.M("decision_id", value.Str(decision)),
			value.M("state", value.Str(word)),
			value.M("seconds_ago", secondsSince(f.At, now)),
			value.M("operation", value.Str(operationName(f.Action.Operation))),
			value.M("tool", value.OptStr(f.Tool)),
			value.M("system", value.Str(f.System)),
			value.M("resource", value.Str(f.Target))))
	}
	return value.List(items...)
}
