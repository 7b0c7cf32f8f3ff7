package attributes

import (
	"path"
	"slices"
	"strings"
	"testing"

	whatwg "github.com/nlnwa/whatwg-url/url"
	"github.com/valyala/fasthttp"

	"github.com/remit-pdp/remit/pdp"
)

// The readers of request targets that [FuzzPath] holds ours against, besides
// net/url. Each is as lenient as servers are: it resolves dot segments, merges or
// keeps slashes, and decodes what it can. A target that we accept leaves none of
// them anything to do: to each it is the same path with the same segments.
func checkOtherPaths(t *testing.T, target string, q *pdp.Request) {
	t.Helper()
	decoded := "/" + strings.Join(q.Segments, "/")
	if clean := path.Clean(decoded); clean != decoded && clean+"/" != decoded {
		t.Fatalf("%q: path.Clean makes %q of it", target, clean)
	}
	raw, query, _ := strings.Cut(target, "?")
	web, err := whatwg.Parse("http://tools.example.test" + target)
	if err != nil || web.Hostname() != "tools.example.test" || web.Pathname() != raw || web.Hash() != "" {
		t.Fatalf("%q is read as %v by the web's standard: %v", target, web, err)
	}
	var fast fasthttp.URI
	if err := fast.Parse([]byte("tools.example.test"), []byte(target)); err != nil || string(fast.Host()) != "tools.example.test" {
		t.Fatalf("%q is read as %s by fasthttp: %v", target, &fast, err)
	}
	if got := string(fast.Path()); got != decoded || string(fast.QueryString()) != query || len(fast.Hash()) > 0 {
		t.Fatalf("%q: fasthttp reads the path %q and the query %q", target, got, fast.QueryString())
	}
	checkFastQuery(t, target, &fast, q)
}

// checkFastQuery holds the parameters that fasthttp finds against ours: the same
// names, with the same values in the same order.
func checkFastQuery(t *testing.T, target string, fast *fasthttp.URI, q *pdp.Request) {
	t.Helper()
	read := make(map[string][]string)
	for name, v := range fast.QueryArgs().All() {
		read[string(name)] = append(read[string(name)], string(v))
	}
	for _, m := range q.Query.Members() {
		var ours []string
		for _, item := range m.Value.Items() {
			ours = append(ours, item.Text())
		}
		if !slices.Equal(ours, read[m.Name]) {
			t.Fatalf("%q: %q is %q, and %q to fasthttp", target, m.Name, ours, read[m.Name])
		}
		delete(read, m.Name)
	}
	if len(read) > 0 {
		t.Fatalf("%q: fasthttp reads %q besides", target, read)
	}
}
