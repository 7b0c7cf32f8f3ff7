package value

import "strconv"

// JSONErrorKind is the stable code of why a JSON text was refused.
type JSONErrorKind string

// The reasons for which [ParseJSON] refuses a text.
const (
	// JSONSyntax: not what the grammar of RFC 8259 §2 to §7 allows.
	JSONSyntax JSONErrorKind = "syntax"
	// JSONTrailing: something follows the one value (RFC 8259 §2).
	JSONTrailing JSONErrorKind = "trailing"
	// JSONBOM: a byte order mark in front (RFC 8259 §8.1: must not be added,
	// and a reader may treat it as an error or skip it, so readers differ).
	JSONBOM JSONErrorKind = "bom"
	// JSONUTF8: not valid UTF-8 (RFC 8259 §8.1).
	JSONUTF8 JSONErrorKind = "utf8"
	// JSONSurrogate: an escape for half a surrogate pair (RFC 8259 §8.2).
	JSONSurrogate JSONErrorKind = "surrogate"
	// JSONControl: an unescaped control character in a string (RFC 8259 §7).
	JSONControl JSONErrorKind = "control"
	// JSONNul: the escape for U+0000, where tools that keep strings as C does
	// read no further.
	JSONNul JSONErrorKind = "nul"
	// JSONDuplicateKey: an object has a name twice; some readers take the
	// first, some the last, some merge them (RFC 8259 §4).
	JSONDuplicateKey JSONErrorKind = "duplicate_key"
	// JSONDepth: nested deeper than [MaxJSONDepth].
	JSONDepth JSONErrorKind = "depth"
	// JSONLossyNumber: a number that a tool may read as another one
	// (RFC 8259 §6); [ParseJSON] has the rule.
	JSONLossyNumber JSONErrorKind = "lossy_number"
)

// JSONError says why and where a JSON text was refused. It never holds any
// part of the text, which may be a secret, so it may be logged and shown.
type JSONError struct {
	// Offset is where, in bytes from the start of the text. A duplicate name
	// is reported at the opening brace of its object.
	Offset int
	Kind   JSONErrorKind
	// Detail is one of a fixed set of sentences.
	Detail string
}

// Error returns the position, the code and the detail.
func (e *JSONError) Error() string {
	return "JSON refused at byte " + strconv.Itoa(e.Offset) + ": " + string(e.Kind) + ": " + e.Detail
}
