package value

// Members returns what the object v holds, in the order of Range; nil for
// anything else. Nothing is copied where it is materialised already, so the
// slice must not be changed.
func (v Value) Members() Members {
	if m, ok := materialised(v.in); ok {
		return m
	}
	var all Members
	v.Range(func(name string, member Value) bool {
		all = append(all, Member{name, member})
		return true
	})
	return all
}

// Empty reports whether v is an object without members.
func (v Value) Empty() bool {
	if v.kind != Map {
		return false
	}
	empty := true
	v.in.Range(func(string, Value) bool { empty = false; return false })
	return empty
}

// materialised returns the members of an object that is made of nothing else.
func materialised(o Object) (Members, bool) {
	switch m := o.(type) {
	case *Members: // of a document that was parsed
		return *m, true
	case Members:
		return m, true
	}
	return nil, false
}

// sortedMembers returns what the object v holds, sorted by name.
func sortedMembers(v Value) Members {
	if m, ok := materialised(v.in); ok {
		return m
	}
	return NewMembers(v.Members())
}
