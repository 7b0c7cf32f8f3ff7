package attributes

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// readTarget reads the request target: an absolute path and a query (RFC 9112
// section 3.2.1). The path must be in the one spelling that a normalising proxy
// leaves: with any other, Envoy's route, the policy and the tool could each
// mean something else.
func readTarget(target string, q *pdp.Request) *pdp.Refusal {
	path, query, hasQuery := strings.Cut(target, "?")
	if rule := pathRule(path); rule != "" {
		return refuse(CodePath, rule)
	}
	segments := make([]string, 0, strings.Count(path, "/"))
	for segment := range strings.SplitSeq(path[1:], "/") {
		decoded, err := url.PathUnescape(segment)
		if err != nil || !utf8.ValidString(decoded) {
			return refuse(CodePath, "the path is not UTF-8: servers differ in what they read there")
		}
		segments = append(segments, decoded)
	}
	q.Path, q.Segments = path, segments
	if !hasQuery {
		return nil
	}
	for i := range len(query) {
		if query[i] <= ' ' || query[i] == 0x7f {
			return refuse(CodePath, "the query has a byte that must be escaped")
		}
	}
	parsed, rule := readForm(query, hasControl)
	if rule != "" {
		return refuse(CodePath, rule)
	}
	q.Query = parsed
	return nil
}

// pathRule returns the rule that a path breaks, "" where it breaks none.
func pathRule(path string) string {
	switch {
	case path == "" || path[0] != '/':
		return "the path does not begin with a slash"
	case strings.Contains(path, "//"):
		return "the path has an empty segment"
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "." || segment == ".." {
			return "the path has a dot segment"
		}
	}
	for i := 0; i < len(path); i++ {
		switch b := path[i]; {
		case b <= ' ' || b >= 0x7f || strings.IndexByte("\"<>^`{|}[]", b) >= 0:
			return "the path has a byte that must be escaped"
		case b == '\\' || b == ';' || b == '#' || b == '*':
			return "the path has a character that servers read differently (backslash, semicolon, number sign, asterisk)"
		case b == '%':
			if rule := escapeRule(path[i:]); rule != "" {
				return rule
			}
			i += 2
		}
	}
	return ""
}

// escapeRule returns the rule that the escape at the beginning of s breaks. An
// escape stands for a byte that cannot stand there itself, is written in upper
// case, and does not decode to something that changes the path's structure or
// could be decoded again.
func escapeRule(s string) string {
	if len(s) < 3 || !isHex(s[1]) || !isHex(s[2]) {
		return "the path has an invalid escape"
	}
	if lower(s[1]) || lower(s[2]) {
		return "the path has an escape in lower case: the same path has another spelling"
	}
	b := unhex(s[1])<<4 | unhex(s[2])
	switch {
	case b < ' ' || b == 0x7f:
		return "the path has an escaped control character"
	case b == '/' || b == '\\' || b == ';' || b == '#' || b == '?' || b == '%' || b == '*':
		return "the path has an escaped character that servers read differently (slash, backslash, semicolon, number sign, question mark, percent, asterisk)"
	case standsItself(b):
		return "the path has an escape that is not needed: the same path has another spelling"
	}
	return ""
}

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'A' <= b && b <= 'F' || lower(b) && b <= 'f'
}

func lower(b byte) bool { return 'a' <= b && b <= 'z' }

func unhex(b byte) byte {
	if b <= '9' {
		return b - '0'
	}
	return b - 'A' + 10
}

// standsItself are the characters that a segment can hold without an escape
// (RFC 3986 section 3.3) and that are not refused. Those which that RFC calls
// reserved have two spellings all the same: most servers decode before they
// look.
func standsItself(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("-._~!$&'()+,=:@", b) >= 0
}

// readForm reads a query, or a form in a body, as an object of lists, in order.
// A semicolon, which some servers take for a separator, and an escape that some
// leave alone are refused; so are names with control characters or none at all,
// and values that forbidden reports.
func readForm(query string, forbidden func(string) bool) (parsed value.Value, rule string) {
	var members []value.Member
	lists := make(map[string][]value.Value)
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, val, _ := strings.Cut(pair, "=")
		n, errName := url.QueryUnescape(name)
		v, errValue := url.QueryUnescape(val)
		switch {
		case strings.ContainsAny(pair, ";#"):
			return value.Nothing, "the query has a semicolon or a number sign"
		case errName != nil || errValue != nil:
			return value.Nothing, "the query has an invalid escape"
		case hasControl(n) || forbidden(v):
			return value.Nothing, "the query has a control character"
		case !utf8.ValidString(pair) || !utf8.ValidString(n) || !utf8.ValidString(v):
			return value.Nothing, "the query is not UTF-8"
		case n == "":
			return value.Nothing, "the query has a parameter without a name: servers differ in whether it is there"
		}
		lists[n] = append(lists[n], value.Str(v))
	}
	for name, list := range lists {
		members = append(members, value.M(name, value.List(list...)))
	}
	return value.Obj(members...), ""
}

// notText reports whether s has a control character other than those of a text
// of several lines, which a form's field may hold.
func notText(s string) bool {
	return hasControl(strings.NewReplacer("\r", "", "\n", "").Replace(s))
}

func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return true
		}
	}
	return false
}
