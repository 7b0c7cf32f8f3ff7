package value

import (
	"cmp"
	"slices"
	"unicode"
	"unicode/utf8"
)

// HasCaseCollision reports whether an object in v, at any depth, has two names
// that differ only in case ("name" and "Name", or k and U+212A KELVIN SIGN).
//
// To JSON they are two names (RFC 8259 §4), but a reader that ignores case, as
// Go's encoding/json does for structs, takes the later one for the other: a
// policy would judge one value and the tool use the other (GHSA-4gph-2hhr-5mwg).
// Names are compared as encoding/json does, by Unicode simple case folding, and
// besides by simple upper and lower case, which is how Java's equalsIgnoreCase
// finds dotless ı equal to i. Foldings that depend on a language or change the
// number of characters (ß and ss) are not.
func HasCaseCollision(v Value) bool { return hasCaseCollision(&v) }

// hasCaseCollision takes an address because copying values is most of the work.
// Array and Map are the last kinds.
func hasCaseCollision(v *Value) bool {
	switch v.kind {
	case Array:
		items := v.Items()
		for i := range items {
			if item := &items[i]; item.kind >= Array && hasCaseCollision(item) {
				return true
			}
		}
	case Map:
		all := v.Members()
		if namesCollide(all) {
			return true
		}
		for i := range all {
			if member := &all[i].Value; member.kind >= Array && hasCaseCollision(member) {
				return true
			}
		}
	}
	return false
}

// namesCollide compares the names of one object. Where several could fold to
// something other than they are it sorts them, so that the time a caller can
// cause does not grow with the square of their number.
func namesCollide(all Members) bool {
	foldables, last := 0, 0
	for i := range all {
		if foldable(all[i].Name) {
			foldables, last = foldables+1, i
		}
	}
	switch foldables {
	case 0:
		return false // they are what they fold to, and distinct
	case 1:
		for i := range all {
			if i != last && compareFolded(all[i].Name, all[last].Name) == 0 {
				return true
			}
		}
		return false
	}
	names := make([]string, 0, 16)
	for i := range all {
		names = append(names, all[i].Name)
	}
	slices.SortFunc(names, compareFolded)
	for i := 1; i < len(names); i++ {
		if compareFolded(names[i-1], names[i]) == 0 {
			return true
		}
	}
	return false
}

// foldable reports whether s may fold to something other than s.
func foldable(s string) bool {
	for _, c := range []byte(s) {
		if c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return true
		}
	}
	return false
}

// compareFolded orders names by what they fold to; 0 means they fold alike.
func compareFolded(a, b string) int {
	for a != "" && b != "" {
		x, sizeA := utf8.DecodeRuneInString(a)
		y, sizeB := utf8.DecodeRuneInString(b)
		if x != y {
			if order := cmp.Compare(fold(x), fold(y)); order != 0 {
				return order
			}
		}
		a, b = a[sizeA:], b[sizeB:]
	}
	return cmp.Compare(len(a), len(b))
}

// fold returns the same rune for all runes that differ only in case.
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	r = unicode.ToLower(unicode.ToUpper(r))
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if least < utf8.RuneSelf {
		return fold(least) // an orbit with letters of ASCII has the upper-case one least
	}
	return least
}
