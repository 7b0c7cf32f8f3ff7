package value

import "strconv"

const (
	// maxSafeInteger is the largest integer whose neighbours all have a float64
	// of their own (RFC 7493 §2.2).
	maxSafeInteger = 1<<53 - 1
	// maxSafeDigits is how many digits it has.
	maxSafeDigits = 16
	// maxExponent bounds what may be written after "e"; float64 needs 324 and
	// the 17 digits of a mantissa.
	maxExponent = 400
)

const lossy = "a number would lose digits in a tool"

// number reads a number (RFC 8259 §6) into v, whose kind is set.
func (p *parser) number(v *Value) bool {
	start := p.at
	if p.peek() == '-' {
		p.at++
	}
	first := p.at
	n := p.digits()
	switch count := p.at - first; {
	case count == 0 && first == start:
		return p.fail(start, JSONSyntax, "a value is expected")
	case count == 0:
		return p.fail(start, JSONSyntax, "a number has no digits")
	case count > 1 && p.text[first] == '0':
		return p.fail(start, JSONSyntax, "a number begins with a needless zero")
	}
	if c := p.peek(); c == '.' || c|0x20 == 'e' {
		return p.fraction(v, start)
	}
	if p.at-first > maxSafeDigits || n > maxSafeInteger {
		return p.fail(start, JSONLossyNumber, lossy)
	}
	if first != start {
		n = -n
	}
	v.whole, v.n = true, n
	return true
}

// fraction reads the rest of a number that is not written as an integer.
func (p *parser) fraction(v *Value, start int) bool {
	if p.peek() == '.' {
		p.at++
		if !p.someDigits() {
			return p.fail(start, JSONSyntax, "a number has no digits after its point")
		}
	}
	if p.peek()|0x20 == 'e' {
		p.at++
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		if !p.someDigits() {
			return p.fail(start, JSONSyntax, "a number has no digits in its exponent")
		}
	}
	text := p.text[start:p.at]
	if !roundTrips(text) {
		return p.fail(start, JSONLossyNumber, lossy)
	}
	v.s = text
	return true
}

// digits steps over digits. The number they write is right up to 18 of them.
func (p *parser) digits() int64 {
	n := int64(0)
	for p.at < len(p.text) && p.text[p.at]-'0' <= 9 {
		n = n*10 + int64(p.text[p.at]-'0')
		p.at++
	}
	return n
}

func (p *parser) someDigits() bool {
	first := p.at
	p.digits()
	return p.at > first
}

// roundTrips reports whether the float64 nearest to the number text, printed as
// shortly as identifies it, is numerically that number again.
func roundTrips(text string) bool {
	d, ok := parseDecimal(text)
	switch {
	case !ok || d.written < -maxExponent || d.written > maxExponent:
		return false
	case d.digits == "":
		return true
	case len(d.digits) <= 15 && d.exp > -300 && d.exp < 300:
		// No two decimals of 15 digits share a float64 in its normal range, so
		// none can print as a shorter one.
		return true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return false
	}
	shortest, ok := parseDecimal(strconv.FormatFloat(f, 'e', -1, 64))
	return ok && d.equal(shortest)
}
