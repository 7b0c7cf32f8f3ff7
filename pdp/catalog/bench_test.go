package catalog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp"
)

// large returns a catalog of n entries: a third each of HTTP patterns and
// tools on one host, and of systems with a host of their own.
func large(t testing.TB, n int) *Catalog {
	var http, tools, systems []string
	for i := range n / 3 {
		http = append(http, fmt.Sprintf(`{"methods":["GET"],"path":"/v1/kind%d/{id}/parts/{part}","operation":"read","resource":"kind%d/{id}/{part}"}`, i, i))
		tools = append(tools, fmt.Sprintf(`"tool%d":{"operation":"write","resource":"ticket {arguments.ticket}"}`, i))
		systems = append(systems, fmt.Sprintf(`"system%d":{"hosts":["h%d.example.com","*.w%d.example.com"],"http":[{"methods":["*"],"path":"/**","operation":"read"}]}`, i, i, i))
	}
	systems = append(systems, `"big":{"hosts":["big.example.com"],"http":[`+strings.Join(http, ",")+`],"mcp":{"path":"/mcp","tools":{`+strings.Join(tools, ",")+`}}}`)
	return compiled(t, "{"+strings.Join(systems, ",")+"}")
}

// lookups are the requests for the middle entries of such a catalog.
func lookups(t testing.TB, n int) map[string]*pdp.Request {
	i := n / 3 / 2
	return map[string]*pdp.Request{
		"http":     get("big.example.com", fmt.Sprintf("/v1/kind%d/7/parts/9", i)),
		"tool":     call(t, "big.example.com", "tools/call", fmt.Sprintf("tool%d", i), `{"ticket":"T-7"}`),
		"wildcard": get(fmt.Sprintf("a.b.w%d.example.com", i), "/a/b/c"),
		"unknown":  get("big.example.com", "/v2/kind/7"),
	}
}

func BenchmarkFind(b *testing.B) {
	for _, kind := range []string{"http", "tool", "wildcard", "unknown"} {
		for _, n := range []int{10, 1000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				c, q := large(b, n), lookups(b, n)[kind]
				if c.Find(q).Target.Known == (kind == "unknown") {
					b.Fatal("the request does not find what it is for")
				}
				b.ReportAllocs()
				for b.Loop() {
					c.Find(q)
				}
			})
		}
	}
}

// What a lookup allocates does not depend on how much there is.
func TestFindAllocations(t *testing.T) {
	small, big := large(t, 10), large(t, 10000)
	few, many := lookups(t, 10), lookups(t, 10000)
	for kind := range few {
		s := testing.AllocsPerRun(100, func() { small.Find(few[kind]) })
		b := testing.AllocsPerRun(100, func() { big.Find(many[kind]) })
		if b > s+1 { // a longer name may take one more
			t.Errorf("%s: %v allocations among 10 entries, %v among 10000", kind, s, b)
		}
	}
}
