package agents

import (
	"fmt"

	"github.com/remit-pdp/remit/pdp/value"
)

// fields reads the members of an object. It keeps the first mistake, with the
// path of the member.
type fields struct {
	path  string
	of    value.Value
	known map[string]bool
	err   *error
}

// fieldsOf reads v, which errors call path; "" is the body itself.
func fieldsOf(path string, v value.Value, err *error) *fields {
	f := &fields{path: path, of: v, known: make(map[string]bool), err: err}
	if v.Kind() != value.Map {
		f.wrong("", "must be an object")
	}
	return f
}

// wrong keeps a mistake about a member; "" is the object itself.
func (f *fields) wrong(name, format string, args ...any) {
	if *f.err == nil {
		*f.err = fmt.Errorf("%s: %s", f.at(name), fmt.Sprintf(format, args...))
	}
}

func (f *fields) at(name string) string {
	switch {
	case f.path == "" && name == "":
		return "the body"
	case f.path == "":
		return name
	case name == "":
		return f.path
	default:
		return f.path + "." + name
	}
}

func (f *fields) get(name string) value.Value {
	f.known[name] = true
	return f.of.Get(name)
}

// text reads a string of 1 to longest bytes; undefined where it is not there.
func (f *fields) text(name string, longest int) value.Value {
	v := f.get(name)
	if !v.Defined() {
		return v
	}
	if s, ok := v.Str(); !ok || s == "" || len(s) > longest {
		f.wrong(name, "must be a string of 1 to %d bytes", longest)
	}
	return v
}

// texts reads a list of at most most strings.
func (f *fields) texts(name string, most, longest int) value.Value {
	v := f.get(name)
	if !v.Defined() {
		return v
	}
	if v.Kind() != value.Array || v.Len() > most {
		f.wrong(name, "must be a list of at most %d strings", most)
		return v
	}
	for i, item := range v.Items() {
		if s, ok := item.Str(); !ok || s == "" || len(s) > longest {
			f.wrong(fmt.Sprintf("%s[%d]", name, i), "must be a string of 1 to %d bytes", longest)
		}
	}
	return v
}

// number reads a whole number from 1 to highest.
func (f *fields) number(name string, highest int64) value.Value {
	v := f.get(name)
	if !v.Defined() {
		return v
	}
	if n, ok := v.Int(); !ok || n < 1 || n > highest {
		f.wrong(name, "must be a whole number from 1 to %d", highest)
	}
	return v
}

// required says that a member must be there.
func (f *fields) required(names ...string) {
	for _, name := range names {
		if !f.of.Get(name).Defined() {
			f.wrong(name, "is required")
		}
	}
}

// done refuses members that nobody read: a misspelt one would not narrow.
func (f *fields) done() {
	f.of.Range(func(name string, _ value.Value) bool {
		if !f.known[name] {
			f.wrong("", "has a member that is not known: %.64q", name)
		}
		return true
	})
}
