package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
)

// Secret is a value that must not be seen: it is taken from the file or the
// environment, never from a flag, which every process on the machine can read,
// and is not written out again.
type Secret string

// MarshalText writes whether there is one.
func (s Secret) MarshalText() ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	return []byte("(secret)"), nil
}

// UnmarshalText reads the secret as it stands there.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}

// leaf is one place in a configuration that a value can be given for.
type leaf struct {
	// key is its name in messages: "listeners[0].deadline".
	key string
	// names are its names as a flag, without dashes. An element of a list is
	// named by its number, and by its name where it has one:
	// "listeners.0.deadline", "listeners.agents.deadline".
	names []string
	typ   reflect.Type
	// at is the place itself. What is not there on the way to it is made.
	at func() reflect.Value
}

func (l *leaf) secret() bool { return l.typ == reflect.TypeFor[Secret]() }

// leaves lists the places in a configuration: the value root points to. Where
// whole is set, those in what is not there yet are listed as well: behind nil
// pointers, and in one more element of each list.
func leaves(root reflect.Value, whole bool) (found []leaf) {
	w := walk{whole: whole, found: &found}
	w.visit(root.Elem(), leaf{names: []string{""}, typ: root.Elem().Type(), at: func() reflect.Value { return root.Elem() }})
	return found
}

type walk struct {
	whole bool
	found *[]leaf
}

// visit lists the places in v, which is at; v is invalid where nothing is there.
func (w *walk) visit(v reflect.Value, at leaf) {
	switch t := at.typ; {
	case isLeaf(t):
		if w.whole || t.Kind() != reflect.Struct {
			*w.found = append(*w.found, at)
		}
		if t.Kind() == reflect.Struct { // that has a short form besides its keys
			w.members(v, at)
		}
	case t.Kind() == reflect.Pointer:
		if !v.IsValid() || v.IsNil() {
			if !w.whole {
				return
			}
			v = reflect.Value{}
		} else {
			v = v.Elem()
		}
		w.visit(v, leaf{at.key, at.names, t.Elem(), func() reflect.Value { return made(at.at()).Elem() }})
	case t.Kind() == reflect.Slice:
		w.elements(v, at)
	default:
		w.members(v, at)
	}
}

// members lists the places in the members of a structure.
func (w *walk) members(v reflect.Value, at leaf) {
	for _, f := range fields(at.typ) {
		w.visit(within(v, f.index), leaf{join(at.key, f.name), joinAll(at.names, f.name), f.typ, func() reflect.Value {
			return at.at().FieldByIndex(f.index)
		}})
	}
}

// elements lists the places in the elements of a list.
func (w *walk) elements(v reflect.Value, at leaf) {
	length := 0
	if v.IsValid() {
		length = v.Len()
	}
	for i := range length {
		names := joinAll(at.names, fmt.Sprint(i))
		if name := nameOf(v.Index(i)); name != "" {
			names = append(names, joinAll(at.names, name)...)
		}
		w.visit(v.Index(i), leaf{fmt.Sprintf("%s[%d]", at.key, i), names, at.typ.Elem(), func() reflect.Value { return at.at().Index(i) }})
	}
	if !w.whole {
		return
	}
	w.visit(reflect.Value{}, leaf{fmt.Sprintf("%s[%d]", at.key, length), joinAll(at.names, fmt.Sprint(length)), at.typ.Elem(), func() reflect.Value {
		list := at.at()
		if list.Len() == length {
			list.Set(reflect.Append(list, reflect.Zero(at.typ.Elem())))
		}
		return list.Index(length)
	}})
}

// made is a pointer that points to something.
func made(pointer reflect.Value) reflect.Value {
	if pointer.IsNil() {
		pointer.Set(reflect.New(pointer.Type().Elem()))
	}
	return pointer
}

// nameOf is the key "name" of an element; "" where it has none.
func nameOf(element reflect.Value) string {
	for element.Kind() == reflect.Pointer && !element.IsNil() {
		element = element.Elem()
	}
	if element.Kind() != reflect.Struct {
		return ""
	}
	for _, f := range fields(element.Type()) {
		if f.name == "name" && f.typ.Kind() == reflect.String {
			return element.FieldByIndex(f.index).String()
		}
	}
	return ""
}

// isLeaf reports whether a value of the type is given as a whole: everything but
// a structure, and a list of structures.
func isLeaf(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	for _, whole := range []reflect.Type{reflect.TypeFor[encoding.TextUnmarshaler](), reflect.TypeFor[yaml.BytesUnmarshaler](), reflect.TypeFor[yaml.InterfaceUnmarshaler]()} {
		if pointer.Implements(whole) {
			return true
		}
	}
	switch t.Kind() {
	case reflect.Struct:
		return false
	case reflect.Slice, reflect.Pointer:
		return isLeaf(t.Elem())
	default:
		return true
	}
}

// field is a key of a structure; those of an inlined one are its own.
type field struct {
	name  string
	index []int
	typ   reflect.Type
}

func fields(t reflect.Type) (found []field) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			for _, inner := range fields(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				found = append(found, inner)
			}
		case f.IsExported() && name != "" && name != "-":
			found = append(found, field{name, []int{i}, f.Type})
		}
	}
	return found
}

func within(v reflect.Value, index []int) reflect.Value {
	if !v.IsValid() {
		return v
	}
	return v.FieldByIndex(index)
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

func joinAll(keys []string, name string) []string {
	joined := make([]string, len(keys))
	for i, key := range keys {
		joined[i] = join(key, name)
	}
	return joined
}
