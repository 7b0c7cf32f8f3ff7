package policy

import (
	"encoding/json"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/remit-pdp/remit/pdp/value"
)

// selection says which members of input the bundle can read, two levels deep:
// only those are built for topdown. A nil inner map is the whole member; a nil
// selection is everything.
type selection map[string]map[string]bool

// inputReads finds out what a bundle reads of its input. A reference that is
// computed reads everything at its level; input on its own is a reference of
// length one, which reads all.
func inputReads(compiler *ast.Compiler) selection {
	reads, all := make(selection), false
	for _, m := range compiler.Modules {
		ast.WalkRefs(m, func(r ast.Ref) bool {
			if r[0].Equal(ast.InputRootDocument) {
				all = all || !reads.add(r)
			}
			return false
		})
	}
	if all {
		return nil
	}
	return reads
}

// add adds what a reference reads; false where it reads all of input.
func (s selection) add(r ast.Ref) bool {
	if len(r) < 2 {
		return false
	}
	top, ok := r[1].Value.(ast.String)
	if !ok {
		return false
	}
	inner, seen := s[string(top)]
	if seen && inner == nil {
		return true
	}
	if len(r) > 2 {
		if member, ok := r[2].Value.(ast.String); ok {
			if inner == nil {
				inner = make(map[string]bool)
				s[string(top)] = inner
			}
			inner[string(member)] = true
			return true
		}
	}
	s[string(top)] = nil
	return true
}

// tree builds what topdown reads of the input.
func (s selection) tree(input value.Value) ast.Value {
	if s == nil {
		return term(input).Value
	}
	members := make([][2]*ast.Term, 0, len(s))
	for top, inner := range s {
		v := input.Get(top)
		if !v.Defined() {
			continue
		}
		if inner == nil || v.Kind() != value.Map {
			members = append(members, [2]*ast.Term{ast.InternedTerm(top), term(v)})
			continue
		}
		some := make([][2]*ast.Term, 0, len(inner))
		for name := range inner {
			if member := v.Get(name); member.Defined() {
				some = append(some, [2]*ast.Term{ast.InternedTerm(name), term(member)})
			}
		}
		members = append(members, [2]*ast.Term{ast.InternedTerm(top), ast.ObjectTerm(some...)})
	}
	return ast.NewObject(members...)
}

// term builds the whole of a value.
func term(v value.Value) *ast.Term {
	switch v.Kind() {
	case value.Bool:
		b, _ := v.Bool()
		return ast.InternedTerm(b)
	case value.Number:
		if n, ok := v.Int(); ok && int64(int(n)) == n {
			return ast.InternedTerm(int(n))
		}
		text, _ := v.Literal()
		return ast.NumberTerm(json.Number(text))
	case value.String:
		return ast.StringTerm(v.Text())
	case value.Array:
		items := make([]*ast.Term, v.Len())
		for i, item := range v.Items() {
			items[i] = term(item)
		}
		return ast.ArrayTerm(items...)
	case value.Map:
		var members [][2]*ast.Term
		v.Range(func(name string, member value.Value) bool {
			members = append(members, [2]*ast.Term{ast.InternedTerm(name), term(member)})
			return true
		})
		return ast.ObjectTerm(members...)
	default:
		return ast.InternedNullTerm
	}
}
