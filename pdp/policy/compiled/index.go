package compiled

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ir"
)

// worthwhile is how many rules a set must have to be indexed.
const worthwhile = 4

// index knows of the blocks of a function, one a rule, which can hold for an
// input at all: those whose first conditions compare a path of the input with
// constants are found by what is there, and the others are never run.
type index struct {
	words  int      // of a bit for each block
	always []uint64 // blocks without such a condition
	groups []*group // by path
}

// group are the blocks with a condition on one path.
type group struct {
	path  *reader
	equal map[string][]int // constant → blocks
	// prefix maps what the text must begin with to blocks; lengths are those
	// of the prefixes.
	prefix  map[string][]int
	lengths []int
}

// guard is a condition on one path of the input that a block begins with.
type guard struct {
	names  []string
	texts  []string // one of them
	prefix bool     // is what it begins with
}

// index makes the index of a function; nil where it would not help.
func (f *fn) index(blocks []*ir.Block) *index {
	if len(blocks) < worthwhile {
		return nil
	}
	x := &index{words: (len(blocks) + 63) / 64}
	x.always = make([]uint64, x.words)
	groups, guarded := make(map[path]*group), 0
	for i, b := range blocks {
		g := f.guardOf(b)
		if g == nil {
			x.always[i/64] |= 1 << (i % 64)
			continue
		}
		guarded++
		at := pathOf(g.names)
		if groups[at] == nil {
			groups[at] = &group{path: f.reader(at), equal: make(map[string][]int), prefix: make(map[string][]int)}
			x.groups = append(x.groups, groups[at])
		}
		groups[at].put(g, i)
	}
	if guarded < worthwhile-2 {
		return nil
	}
	return x
}

func (g *group) put(by *guard, block int) {
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
	for _, g := range x.groups {
		v := g.path.read(f.run)
		if v.k != str {
			continue
		}
		for _, block := range g.equal[v.s] {
			room[block/64] |= 1 << (block % 64)
		}
		for _, n := range g.lengths {
			if n > len(v.s) {
				continue
			}
			for _, block := range g.prefix[v.s[:n]] {
				room[block/64] |= 1 << (block % 64)
			}
		}
	}
}

// guardOf finds the condition of a block, nil where it has none that is known.
// What comes before it can neither fail nor be seen, so that leaving the block
// out is the same as running it.
func (f *fn) guardOf(b *ir.Block) *guard {
	s := &search{fn: f, inputs: map[ir.Local][]string{ir.Input: {}}, literals: &literal{fn: f, made: make(map[ir.Local]val), fills: make(map[ir.Local]int)}}
	for i, statement := range b.Stmts {
		var following ir.Stmt
		if i+1 < len(b.Stmts) {
			following = b.Stmts[i+1]
		}
		if g, goOn := s.look(statement, following); g != nil || !goOn {
			return g
		}
	}
	return nil
}

// search follows the statements before a guard.
type search struct {
	*fn
	inputs   map[ir.Local][]string
	literals *literal
}

func (s *search) look(statement, following ir.Stmt) (found *guard, goOn bool) {
	switch st := statement.(type) {
	case *ir.DotStmt:
		from, isInput := s.at(st.Source)
		key, isText := s.text(st.Key)
		delete(s.inputs, st.Target)
		if isInput && isText {
			s.inputs[st.Target] = append(slices.Clone(from), key)
		}
		return nil, true
	case *ir.AssignVarStmt:
		from, isInput := s.at(st.Source)
		delete(s.inputs, st.Target)
		if isInput {
			s.inputs[st.Target] = from
		}
		return nil, true
	case *ir.EqualStmt:
		return s.equality(st), true
	case *ir.CallStmt:
		return s.test(st, following), false
	case *ir.ResetLocalStmt:
		delete(s.inputs, st.Target)
		return nil, true
	case *ir.NotEqualStmt, *ir.IsArrayStmt, *ir.IsObjectStmt, *ir.IsSetStmt, *ir.IsDefinedStmt, *ir.IsUndefinedStmt, *ir.NopStmt:
		return nil, true
	default:
		return nil, s.literals.take(statement)
	}
}

// at is the path of the input that an operand holds.
func (s *search) at(o ir.Operand) ([]string, bool) {
	local, ok := o.Value.(*ir.Local)
	if !ok {
		return nil, false
	}
	names, ok := s.inputs[*local]
	return names, ok
}

func (s *search) text(o ir.Operand) (string, bool) {
	v := s.operandValue(o)
	return v.s, v.k == str
}

func (s *search) equality(e *ir.EqualStmt) *guard {
	for _, sides := range [][2]ir.Operand{{e.A, e.B}, {e.B, e.A}} {
		names, isInput := s.at(sides[0])
		text, isText := s.text(sides[1])
		if isInput && isText && len(names) > 0 {
			return &guard{names: names, texts: []string{text}}
		}
	}
	return nil
}

// test reads a call that must be true: membership in a set of texts, or
// startswith with a text.
func (s *search) test(c *ir.CallStmt, following ir.Stmt) *guard {
	holds, ok := following.(*ir.NotEqualStmt)
	if !ok || len(c.Args) != 2 || !isOf(holds.A, c.Result) || !isFalse(holds.B) {
		return nil
	}
	names, isInput := s.at(c.Args[0])
	if !isInput || len(names) == 0 {
		return nil
	}
	switch c.Func {
	case "startswith":
		if text, ok := s.text(c.Args[1]); ok {
			return &guard{names: names, texts: []string{text}, prefix: true}
		}
	case "internal.member_2":
		if local, ok := c.Args[1].Value.(*ir.Local); ok {
			if texts := textsOf(s.literals.made[*local]); texts != nil {
				return &guard{names: names, texts: texts}
			}
		}
	}
	return nil
}

// textsOf are the items of an array or a set of texts; nil for anything else.
func textsOf(v val) (texts []string) {
	if v.k != array && v.k != set {
		return nil
	}
	all := true
	each(v, func(_, item val) bool {
		texts, all = append(texts, item.s), item.isString()
		return all
	})
	if !all {
		return nil
	}
	return texts
}
