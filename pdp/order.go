package pdp

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The ways an operator's order is refused, whatever it is about.
var (
	ErrBadOrder      = errors.New("the order cannot be carried out as it stands")
	ErrNoSuchSession = errors.New("no such session is remembered")
)

// The longest that a name, and a reason, may be in an order, in bytes.
const (
	maxOrderName   = 512
	maxOrderReason = 1024
)

// OrderName is a name in an order, and what it names.
type OrderName struct{ Of, Name string }

// CheckOrder returns what is wrong with what every order has: a reason, whoever
// gives it, and names. Orders are kept for good and printed to operators, so
// what is not printable text must not get into one.
func CheckOrder(reason, actor string, names ...OrderName) error {
	switch {
	case reason == "":
		return BadOrder("it gives no reason: say why, for those who read the log")
	case actor == "":
		return BadOrder("nobody is known to have given it")
	}
	for _, n := range append(names, OrderName{"actor", actor}) {
		if len(n.Name) > maxOrderName || !printable(n.Name) {
			return BadOrder("the %s is longer than %d bytes, or not printable text", n.Of, maxOrderName)
		}
	}
	if len(reason) > maxOrderReason || !printable(reason) {
		return BadOrder("the reason is longer than %d bytes, or not printable text", maxOrderReason)
	}
	return nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// BadOrder returns an [ErrBadOrder] that says what is wrong with an order, with
// the remedy.
func BadOrder(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadOrder, fmt.Sprintf(format, args...))
}
