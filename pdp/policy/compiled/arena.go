package compiled

// Bounds of what an arena keeps for the next evaluation.
const (
	maxKept = 256 // composites of a kind
	maxRoom = 64  // items of one
)

// arena lends the composites of one evaluation and takes them back at its end.
// Nothing that an evaluation answers may point into it.
type arena struct {
	dicts []*dict
	sets  []*members
	lists []*list
	// how many of each are lent.
	d, s, l int
}

func (a *arena) dict() *dict {
	if a.d == len(a.dicts) {
		a.dicts = append(a.dicts, newDict(0))
	}
	a.d++
	return a.dicts[a.d-1]
}

func (a *arena) set() *members {
	if a.s == len(a.sets) {
		a.sets = append(a.sets, newMembers(0))
	}
	a.s++
	return a.sets[a.s-1]
}

func (a *arena) list(room int) *list {
	if a.l == len(a.lists) {
		a.lists = append(a.lists, &list{items: make([]val, 0, room)})
	}
	a.l++
	return a.lists[a.l-1]
}

// reset takes everything back; what grew beyond the usual is let go of.
func (a *arena) reset() {
	if a.d > maxKept || a.s > maxKept || a.l > maxKept {
		*a = arena{}
		return
	}
	for i, d := range a.dicts[:a.d] {
		if cap(d.keys) > maxRoom {
			a.dicts[i] = newDict(0)
			continue
		}
		d.empty()
	}
	for i, m := range a.sets[:a.s] {
		if cap(m.items) > maxRoom {
			a.sets[i] = newMembers(0)
			continue
		}
		m.empty()
	}
	for i, l := range a.lists[:a.l] {
		if cap(l.items) > maxRoom {
			a.lists[i] = &list{}
			continue
		}
		l.items, l.view = l.items[:0], l.view[:0]
	}
	a.d, a.s, a.l = 0, 0, 0
}
