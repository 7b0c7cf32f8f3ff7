package audit

import (
	"slices"
	"strings"

	"github.com/remit-pdp/remit/pdp/value"
)

// Mask takes parts out of events before they leave. Paths are like those of OPA's
// masks, "/input/target/resource"; "*" is every member or element. What was taken
// out, an event lists under "masked" and "erased", as OPA's does. A mask adds
// nothing and uncovers nothing: it can only take away (invariant 7).
type Mask struct {
	masked, erased [][]string
	token          func(text string) string
}

// NewMask returns a mask that replaces what is at the paths of masked by a token,
// and removes what is at those of erased. token is keyed and stable: what was equal
// stays equal, and nobody finds out what it was by trying.
func NewMask(masked, erased []string, token func(text string) string) *Mask {
	return &Mask{masked: steps(masked), erased: steps(erased), token: token}
}

func steps(paths []string) (all [][]string) {
	for _, path := range paths {
		all = append(all, strings.Split(strings.TrimPrefix(path, "/"), "/"))
	}
	return all
}

// Apply returns the event as it may leave.
func (m *Mask) Apply(event value.Value) value.Value {
	if m == nil || len(m.masked)+len(m.erased) == 0 {
		return event
	}
	event, masked := change(event, m.masked, m.replace)
	event, erased := change(event, m.erased, func(value.Value) value.Value { return value.Nothing })
	if len(masked)+len(erased) == 0 {
		return event
	}
	members := slices.Clone(event.Members())
	if len(masked) > 0 {
		members = append(members, value.M("masked", value.Strs(masked)))
	}
	if len(erased) > 0 {
		members = append(members, value.M("erased", value.Strs(erased)))
	}
	return value.Obj(members...)
}

// replace is the token of a value, whatever its kind.
func (m *Mask) replace(v value.Value) value.Value {
	return value.Str("masked:" + m.token(string(value.AppendJSON(nil, v))))
}

// change applies a change at each of the paths that is there, and returns them as
// they are written.
func change(event value.Value, paths [][]string, by func(value.Value) value.Value) (_ value.Value, found []string) {
	for _, path := range paths {
		there := false
		event = within(event, path, func(v value.Value) value.Value {
			there = true
			return by(v)
		})
		if there {
			found = append(found, "/"+strings.Join(path, "/"))
		}
	}
	return event, found
}

// within returns v with what is at path changed; what is not there stays so.
func within(v value.Value, path []string, by func(value.Value) value.Value) value.Value {
	switch {
	case !v.Defined() || v.Kind() == value.Null:
		return v
	case len(path) == 0:
		return by(v)
	case v.Kind() == value.Array && path[0] == "*":
		var items []value.Value
		for _, item := range v.Items() {
			if item = within(item, path[1:], by); item.Defined() {
				items = append(items, item)
			}
		}
		return value.List(items...)
	case v.Kind() == value.Map:
		members := slices.Clone(v.Members())
		for i := range members {
			if path[0] == "*" || members[i].Name == path[0] {
				members[i].Value = within(members[i].Value, path[1:], by)
			}
		}
		return value.Obj(slices.DeleteFunc(members, func(m value.Member) bool { return !m.Value.Defined() })...)
	default:
		return v
	}
}
