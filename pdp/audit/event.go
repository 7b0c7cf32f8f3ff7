// Package audit turns entries of the journal into the decision log: JSON
// events, of which a decision's is a superset of OPA's decision log event
// (https://www.openpolicyagent.org/docs/management-decision-logs), so that
// what reads OPA's log reads remit's. No event holds a secret: what the
// journal keeps of a request are its essentials (DESIGN 5.6). A [Mask] takes more
// out of what leaves; package export brings it to where it is kept.
package audit

import (
	"encoding/hex"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/value"
)

// Event returns an entry as an object, with the members "type" (decision,
// outcome, activation, revocation, lift, order), "position" (of the entry in the
// journal) and "timestamp" (RFC 3339, UTC) first.
func Event(at state.Position, e *state.Entry) value.Value {
	members := []value.Member{
		value.M("position", value.Int(int64(at))),
		value.M("timestamp", value.Str(time.Unix(0, e.At).UTC().Format(time.RFC3339Nano))),
	}
	if e.Seq > 0 {
		members = append(members, value.M("partition", value.Str(e.Partition.String())), value.M("seq", value.Int(int64(e.Seq))))
	}
	switch {
	case e.Record != nil:
		members = append(members, value.M("type", value.Str("decision")))
		members = append(members, decision(e)...)
	case e.Settling != nil:
		members = append(members, value.M("type", value.Str("outcome")))
		members = append(members, outcome(e.Settling)...)
	case e.Revoking != nil:
		members = append(members, value.M("type", value.Str(revocationType(e))), value.M("revocation", state.ShowRevocation(e.Revoking)))
	case e.Ordering != nil:
		members = append(members, value.M("type", value.Str("order")), value.M("order", order(e.Ordering)))
	default:
		members = append(members, value.M("type", value.Str("activation")), value.M("bundles", bundle(e.Generation)),
			value.M("problem", value.OptStr(e.Problem)))
	}
	return value.Obj(members...)
}

func revocationType(e *state.Entry) string {
	if e.Kind == state.Lifted {
		return "lift"
	}
	return "revocation"
}

func order(o *state.Ordering) value.Value {
	return value.Obj(
		value.M("id", value.Str(o.ID)),
		value.M("kind", value.Str(string(o.Order.Kind))),
		value.M("session", value.Str(o.Order.Session)),
		value.M("label", value.OptStr(o.Order.Label)),
		value.M("reason", value.Str(o.Order.Reason)),
		value.M("actor", value.Str(o.Order.Actor)))
}

// decision is OPA's event, and what OPA does not know.
func decision(e *state.Entry) []value.Member {
	r := e.Record
	members := []value.Member{
		value.M("labels", value.StrMap(map[string]string{"app": "remit", "door": r.Door, "listener": r.Listener})),
		value.M("decision_id", value.Str(r.ID)),
		value.M("question", value.Str(r.Question.String())),
		value.M("bundles", bundle(r.Generation)),
		value.M("trace_id", value.OptStr(hex.EncodeToString([]byte(r.Trace)))),
		value.M("requested_by", value.OptStr(r.Proxy)),
		value.M("input", input(r)),
		value.M("result", result(r)),
		value.M("metrics", value.Obj(
			value.M("timer_rego_query_eval_ns", value.Int(r.PolicyMicros*1000)),
			value.M("timer_server_handler_ns", value.Int(r.TotalMicros*1000)))),
		value.M("engine", value.OptStr(string(r.Engine))),
		value.M("count", value.Int(r.Count)),
	}
	if e.Effects != nil {
		members = append(members, value.M("effects", effects(e.Effects, r)))
	}
	return members
}

func bundle(generation string) value.Value {
	return value.Obj(value.M("remit", value.Obj(value.M("revision", value.Str(generation)))))
}

// input is what was kept of the question.
func input(r *state.Record) value.Value {
	return value.Obj(
		value.M("request", value.Obj(
			value.M("protocol", value.OptStr(string(r.Protocol))),
			value.M("method", value.OptStr(r.Method)),
			value.M("host", value.OptStr(r.Host)),
			value.M("path", value.OptStr(r.Path)),
			value.M("rpc", value.OptStr(r.RPC)),
			value.M("id", value.OptStr(r.RequestID)))),
		value.M("agent", value.Obj(
			value.M("id", value.Str(r.Agent.ID)),
			value.M("issuer", value.OptStr(r.Agent.Issuer)),
			value.M("kind", value.OptStr(r.AgentKind)),
			value.M("owner", value.OptStr(r.Owner)),
			value.M("chain", chain(r.Chain)),
			value.M("credential", value.OptStr(r.Credential)),
			value.M("workload", value.OptStr(r.Workload.ID)),
			value.M("workload_credential", value.OptStr(r.WorkloadCredential)))),
		value.M("session", value.Obj(value.M("id", value.OptStr(r.Session)), value.M("labels", value.Strs(r.Labels)))),
		value.M("action", value.Obj(
			value.M("operation", value.Str(string(r.Operation))),
			value.M("tool", value.OptStr(r.Tool)),
			value.M("digest", value.Str(hex.EncodeToString(r.Digest[:]))))),
		value.M("target", value.Obj(
			value.M("system", value.OptStr(r.System)),
			value.M("resource", value.OptStr(r.Resource)),
			value.M("environment", value.OptStr(r.Environment)),
			value.M("sensitivity", value.OptStr(string(r.Sensitivity))),
			value.M("known", value.Of(r.Known)))))
}

func chain(principals []pdp.Principal) value.Value {
	items := make([]value.Value, len(principals))
	for i, p := range principals {
		items[i] = value.Obj(value.M("id", value.Str(p.ID)), value.M("issuer", value.OptStr(p.Issuer)))
	}
	return value.List(items...)
}

func result(r *state.Record) value.Value {
	reasons := make([]value.Value, len(r.Reasons))
	for i := range r.Reasons {
		reasons[i] = value.Obj(reason(&r.Reasons[i])...)
	}
	observed := make([]value.Value, len(r.WouldDeny))
	for i := range r.WouldDeny {
		o := &r.WouldDeny[i]
		observed[i] = value.Obj(append([]value.Member{
			value.M("place", value.Str(o.Place)), value.M("class", value.OptStr(string(o.Class)))}, reason(&o.Reason)...)...)
	}
	return value.Obj(
		value.M("allowed", value.Of(r.Effect == pdp.Allow)),
		value.M("effect", value.Str(r.Effect.String())),
		value.M("class", value.OptStr(string(r.Class))),
		value.M("reasons", value.List(reasons...)),
		value.M("would_deny", value.List(observed...)),
		value.M("detail", value.OptStr(r.Detail)))
}

func reason(r *pdp.Reason) []value.Member {
	return []value.Member{
		value.M("code", value.Str(r.Code)),
		value.M("message", value.OptStr(r.Message)),
		value.M("controls", value.Strs(r.Controls)),
	}
}

// effects is what the decision changed.
func effects(fx *state.Effects, r *state.Record) value.Value {
	charges := make([]value.Member, len(r.Charges))
	for i, c := range r.Charges {
		charges[i] = value.M(c.Budget, value.Int(c.N))
	}
	facts := make([]value.Value, len(fx.Notes))
	for i, n := range fx.Notes {
		facts[i] = value.Obj(value.M("fact", value.Str(n.Fact)), value.M("on", value.Str(string(n.On))))
	}
	return value.Obj(
		value.M("session_opened", value.Of(fx.Open != nil)),
		value.M("task", task(fx.Open)),
		value.M("labels", value.Strs(fx.Labels)),
		value.M("charges", value.Obj(charges...)),
		value.M("facts", value.List(facts...)),
		value.M("quarantine", value.Of(fx.Quarantine)),
		value.M("close", value.Of(fx.Close)))
}

// task is what a session that began is for; undefined where none did.
func task(o *state.Opening) value.Value {
	if o == nil {
		return value.Nothing
	}
	t, err := value.DecodeJSON([]byte(o.Task))
	if err != nil {
		return value.Nothing
	}
	return t
}

func outcome(s *state.Settling) []value.Member {
	return []value.Member{
		value.M("decision_id", value.Str(s.ID)),
		value.M("outcome", value.Obj(
			value.M("state", value.Str(string(s.State))),
			value.M("source", value.Str(s.Source)),
			value.M("status", value.Int(int64(s.Status))),
			value.M("attempts", value.Int(int64(s.Attempts))),
			value.M("content_type", value.OptStr(s.ContentType)),
			value.M("details", value.OptStr(s.Details)),
			value.M("late", value.Of(s.Late)),
			value.M("labels", value.Strs(s.Labels)),
			value.M("bytes", value.Obj(value.M("sent", value.Int(s.Sent)), value.M("received", value.Int(s.Received)))))),
	}
}
