package compiled

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ir"

	"github.com/remit-pdp/remit/pdp/value"
)

// worthwhile is how many rules a set must have to be indexed, and how many
// members of one object they must ask for to be found by what it has.
const worthwhile = 4

// index knows of the blocks of a function, one a rule, which can hold for an
// input at all: those whose first conditions are that a path of the input has
// something, or is one of some constants, are found by what is there. The others
// are never run.
type index struct {
	words    int      // of a bit for each block
	always   []uint64 // blocks without such a condition
	families []*family
}

// family are the groups of members of one object of the input.
type family struct {
	parent *reader // nil for the input itself
	groups map[string]*group
	all    []*group
}

// group are the blocks with a condition on one path.
type group struct {
	path    *reader
	present []int            // blocks that ask for anything there
	equal   map[string][]int // constant → blocks
	// prefix maps what the text must begin with to blocks; lengths are those
	// of the prefixes.
	prefix  map[string][]int
	lengths []int
}

// index makes the index of a function; nil where it would not help.
func (f *fn) index(blocks []*ir.Block) *index {
	if len(blocks) < worthwhile {
		return nil
	}
	x := &index{words: (len(blocks) + 63) / 64}
	x.always = make([]uint64, x.words)
	families, guarded := make(map[path]*family), 0
	for i, g := range f.chosen(blocks) {
		if g == nil {
			x.always[i/64] |= 1 << (i % 64)
			continue
		}
		guarded++
		if families[g.parent] == nil {
			families[g.parent] = f.family(g.parent)
			x.families = append(x.families, families[g.parent])
		}
		families[g.parent].group(f, g).put(g, i)
	}
	if guarded < worthwhile-2 {
		return nil
	}
	return x
}

// chosen is the guard of each block that it is found by; nil for none. What a
// text is says most; that there is something says enough where many members of
// the same object are asked for.
func (f *fn) chosen(blocks []*ir.Block) []*guard {
	best, asked := make([]*guard, len(blocks)), make([][]guard, len(blocks))
	names := make(map[path]map[string]bool)
	for i, b := range blocks {
		if best[i], asked[i] = f.guardsOf(b); best[i] != nil {
			continue
		}
		for _, g := range asked[i] {
			if names[g.parent] == nil {
				names[g.parent] = make(map[string]bool)
			}
			names[g.parent][g.name] = true
		}
	}
	for i := range best {
		if best[i] == nil {
			best[i] = rarest(asked[i], names)
		}
	}
	return best
}

// rarest is the guard whose member is one of the most that are asked for, of the
// same object; nil where all are of a few.
func rarest(asked []guard, names map[path]map[string]bool) (best *guard) {
	most := worthwhile - 1
	for i := range asked {
		if n := len(names[asked[i].parent]); asked[i].parent != "" && n > most {
			best, most = &asked[i], n
		}
	}
	return best
}

func (f *fn) family(parent path) *family {
	made := &family{groups: make(map[string]*group)}
	if parent != "" {
		made.parent = f.reader(parent)
	}
	return made
}

// group is the one of a guard.
func (m *family) group(f *fn, of *guard) *group {
	g := m.groups[of.name]
	if g == nil {
		g = &group{path: f.reader(of.at), equal: make(map[string][]int), prefix: make(map[string][]int)}
		m.groups[of.name], m.all = g, append(m.all, g)
	}
	return g
}

func (g *group) put(by *guard, block int) {
	if by.texts == nil {
		g.present = append(g.present, block)
	}
	for _, text := range by.texts {
		if !by.prefix {
			g.equal[text] = append(g.equal[text], block)
			continue
		}
		g.prefix[text] = append(g.prefix[text], block)
		if !slices.Contains(g.lengths, len(text)) {
			g.lengths = append(g.lengths, len(text))
		}
	}
}

// candidates marks the blocks that can hold.
func (x *index) candidates(f *frame, room []uint64) {
	copy(room, x.always)
	for _, m := range x.families {
		m.candidates(f, room)
	}
}

// candidates looks for what there is among what is asked for, or the other way
// round, whichever is less.
func (m *family) candidates(f *frame, room []uint64) {
	if len(m.all) > worthwhile && m.parent != nil {
		names, ok := f.namesOf(m.parent.read(f.run), len(m.all))
		if ok {
			for _, name := range names {
				if g := m.groups[name]; g != nil {
					g.candidates(f, room)
				}
			}
			return
		}
	}
	for _, g := range m.all {
		g.candidates(f, room)
	}
}

// namesOf are the names of an object's members; not ok where there are more of
// them than the limit.
func (r *run) namesOf(v *val, limit int) (names []string, ok bool) {
	object, isObject := v.of.(value.Object)
	if !isObject {
		return nil, v.k != set // which has what it holds as members
	}
	r.names = value.AppendNames(r.names[:0], value.From(object))
	return r.names, len(r.names) <= limit
}

func (g *group) candidates(f *frame, room []uint64) {
	v := g.path.read(f.run)
	if v.defined() {
		mark(room, g.present)
	}
	if v.k != str {
		return
	}
	mark(room, g.equal[v.s])
	for _, n := range g.lengths {
		if n <= len(v.s) {
			mark(room, g.prefix[v.s[:n]])
		}
	}
}

func mark(room []uint64, blocks []int) {
	for _, block := range blocks {
		room[block/64] |= 1 << (block % 64)
	}
}
