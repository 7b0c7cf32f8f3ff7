package compiled

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ir"
)

// maxVariants bounds how many variants of functions a policy gets, and
// maxConstant the text of an argument that is worth one.
const (
	maxVariants = 4096
	maxConstant = 128
)

// folding bounds what is evaluated beforehand: a rule that takes more is
// evaluated when it is asked, within the limits of an evaluation.
var folding = Limits{Steps: 100_000, Bytes: 16 << 20}

// variant is a function of the plan with some arguments known: consts has one
// for each after the documents, undefined where it is not known. Known
// arguments are what makes paths of the input fixed and results memorable. A
// general variant does not know data, because that is replaced where it is
// called.
func (c *compiler) variant(planned *ir.Func, general bool, consts []val) *function {
	name := fmt.Sprint(planned.Name, general)
	for _, v := range consts {
		name += "\x00" + v.key()
	}
	if made := c.variants[name]; made != nil {
		return made
	}
	made := &function{memo: -1}
	c.variants[name] = made
	if len(planned.Params) == 2 {
		made.path, made.isPath = c.answersPath(planned)
	}
	f := &fn{compiler: c, planned: planned, consts: consts, general: general}
	made.body = f.compile(planned.Blocks)
	made.index = f.index(planned.Blocks)
	made.drop()
	ofDocuments := true // depends on nothing else
	for _, param := range planned.Params[2:] {
		at := f.numberOf(param)
		made.params = append(made.params, at)
		ofDocuments = ofDocuments && (at < 0 || known(consts, planned, param))
	}
	if ofDocuments {
		made.memo = c.program.memos
		c.program.memos++
	}
	if made.memo >= 0 && !general && !c.varies[planned.Name] {
		c.fold(made)
	}
	return made
}

// known reports whether a parameter has a known value.
func known(consts []val, planned *ir.Func, param ir.Local) bool {
	i := slices.Index(planned.Params[2:], param)
	return i < len(consts) && consts[i].defined()
}

// key is a text that two values share where they are the same constant.
func (v val) key() string {
	if v.k == number {
		return "n" + v.literal()
	}
	return fmt.Sprint(v.k, v.n, v.s)
}

// worthKnowing are those of arguments that a variant is made for: scalars.
func (c *compiler) worthKnowing(args []operand) []val {
	consts, any := make([]val, len(args)), false
	for i := range args {
		if v := args[i].is(); args[i].kind == isConstant && v.of == nil && len(v.s) <= maxConstant {
			consts[i], any = v, true
		}
	}
	if !any || len(c.variants) > maxVariants {
		return nil
	}
	return consts
}

// drop leaves out blocks in which nothing happens.
func (p *function) drop() {
	if p.index == nil {
		p.blocks = slices.DeleteFunc(p.blocks, func(b []statement) bool { return len(b) == 0 })
	}
}

// fold evaluates a function that depends on nothing but data, once, when the
// policy is compiled: its result holds for every evaluation on that data.
func (c *compiler) fold(p *function) {
	c.program.paths = len(c.slots)
	r := newRun(c.program)
	r.program, r.limits, r.data, r.ctx = c.program, folding, c.program.data, context.Background()
	f := r.enter(&p.body)
	var v val
	if p.call(f, &v) == next {
		v = seal(kept(v))
		p.folded = &v
	} // else the evaluation that needs it will fail by itself
}

// answersPath finds out that a rule's value is what is at a path of the input.
func (c *compiler) answersPath(planned *ir.Func) (path, bool) {
	if len(planned.Blocks) != 1 {
		return "", false
	}
	at := map[ir.Local]path{ir.Input: ""}
	for _, s := range planned.Blocks[0].Stmts {
		var source, key ir.Operand
		var target ir.Local
		switch s := s.(type) {
		case *ir.ResetLocalStmt:
			delete(at, s.Target)
			continue
		case *ir.IsDefinedStmt:
			if _, ok := at[s.Source]; !ok {
				return "", false
			}
			continue
		case *ir.ReturnLocalStmt:
			p, ok := at[s.Source]
			return p, ok && p != ""
		case *ir.DotStmt:
			source, key, target = s.Source, s.Key, s.Target
		case *ir.AssignVarStmt:
			source, target = s.Source, s.Target
		case *ir.AssignVarOnceStmt:
			source, target = s.Source, s.Target
		default:
			return "", false
		}
		local, isLocal := source.Value.(*ir.Local)
		if !isLocal {
			return "", false
		}
		p, ok := at[*local]
		if name, isText := key.Value.(*ir.StringIndex); isText {
			p = p.member(c.text(int(*name)))
		} else if key.Value != nil {
			return "", false
		}
		if at[target] = p; !ok {
			return "", false
		}
	}
	return "", false
}

// kept is v in memory of its own.
func kept(v val) val {
	if v.fixed() {
		return v
	}
	switch v.k {
	case array:
		l := &list{items: make([]val, 0, length(v))}
		each(v, func(_, item val) bool { l.items = append(l.items, kept(item)); return true })
		return ofList(l)
	case set:
		m := newMembers(length(v))
		each(v, func(_, item val) bool { m.add(kept(item)); return true })
		return ofSet(m)
	case object:
		d := newDict(length(v))
		each(v, func(key, item val) bool { d.insert(kept(key), kept(item)); return true })
		return ofDict(d)
	case str:
		return ofStr(strings.Clone(v.s))
	default:
		return v
	}
}
