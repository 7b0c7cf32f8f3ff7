package value

import (
	"slices"
	"strings"
)

// Member is one name and value of an object.
type Member struct {
	Name  string
	Value Value
}

// Members is a materialised object, sorted by name. Make one with [NewMembers].
type Members []Member

// NewMembers returns the object of the members that are defined. Where a name
// occurs twice the later one wins; a reader that must refuse duplicates does
// so before. The slice is taken over and sorted in place.
func NewMembers(members []Member) Members {
	slices.SortStableFunc(members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	kept := members[:0]
	for _, m := range members {
		switch last := len(kept) - 1; {
		case last >= 0 && kept[last].Name == m.Name:
			kept[last] = m
		default:
			kept = append(kept, m)
		}
	}
	return slices.DeleteFunc(kept, func(m Member) bool { return !m.Value.Defined() })
}

// Obj returns the object of members, as [NewMembers] makes it.
func Obj(members ...Member) Value { return From(NewMembers(members)) }

// M returns the member name with value v.
func M(name string, v Value) Member { return Member{name, v} }

// few is up to how many members are looked through: names differ in length or
// in an early byte, so that comparing them all costs less than searching.
const few = 8

// Get returns member name, or undefined.
func (m Members) Get(name string) Value {
	if i, ok := m.Find(name); ok {
		return m[i].Value
	}
	return Nothing
}

// Find returns where member name is, and whether it is there.
func (m Members) Find(name string) (i int, ok bool) {
	if len(m) <= few {
		for i := range m {
			if m[i].Name == name {
				return i, true
			}
		}
		return 0, false
	}
	low, high := 0, len(m)
	for low < high { // by hand, because a search by function copies whole members
		if middle := (low + high) / 2; m[middle].Name < name {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < len(m) && m[low].Name == name
}

// Range visits every member in the order of names.
func (m Members) Range(visit func(string, Value) bool) {
	for _, member := range m {
		if !visit(member.Name, member.Value) {
			return
		}
	}
}

// AppendNames implements the interface that [AppendNames] asks for.
func (m Members) AppendNames(names []string) []string {
	for i := range m {
		names = append(names, m[i].Name)
	}
	return names
}

// AppendNames appends the names of the members of an object, in the order of
// Range; nothing for anything else. Where an Object has a method of this name
// that does the same, it is called: so it can be without making anything.
func AppendNames(names []string, v Value) []string {
	switch o := v.in.(type) {
	case nil:
		return names
	case interface{ AppendNames([]string) []string }:
		return o.AppendNames(names)
	default:
		return appendNames(names, o)
	}
}

func appendNames(names []string, o Object) []string {
	o.Range(func(name string, _ Value) bool { names = append(names, name); return true })
	return names
}

// Copy returns v such that nothing of it is read from anywhere else any more,
// for what is kept beyond the life of a view. What is materialised already is
// taken as it is.
func (v Value) Copy() Value {
	switch o := v.in.(type) {
	case nil:
		return v
	case *list:
		all := make([]Value, len(*o))
		for i, item := range *o {
			all[i] = item.Copy()
		}
		return List(all...)
	case Members, *Members:
		return v
	default:
		var all []Member
		o.Range(func(name string, m Value) bool { all = append(all, Member{name, m.Copy()}); return true })
		return Obj(all...)
	}
}

// StrMap returns the object whose members are the strings of m.
func StrMap(m map[string]string) Value {
	members := make([]Member, 0, len(m))
	for name, s := range m {
		members = append(members, Member{name, Str(s)})
	}
	return From(NewMembers(members))
}

// Field is one member of a struct's view: its name, and how it is read.
type Field[T any] struct {
	Name string
	Read func(*T) Value
}

// shape says which members the objects of a kind can have, and numbers them.
type shape struct {
	names []string
	index map[string]int
}

// Sight is where a member was found the last time. The same name of another
// object of the same kind is in the same place, so that who reads many of them
// looks it up once. The zero Sight has seen nothing. It is for one goroutine, and
// for one name.
type Sight struct {
	shape *shape
	at    int
}

// Seen is an [Object] whose members are found again where they were.
type Seen interface {
	Object
	// See is Get, with what it remembers in last.
	See(name string, last *Sight) Value
}

// See implements [Seen]: what a client sends again has the same members.
func (m Members) See(name string, last *Sight) Value {
	if last.at < len(m) && m[last.at].Name == name {
		return m[last.at].Value
	}
	at, ok := m.Find(name)
	if !ok {
		return Nothing
	}
	*last = Sight{at: at}
	return m[at].Value
}

// Fields describes how a struct of type T reads as an object: a fixed list of
// members, each read when it is asked for. Make one per type, once, with
// [NewFields]; it never changes.
type Fields[T any] struct {
	fields []Field[T]
	shape  shape
}

// NewFields returns the description made of fields, which are visited in this
// order. It panics where two share a name: that is a mistake in the program.
func NewFields[T any](fields ...Field[T]) *Fields[T] {
	named := shape{index: make(map[string]int, len(fields))}
	for i, f := range fields {
		if _, twice := named.index[f.Name]; twice {
			panic("value: field " + f.Name + " described twice")
		}
		named.index[f.Name] = i
		named.names = append(named.names, f.Name)
	}
	return &Fields[T]{fields, named}
}

// Names returns the names of all members, in the order they are visited.
func (f *Fields[T]) Names() []string { return slices.Clone(f.shape.names) }

// Of returns t as an object; undefined where t is nil.
func (f *Fields[T]) Of(t *T) Value { return f.In(new(View[T]), t) }

// In is Of without making anything: v is the view, and the caller's to keep for
// as long as the object is in use.
func (f *Fields[T]) In(v *View[T], t *T) Value {
	if t == nil {
		return Nothing
	}
	v.fields, v.of = f, t
	return From(v)
}

// Box returns t, which it keeps a copy of, as an object.
func (f *Fields[T]) Box(t T) Value {
	boxed := &struct {
		view View[T]
		of   T
	}{of: t}
	return f.In(&boxed.view, &boxed.of)
}

// View reads a struct as an object. The zero View is good for [Fields.In], and
// reads nothing before that.
type View[T any] struct {
	fields *Fields[T]
	of     *T
}

// Get implements [Object].
func (v *View[T]) Get(name string) Value {
	i, ok := v.fields.shape.index[name]
	if !ok {
		return Nothing
	}
	return v.fields.fields[i].Read(v.of)
}

// Range implements [Object].
func (v *View[T]) Range(visit func(string, Value) bool) {
	for _, field := range v.fields.fields {
		if member := field.Read(v.of); member.Defined() && !visit(field.Name, member) {
			return
		}
	}
}

// See implements [Seen].
func (v *View[T]) See(name string, last *Sight) Value {
	if last.shape != &v.fields.shape {
		at, ok := v.fields.shape.index[name]
		if !ok {
			return Nothing
		}
		*last = Sight{&v.fields.shape, at}
	}
	return v.fields.fields[last.at].Read(v.of)
}
