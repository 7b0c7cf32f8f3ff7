package state

import (
	"slices"
	"strings"
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
	BySystem, ByTool                      Counts
	Targets                               []uint64 // sorted
	Saturated                             bool     // more targets than are kept
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

// noTally is the tally of an interval in which nothing happened.
var noTally Tally

// tallies returns the two intervals as of now: what has left both is gone.
func (w *Window) tallies(now, size int64) (current, previous *Tally) {
	switch start := now - now%size; start {
	case w.Start:
		return &w.Current, &w.Previous
	case w.Start + size:
		return &noTally, &w.Current
	default:
		return &noTally, &noTally
	}
}

// move makes it the window as of now.
func (w *Window) move(now, size int64) {
	start := now - now%size
	if start == w.Start {
		return
	}
	current, previous := w.tallies(now, size)
	*w = Window{Start: start, Current: *current, Previous: *previous}
}

// add counts one action.
func (a *Activity) add(act *Acted, now int64) {
	a.Actions++
	switch {
	case act.Effect == pdp.Allow:
		a.Allowed++
		a.Consecutive = 0
	case act.denied():
		a.Denied++
		a.Consecutive++
	}
	for i := range a.Windows {
		a.Windows[i].move(now, windowSizes[i].Size)
		a.Windows[i].Current.add(act)
	}
	if act.Effect != pdp.Allow {
		return // reach is what an agent was let to do
	}
	if a.Allowed == 1 {
		a.MaxLevel = -1
	}
	a.ByOperation[act.Operation%8]++
	a.ByLevel[act.Level%4]++
	a.MaxLevel = max(a.MaxLevel, int8(act.Level))
	a.Wrote = a.Wrote || changes(act.Operation)
	a.BySystem.add(act.System, maxSystems)
	a.ByTool.add(act.Tool, maxTools)
	a.touch(act.Target)
}

func (t *Tally) add(act *Acted) {
	t.Actions++
	switch {
	case act.Effect == pdp.Allow:
		t.ByOperation[act.Operation%8]++
	case act.denied():
		t.Denied++
	}
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

// Counts counts by name, sorted by name.
type Counts []Count

// Count is how often something was.
type Count struct {
	Name string
	N    uint32
}

func (c Counts) find(name string) (int, bool) {
	return slices.BinarySearchFunc(c, name, func(c Count, name string) int { return strings.Compare(c.Name, name) })
}

// add counts name once more; where there are as many names as are counted
// apart, it counts as [other].
func (c *Counts) add(name string, bound int) {
	if name == "" {
		return
	}
	i, known := c.find(name)
	if !known && len(*c) >= bound {
		name = other
		i, known = c.find(name)
	}
	if !known {
		*c = slices.Insert(*c, i, Count{Name: strings.Clone(name)})
	}
	(*c)[i].N++
}

func (a *Activity) touched(target uint64) bool {
	_, known := slices.BinarySearch(a.Targets, target)
	return known
}

func (a *Activity) touch(target uint64) {
	i, known := slices.BinarySearch(a.Targets, target)
	switch {
	case known:
	case len(a.Targets) >= maxTargets:
		a.Saturated = true
	default:
		a.Targets = slices.Insert(a.Targets, i, target)
	}
}

func (a *Activity) equal(b *Activity) bool {
	return a.Actions == b.Actions && a.Denied == b.Denied && a.Allowed == b.Allowed && a.Consecutive == b.Consecutive &&
		a.ByOperation == b.ByOperation && a.ByLevel == b.ByLevel && a.Windows == b.Windows &&
		a.Saturated == b.Saturated && a.Wrote == b.Wrote && a.MaxLevel == b.MaxLevel &&
		slices.Equal(a.BySystem, b.BySystem) && slices.Equal(a.ByTool, b.ByTool) && slices.Equal(a.Targets, b.Targets)
}

func (a *Activity) clone() Activity {
	b := *a
	b.BySystem, b.ByTool, b.Targets = slices.Clone(a.BySystem), slices.Clone(a.ByTool), slices.Clone(a.Targets)
	return b
}

func codeActivity(c *coder, a *Activity) {
	c.uint(&a.Actions)
	c.uint(&a.Allowed)
	c.uint(&a.Denied)
	c.uint(&a.Consecutive)
	c.counts(a.ByOperation[:])
	c.counts(a.ByLevel[:])
	list(c, (*[]Count)(&a.BySystem), codeCount)
	list(c, (*[]Count)(&a.ByTool), codeCount)
	list(c, &a.Targets, (*coder).hash)
	c.flags(&a.Saturated, &a.Wrote)
	number(c, &a.MaxLevel)
	for i := range a.Windows {
		codeWindow(c, &a.Windows[i])
	}
}

// codeWindow leaves out what nothing happened in.
func codeWindow(c *coder, w *Window) {
	current, previous := w.Current != (Tally{}), w.Previous != (Tally{})
	c.flags(&current, &previous)
	c.moment(&w.Start)
	if current {
		codeTally(c, &w.Current)
	}
	if previous {
		codeTally(c, &w.Previous)
	}
}

func codeCount(c *coder, n *Count) {
	word(c, &n.Name)
	number(c, &n.N)
}

func codeTally(c *coder, t *Tally) {
	number(c, &t.Actions)
	number(c, &t.Denied)
	c.counts(t.ByOperation[:])
}
