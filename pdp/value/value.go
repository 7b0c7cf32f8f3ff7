// Package value holds the immutable values that a policy reads and the views
// through which it reads them.
//
// A [Value] is one JSON value, or nothing at all: the zero Value is undefined,
// which is neither null nor false. An object is an [Object]: something that is
// asked for one member at a time. It may be materialised ([Members]) or a view
// over a Go struct ([Fields]), in which case no member exists before somebody
// reads it. No step of a decision builds a tree of its input; an engine that
// needs one (OPA's topdown) makes it from the view.
//
// Values never change and may be read by any number of goroutines. A view
// reads its struct at the moment it is asked, so the struct must not change
// for as long as the view is in use: one decision.
package value

import (
	"math"
	"strconv"
)

// Kind says what a [Value] is.
type Kind uint8

// The kinds of a value. The zero Kind is [Undefined].
const (
	Undefined Kind = iota
	Null
	Bool
	Number
	String
	Array
	Map // an object; named Map because [Object] is the interface that reads one
)

// String returns the kind's name as JSON Schema spells it ("object" for Map).
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "boolean"
	case Number:
		return "number"
	case String:
		return "string"
	case Array:
		return "array"
	case Map:
		return "object"
	default:
		return "undefined"
	}
}

// Value is one immutable JSON value. The zero Value is undefined.
type Value struct {
	kind Kind
	// whole is set where a number is the integer n; any other number is kept
	// as its decimal text in s, so that no digit is lost.
	whole bool
	n     int64
	s     string
	// in is what reads an object, or the items of an array: one place for both,
	// because every value that is passed on costs what it is large.
	in Object
}

// Object is something that is read by name, one member at a time.
//
// Get returns the undefined Value where there is no such member. Range calls
// visit for each member that is defined, in an order that is stable for one
// Object, until visit returns false. Both are safe for concurrent use and
// neither may be used to change what is read.
type Object interface {
	Get(name string) Value
	Range(visit func(name string, v Value) bool)
}

// Nothing is the undefined value, for code that reads better with a name.
var Nothing Value

// NullValue returns JSON's null.
func NullValue() Value { return Value{kind: Null} }

// Of returns the boolean b.
func Of(b bool) Value {
	v := Value{kind: Bool}
	if b {
		v.n = 1
	}
	return v
}

// Int returns the integer n.
func Int(n int64) Value { return Value{kind: Number, whole: true, n: n} }

// Float returns the number f. A number that JSON cannot write (NaN, an
// infinity) is undefined.
func Float(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Nothing
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return Int(int64(f))
	}
	return Value{kind: Number, s: strconv.FormatFloat(f, 'g', -1, 64)}
}

// Decimal returns the number written as text, which must be a JSON number;
// integers of 64 bits are kept as integers, everything else as written.
func Decimal(text string) Value {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return Int(n)
	}
	return Value{kind: Number, s: text}
}

// Str returns the string s, which is not copied.
func Str(s string) Value { return Value{kind: String, s: s} }

// OptStr returns the string s, or undefined where it is empty: for fields that
// are absent rather than empty.
func OptStr(s string) Value {
	if s == "" {
		return Nothing
	}
	return Str(s)
}

// List returns the array of items, which the caller must not change afterwards.
func List(all ...Value) Value {
	if len(all) == 0 {
		return Value{kind: Array, in: noItems}
	}
	of := list(all)
	return Value{kind: Array, in: &of}
}

// ListAt is List without making anything: what all points to, and the items, must
// not change for as long as the array is in use.
func ListAt(all *[]Value) Value { return Value{kind: Array, in: (*list)(all)} }

// Strs returns the array of the strings in ss.
func Strs(ss []string) Value {
	all := make([]Value, len(ss))
	for i, s := range ss {
		all[i] = Str(s)
	}
	return List(all...)
}

// From returns the object that o reads; undefined where o is nil.
func From(o Object) Value {
	if o == nil {
		return Nothing
	}
	return Value{kind: Map, in: o}
}

// Kind returns what v is.
func (v Value) Kind() Kind { return v.kind }

// Defined reports whether v is anything at all.
func (v Value) Defined() bool { return v.kind != Undefined }

// Bool returns the boolean v is, and whether it is one.
func (v Value) Bool() (b, ok bool) { return v.n == 1 && v.kind == Bool, v.kind == Bool }

// Int returns the integer v is, and whether it is one that fits 64 bits.
func (v Value) Int() (n int64, ok bool) { return v.n, v.kind == Number && v.whole }

// Str returns the string v is, and whether it is one.
func (v Value) Str() (s string, ok bool) {
	if v.kind != String {
		return "", false
	}
	return v.s, true
}

// Text returns the string v is, or "" where v is not a string.
func (v Value) Text() string {
	s, _ := v.Str()
	return s
}

// Literal returns the decimal text of the number v is, and whether it is one.
func (v Value) Literal() (text string, ok bool) {
	switch {
	case v.kind != Number:
		return "", false
	case v.whole:
		return strconv.FormatInt(v.n, 10), true
	default:
		return v.s, true
	}
}

// Len returns the number of items of an array, and 0 for anything else.
func (v Value) Len() int { return len(v.Items()) }

// At returns item i of an array, and undefined outside of it.
func (v Value) At(i int) Value {
	if all := v.Items(); i >= 0 && i < len(all) {
		return all[i]
	}
	return Nothing
}

// Items returns the items of an array, which must not be changed.
func (v Value) Items() []Value {
	if of, is := v.in.(*list); is {
		return *of
	}
	return nil
}

// Object returns what reads the object v is, and nil for anything else.
func (v Value) Object() Object {
	if v.kind != Map {
		return nil
	}
	return v.in
}

// Get returns member name of an object, and undefined for anything else.
func (v Value) Get(name string) Value {
	if v.kind != Map {
		return Nothing
	}
	return v.in.Get(name)
}

// Range visits the defined members of an object; it does nothing for anything
// else.
func (v Value) Range(visit func(name string, v Value) bool) {
	if v.kind == Map {
		v.in.Range(visit)
	}
}

// Path follows names through nested objects. It returns undefined as soon as
// a step is not there.
func (v Value) Path(names ...string) Value {
	for _, name := range names {
		v = v.Get(name)
	}
	return v
}
