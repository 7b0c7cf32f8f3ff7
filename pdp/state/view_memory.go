package state

import (
	"strconv"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// lazy is an object whose members are made when they are asked for.
type lazy struct {
	names []string
	read  func(name string) value.Value
}

func (l lazy) Get(name string) value.Value { return l.read(name) }

func (l lazy) Range(visit func(string, value.Value) bool) {
	for _, name := range l.names {
		if v := l.read(name); v.Defined() && !visit(name, v) {
			return
		}
	}
}

// memoryView is `input.memory`: for every declared fact and lookup the cell of
// the key that this request has.
func (t *turn) memoryView(c *pdp.Case) value.Value {
	facts := c.Generation.Declared.Facts
	return value.From(lazy{sortedNames(facts), func(name string) value.Value {
		fact := facts[name]
		if fact == nil {
			return value.Nothing
		}
		return value.From(lazy{sortedNames(fact.Lookup), func(lookup string) value.Value {
			paths, ok := fact.Lookup[lookup]
			if !ok {
				return value.Nothing
			}
			return t.cellView(c, fact, paths)
		}})
	}})
}

// cellView is the cell that a lookup finds; every member is always there.
func (t *turn) cellView(c *pdp.Case, fact *pdp.Fact, paths [][]string) value.Value {
	key := make([]value.Value, len(paths))
	keyed := true
	for i, path := range paths {
		key[i] = c.Input().Path(path...)
		keyed = keyed && key[i].Defined()
	}
	memory, since := t.memoryOf(fact.Scope)
	var table *Table
	if memory != nil {
		table = memory.table(fact.Kind, fact.Name)
	}
	cell, lost := &Cell{}, int64(0)
	if table != nil && keyed {
		lost = table.LostUntil
		if found := table.cell(t.factKey(fact, key)); found != nil && !found.runOut(t.at) {
			cell, lost = found, max(lost, found.LostUntil)
		}
	}
	members := []value.Member{
		value.M("kind", value.Str(string(fact.Kind))),
		value.M("keyed", value.Of(keyed)),
		value.M("ttl_ns", value.Int(int64(fact.TTL))),
		value.M("lost_until_ns", value.Int(lost)),
		value.M("complete_from_ns", value.Int(t.completeFrom(fact, since))),
	}
	if fact.Kind == pdp.FactRing {
		return value.Obj(append(members, t.ringMembers(cell)...)...)
	}
	return value.Obj(append(members, t.lastMembers(cell)...)...)
}

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

func (t *turn) lastMembers(cell *Cell) []value.Member {
	var settled, latest Point
	pending, unknown := 0, 0
	for _, p := range cell.Points {
		if p.Seq >= latest.Seq {
			latest = p
		}
		switch {
		case !p.Open:
			settled = p
		case t.at > p.Deadline:
			unknown++
		default:
			pending++
		}
	}
	return []value.Member{
		value.M("settled", value.Of(settled.Seq > 0)),
		value.M("settled_at_ns", value.Int(settled.At)),
		value.M("settled_seq", count(settled.Seq)),
		value.M("values", jsonValues(settled.Values)),
		value.M("pending", value.Int(int64(pending))),
		value.M("unknown", value.Int(int64(unknown))),
		value.M("latest_at_ns", value.Int(latest.At)),
		value.M("latest_seq", count(latest.Seq)),
	}
}

func (t *turn) ringMembers(cell *Cell) []value.Member {
	entries := make([]value.Value, 0, len(cell.Points))
	for i := len(cell.Points) - 1; i >= 0; i-- {
		p := &cell.Points[i]
		entries = append(entries, value.Obj(
			value.M("at_ns", value.Int(p.At)),
			value.M("seq", count(p.Seq)),
			value.M("value", value.Float(p.Number)),
			value.M("state", value.Str(p.state(t.at)))))
	}
	return []value.Member{
		value.M("entries", value.List(entries...)),
		value.M("residue", value.Obj(
			value.M("count", count(cell.Residue.Count)),
			value.M("sum", value.Float(cell.Residue.Sum)),
			value.M("latest_at_ns", value.Int(cell.Residue.Latest)))),
	}
}

func (p *Point) state(now int64) string {
	switch {
	case !p.Open:
		return "settled"
	case now > p.Deadline:
		return "unknown"
	default:
		return "pending"
	}
}

func jsonValues(texts []string) value.Value {
	items := make([]value.Value, len(texts))
	for i, text := range texts {
		// What is kept was written by AppendJSON; anything else reads as null.
		v, err := value.DecodeJSON([]byte(text))
		if err != nil {
			v = value.NullValue()
		}
		items[i] = v
	}
	return value.List(items...)
}

// budgetsView is `input.budgets`.
func (t *turn) budgetsView(c *pdp.Case) value.Value {
	budgets := c.Generation.Declared.Budgets
	return value.From(lazy{sortedNames(budgets), func(name string) value.Value {
		b := budgets[name]
		if b == nil {
			return value.Nothing
		}
		lo, hi := t.meter(b).read(t.at)
		return value.Obj(
			value.M("limit", value.Int(b.Limit)),
			value.M("lo", value.Int(lo)),
			value.M("hi", value.Int(hi)),
			value.M("remaining", value.Int(max(0, b.Limit-hi))),
			value.M("unit", value.Str(b.Unit)),
			value.M("window_seconds", value.Int(int64(b.Window.Seconds()))))
	}})
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
