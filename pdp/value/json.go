package value

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// MaxJSONDepth is how many arrays and objects [ParseJSON] accepts inside each
// other. Tools have limits from 100 upwards; a real call needs about ten.
const MaxJSONDepth = 64

// ParseJSON reads text as exactly one JSON value (RFC 8259) and refuses every
// text that two correct readers could read differently: what a policy sees
// must be what the tool gets. It repairs nothing. Refused are, besides errors
// of syntax: a byte order mark, invalid UTF-8, escapes for half a surrogate
// pair, escapes for U+0000 (in names and strings alike), a name that occurs
// twice in one object (compared byte by byte after unescaping), nesting beyond
// [MaxJSONDepth], anything after the value, and lossy numbers.
//
// A number is lossy, and refused, where a reader that keeps float64 (JavaScript,
// most of Go) would see another one than a reader that keeps every digit:
//
//   - an integer literal beyond ±(2^53-1), the range of RFC 7493 §2.2, also
//     where that very integer has a float64: its neighbours share it;
//   - a literal with fraction or exponent whose float64, printed as shortly as
//     identifies it, is not numerically the literal; overflow and underflow
//     are cases of it;
//   - an exponent beyond ±400, even for zero: no float64 needs it, and readers
//     of exact decimals take space in proportion to it.
//
// Minus zero is accepted, for every reader finds it equal to zero: "-0" is
// read as the integer 0, "-0.0" is kept as written. A number with a fraction or
// an exponent is never read as an integer: see [Value.Literal].
//
// The error is always a [*JSONError]. Objects are [Members]. Strings without
// escapes are slices of text, or of one copy of it where it is bytes, so whoever
// keeps one for longer than the document clones it. Time is linear in the length
// of text but for sorting names. Memory is linear too, with a large factor: the
// two bytes "0," become one [Value] (48 bytes), and while a long array is read up
// to five of them, so bound the length of a text before. ParseJSON may be called
// by any number of goroutines.
func ParseJSON[T ~string | ~[]byte](text T) (Value, error) {
	p := parsers.Get().(*parser)
	defer p.release()
	p.text = string(text)
	v, ok := p.document()
	if !ok {
		return Nothing, p.err
	}
	return v, nil
}

// parser reads one text. Its methods return false once err is set.
type parser struct {
	text  string
	at    int
	depth int
	err   *JSONError
	// members and items are stacks of what the open objects and arrays hold so
	// far, so that each ends as one slice of the right size. What is taken off
	// a stack is cleared, so that no text outlives its document here.
	members []Member
	items   []Value
	// room and boxes are what is left of what was made for this document's
	// objects: all of them live and end with it, and one allocation serves many.
	room  []Member
	boxes []Members
}

// parsers keeps the stacks of parsers at rest.
var parsers = sync.Pool{New: func() any { return new(parser) }}

// keptStack is up to how many elements a stack is kept for the next document.
const keptStack = 256

func (p *parser) release() {
	members, items := p.members, p.items
	if cap(members) > keptStack {
		members = nil
	}
	if cap(items) > keptStack {
		items = nil
	}
	clear(members)
	clear(items)
	*p = parser{members: members[:0], items: items[:0]}
	parsers.Put(p)
}

func (p *parser) fail(at int, kind JSONErrorKind, detail string) bool {
	p.err = &JSONError{Offset: at, Kind: kind, Detail: detail}
	return false
}

func (p *parser) document() (v Value, ok bool) {
	if strings.HasPrefix(p.text, "\uFEFF") {
		return Nothing, p.fail(0, JSONBOM, "the text begins with a byte order mark")
	}
	if !utf8.ValidString(p.text) {
		return Nothing, p.fail(firstInvalid(p.text), JSONUTF8, "the text is not valid UTF-8")
	}
	p.space()
	if !p.value(&v) {
		return Nothing, false
	}
	if p.space(); p.at < len(p.text) {
		return Nothing, p.fail(p.at, JSONTrailing, "something follows the value")
	}
	return v, true
}

// firstInvalid returns the offset of the first byte of s that is not UTF-8.
func firstInvalid(s string) int {
	for i, r := range s {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
			return i
		}
	}
	return len(s)
}

// peek returns the next byte, and 0, which begins no token, at the end.
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// space skips the white space of RFC 8259 §2.
func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\n', '\r', '\t':
			p.at++
		default:
			return
		}
	}
}

// value reads one value into v, which must be undefined before. Values are
// handed down rather than returned because copying them is half of the work.
func (p *parser) value(v *Value) bool {
	switch p.peek() {
	case '"':
		s, ok := p.str()
		v.kind, v.s = String, s
		return ok
	case '{':
		return p.object(v)
	case '[':
		return p.array(v)
	case 't':
		v.kind, v.n = Bool, 1
		return p.literal("true")
	case 'f':
		v.kind = Bool
		return p.literal("false")
	case 'n':
		v.kind = Null
		return p.literal("null")
	default:
		v.kind = Number
		return p.number(v)
	}
}

func (p *parser) literal(word string) bool {
	if !strings.HasPrefix(p.text[p.at:], word) {
		return p.fail(p.at, JSONSyntax, "a value is expected")
	}
	p.at += len(word)
	return true
}

// open steps over the bracket or brace that begins an array or object. It
// reports whether the closing one follows at once, which it steps over too.
func (p *parser) open(closing byte) (empty, ok bool) {
	if p.depth == MaxJSONDepth {
		return false, p.fail(p.at, JSONDepth, "arrays and objects are nested too deeply")
	}
	p.depth++
	p.at++
	p.space()
	if p.peek() != closing {
		return false, true
	}
	p.depth--
	p.at++
	return true, true
}

// next steps over what follows an item or member: the closing bracket or brace,
// or a comma.
func (p *parser) next(closing byte) (more, ok bool) {
	p.space()
	switch p.peek() {
	case ',':
		p.at++
		p.space()
		return true, true
	case closing:
		p.depth--
		p.at++
		return false, true
	default:
		return false, p.fail(p.at, JSONSyntax, "a comma or the end of the array or object is expected")
	}
}

func (p *parser) array(v *Value) bool {
	v.kind, v.in = Array, noItems
	empty, ok := p.open(']')
	if !ok || empty {
		return ok
	}
	base := len(p.items)
	var item Value // outside of the loop, or the compiler would put it on the heap
	for more := true; more; {
		item = Nothing
		if !p.value(&item) {
			return false
		}
		p.items = append(roomy(p.items), item)
		if more, ok = p.next(']'); !ok {
			return false
		}
	}
	all := list(pop(&p.items, base))
	v.in = &all
	return true
}

func (p *parser) object(v *Value) bool {
	start := p.at
	v.kind, v.in = Map, noMembers
	empty, ok := p.open('}')
	if !ok || empty {
		return ok
	}
	base := len(p.members)
	var m Member // outside of the loop, or the compiler would put it on the heap
	for more := true; more; {
		m.Value = Nothing
		if m.Name, ok = p.name(); !ok || !p.value(&m.Value) {
			return false
		}
		p.members = append(roomy(p.members), m)
		if more, ok = p.next('}'); !ok {
			return false
		}
	}
	members := p.take(base)
	v.in = p.box(members)
	return p.distinct(members, start)
}

// noMembers is the empty object.
var noMembers = new(Members)

// take takes the members from base on off the stack, as a slice of their own.
func (p *parser) take(base int) Members {
	top := p.members[base:]
	if len(p.room) < len(top) {
		expected := len(p.members) + p.depth + (len(p.text)-p.at)/bytesPerMember
		p.room = make([]Member, max(len(top), min(expected, mostRoom)))
	}
	taken := p.room[:len(top):len(top)]
	p.room = p.room[len(top):]
	copy(taken, top)
	clear(top)
	p.members = p.members[:base]
	return taken
}

// How much room is made at once: for what is on the stack, for this object and
// those around it, which will be members themselves, and for what the rest of the
// text may hold. Objects end from the inside to the outside, so when the first one
// does, most members of a call are on the stack.
const (
	bytesPerMember = 32
	mostRoom       = 64
)

// box returns what reads members, which has an address of its own.
func (p *parser) box(members Members) *Members {
	if len(p.boxes) == 0 {
		p.boxes = make([]Members, 4)
	}
	box := &p.boxes[0]
	p.boxes = p.boxes[1:]
	*box = members
	return box
}

// name reads the name of a member and the colon after it.
func (p *parser) name() (string, bool) {
	if p.peek() != '"' {
		return "", p.fail(p.at, JSONSyntax, "a name in double quotes is expected")
	}
	name, ok := p.str()
	if !ok {
		return "", false
	}
	if p.space(); p.peek() != ':' {
		return "", p.fail(p.at, JSONSyntax, "a colon is expected")
	}
	p.at++
	p.space()
	return name, true
}

// distinct sorts the members of the object that began at start, which brings
// duplicates side by side: finding them must not take time that grows with the
// square of what a caller may send.
func (p *parser) distinct(members Members, start int) bool {
	sortMembers(members)
	for i := 1; i < len(members); i++ {
		if members[i].Name == members[i-1].Name {
			return p.fail(start, JSONDuplicateKey, "an object has a name twice")
		}
	}
	return true
}

// sortMembers sorts by name. The few members an object usually has are sorted
// by insertion, which moves least, the more so where they are in order already.
func sortMembers(members Members) {
	if len(members) > 16 {
		slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
		return
	}
	for i := 1; i < len(members); i++ {
		if members[i-1].Name <= members[i].Name {
			continue
		}
		m, j := members[i], i
		for ; j > 0 && members[j-1].Name > m.Name; j-- {
			members[j] = members[j-1]
		}
		members[j] = m
	}
}

// roomy returns stack with room for one more element. It grows to the double,
// because what append does to a long slice, a quarter at a time, would make a
// long array cost five times its size on the way.
func roomy[T any](stack []T) []T {
	if len(stack) < cap(stack) {
		return stack
	}
	return slices.Grow(stack, max(16, cap(stack)))
}

// pop takes the elements from base on off the stack, as a slice of their own.
func pop[T any](stack *[]T, base int) []T {
	top := (*stack)[base:]
	taken := make([]T, len(top))
	copy(taken, top)
	clear(top)
	*stack = (*stack)[:base]
	return taken
}
