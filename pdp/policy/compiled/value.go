package compiled

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/remit-pdp/remit/pdp/value"
)

// kind says what a [val] is. The order is Rego's order between types.
type kind uint8

const (
	undefined kind = iota
	null
	boolean
	number
	str
	array
	object
	set
)

// val is one value of an evaluation: immutable, but for a composite that the
// statement sequence which makes it is still filling. The zero val is
// undefined.
//
// A number is the integer n where whole is set, else its decimal text in s, so
// that no digit is lost (Rego's numbers are decimal). of is a *list, *dict or
// *members; an object may also be a [value.Object], a view that is asked for
// one member at a time.
type val struct {
	k     kind
	whole bool
	n     int64
	s     string
	of    any
}

func ofBool(b bool) val {
	if b {
		return val{k: boolean, n: 1}
	}
	return val{k: boolean}
}

func ofInt(n int64) val     { return val{k: number, whole: true, n: n} }
func ofStr(s string) val    { return val{k: str, s: s} }
func ofList(l *list) val    { return val{k: array, of: l} }
func ofDict(d *dict) val    { return val{k: object, of: d} }
func ofSet(m *members) val  { return val{k: set, of: m} }
func (v val) defined() bool { return v.k != undefined }

// holds reports whether a condition with this value does.
func (v *val) holds() bool { return v.k != undefined && (v.k != boolean || v.n != 0) }

func (v val) isString() bool { return v.k == str }

// ofNumber reads decimal text; what is an integer of 64 bits, written as one,
// is kept as such.
func ofNumber(text string) val {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && (len(text) < 2 || (text[0] != '0' && text[0] != '+' && text != "-0")) {
		return ofInt(n)
	}
	return val{k: number, s: text}
}

// literal is a number's decimal text.
func (v val) literal() string {
	if v.whole {
		return strconv.FormatInt(v.n, 10)
	}
	return v.s
}

// integer returns the number v is as an int, and whether it is a whole one.
func (v val) integer() (int, bool) {
	if v.k != number {
		return 0, false
	}
	if v.whole {
		return int(v.n), true
	}
	return ast.Number(v.s).Int()
}

// float is the nearest float64 of a number.
func (v val) float() float64 {
	if v.whole {
		return float64(v.n)
	}
	f, err := strconv.ParseFloat(v.s, 64)
	if err != nil {
		return math.Copysign(math.Inf(1), f)
	}
	return f
}

// list is an array.
type list struct {
	items []val
	fixed bool // it is constant, and so is all in it
	view  []value.Value
}

// fromView turns what the policy reads of a request into a val. Objects stay
// views; arrays become lists of views.
func fromView(v *value.Value) (made val) {
	made.take(v)
	return made
}

// take is fromView in place.
func (v *val) take(from *value.Value) {
	switch from.Kind() {
	case value.Null:
		*v = val{k: null}
	case value.Bool:
		b, _ := from.Bool()
		*v = ofBool(b)
	case value.Number:
		if n, ok := from.Int(); ok {
			*v = val{k: number, whole: true, n: n}
			return
		}
		text, _ := from.Literal()
		*v = val{k: number, s: text}
	case value.String:
		*v = val{k: str, s: from.Text()}
	case value.Array:
		views := from.Items()
		items := make([]val, len(views))
		for i := range views {
			items[i].take(&views[i])
		}
		*v = ofList(&list{items: items})
	case value.Map:
		*v = val{k: object, of: from.Object()}
	default:
		*v = val{}
	}
}

// fromAST turns a value of OPA's into a val.
func fromAST(v ast.Value) val {
	switch v := v.(type) {
	case ast.Null:
		return val{k: null}
	case ast.Boolean:
		return ofBool(bool(v))
	case ast.Number:
		return ofNumber(string(v))
	case ast.String:
		return ofStr(string(v))
	case *ast.Array:
		l := &list{items: make([]val, 0, v.Len())}
		v.Foreach(func(t *ast.Term) { l.items = append(l.items, fromAST(t.Value)) })
		return ofList(l)
	case ast.Object:
		d := newDict(v.Len())
		v.Foreach(func(key, item *ast.Term) { d.insert(fromAST(key.Value), fromAST(item.Value)) })
		return ofDict(d)
	case ast.Set:
		m := newMembers(v.Len())
		v.Foreach(func(t *ast.Term) { m.add(fromAST(t.Value)) })
		return ofSet(m)
	default:
		return val{}
	}
}

// toAST is v as a builtin of OPA's reads it.
func toAST(v val) *ast.Term {
	switch v.k {
	case null:
		return ast.InternedNullTerm
	case boolean:
		return ast.InternedTerm(v.n == 1)
	case number:
		if v.whole {
			return ast.InternedTerm(int(v.n))
		}
		return ast.NumberTerm(json.Number(v.s))
	case str:
		return ast.StringTerm(v.s)
	case array:
		terms := make([]*ast.Term, 0, length(v))
		each(v, func(_, item val) bool { terms = append(terms, toAST(item)); return true })
		return ast.ArrayTerm(terms...)
	case object:
		pairs := make([][2]*ast.Term, 0, length(v))
		each(v, func(key, item val) bool {
			pairs = append(pairs, [2]*ast.Term{toAST(key), toAST(item)})
			return true
		})
		return ast.ObjectTerm(pairs...)
	case set:
		terms := make([]*ast.Term, 0, length(v))
		each(v, func(_, item val) bool { terms = append(terms, toAST(item)); return true })
		return ast.SetTerm(terms...)
	default:
		return nil
	}
}
