package attributes

import (
	"slices"
	"testing"
)

func TestPathAccepts(t *testing.T) {
	tests := map[string][]string{
		"/":                      {""},
		"/a":                     {"a"},
		"/a/":                    {"a", ""},
		"/v1/tickets/7":          {"v1", "tickets", "7"},
		"/a-._~!$&'()+,=:@b":     {"a-._~!$&'()+,=:@b"},
		"/a%20b/%22%3C%3E%7C":    {"a b", `"<>|`},
		"/%5B%5D%5E%60%7B%7D":    {"[]^`{}"},
		"/stra%C3%9Fe/%E2%82%AC": {"straße", "€"},
		"/...":                   {"..."},
		"/.well-known/a..b":      {".well-known", "a..b"},
		"/MCP":                   {"MCP"},
	}
	for path, want := range tests {
		q := mustRead(t, request("GET", path))
		if q.Path != path || !slices.Equal(q.Segments, want) {
			t.Errorf("%s is read as %s %q", path, q.Path, q.Segments)
		}
	}
}

func TestPathRefuses(t *testing.T) {
	tests := []struct{ path, about string }{
		{"", "begin with a slash"},
		{"a", "begin with a slash"},
		{"*", "begin with a slash"},
		{"?a=b", "begin with a slash"},
		{"http://api.example.com/a", "begin with a slash"},
		{"\\a", "begin with a slash"},
		{"//", "empty segment"},
		{"//admin/x", "empty segment"},
		{"/a//b", "empty segment"},
		{"/a//", "empty segment"},
		{"/.", "dot segment"},
		{"/..", "dot segment"},
		{"/a/./b", "dot segment"},
		{"/a/../b", "dot segment"},
		{"/a/..", "dot segment"},
		{"/../", "dot segment"},
		{"/..;/b", "semicolon"},
		{"/a;b", "semicolon"},
		{"/a;jsessionid=1/b", "semicolon"},
		{"/a\\b", "backslash"},
		{"/..\\b", "backslash"},
		{"/a#b", "number sign"},
		{"/a*", "asterisk"},
		{"/a b", "must be escaped"},
		{"/a\tb", "must be escaped"},
		{"/a\x00b", "must be escaped"},
		{"/a\nb", "must be escaped"},
		{"/a\x7f", "must be escaped"},
		{"/straße", "must be escaped"},
		{"/\xff", "must be escaped"},
		{"/a\"b", "must be escaped"}, {"/a<b", "must be escaped"}, {"/a>b", "must be escaped"}, {"/a^b", "must be escaped"},
		{"/a`b", "must be escaped"}, {"/a{b", "must be escaped"}, {"/a|b", "must be escaped"}, {"/a}b", "must be escaped"},
		{"/a[b", "must be escaped"}, {"/a]b", "must be escaped"},
		{"/a%", "invalid escape"},
		{"/a%2", "invalid escape"},
		{"/a%/b", "invalid escape"},
		{"/a%zz", "invalid escape"},
		{"/a%2G", "invalid escape"},
		{"/a%G2", "invalid escape"},
		{"/a%u002F", "invalid escape"},
		{"/a%c3%9f", "lower case"},
		{"/a%C3%9f", "lower case"},
		{"/a%c3%9F", "lower case"},
		{"/a%2f..", "lower case"},
		{"/%2e%2e/b", "lower case"},
		{"/a%00", "control character"},
		{"/a%0A", "control character"},
		{"/a%1F", "control character"},
		{"/a%7F", "control character"},
		{"/a%2Fb", "slash"},
		{"/..%2Fb", "slash"},
		{"/a%5Cb", "backslash"},
		{"/a%3Bb", "semicolon"},
		{"/a%23b", "number sign"},
		{"/a%3Fb", "question mark"},
		{"/a%25b", "percent"},
		{"/a%252Fb", "percent"},
		{"/a%2Ab", "asterisk"},
		{"/%2E%2E/b", "not needed"},
		{"/%2E", "not needed"},
		{"/%6Dcp", "not needed"},
		{"/%4D", "not needed"},
		{"/a%30", "not needed"},
		{"/a%7Eb", "not needed"}, {"/a%2Db", "not needed"}, {"/a%5Fb", "not needed"},
		{"/ada%40example.com", "not needed"},
		{"/a%3Ab", "not needed"},
		{"/a%21%24%26%27%28%29%2B%2C%3D", "not needed"},
		{"/a%FF", "not UTF-8"},
		{"/a%C3", "not UTF-8"},
		{"/%C3%20", "not UTF-8"},
		{"/%C0%AE%C0%AE/b", "not UTF-8"},
		{"/%C0%AFb", "not UTF-8"},
		{"/%E0%80%AF", "not UTF-8"},
		{"/%ED%A0%80", "not UTF-8"},
		{"/%C3/%9F", "not UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			for _, tail := range []string{"", "?a=b"} {
				q := mustRefuse(t, request("GET", test.path+tail), CodePath, test.about)
				if q.Path != "" || q.Segments != nil {
					t.Errorf("the refused path is read as %q %q", q.Path, q.Segments)
				}
			}
		})
	}
}

func TestQuery(t *testing.T) {
	tests := map[string]string{
		"/a?":                    `{}`,
		"/a?b":                   `{"b":[""]}`,
		"/a?b=":                  `{"b":[""]}`,
		"/a?b=1&b=2&c=&b=1":      `{"b":["1","2","1"],"c":[""]}`,
		"/a?&&b=1&":              `{"b":["1"]}`,
		"/a?b=c=d":               `{"b":["c=d"]}`,
		"/a?b=c?d/e":             `{"b":["c?d/e"]}`,
		"/a?a+b=c%20d%2be":       `{"a b":["c d+e"]}`,
		"/a?%62=%C3%9F":          `{"b":["ß"]}`,
		"/a?B=1&b=2":             `{"B":["1"],"b":["2"]}`,
		"/a?b=..%2F..%2Fetc":     `{"b":["../../etc"]}`,
		"/a?b=%09":               `{"b":["\t"]}`,
		"/a?b[]=1&b[]=2":         `{"b[]":["1","2"]}`,
		"/a?b=%3B%23%26%3D":      `{"b":[";#&="]}`,
		"/a?z=1&y=2&x=3&w=4&v=5": `{"v":["5"],"w":["4"],"x":["3"],"y":["2"],"z":["1"]}`,
	}
	for path, want := range tests {
		q := mustRead(t, request("GET", path))
		if got := asJSON(q.Query); got != want {
			t.Errorf("%s is read as %s, want %s", path, got, want)
		}
		if q.Path != "/a" {
			t.Errorf("%s: path %s", path, q.Path)
		}
	}
	if q := mustRead(t, request("GET", "/a")); q.Query.Defined() {
		t.Errorf("no query is read as %s", asJSON(q.Query))
	}
}

func TestQueryRefuses(t *testing.T) {
	tests := map[string]string{
		"a=1;b=2": "semicolon", "a;b": "semicolon", "a=b#c": "number sign", "#": "number sign",
		"a=%": "invalid escape", "a=%2": "invalid escape", "a=%zz": "invalid escape", "%zz=a": "invalid escape",
		"a=%00": "control", "%00=a": "control", "a=%0D%0A": "control", "a=%7F": "control", "a=\x01": "must be escaped", "a\n=": "must be escaped",
		"=": "without a name", "=b": "without a name", "==": "without a name",
		"a=\t": "must be escaped", "a=b c": "must be escaped", "a=\x7f": "must be escaped",
		"a=%FF": "not UTF-8", "%FF=a": "not UTF-8", "a=\xff": "not UTF-8", "a=\xc3%9F": "not UTF-8", "a=%C0%AF": "not UTF-8", "a=%ED%A0%80": "not UTF-8",
	}
	for query, about := range tests {
		for _, query := range []string{query, "x=1&" + query, query + "&x=1"} {
			if q := mustRefuse(t, request("GET", "/a?"+query), CodePath, about); q.Query.Defined() {
				t.Errorf("%q: the refused query is read as %s", query, asJSON(q.Query))
			}
		}
	}
}
