package compiled

import (
	"github.com/open-policy-agent/opa/v1/ir"
)

// literal is a composite that consecutive statements make of constants: it is
// made once, when the policy is compiled.
type literal struct {
	*fn
	made  map[ir.Local]val
	fills map[ir.Local]int
	order []ir.Local
}

// hoist reads the literals that a block makes from statement i on, and how
// many statements that takes; 0 where there is none.
func (f *fn) hoist(stmts []ir.Stmt) (*literal, int) {
	l := &literal{f, make(map[ir.Local]val), make(map[ir.Local]int), nil}
	n := 0
	for n < len(stmts) && l.take(stmts[n]) {
		n++
	}
	for _, local := range l.order {
		if f.usage.assigned[local] != 1 || f.grows(local, l.fills[local]) {
			return nil, 0
		}
	}
	return l, n
}

// take follows one statement; false for one that is not of a literal.
func (l *literal) take(s ir.Stmt) bool {
	switch s := s.(type) {
	case *ir.MakeNullStmt:
		return l.begin(s.Target, val{k: null})
	case *ir.MakeNumberIntStmt:
		return l.begin(s.Target, ofInt(s.Value))
	case *ir.MakeNumberRefStmt:
		return l.begin(s.Target, ofNumber(l.text(s.Index)))
	case *ir.MakeArrayStmt:
		return l.begin(s.Target, ofList(&list{}))
	case *ir.MakeObjectStmt:
		return l.begin(s.Target, ofDict(newDict(0)))
	case *ir.MakeSetStmt:
		return l.begin(s.Target, ofSet(newMembers(0)))
	case *ir.ArrayAppendStmt:
		into, v := l.made[s.Array], l.constant(s.Value)
		if into.k != array || !v.defined() {
			return false
		}
		into.of.(*list).items = append(into.of.(*list).items, v)
		l.fills[s.Array]++
	case *ir.SetAddStmt:
		into, v := l.made[s.Set], l.constant(s.Value)
		if into.k != set || !v.defined() {
			return false
		}
		into.of.(*members).add(v)
		l.fills[s.Set]++
	case *ir.ObjectInsertStmt:
		into, key, v := l.made[s.Object], l.constant(s.Key), l.constant(s.Value)
		if into.k != object || !key.defined() || !v.defined() {
			return false
		}
		into.of.(*dict).insert(key, v)
		l.fills[s.Object]++
	default:
		return false
	}
	return true
}

func (l *literal) begin(target ir.Local, v val) bool {
	if _, twice := l.made[target]; twice {
		return false
	}
	l.made[target] = v
	l.order = append(l.order, target)
	return true
}

// constant is an operand's value where it is known.
func (l *literal) constant(o ir.Operand) val {
	if local, ok := o.Value.(*ir.Local); ok {
		if v, made := l.made[*local]; made {
			return v
		}
	}
	return l.operandValue(o)
}

// add assigns the literals.
func (l *literal) add(c *code) {
	for _, local := range l.order {
		l.assign(c, local, seal(l.made[local]))
	}
}
