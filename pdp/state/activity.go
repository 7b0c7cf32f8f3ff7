package state

import (
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// Bounds of what an activity keeps apart. Beyond a bound the count goes to
// [other], or the saturation shows.
const (
	maxSystems = 64
	maxTools   = 128
	maxTargets = 1024
)

// other is the system or tool that counts beyond the bounds go to.
const other = "other"

// Activity counts actions of a session or an agent, by what they were. It is
// kept incrementally: reading it costs the same after ten actions and after a
// hundred thousand (invariant 11).
type Activity struct {
	Actions, Allowed, Denied, Consecutive uint64 // Consecutive denials, up to now
	ByOperation                           [8]uint32
	ByLevel                               [4]uint32
	BySystem, ByTool                      map[string]uint32
	Targets                               map[uint64]bool
	Saturated                             bool // more targets than are kept
	Wrote                                 bool
	MaxLevel                              int8 // highest sensitivity reached; -1 before any
	Windows                               [len(windowSizes)]Window
}

// windowSizes are the built-in windows.
var windowSizes = [...]struct {
	Name string
	Size int64
}{
	{"1m", int64(time.Minute)},
	{"10m", int64(10 * time.Minute)},
	{"1h", int64(time.Hour)},
}

// Window counts over the running and the previous interval of its size,
// aligned to multiples of it. What happened within the size of a moment is at
// least the running interval and at most both.
type Window struct {
	Start             int64
	Current, Previous Tally
}

// Tally is what a window counts.
type Tally struct {
	Actions, Denied uint32
	ByOperation     [8]uint32
}

// at returns the window as of now: what has left both intervals is gone.
func (w Window) at(now, size int64) Window {
	start := now - now%size
	switch {
	case start == w.Start:
		return w
	case start == w.Start+size:
		return Window{Start: start, Previous: w.Current}
	default:
		return Window{Start: start}
	}
}

// add counts one action.
func (a *Activity) add(act *Acted, now int64) {
	denied := act.Effect != pdp.Allow
	a.Actions++
	if denied {
		a.Denied++
		a.Consecutive++
	} else {
		a.Allowed++
		a.Consecutive = 0
	}
	for i, w := range windowSizes {
		a.Windows[i] = a.Windows[i].at(now, w.Size)
		a.Windows[i].Current.add(act, denied)
	}
	if denied {
		return // reach is what an agent was let to do
	}
	if a.Allowed == 1 {
		a.MaxLevel = -1
	}
	a.ByOperation[act.Operation%8]++
	a.ByLevel[act.Level%4]++
	a.MaxLevel = max(a.MaxLevel, int8(act.Level))
	a.Wrote = a.Wrote || changes(act.Operation)
	a.BySystem = countIn(a.BySystem, act.System, maxSystems)
	a.ByTool = countIn(a.ByTool, act.Tool, maxTools)
	a.touch(act.Target)
}

func (t *Tally) add(act *Acted, denied bool) {
	t.Actions++
	if denied {
		t.Denied++
		return
	}
	t.ByOperation[act.Operation%8]++
}

// changes reports whether an operation writes: anything but discovering,
// reading and sending.
func changes(operation uint8) bool {
	switch pdp.Operations[operation%8] {
	case pdp.Discover, pdp.Read, pdp.Send:
		return false
	default:
		return true
	}
}

func countIn(counts map[string]uint32, name string, bound int) map[string]uint32 {
	if name == "" {
		return counts
	}
	if counts == nil {
		counts = make(map[string]uint32)
	}
	if _, known := counts[name]; !known && len(counts) >= bound {
		name = other
	}
	counts[name]++
	return counts
}

func (a *Activity) touch(target uint64) {
	if a.Targets[target] {
		return
	}
	if len(a.Targets) >= maxTargets {
		a.Saturated = true
		return
	}
	if a.Targets == nil {
		a.Targets = make(map[uint64]bool)
	}
	a.Targets[target] = true
}

func codeActivity(c *coder, a *Activity) {
	for _, v := range []*uint64{&a.Actions, &a.Allowed, &a.Denied, &a.Consecutive} {
		c.uint(v)
	}
	for i := range a.ByOperation {
		number(c, &a.ByOperation[i])
	}
	for i := range a.ByLevel {
		number(c, &a.ByLevel[i])
	}
	dict(c, &a.BySystem, text[string], number[uint32])
	dict(c, &a.ByTool, text[string], number[uint32])
	dict(c, &a.Targets, (*coder).uint, (*coder).flag)
	c.flag(&a.Saturated)
	c.flag(&a.Wrote)
	number(c, &a.MaxLevel)
	for i := range a.Windows {
		w := &a.Windows[i]
		c.int(&w.Start)
		codeTally(c, &w.Current)
		codeTally(c, &w.Previous)
	}
}

func codeTally(c *coder, t *Tally) {
	number(c, &t.Actions)
	number(c, &t.Denied)
	for i := range t.ByOperation {
		number(c, &t.ByOperation[i])
	}
}
