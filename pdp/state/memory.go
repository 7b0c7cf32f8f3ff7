package state

import (
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp"
)

// Memory is the facts and budgets of one scope, each sorted by name.
type Memory struct {
	Facts  []*Table
	Meters []*Meter
}

// Table is one fact's cells, sorted by key.
type Table struct {
	Fact  string // see [factName]
	Cells []*Cell
	// LostUntil: a cell that was evicted may have held something as late as
	// this; 0 when none ever was.
	LostUntil int64
}

// Cell is what is remembered under one key of a fact, for both kinds: a `last`
// is a ring that keeps one settled point.
type Cell struct {
	Key     string
	Points  []Point // oldest first
	Residue Residue // of a ring: what fell out
	Used    int64
	TTL     int64
	// LostUntil: a point that was pushed out unsettled was as late as this.
	LostUntil int64
}

// Point is one time that a fact happened.
type Point struct {
	At       int64
	Seq      uint64 // of the action, which settles it
	Values   []string
	Number   float64
	Open     bool  // the outcome has not come
	Deadline int64 // after which an open point is unknown; 0 of any other
}

// Residue sums up what a ring no longer holds.
type Residue struct {
	Count  uint64
	Sum    float64
	Latest int64
}

// maxOpen bounds the points of a `last` that wait for an outcome.
const maxOpen = 8

func (m *Memory) find(fact string) (int, bool) {
	return slices.BinarySearchFunc(m.Facts, fact, func(t *Table, fact string) int { return strings.Compare(t.Fact, fact) })
}

// table returns the cells of a fact; nil where there are none.
func (m *Memory) table(kind pdp.FactKind, fact string) *Table {
	for _, t := range m.Facts {
		if t.is(kind, fact) {
			return t
		}
	}
	return nil
}

func (t *Table) find(key string) (int, bool) {
	return slices.BinarySearchFunc(t.Cells, key, func(c *Cell, key string) int { return strings.Compare(c.Key, key) })
}

// cell returns the cell of a key; nil where there is none.
func (t *Table) cell(key string) *Cell {
	if t == nil {
		return nil
	}
	i, found := t.find(key)
	if !found {
		return nil
	}
	return t.Cells[i]
}

func (t *Table) is(kind pdp.FactKind, fact string) bool {
	return len(t.Fact) == len(kind)+1+len(fact) && strings.HasPrefix(t.Fact, string(kind)) && strings.HasSuffix(t.Fact, fact)
}

// note adds a point, open when it waits for an outcome.
func (m *Memory) note(n *Note, at int64, seq uint64, open bool, deadline int64) {
	table := m.table(n.Kind, n.Fact)
	if table == nil {
		table = &Table{Fact: factName(n.Kind, n.Fact)}
		i, _ := m.find(table.Fact)
		m.Facts = slices.Insert(m.Facts, i, table)
	}
	i, known := table.find(n.Key)
	if !known {
		before := len(table.Cells)
		if table.makeRoom(n.Keys, at); len(table.Cells) != before {
			i, _ = table.find(n.Key)
		}
		table.Cells = slices.Insert(table.Cells, i, &Cell{Key: n.Key})
	}
	cell := table.Cells[i]
	if !open {
		deadline = 0
	}
	cell.Used, cell.TTL = at, n.TTL
	cell.Points = append(cell.Points, Point{At: at, Seq: seq, Values: n.Values, Number: n.Number, Open: open, Deadline: deadline})
	cell.trim(n.Kind, n.Ring)
}

// makeRoom drops what has run out, and then the cell used longest ago, until
// one more key fits. It looks for what has run out each time that the cells
// have doubled, too, so that few of them stay.
func (t *Table) makeRoom(bound int, now int64) {
	if n := len(t.Cells); n < bound && (n < 8 || n&(n-1) != 0) {
		return
	}
	t.Cells = slices.DeleteFunc(t.Cells, func(c *Cell) bool { return c.runOut(now) })
	for len(t.Cells) >= bound {
		oldest := 0
		for i, cell := range t.Cells {
			if cell.Used < t.Cells[oldest].Used {
				oldest = i
			}
		}
		t.LostUntil = max(t.LostUntil, t.Cells[oldest].Used)
		t.Cells = slices.Delete(t.Cells, oldest, oldest+1)
	}
}

// runOut reports whether the cell's time to live has passed and nothing in it
// waits for an outcome that may still come.
func (c *Cell) runOut(now int64) bool { return now > c.Used+c.TTL }

// trim keeps what the kind keeps.
func (c *Cell) trim(kind pdp.FactKind, ring int) {
	if kind == pdp.FactRing {
		if over := len(c.Points) - max(ring, 1); over > 0 {
			c.fall(over)
		}
		return
	}
	newest, open := -1, 0
	for i := range c.Points {
		if c.Points[i].Open {
			open++
		} else {
			newest = i // settled
		}
	}
	i := -1
	c.Points = slices.DeleteFunc(c.Points, func(p Point) bool {
		if i++; !p.Open {
			return i != newest
		}
		if open <= maxOpen {
			return false
		}
		c.LostUntil = max(c.LostUntil, p.At)
		open--
		return true
	})
}

// fall moves the n oldest points of a ring to the residue.
func (c *Cell) fall(n int) {
	for _, p := range c.Points[:n] {
		c.Residue.Count++
		c.Residue.Sum += p.Number
		c.Residue.Latest = max(c.Residue.Latest, p.At)
	}
	c.Points = slices.Delete(c.Points, 0, n)
}

// settle ends the wait of the point that the action seq put under key: it
// stands, or it never was.
func (m *Memory) settle(n *Note, seq uint64, stands bool) {
	table := m.table(n.Kind, n.Fact)
	cell := table.cell(n.Key)
	if cell == nil {
		return
	}
	i := slices.IndexFunc(cell.Points, func(p Point) bool { return p.Seq == seq && p.Open })
	switch {
	case i >= 0 && stands:
		cell.Points[i].Open, cell.Points[i].Deadline = false, 0
	case i >= 0:
		cell.Points = slices.Delete(cell.Points, i, i+1)
	}
	cell.trim(n.Kind, n.Ring)
	if len(cell.Points) == 0 && cell.Residue.Count == 0 && cell.LostUntil == 0 {
		at, _ := table.find(n.Key)
		table.Cells = slices.Delete(table.Cells, at, at+1)
	}
}

func codeMemory(c *coder, m *Memory) {
	list(c, &m.Facts, pointer(codeTable))
	list(c, &m.Meters, pointer(codeMeter))
}

func codeTable(c *coder, t *Table) {
	word(c, &t.Fact)
	list(c, &t.Cells, pointer(codeCell))
	c.moment(&t.LostUntil)
}

// codeCell writes the usual cell, of one point that stands under a fingerprint,
// in few bytes.
func codeCell(c *coder, v *Cell) {
	fell, lost := v.Residue != (Residue{}), v.LostUntil != 0
	short, plain := len(v.Key) == fingerprintBytes, len(v.Points) == 1 && v.Points[0].plain(v.Used)
	c.flags(&fell, &lost, &short, &plain)
	if short {
		c.fixed(&v.Key, fingerprintBytes)
	} else {
		text(c, &v.Key)
	}
	c.moment(&v.Used)
	c.beside(&v.TTL)
	if lost {
		c.moment(&v.LostUntil)
	}
	if fell {
		c.uint(&v.Residue.Count)
		quantity(c, &v.Residue.Sum)
		c.moment(&v.Residue.Latest)
	}
	if plain {
		codePlain(c, v)
		return
	}
	origin := c.origin
	c.origin = v.Used
	list(c, &v.Points, codePoint)
	c.origin = origin
}

// plain reports whether a point is one that stands, counts 1, and happened when
// its cell was used last.
func (p *Point) plain(used int64) bool {
	return p.At == used && !p.Open && p.Deadline == 0 && p.Number == 1 && len(p.Values) == 0
}

func codePlain(c *coder, v *Cell) {
	if c.reading {
		v.Points = []Point{{At: v.Used, Number: 1}}
	}
	c.uint(&v.Points[0].Seq)
}

func codePoint(c *coder, p *Point) {
	one, valued := p.Number == 1, len(p.Values) > 0
	c.flags(&p.Open, &one, &valued)
	c.moment(&p.At)
	c.uint(&p.Seq)
	if valued {
		list(c, &p.Values, text[string])
	}
	if one {
		p.Number = 1
	} else {
		quantity(c, &p.Number)
	}
	if p.Open {
		c.moment(&p.Deadline)
	}
}
