package state

import (
	"math"

	"github.com/remit-pdp/remit/pdp"
)

// Memory is the facts and budgets of one scope.
type Memory struct {
	Facts  map[string]*Table
	Meters map[string]*Meter
}

// Table is one fact's cells.
type Table struct {
	Cells map[string]*Cell
	// LostUntil: a cell that was evicted may have held something as late as
	// this; 0 when none ever was.
	LostUntil int64
}

// Cell is what is remembered under one key of a fact, for both kinds: a `last`
// is a ring that keeps one settled point.
type Cell struct {
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
	Deadline int64 // after which an open point is unknown
}

// Residue sums up what a ring no longer holds.
type Residue struct {
	Count  uint64
	Sum    float64
	Latest int64
}

// maxOpen bounds the points of a `last` that wait for an outcome.
const maxOpen = 8

// note adds a point, open when it waits for an outcome.
func (m *Memory) note(n *Note, at int64, seq uint64, open bool, deadline int64) {
	if m.Facts == nil {
		m.Facts = make(map[string]*Table)
	}
	name := factName(n.Kind, n.Fact)
	table := m.Facts[name]
	if table == nil {
		table = &Table{}
		m.Facts[name] = table
	}
	if table.Cells == nil { // new, or read back when it was empty
		table.Cells = make(map[string]*Cell)
	}
	cell := table.Cells[n.Key]
	if cell == nil {
		table.makeRoom(n.Keys, at)
		cell = &Cell{}
		table.Cells[n.Key] = cell
	}
	cell.Used, cell.TTL = at, n.TTL
	cell.Points = append(cell.Points, Point{At: at, Seq: seq, Values: n.Values, Number: n.Number, Open: open, Deadline: deadline})
	cell.trim(n.Kind, n.Ring)
}

// makeRoom drops what has run out, and then the cell used longest ago, until
// one more key fits.
func (t *Table) makeRoom(bound int, now int64) {
	if len(t.Cells) < bound {
		return
	}
	for key, cell := range t.Cells {
		if cell.runOut(now) {
			delete(t.Cells, key)
		}
	}
	for len(t.Cells) >= bound {
		oldestKey, oldest := "", int64(math.MaxInt64)
		for key, cell := range t.Cells {
			if cell.Used < oldest || (cell.Used == oldest && key < oldestKey) {
				oldestKey, oldest = key, cell.Used
			}
		}
		t.LostUntil = max(t.LostUntil, oldest)
		delete(t.Cells, oldestKey)
	}
}

// runOut reports whether the cell's time to live has passed and nothing in it
// waits for an outcome that may still come.
func (c *Cell) runOut(now int64) bool { return now > c.Used+c.TTL }

// trim keeps what the kind keeps.
func (c *Cell) trim(kind pdp.FactKind, ring int) {
	if kind == pdp.FactRing {
		for len(c.Points) > max(ring, 1) {
			c.drop(0)
		}
		return
	}
	newest := -1 // settled
	for i, p := range c.Points {
		if !p.Open {
			newest = i
		}
	}
	kept, open := c.Points[:0:0], 0
	for i, p := range c.Points {
		if p.Open || i == newest {
			kept = append(kept, p)
		}
		if p.Open {
			open++
		}
	}
	c.Points = kept
	for i := 0; open > maxOpen; i++ {
		if c.Points[i].Open {
			c.LostUntil = max(c.LostUntil, c.Points[i].At)
			c.Points = append(c.Points[:i:i], c.Points[i+1:]...)
			open--
			i--
		}
	}
}

// drop moves a ring's point to the residue.
func (c *Cell) drop(i int) {
	p := c.Points[i]
	c.Residue.Count++
	c.Residue.Sum += p.Number
	c.Residue.Latest = max(c.Residue.Latest, p.At)
	c.Points = append(c.Points[:i:i], c.Points[i+1:]...)
}

// settle ends the wait of the point that the action seq put under key: it
// stands, or it never was.
func (m *Memory) settle(n *Note, seq uint64, stands bool) {
	table := m.Facts[factName(n.Kind, n.Fact)]
	if table == nil || table.Cells[n.Key] == nil {
		return
	}
	cell := table.Cells[n.Key]
	for i := range cell.Points {
		if p := &cell.Points[i]; p.Seq == seq && p.Open {
			if p.Open = false; !stands {
				cell.Points = append(cell.Points[:i:i], cell.Points[i+1:]...)
			}
			break
		}
	}
	cell.trim(n.Kind, n.Ring)
	if len(cell.Points) == 0 && cell.Residue.Count == 0 && cell.LostUntil == 0 {
		delete(table.Cells, n.Key)
	}
}

func (m *Memory) forgettable(now int64) bool {
	for _, t := range m.Facts {
		for _, cell := range t.Cells {
			if !cell.runOut(now) {
				return false
			}
		}
	}
	for _, meter := range m.Meters {
		if _, hi := meter.read(now); hi > 0 {
			return false
		}
	}
	return true
}

func codeMemory(c *coder, m *Memory) {
	dict(c, &m.Facts, text[string], pointer(codeTable))
	dict(c, &m.Meters, text[string], pointer(codeMeter))
}

func codeTable(c *coder, t *Table) {
	dict(c, &t.Cells, text[string], pointer(codeCell))
	c.int(&t.LostUntil)
}

func codeCell(c *coder, v *Cell) {
	list(c, &v.Points, codePoint)
	c.uint(&v.Residue.Count)
	codeFloat(c, &v.Residue.Sum)
	c.int(&v.Residue.Latest)
	c.int(&v.Used)
	c.int(&v.TTL)
	c.int(&v.LostUntil)
}

func codePoint(c *coder, p *Point) {
	c.int(&p.At)
	c.uint(&p.Seq)
	list(c, &p.Values, text[string])
	codeFloat(c, &p.Number)
	c.flag(&p.Open)
	c.int(&p.Deadline)
}
