package state

import (
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// windowsView is `windows` of a session or an agent: the built-in windows as
// intervals. What happened within a window is at least lo and at most hi.
type windowsView struct {
	*Activity
	now int64
	// lost: something that happened as late as this may have been given up; 0
	// where nothing was.
	lost int64
	view value.View[windowsView]
}

// show makes v the windows of a, and returns them.
func (v *windowsView) show(a *Activity, now, lost int64) value.Value {
	v.Activity, v.now, v.lost = a, now, lost
	return windowsFields.In(&v.view, v)
}

type windowsField = value.Field[windowsView]

var windowsFields = value.NewFields(
	windowsField{Name: windowSizes[0].Name, Read: func(v *windowsView) value.Value { return v.window(0) }},
	windowsField{Name: windowSizes[1].Name, Read: func(v *windowsView) value.Value { return v.window(1) }},
	windowsField{Name: windowSizes[2].Name, Read: func(v *windowsView) value.Value { return v.window(2) }},
)

func (v *windowsView) window(i int) value.Value {
	size := windowSizes[i].Size
	current, previous := v.Windows[i].tallies(v.now, size)
	return windowFields.Box(windowView{current, previous, v.lost > 0 && v.lost >= v.now-size})
}

type windowView struct {
	current, previous *Tally
	// unknown: nobody can say how much it was.
	unknown bool
}

type windowField = value.Field[windowView]

var windowFields = value.NewFields(
	windowField{Name: "actions", Read: func(v *windowView) value.Value { return v.between(v.current.Actions, v.previous.Actions) }},
	windowField{Name: "denied", Read: func(v *windowView) value.Value { return v.between(v.current.Denied, v.previous.Denied) }},
	windowField{Name: "by_operation", Read: func(v *windowView) value.Value { return operationFields.Of(v) }},
)

var operationFields = value.NewFields(operations()...)

func operations() (fields []windowField) {
	for i, operation := range pdp.Operations {
		fields = append(fields, windowField{Name: string(operation), Read: func(v *windowView) value.Value {
			return v.between(v.current.ByOperation[i], v.previous.ByOperation[i])
		}})
	}
	return fields
}

// anyNumber is more than any limit: what nobody can say.
const anyNumber = 1<<53 - 1

func (v *windowView) between(current, previous uint32) value.Value {
	if v.unknown {
		return intervalFields.Box(interval{int64(current), anyNumber})
	}
	return intervalFields.Box(interval{int64(current), int64(current) + int64(previous)})
}

type interval struct{ lo, hi int64 }

type intervalField = value.Field[interval]

var intervalFields = value.NewFields(
	intervalField{Name: "lo", Read: func(i *interval) value.Value { return value.Int(i.lo) }},
	intervalField{Name: "hi", Read: func(i *interval) value.Value { return value.Int(i.hi) }},
)
