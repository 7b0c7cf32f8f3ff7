package state

import (
	"maps"
	"slices"
	"strconv"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// memoryView is `input.memory`: for every declared fact and lookup the cell of
// the key that this request has.
type memoryView struct {
	*turn
	c *pdp.Case
	// cells is the last that was asked for, which knows the one before.
	cells *cellView
}

// Get implements [value.Object].
func (v *memoryView) Get(name string) value.Value {
	fact := v.c.Generation.Declared.Facts[name]
	if fact == nil {
		return value.Nothing
	}
	return value.From(lookupView{v, fact})
}

// Range implements [value.Object].
func (v *memoryView) Range(visit func(string, value.Value) bool) {
	visitSorted(v.c.Generation.Declared.Facts, v, visit)
}

// lookupView is one fact of `input.memory`.
type lookupView struct {
	memory *memoryView
	fact   *pdp.Fact
}

// Get implements [value.Object].
func (v lookupView) Get(name string) value.Value {
	if _, ok := v.fact.Lookup[name]; !ok {
		return value.Nothing
	}
	return v.memory.cell(v.fact, name).value()
}

// Range implements [value.Object].
func (v lookupView) Range(visit func(string, value.Value) bool) { visitSorted(v.fact.Lookup, v, visit) }

// visitSorted visits the members of an object that has a member for every key
// of m.
func visitSorted[V any](m map[string]V, object value.Object, visit func(string, value.Value) bool) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !visit(name, object.Get(name)) {
			return
		}
	}
}

// cell returns the cell that a lookup finds, which is looked for once a turn.
func (v *memoryView) cell(fact *pdp.Fact, lookup string) *cellView {
	for found := v.cells; found != nil; found = found.before {
		if found.fact == fact && found.lookup == lookup {
			return found
		}
	}
	v.cells = v.find(fact, lookup)
	return v.cells
}

func (v *memoryView) find(fact *pdp.Fact, lookup string) *cellView {
	view := &cellView{fact: fact, lookup: lookup, keyed: true, now: v.at, cell: &noCell, before: v.cells}
	input, key := v.c.Input(), make([]value.Value, 0, 4)
	for _, path := range fact.Lookup[lookup] {
		part := input.Path(path...)
		key, view.keyed = append(key, part), view.keyed && part.Defined()
	}
	memory, since := v.memoryOf(fact.Scope)
	view.completeFrom = v.completeFrom(v.signatures(v.c.Generation.Declared).byFact[fact], since)
	if memory == nil || !view.keyed {
		return view
	}
	table := memory.table(fact.Kind, fact.Name)
	if table == nil {
		return view
	}
	view.lost = table.LostUntil
	if found := table.cell(v.keyring.key(fact, key)); found != nil && !found.runOut(v.at) {
		view.cell, view.lost = found, max(view.lost, found.LostUntil)
	}
	return view
}

var noCell Cell

// memoryOf returns the memory of a scope and when the scope began; nil where
// nothing of it is remembered yet.
func (t *turn) memoryOf(scope pdp.Scope) (memory *Memory, since int64) {
	switch {
	case scope == pdp.PerSession && t.session != nil:
		return &t.session.Memory, t.session.Started
	case scope == pdp.PerAgent && t.agent != nil:
		return &t.agent.Memory, t.state.Created
	case scope == pdp.PerPartition:
		return &t.state.Memory, t.state.Created
	default:
		return nil, 0
	}
}

// budgetsView is `input.budgets`.
type budgetsView struct {
	*turn
	c *pdp.Case
}

// Get implements [value.Object].
func (v *budgetsView) Get(name string) value.Value {
	b := v.c.Generation.Declared.Budgets[name]
	if b == nil {
		return value.Nothing
	}
	lo, hi := v.meter(b).read(v.at)
	return value.Obj(
		value.M("limit", value.Int(b.Limit)),
		value.M("lo", value.Int(lo)),
		value.M("hi", value.Int(hi)),
		value.M("remaining", value.Int(max(0, b.Limit-hi))),
		value.M("unit", value.Str(b.Unit)),
		value.M("window_seconds", value.Int(int64(b.Window.Seconds()))))
}

// Range implements [value.Object].
func (v *budgetsView) Range(visit func(string, value.Value) bool) {
	visitSorted(v.c.Generation.Declared.Budgets, v, visit)
}

// meter returns the meter of a budget as the declaration in force has it; nil
// where nothing was charged.
func (t *turn) meter(b *pdp.Budget) *Meter {
	memory, _ := t.memoryOf(b.Scope)
	if memory == nil {
		return nil
	}
	m := memory.metered(b.Name)
	if m != nil && m.Window != int64(b.Window) {
		return m.recast(int64(b.Window), t.at)
	}
	return m
}

// numberOf reads the number a ring keeps; what is none, or negative, counts 0.
func numberOf(v value.Value) float64 {
	text, ok := v.Literal()
	if !ok {
		return 0
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
