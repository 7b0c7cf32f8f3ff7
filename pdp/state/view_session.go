package state

import (
	"slices"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// sessionView is `input.session` for one question. Every member is always
// there, also where there is no session: a policy never meets undefined.
type sessionView struct {
	*turn
	c       *pdp.Case
	nobody  bool
	view    value.View[sessionView]
	windows windowsView
}

// s is the session, or an empty one.
func (v *sessionView) s() *Session {
	if v.session != nil {
		return v.session
	}
	return &Session{Started: v.at, Seen: v.at}
}

type sessionField = value.Field[sessionView]

var sessionFields = value.NewFields(
	sessionField{Name: "id", Read: func(v *sessionView) value.Value { return value.Str(v.s().ID) }},
	sessionField{Name: "state", Read: func(v *sessionView) value.Value { return value.Str(v.word()) }},
	sessionField{Name: "new", Read: func(v *sessionView) value.Value { return value.Of(!v.nobody && v.session == nil) }},
	sessionField{Name: "after_revocation", Read: func(v *sessionView) value.Value {
		return value.Of(v.afterRevocation || v.s().AfterRevocation)
	}},
	sessionField{Name: "started_at", Read: func(v *sessionView) value.Value {
		return value.Str(time.Unix(0, v.s().Started).UTC().Format(time.RFC3339))
	}},
	sessionField{Name: "age_seconds", Read: func(v *sessionView) value.Value { return secondsSince(v.s().Started, v.at) }},
	sessionField{Name: "idle_seconds", Read: func(v *sessionView) value.Value { return secondsSince(v.s().Seen, v.at) }},
	sessionField{Name: "expires_in_seconds", Read: func(v *sessionView) value.Value { return value.Int(v.expiresIn()) }},
	sessionField{Name: "task", Read: (*sessionView).task},
	sessionField{Name: "begun", Read: func(v *sessionView) value.Value { return value.Str(v.begun()) }},
	sessionField{Name: "asked", Read: func(v *sessionView) value.Value { return count(v.s().Asked) }},
	sessionField{Name: "actions", Read: func(v *sessionView) value.Value { return count(v.s().Activity.Actions) }},
	sessionField{Name: "allowed", Read: func(v *sessionView) value.Value { return count(v.s().Activity.Allowed) }},
	sessionField{Name: "denied", Read: func(v *sessionView) value.Value { return count(v.s().Activity.Denied) }},
	sessionField{Name: "consecutive_denied", Read: func(v *sessionView) value.Value { return count(v.s().Activity.Consecutive) }},
	sessionField{Name: "by_operation", Read: func(v *sessionView) value.Value { return byOperation(v.s().Activity.ByOperation) }},
	sessionField{Name: "by_sensitivity", Read: func(v *sessionView) value.Value { return byLevel(v.s().Activity.ByLevel) }},
	sessionField{Name: "by_system", Read: func(v *sessionView) value.Value { return countsValue(v.s().Activity.BySystem) }},
	sessionField{Name: "by_tool", Read: func(v *sessionView) value.Value { return countsValue(v.s().Activity.ByTool) }},
	sessionField{Name: "systems", Read: func(v *sessionView) value.Value { return names(v.s().Activity.BySystem) }},
	sessionField{Name: "targets", Read: func(v *sessionView) value.Value { return value.Int(int64(len(v.s().Activity.Targets))) }},
	sessionField{Name: "targets_saturated", Read: func(v *sessionView) value.Value { return value.Of(v.s().Activity.Saturated) }},
	sessionField{Name: "max_sensitivity", Read: func(v *sessionView) value.Value { return value.Str(levelName(v.s().Activity.highest())) }},
	sessionField{Name: "max_level", Read: func(v *sessionView) value.Value { return value.Int(int64(v.s().Activity.highest())) }},
	sessionField{Name: "wrote", Read: func(v *sessionView) value.Value { return value.Of(v.s().Activity.Wrote) }},
	sessionField{Name: "labels", Read: func(v *sessionView) value.Value { return labelsValue(v.labels(), v.at) }},
	sessionField{Name: "windows", Read: func(v *sessionView) value.Value { return v.windows.show(&v.s().Activity, v.at, 0) }},
	sessionField{Name: "recent", Read: (*sessionView).recent},
	sessionField{Name: "shared", Read: func(v *sessionView) value.Value { return value.Of(v.shared) }},
	sessionField{Name: "in_flight", Read: (*sessionView).inFlight},
	sessionField{Name: "outcomes", Read: func(v *sessionView) value.Value { return value.Str(v.outcomes()) }},
	sessionField{Name: "bytes", Read: func(v *sessionView) value.Value {
		return value.Obj(value.M("sent", value.Int(v.s().Sent)), value.M("received", value.Int(v.s().Received)))
	}},
	sessionField{Name: "credentials", Read: func(v *sessionView) value.Value { return value.Int(int64(len(v.s().Credentials))) }},
)

func (v *sessionView) word() string {
	switch {
	case v.nobody:
		return "none"
	case v.ended != nil:
		return "ended"
	case v.session == nil:
		return "new"
	case v.session.Quarantined:
		return "quarantined"
	default:
		return "open"
	}
}

// expiresIn is the session's remaining life in whole seconds; of one that would
// begin, what it would get.
func (v *sessionView) expiresIn() int64 {
	if v.session != nil {
		return max(0, (v.session.Expires-v.at)/int64(time.Second))
	}
	life := v.settings.MaxAge
	if v.c != nil && v.c.Admission != nil && v.c.Admission.ExpiresIn > 0 {
		life = min(life, v.c.Admission.ExpiresIn)
	}
	return int64(life / time.Second)
}

// noTask is how a session keeps that it has none.
var noTask = string(value.AppendJSON(nil, pdp.NoTask))

func (v *sessionView) task() value.Value {
	if v.session != nil {
		if v.session.Task == noTask {
			return pdp.NoTask // most are, and reading JSON takes its time
		}
		if task, err := value.DecodeJSON([]byte(v.session.Task)); err == nil {
			return task
		}
		return pdp.NoTask
	}
	if v.c.Admission != nil && v.c.Admission.Task.Defined() {
		return v.c.Admission.Task
	}
	return pdp.NoTask
}

// labels are the session's own, and those of the agent's other sessions that
// reach it.
func (t *turn) labels() (labels Labels) {
	if t.session != nil {
		labels = t.session.Labels
	}
	if t.session == nil && t.state.marksLost(t.at) {
		labels = Labels{{Name: pdp.LabelIncomplete, At: t.at, Source: "state"}}
	}
	if t.agent == nil {
		return labels
	}
	own := labels
	for _, l := range t.agent.Labels {
		if i, has := labels.find(l.Name); !has && t.reaches(l) {
			if len(labels) == len(own) {
				labels = slices.Clone(own) // the session's stay as they are
			}
			labels = slices.Insert(labels, i, l)
		}
	}
	return labels
}

// reaches reports whether a label of the agent reaches the session.
func (t *turn) reaches(l Label) bool {
	if t.session != nil {
		return t.session.reachedBy(&l)
	}
	return t.carries()
}

// carries reports whether the agent's labels reach a session that begins now: one
// of its sessions is open, or the last was not longer ago than the carry time.
// A session that only its age ends was there until then, whenever anything was
// done in it last.
func (t *turn) carries() bool {
	last := t.agent.LastSeen
	for _, s := range t.state.Sessions {
		switch {
		case s.Agent != t.agent.Is:
		case !s.ended(t.at):
			return true
		case !s.Closed && s.Idle == 0:
			last = max(last, s.Expires)
		}
	}
	return t.at <= last+int64(t.settings.Carry)
}

// labelsAfter names the labels the session has once fx is done, for the record.
func (t *turn) labelsAfter(fx *Effects) (names []string) {
	if fx.Open == nil || (!fx.Open.Alone && !fx.Open.Past) {
		for _, l := range t.labels() {
			names = append(names, l.Name)
		}
	}
	if len(fx.Labels) == 0 {
		return names
	}
	names = append(names, fx.Labels...)
	slices.Sort(names)
	return slices.Compact(names)
}

func (v *sessionView) recent() value.Value {
	recent := v.s().Recent
	recent = recent[max(0, len(recent)-v.settings.Recent):]
	items := make([]value.Value, 0, len(recent))
	for _, r := range slices.Backward(recent) {
		outcome := string(r.Outcome)
		if outcome == "" && r.Effect == pdp.Allow {
			outcome = "pending"
			if v.at > r.At+int64(v.settings.OutcomeTimeout) {
				outcome = string(pdp.OutcomeUnknown)
			}
		}
		items = append(items, value.Obj(
			value.M("seq", count(r.Seq)),
			value.M("seconds_ago", secondsSince(r.At, v.at)),
			value.M("operation", value.Str(operationName(r.Operation))),
			value.M("tool", value.Str(r.Tool)),
			value.M("system", value.Str(r.System)),
			value.M("sensitivity", value.Str(levelName(int8(r.Level)))),
			value.M("effect", value.Str(r.Effect.String())),
			value.M("outcome", value.Str(outcome)),
		))
	}
	return value.List(items...)
}

func (v *sessionView) inFlight() value.Value {
	oldest := v.at
	if f := v.longest(); f != nil {
		oldest = f.At
	}
	return value.Obj(value.M("count", value.Int(int64(v.s().InFlight))), value.M("oldest_seconds", secondsSince(oldest, v.at)))
}

// longest is the action of the session that has been in flight longest.
func (v *sessionView) longest() *InFlight {
	if v.s().InFlight == 0 {
		return nil
	}
	return v.state.oldest(v.session.ID)
}

// outcomes says whether outcomes of the session's actions arrive: "live",
// "late" where one is overdue, "none" where one is overdue and none ever came.
func (v *sessionView) outcomes() string {
	switch f := v.longest(); {
	case f == nil || v.at <= f.Deadline:
		return "live"
	case v.s().Heard == 0:
		return "none"
	default:
		return "late"
	}
}
