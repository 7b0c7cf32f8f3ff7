package value

import (
	"strconv"
	"strings"
)

// decimal is the exact value of a number's text: 0.DIGITS × 10^exp. It takes
// no space of its own whatever the exponent is.
type decimal struct {
	negative bool
	// digits are the significant ones, neither beginning nor ending in a zero,
	// with the point of the text still among them. Zero has none.
	digits string
	exp    int64
	// written is the exponent as it stands in the text.
	written int64
}

// parseDecimal returns what the JSON number text writes. It reports false
// where the exponent itself is too large to be counted with.
func parseDecimal(text string) (d decimal, ok bool) {
	text, d.negative = strings.CutPrefix(text, "-")
	if e := strings.IndexAny(text, "eE"); e >= 0 {
		exp, err := strconv.ParseInt(text[e+1:], 10, 32)
		if err != nil {
			return decimal{}, false
		}
		d.exp, d.written, text = exp, exp, text[:e]
	}
	point := strings.IndexByte(text, '.')
	if point < 0 {
		point = len(text)
	}
	significant := strings.TrimLeft(text, "0.")
	if significant == "" {
		return d, true
	}
	first := len(text) - len(significant)
	d.exp += int64(point - first)
	if first > point {
		d.exp++ // the point itself was counted as a digit
	}
	d.digits = strings.TrimRight(significant, "0.")
	return d, true
}

// equal reports whether d and o are the same number.
func (d decimal) equal(o decimal) bool {
	if d.digits == "" || o.digits == "" {
		return d.digits == o.digits
	}
	return d.negative == o.negative && d.exp == o.exp && sameDigits(d.digits, o.digits)
}

// sameDigits reports whether a and b are equal but for where a point stands.
func sameDigits(a, b string) bool {
	a1, a2, _ := strings.Cut(a, ".")
	b1, b2, _ := strings.Cut(b, ".")
	if len(a1)+len(a2) != len(b1)+len(b2) {
		return false
	}
	if len(a1) > len(b1) {
		a1, a2, b1, b2 = b1, b2, a1, a2
	}
	moved := len(b1) - len(a1)
	return b1[:len(a1)] == a1 && b1[len(a1):] == a2[:moved] && b2 == a2[moved:]
}
