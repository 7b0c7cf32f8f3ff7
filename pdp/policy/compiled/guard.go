package compiled

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ir"
)

// guard is a condition on one path of the input that a block begins with: that
// there is something, or which text it is.
type guard struct {
	at     path
	parent path // of at
	name   string
	texts  []string // one of them; nil for anything
	prefix bool     // is what it begins with
}

func guardAt(names []string) guard {
	last := len(names) - 1
	return guard{at: pathOf(names), parent: pathOf(names[:last]), name: names[last]}
}

// of is the guard that asks for one of some texts there.
func (g guard) of(prefix bool, texts ...string) *guard {
	g.texts, g.prefix = texts, prefix
	return &g
}

// guardsOf finds the text that a block begins with a comparison with, nil where it
// does not, and what it asks to be there at all. What comes before can neither
// fail nor be seen, so that leaving the block out is the same as running it.
func (f *fn) guardsOf(b *ir.Block) (text *guard, asked []guard) {
	s := &search{fn: f, inputs: map[ir.Local][]string{ir.Input: {}}, literals: &literal{fn: f, made: make(map[ir.Local]val), fills: make(map[ir.Local]int)}}
	for i, statement := range b.Stmts {
		var following ir.Stmt
		if i+1 < len(b.Stmts) {
			following = b.Stmts[i+1]
		}
		if g, goOn := s.look(statement, following); g != nil || !goOn {
			return g, s.asked
		}
	}
	return nil, s.asked
}

// search follows the statements before a guard.
type search struct {
	*fn
	inputs   map[ir.Local][]string
	literals *literal
	asked    []guard // what has to be there
}

func (s *search) look(statement, following ir.Stmt) (found *guard, goOn bool) {
	switch st := statement.(type) {
	case *ir.DotStmt:
		s.ask(st)
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

// ask follows a read of a member: where there is none, the block ends.
func (s *search) ask(st *ir.DotStmt) {
	from, isInput := s.at(st.Source)
	key, isText := s.text(st.Key)
	delete(s.inputs, st.Target)
	if isInput && isText {
		names := append(slices.Clone(from), key)
		s.inputs[st.Target] = names
		s.asked = append(s.asked, guardAt(names))
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
			return guardAt(names).of(false, text)
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
			return guardAt(names).of(true, text)
		}
	case "internal.member_2":
		if local, ok := c.Args[1].Value.(*ir.Local); ok {
			if texts := textsOf(s.literals.made[*local]); texts != nil {
				return guardAt(names).of(false, texts...)
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
