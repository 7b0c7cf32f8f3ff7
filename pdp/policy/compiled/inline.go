package compiled

import (
	"reflect"

	"github.com/open-policy-agent/opa/v1/ir"
)

// inline writes rules that only one place asks for straight into it: a call less
// each, and what is known there is known in the rule. Both sides are evaluated
// once at the most: a rule is remembered, and an entry point asked once.
func (c *compiler) inline() {
	in := &inliner{compiler: c, asked: make(map[string]int), done: make(map[*ir.Func]bool)}
	for _, planned := range c.policy.Funcs.Funcs {
		in.count(planned.Blocks)
	}
	for _, plan := range c.policy.Plans.Plans {
		in.count(plan.Blocks)
	}
	for _, planned := range c.policy.Funcs.Funcs {
		in.rule(planned)
	}
	for _, plan := range c.policy.Plans.Plans {
		plan.Blocks = in.all(plan.Blocks)
	}
}

type inliner struct {
	*compiler
	asked map[string]int // how many calls there are of each function
	done  map[*ir.Func]bool
	room  ir.Local // of the caller: its first local that is free
}

func (in *inliner) count(blocks []*ir.Block) {
	for _, b := range blocks {
		if b == nil {
			continue
		}
		for _, s := range b.Stmts {
			if call, ok := s.(*ir.CallStmt); ok {
				in.asked[call.Func]++
			}
			in.count(within(s))
		}
	}
}

// rule inlines what a rule asks for. A function with arguments is evaluated more
// than once, and what it asks for should not be.
func (in *inliner) rule(planned *ir.Func) {
	if in.done[planned] || len(planned.Params) != 2 {
		return
	}
	in.done[planned] = true
	planned.Blocks = in.all(planned.Blocks)
}

// all are the blocks of one caller with what they ask for in them.
func (in *inliner) all(blocks []*ir.Block) []*ir.Block {
	room := in.room
	defer func() { in.room = room }()
	in.room = firstFree(blocks)
	return in.blocks(blocks)
}

func (in *inliner) blocks(blocks []*ir.Block) []*ir.Block {
	made := make([]*ir.Block, len(blocks))
	for i, b := range blocks {
		if b == nil {
			continue
		}
		made[i] = &ir.Block{}
		for _, s := range b.Stmts {
			made[i].Stmts = append(made[i].Stmts, in.statement(s)...)
		}
	}
	return made
}

// statement is one with what it asks for in it. What is in a loop would be
// evaluated again and again, and what is under a with asks of other documents.
func (in *inliner) statement(s ir.Stmt) []ir.Stmt {
	switch s := s.(type) {
	case *ir.BlockStmt, *ir.NotStmt:
		return []ir.Stmt{withBlocks(s, in.blocks)}
	case *ir.CallStmt:
		if planned := in.planned[s.Func]; planned != nil && in.asked[s.Func] == 1 && len(planned.Params) == 2 {
			in.rule(planned)
			if in.fits(planned) {
				return in.body(planned, s.Result)
			}
		}
	}
	return []ir.Stmt{s}
}

// fits reports whether a rule may stand where it is asked for: it has few blocks,
// or it would need its index; it depends on a request, or it would be evaluated
// beforehand; it says more than what is at a path of the input, and leaves by its
// end alone.
func (in *inliner) fits(planned *ir.Func) bool {
	if _, isPath := in.answersPath(planned); isPath || !in.varies[planned.Name] || len(planned.Blocks) > worthwhile {
		return false
	}
	for i, b := range planned.Blocks {
		stmts := b.Stmts
		if i == len(planned.Blocks)-1 {
			if len(stmts) == 0 {
				return false
			}
			stmts = stmts[:len(stmts)-1]
		}
		if leaves(stmts, 0) || returns(stmts) {
			return false
		}
	}
	s, ok := last(planned)
	return ok && s.Source > ir.Data
}

// last is the return that a function ends with.
func last(planned *ir.Func) (*ir.ReturnLocalStmt, bool) {
	stmts := planned.Blocks[len(planned.Blocks)-1].Stmts
	s, ok := stmts[len(stmts)-1].(*ir.ReturnLocalStmt)
	return s, ok
}

func returns(stmts []ir.Stmt) bool {
	for _, s := range stmts {
		if _, ok := s.(*ir.ReturnLocalStmt); ok {
			return true
		}
		for _, b := range within(s) {
			if b != nil && returns(b.Stmts) {
				return true
			}
		}
	}
	return false
}

// body are the statements that make result what a rule says, and end the block
// where that is undefined.
func (in *inliner) body(planned *ir.Func, result ir.Local) (body []ir.Stmt) {
	blocks := renamed(reflect.ValueOf(planned.Blocks), in.room).Interface().([]*ir.Block)
	returned, _ := last(planned)
	from := returned.Source + in.room
	in.room += firstFree(planned.Blocks)
	end := blocks[len(blocks)-1]
	end.Stmts = end.Stmts[:len(end.Stmts)-1]
	for len(blocks) > 1 && makes(blocks[0]) {
		body, blocks = append(body, blocks[0].Stmts...), blocks[1:]
	}
	if len(blocks) == 1 && len(body) == 0 {
		body = blocks[0].Stmts
	} else {
		body = append(body, &ir.BlockStmt{Blocks: blocks}, &ir.IsDefinedStmt{Source: from})
	}
	return append(body, &ir.AssignVarStmt{Source: ir.Operand{Value: &from}, Target: result})
}

// makes reports whether a block always comes to its end.
func makes(b *ir.Block) bool {
	for _, s := range b.Stmts {
		switch s.(type) {
		case *ir.MakeSetStmt, *ir.MakeObjectStmt, *ir.MakeArrayStmt, *ir.ResetLocalStmt:
		default:
			return false
		}
	}
	return true
}

// renamed is a part of a plan with other locals, each so much higher; input and
// data are the same everywhere.
func renamed(of reflect.Value, by ir.Local) reflect.Value {
	made := reflect.New(of.Type()).Elem()
	switch of.Kind() {
	case reflect.Interface, reflect.Pointer:
		if of.IsNil() {
			return of
		}
		inner := renamed(of.Elem(), by)
		if of.Kind() == reflect.Pointer {
			made.Set(reflect.New(inner.Type()))
			made.Elem().Set(inner)
			return made
		}
		made.Set(inner)
	case reflect.Slice:
		made.Set(reflect.MakeSlice(of.Type(), of.Len(), of.Len()))
		for i := range of.Len() {
			made.Index(i).Set(renamed(of.Index(i), by))
		}
	case reflect.Struct:
		made.Set(of)
		for i := range of.NumField() {
			if made.Field(i).CanSet() {
				made.Field(i).Set(renamed(of.Field(i), by))
			}
		}
	default:
		made.Set(of)
		if l, ok := of.Interface().(ir.Local); ok && l > ir.Data {
			made.Set(reflect.ValueOf(l + by))
		}
	}
	return made
}

// firstFree is the first local that no statement has.
func firstFree(blocks []*ir.Block) ir.Local {
	highest := ir.Data
	var look func(of reflect.Value)
	look = func(of reflect.Value) {
		switch of.Kind() {
		case reflect.Interface, reflect.Pointer:
			if !of.IsNil() {
				look(of.Elem())
			}
		case reflect.Slice:
			for i := range of.Len() {
				look(of.Index(i))
			}
		case reflect.Struct:
			for i := range of.NumField() {
				if of.Type().Field(i).IsExported() {
					look(of.Field(i))
				}
			}
		default:
			if l, ok := of.Interface().(ir.Local); ok {
				highest = max(highest, l)
			}
		}
	}
	look(reflect.ValueOf(blocks))
	return highest + 1
}
