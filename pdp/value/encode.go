package value

import (
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends v to dst as compact JSON (RFC 8259) and returns the
// extended slice. Members come in the order of Range. Undefined is written as
// null, at the top and as an item of an array. Characters are escaped only
// where JSON demands it, so the text is not fit to stand inside HTML; what is
// not valid UTF-8 is replaced by U+FFFD.
func AppendJSON(dst []byte, v Value) []byte {
	switch v.kind {
	case Bool:
		return strconv.AppendBool(dst, v.n == 1)
	case Number:
		if v.whole {
			return strconv.AppendInt(dst, v.n, 10)
		}
		return append(dst, v.s...)
	case String:
		return appendString(dst, v.s)
	case Array:
		return appendArray(dst, v.Items())
	case Map:
		return appendObject(dst, v.Members())
	default:
		return append(dst, "null"...)
	}
}

// MarshalJSON returns v as [AppendJSON] writes it. It never fails.
func (v Value) MarshalJSON() ([]byte, error) { return AppendJSON(nil, v), nil }

func appendArray(dst []byte, items []Value) []byte {
	dst = append(dst, '[')
	for i, item := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendJSON(dst, item)
	}
	return append(dst, ']')
}

func appendObject(dst []byte, all Members) []byte {
	dst = append(dst, '{')
	for i, m := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, m.Name), ':')
		dst = AppendJSON(dst, m.Value)
	}
	return append(dst, '}')
}

// appendString appends s in quotes, copying what needs no escape in one piece.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for s != "" {
		plain := plainUntil(s, 0)
		dst = appendValid(dst, s[:plain])
		if s = s[plain:]; s != "" {
			dst = appendEscape(dst, s[0])
			s = s[1:]
		}
	}
	return append(dst, '"')
}

// appendValid appends s with every byte that is not UTF-8 replaced.
func appendValid(dst []byte, s string) []byte {
	if utf8.ValidString(s) {
		return append(dst, s...)
	}
	for _, r := range s {
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// appendEscape appends the escape for c, which RFC 8259 §7 wants for a quote,
// a backslash and the control characters.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	default:
		const digits = "0123456789abcdef"
		return append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
	}
}
