package state

import (
	"slices"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// activityView is `input.agent.activity`: what the agent did over its sessions.
type activityView struct {
	*turn
	view    value.View[activityView]
	windows windowsView
}

// noAgent is the agent of whom nothing is remembered.
var noAgent Agent

func (v *activityView) a() *Agent {
	if v.agent != nil {
		return v.agent
	}
	return &noAgent
}

type activityField = value.Field[activityView]

var activityFields = value.NewFields(
	activityField{Name: "open_sessions", Read: func(v *activityView) value.Value { return value.Int(int64(v.openSessions())) }},
	activityField{Name: "sessions_started", Read: func(v *activityView) value.Value { return count(v.a().Started) }},
	activityField{Name: "asked", Read: func(v *activityView) value.Value { return count(v.a().Asked) }},
	activityField{Name: "actions", Read: func(v *activityView) value.Value { return count(v.a().Activity.Actions) }},
	activityField{Name: "denied", Read: func(v *activityView) value.Value { return count(v.a().Activity.Denied) }},
	activityField{Name: "consecutive_denied", Read: func(v *activityView) value.Value { return count(v.a().Activity.Consecutive) }},
	activityField{Name: "labels", Read: func(v *activityView) value.Value { return labelsValue(v.a().Labels, v.at) }},
	activityField{Name: "past_labels", Read: func(v *activityView) value.Value { return labelsValue(v.past(), v.at) }},
	activityField{Name: "systems", Read: func(v *activityView) value.Value { return names(v.a().Activity.BySystem) }},
	activityField{Name: "targets", Read: func(v *activityView) value.Value { return value.Int(int64(len(v.a().Activity.Targets))) }},
	activityField{Name: "max_sensitivity", Read: func(v *activityView) value.Value { return value.Str(levelName(v.a().Activity.highest())) }},
	activityField{Name: "max_level", Read: func(v *activityView) value.Value { return value.Int(int64(v.a().Activity.highest())) }},
	activityField{Name: "wrote", Read: func(v *activityView) value.Value { return value.Of(v.a().Activity.Wrote) }},
	activityField{Name: "complete_from_ns", Read: func(v *activityView) value.Value { return value.Int(v.completeFrom()) }},
	activityField{Name: "windows", Read: func(v *activityView) value.Value { return v.windows.show(&v.a().Activity, v.at, v.state.Lost) }},
)

// past are the labels that do not reach the session because they are too old:
// those set aside before, and those a session beginning now would leave behind.
func (v *activityView) past() Labels {
	past := slices.Clone(v.a().Past)
	if v.agent != nil && v.session == nil {
		for _, l := range v.agent.Labels {
			if !v.reaches(l) {
				past.add(l)
			}
		}
	}
	return past
}

// highest is the highest sensitivity reached, -1 before any.
func (a *Activity) highest() int8 {
	if a.Allowed == 0 {
		return -1
	}
	return a.MaxLevel
}

func levelName(level int8) string {
	if level < 0 || int(level) >= len(pdp.Sensitivities) {
		return "none"
	}
	return string(pdp.Sensitivities[level])
}

func operationName(index uint8) string { return string(pdp.Operations[index%8]) }

func count(n uint64) value.Value { return value.Int(int64(n)) }

func secondsSince(then, now int64) value.Value {
	return value.Int(max(0, now-then) / int64(time.Second))
}

func byOperation(counts [8]uint32) value.Value {
	members := make([]value.Member, len(counts))
	for i, n := range counts {
		members[i] = value.M(operationName(uint8(i)), value.Int(int64(n)))
	}
	return value.Obj(members...)
}

func byLevel(counts [4]uint32) value.Value {
	members := make([]value.Member, len(counts))
	for i, n := range counts {
		members[i] = value.M(levelName(int8(i)), value.Int(int64(n)))
	}
	return value.Obj(members...)
}

func countsValue(counts Counts) value.Value {
	members := make([]value.Member, len(counts))
	for i, c := range counts {
		members[i] = value.M(c.Name, value.Int(int64(c.N)))
	}
	return value.Obj(members...)
}

func names(counts Counts) value.Value {
	items := make([]value.Value, len(counts))
	for i, c := range counts {
		items[i] = value.Str(c.Name)
	}
	return value.List(items...)
}

func labelsValue(labels Labels, now int64) value.Value {
	members := make([]value.Member, 0, len(labels))
	for _, l := range labels {
		members = append(members, value.M(l.Name, value.Obj(
			value.M("since_seconds", secondsSince(l.At, now)),
			value.M("action", count(l.Seq)),
			value.M("source", value.Str(l.Source)))))
	}
	return value.Obj(members...)
}

// completeFrom is since when everything the agent did is counted: nothing is
// known of the time before.
func (v *activityView) completeFrom() int64 {
	if v.state.Seq == 0 {
		return v.at
	}
	return v.state.Created
}
