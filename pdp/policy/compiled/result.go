package compiled

import "github.com/remit-pdp/remit/pdp/value"

// toView is v as the rest of remit reads it: a set is an array in Rego's
// order, and a key that is not a string its JSON text, as topdown writes them.
// It is read in place, and so not to be kept beyond the evaluation.
func toView(v val) value.Value {
	switch v.k {
	case null:
		return value.NullValue()
	case boolean:
		return value.Of(v.n == 1)
	case number:
		if v.whole {
			return value.Int(v.n)
		}
		return value.Decimal(v.s)
	case str:
		return value.Str(v.s)
	}
	switch of := v.of.(type) {
	case *list:
		of.show()
		return value.ListAt(&of.view)
	case *members:
		of.show()
		return value.ListAt(&of.view)
	case value.Object: // a *dict, or a view of the input
		return value.From(of)
	default:
		return value.Nothing
	}
}

// show makes the view of what a list holds; of one that is sealed it was made then.
func (l *list) show() {
	if !l.fixed {
		l.view = shown(l.view, l.items)
	}
}

func (m *members) show() {
	if !m.fixed {
		m.sort()
		m.view = shown(m.view, m.items)
	}
}

func shown(room []value.Value, items []val) []value.Value {
	room = room[:0]
	for i := range items {
		room = append(room, toView(items[i]))
	}
	return room
}

// Get implements [value.Object].
func (d *dict) Get(name string) value.Value {
	if i := d.named(name); i >= 0 {
		return toView(d.vals[i])
	}
	if d.odd {
		for i := range d.keys {
			if d.keys[i].k != str && nameOf(&d.keys[i]) == name {
				return toView(d.vals[i])
			}
		}
	}
	return value.Nothing
}

// Range implements [value.Object].
func (d *dict) Range(visit func(name string, v value.Value) bool) {
	d.sort()
	for i := range d.keys {
		if !visit(nameOf(&d.keys[i]), toView(d.vals[i])) {
			return
		}
	}
}

// AppendNames implements what [value.AppendNames] asks for.
func (d *dict) AppendNames(names []string) []string {
	d.sort()
	for i := range d.keys {
		names = append(names, nameOf(&d.keys[i]))
	}
	return names
}

// nameOf is a key as a name.
func nameOf(key *val) string {
	if key.k == str {
		return key.s
	}
	return string(value.AppendJSON(nil, toView(*key)))
}
