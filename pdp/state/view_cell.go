package state

import (
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// cellView is a cell as a policy reads it; every member is always there.
type cellView struct {
	fact               *pdp.Fact
	lookup             string
	cell               *Cell
	keyed              bool
	now                int64
	lost, completeFrom int64
	before             *cellView // that was asked for before this one
	view               value.View[cellView]
	residue            value.View[Residue]
}

func (v *cellView) value() value.Value {
	if v.fact.Kind == pdp.FactRing {
		return ringFields.In(&v.view, v)
	}
	return lastFields.In(&v.view, v)
}

type cellField = value.Field[cellView]

// commonFields are those of a cell of any kind.
var commonFields = []cellField{
	{Name: "kind", Read: func(v *cellView) value.Value { return value.Str(string(v.fact.Kind)) }},
	{Name: "keyed", Read: func(v *cellView) value.Value { return value.Of(v.keyed) }},
	{Name: "ttl_ns", Read: func(v *cellView) value.Value { return value.Int(int64(v.fact.TTL)) }},
	{Name: "lost_until_ns", Read: func(v *cellView) value.Value { return value.Int(v.lost) }},
	{Name: "complete_from_ns", Read: func(v *cellView) value.Value { return value.Int(v.completeFrom) }},
}

var lastFields = value.NewFields(append(commonFields[:len(commonFields):len(commonFields)],
	cellField{Name: "settled", Read: func(v *cellView) value.Value { return value.Of(v.settled().Seq > 0) }},
	cellField{Name: "settled_at_ns", Read: func(v *cellView) value.Value { return value.Int(v.settled().At) }},
	cellField{Name: "settled_seq", Read: func(v *cellView) value.Value { return count(v.settled().Seq) }},
	cellField{Name: "values", Read: func(v *cellView) value.Value { return jsonValues(v.settled().Values) }},
	cellField{Name: "pending", Read: func(v *cellView) value.Value { return v.count("pending") }},
	cellField{Name: "unknown", Read: func(v *cellView) value.Value { return v.count("unknown") }},
	cellField{Name: "latest_at_ns", Read: func(v *cellView) value.Value { return value.Int(v.latest().At) }},
	cellField{Name: "latest_seq", Read: func(v *cellView) value.Value { return count(v.latest().Seq) }},
)...)

var ringFields = value.NewFields(append(commonFields[:len(commonFields):len(commonFields)],
	cellField{Name: "entries", Read: (*cellView).entries},
	cellField{Name: "residue", Read: func(v *cellView) value.Value { return residueFields.In(&v.residue, &v.cell.Residue) }},
)...)

type residueField = value.Field[Residue]

var residueFields = value.NewFields(
	residueField{Name: "count", Read: func(r *Residue) value.Value { return count(r.Count) }},
	residueField{Name: "sum", Read: func(r *Residue) value.Value { return value.Float(r.Sum) }},
	residueField{Name: "latest_at_ns", Read: func(r *Residue) value.Value { return value.Int(r.Latest) }},
)

// noPoint is the point of a cell that has none.
var noPoint Point

// settled is the point that stands; there is one at most.
func (v *cellView) settled() *Point {
	for i := len(v.cell.Points) - 1; i >= 0; i-- {
		if p := &v.cell.Points[i]; !p.Open {
			return p
		}
	}
	return &noPoint
}

// latest is the point of the latest action.
func (v *cellView) latest() *Point {
	latest := &noPoint
	for i := range v.cell.Points {
		if p := &v.cell.Points[i]; p.Seq >= latest.Seq {
			latest = p
		}
	}
	return latest
}

func (v *cellView) count(state string) value.Value {
	n := int64(0)
	for i := range v.cell.Points {
		if v.cell.Points[i].state(v.now) == state {
			n++
		}
	}
	return value.Int(n)
}

// entries are a ring's points, the latest first.
func (v *cellView) entries() value.Value {
	points := make([]pointView, len(v.cell.Points))
	items := make([]value.Value, len(points))
	for i := range points {
		points[i] = pointView{Point: &v.cell.Points[len(points)-1-i], now: v.now}
		items[i] = pointFields.In(&points[i].view, &points[i])
	}
	return value.List(items...)
}

type pointView struct {
	*Point
	now  int64
	view value.View[pointView]
}

type pointField = value.Field[pointView]

var pointFields = value.NewFields(
	pointField{Name: "at_ns", Read: func(p *pointView) value.Value { return value.Int(p.At) }},
	pointField{Name: "seq", Read: func(p *pointView) value.Value { return count(p.Seq) }},
	pointField{Name: "value", Read: func(p *pointView) value.Value { return value.Float(p.Number) }},
	pointField{Name: "state", Read: func(p *pointView) value.Value { return value.Str(p.state(p.now)) }},
)

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
