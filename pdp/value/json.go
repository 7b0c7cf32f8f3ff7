package value

import (
	"slices"
	"strings"
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
// escapes are slices of one copy of text, so whoever keeps one for longer than
// the document clones it. Time is linear in the length of text, but for
// sorting names. Memory is bounded by a constant factor too, but a large one:
// "0," becomes one [Value].
func ParseJSON(text []byte) (Value, error) {
	var (
		members [16]Member
		items   [8]Value
	)
	p := parser{text: string(text), members: members[:0], items: items[:0]}
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
	// far, so that each ends as one slice of the right size.
	members []Member
	items   []Value
}

func (p *parser) fail(at int, kind JSONErrorKind, detail string) bool {
	p.err = &JSONError{Offset: at, Kind: kind, Detail: detail}
	return false
}

func (p *parser) document() (Value, bool) {
	if strings.HasPrefix(p.text, "\uFEFF") {
		return Nothing, p.fail(0, JSONBOM, "the text begins with a byte order mark")
	}
	if !utf8.ValidString(p.text) {
		return Nothing, p.fail(firstInvalid(p.text), JSONUTF8, "the text is not valid UTF-8")
	}
	p.space()
	v, ok := p.value()
	if !ok {
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

func (p *parser) value() (Value, bool) {
	switch p.peek() {
	case '"':
		s, ok := p.str()
		return Str(s), ok
	case '{':
		return p.object()
	case '[':
		return p.array()
	case 't':
		return p.literal("true", Of(true))
	case 'f':
		return p.literal("false", Of(false))
	case 'n':
		return p.literal("null", NullValue())
	default:
		return p.number()
	}
}

func (p *parser) literal(word string, v Value) (Value, bool) {
	if !strings.HasPrefix(p.text[p.at:], word) {
		return Nothing, p.fail(p.at, JSONSyntax, "a value is expected")
	}
	p.at += len(word)
	return v, true
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

func (p *parser) array() (Value, bool) {
	empty, ok := p.open(']')
	if !ok || empty {
		return List(), ok
	}
	base := len(p.items)
	for more := true; more; {
		item, ok := p.value()
		if !ok {
			return Nothing, false
		}
		p.items = append(p.items, item)
		if more, ok = p.next(']'); !ok {
			return Nothing, false
		}
	}
	items := make([]Value, len(p.items)-base)
	copy(items, p.items[base:])
	p.items = p.items[:base]
	return List(items...), true
}

func (p *parser) object() (Value, bool) {
	start := p.at
	empty, ok := p.open('}')
	if !ok || empty {
		return From(Members(nil)), ok
	}
	base := len(p.members)
	for more := true; more; {
		name, ok := p.name()
		if !ok {
			return Nothing, false
		}
		v, ok := p.value()
		if !ok {
			return Nothing, false
		}
		p.members = append(p.members, Member{name, v})
		if more, ok = p.next('}'); !ok {
			return Nothing, false
		}
	}
	return p.closeObject(start, base)
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

// closeObject makes the object of the members from base on, which began at
// start. Sorting brings duplicates side by side, so that finding them is not
// quadratic in what a caller may send.
func (p *parser) closeObject(start, base int) (Value, bool) {
	members := make(Members, len(p.members)-base)
	copy(members, p.members[base:])
	p.members = p.members[:base]
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(members); i++ {
		if members[i].Name == members[i-1].Name {
			return Nothing, p.fail(start, JSONDuplicateKey, "an object has a name twice")
		}
	}
	return From(members), true
}
