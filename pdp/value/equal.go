package value

// Equal reports whether a and b are the same value. Objects are compared by
// name, whatever their order and whether they are views or [Members]; strings
// byte by byte; numbers by what they are worth, not by how they are written:
// 1, 1.0 and 10e-1 are equal, and so are 0 and -0.0. Numbers are compared
// exactly and in time linear in their text; where an exponent exceeds 32 bits
// the texts themselves are compared. Undefined equals only undefined.
func Equal(a, b Value) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case Bool:
		return a.n == b.n
	case Number:
		return equalNumbers(a, b)
	case String:
		return a.s == b.s
	case Array:
		return equalArrays(a.Items(), b.Items())
	case Map:
		return equalObjects(sortedMembers(a), sortedMembers(b))
	default:
		return true
	}
}

func equalNumbers(a, b Value) bool {
	if a.whole && b.whole {
		return a.n == b.n
	}
	textA, _ := a.Literal()
	textB, _ := b.Literal()
	if textA == textB {
		return true
	}
	x, ok := parseDecimal(textA)
	if !ok {
		return false
	}
	y, ok := parseDecimal(textB)
	return ok && x.equal(y)
}

func equalArrays(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func equalObjects(a, b Members) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || !Equal(a[i].Value, b[i].Value) {
			return false
		}
	}
	return true
}
