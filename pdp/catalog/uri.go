package catalog

import "strings"

// straight reports whether a resource's URI is in the one spelling that RFC
// 3986 section 6.2.2 leaves. What a folder or the fallback says about any other
// one ("docs://manual/../secrets") is not said about what a server that
// normalises it would read.
func straight(uri string) bool {
	scheme, rest, absolute := strings.Cut(uri, ":")
	if hierarchical, found := strings.CutPrefix(rest, "//"); found {
		var authority string
		authority, rest, _ = strings.Cut(hierarchical, "/")
		if authority != strings.ToLower(authority) || scheme == "file" && authority != "" {
			return false
		}
	}
	if !absolute || scheme != strings.ToLower(scheme) || strings.Contains("/"+rest, "//") {
		return false
	}
	for segment := range strings.SplitSeq(rest, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	for i := range len(uri) {
		switch c := uri[i]; {
		case c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			return false
		case c == '%' && !needed(uri[i:]):
			return false
		}
	}
	return true
}

// needed reports whether s begins with an escape, in upper case, of a byte that
// cannot stand for itself anywhere in a URI and is no separator to anybody.
func needed(s string) bool {
	const digits = "0123456789ABCDEF"
	if len(s) < 3 {
		return false
	}
	high, low := strings.IndexByte(digits, s[1]), strings.IndexByte(digits, s[2])
	if high < 0 || low < 0 {
		return false
	}
	b := byte(high<<4 | low)
	return b >= 0x80 || b == ' ' || strings.IndexByte("\"<>^`{|}", b) >= 0
}
