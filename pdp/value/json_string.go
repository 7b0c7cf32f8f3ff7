package value

import (
	"math/bits"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// str reads the string that begins at the quote p is at (RFC 8259 §7).
func (p *parser) str() (string, bool) {
	start := p.at + 1
	end := plainUntil(p.text, start)
	if end < len(p.text) && p.text[end] == '"' {
		p.at = end + 1
		return p.text[start:end], true
	}
	return p.escaped(start, end)
}

// escaped reads a string that begins at start and is plain until at.
func (p *parser) escaped(start, at int) (string, bool) {
	b := make([]byte, 0, 256) // on the stack; what is longer moves to the heap
	for {
		b = append(b, p.text[start:at]...)
		if p.at = at; at == len(p.text) {
			return "", p.fail(at, JSONSyntax, "the text ends inside a string")
		}
		switch p.text[at] {
		case '"':
			p.at++
			return string(b), true
		case '\\':
			r, ok := p.escape()
			if !ok {
				return "", false
			}
			b = utf8.AppendRune(b, r)
		default:
			return "", p.fail(at, JSONControl, "a string holds an unescaped control character")
		}
		start = p.at
		at = plainUntil(p.text, start)
	}
}

// escape reads the escape sequence p is at; a pair of surrogates is one.
func (p *parser) escape() (rune, bool) {
	at := p.at
	p.at++
	c := p.peek()
	p.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		return p.unicodeEscape(at)
	default:
		return 0, p.fail(at, JSONSyntax, "an escape sequence is not one of JSON's")
	}
}

// unicodeEscape reads the escape that began at start, from its digits on.
func (p *parser) unicodeEscape(start int) (rune, bool) {
	r, ok := hex4(p.text, p.at)
	if !ok {
		return 0, p.fail(start, JSONSyntax, "an escape sequence lacks four hexadecimal digits")
	}
	p.at += 4
	if r == 0 {
		return 0, p.fail(start, JSONNul, "a string holds U+0000")
	}
	if !utf16.IsSurrogate(r) {
		return r, true
	}
	if strings.HasPrefix(p.text[p.at:], `\u`) {
		low, _ := hex4(p.text, p.at+2)
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			p.at += 6
			return pair, true
		}
	}
	return 0, p.fail(start, JSONSurrogate, "an escape sequence is half of a surrogate pair")
}

// hex4 returns the number that four hexadecimal digits at i write.
func hex4(s string, i int) (r rune, ok bool) {
	if len(s)-i < 4 {
		return 0, false
	}
	for _, c := range []byte(s[i : i+4]) {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case (c|0x20)-'a' <= 5:
			c = (c | 0x20) - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// plainUntil returns the offset of the first byte at or after i that is not
// plain inside a string: a quote, a backslash or a control character; the
// length of s where there is none. It looks at eight bytes at a time, because
// most of a body is the inside of strings.
func plainUntil(s string, i int) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	for ; i+8 <= len(s); i += 8 {
		w := word(s[i : i+8])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		// Each term has a byte's high bit set where the byte is zero, zero, or
		// below space; a borrow can only spoil bytes behind the first of them.
		found := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & highs
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return len(s)
}

// word returns the eight bytes of s, the first one lowest.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
