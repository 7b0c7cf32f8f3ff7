package state

import (
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Show returns what is remembered of a session for an operator: the members of
// `input.session` as a policy would see them now, and besides the agent, the
// partition, the actions in flight, and the revocation that covers it, which
// makes its state "revoked"; undefined where p has no such session.
func (p *Partition) Show(id string, settings Settings, revocations *Revocations, now time.Time) value.Value {
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
	revoked := revocations.coveringSession(p, s, now)
	sessionFields.Of(&sessionView{turn: t}).Range(func(name string, v value.Value) bool {
		if name == "state" && revoked != nil {
			v = value.Str("revoked")
		}
		members = append(members, value.M(name, v))
		return true
	})
	agent := &Agent{}
	if t.agent != nil {
		agent = t.agent
	}
	if revoked != nil {
		members = append(members, value.M("revocation", ShowRevocation(revoked)))
	}
	return value.Obj(append(members,
		value.M("agent", value.Obj(value.M("id", value.Str(agent.Is.ID)), value.M("issuer", value.OptStr(agent.Is.Issuer)))),
		value.M("root", value.Obj(value.M("id", value.Str(p.Root.ID)), value.M("issuer", value.OptStr(p.Root.Issuer)))),
		value.M("partition", value.Str(p.Key.String())),
		value.M("flights", p.flightsOf(id, t.at)),
	)...)
}

// ShowRevocation returns a revocation point for an operator.
func ShowRevocation(r *pdp.Revocation) value.Value {
	return value.Obj(
		value.M("id", value.Str(r.ID)),
		value.M("kind", value.Str(string(r.Kind))),
		value.M("subject", value.OptStr(r.Subject)),
		value.M("issuer", value.OptStr(r.Issuer)),
		value.M("reason", value.Str(r.Reason)),
		value.M("actor", value.Str(r.Actor)),
		value.M("at", moment(r.At)),
		value.M("until", moment(r.Until)))
}

// moment is RFC 3339 in UTC; undefined for the zero time.
func moment(t time.Time) value.Value {
	if t.IsZero() {
		return value.Nothing
	}
	return value.Str(t.UTC().Format(time.RFC3339Nano))
}

// flightsOf lists the session's actions whose outcome has not come.
func (p *Partition) flightsOf(id string, now int64) value.Value {
	var items []value.Value
	p.putInOrder()
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
			value.M("tool", value.OptStr(f.Action.Tool)),
			value.M("system", value.Str(f.Action.System)),
			value.M("resource", value.Str(f.Target))))
	}
	return value.List(items...)
}
