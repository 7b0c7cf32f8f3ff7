package pdp_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// The view of headers shows what a map of joined values holds, in the order of
// names, and each name by itself.
func TestJoinedHeaders(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var h pdp.Headers
		want := make(map[string]string)
		for range random.IntN(12) {
			name, v := "h"+strconv.Itoa(random.IntN(6)), strconv.Itoa(random.IntN(3))
			if before, again := want[name]; again {
				want[name] = strings.Join([]string{before, v}, ",")
			} else {
				want[name] = v
			}
			h = append(h, pdp.Header{Name: name, Value: v})
		}
		got := h.Joined()
		if a, b := string(value.AppendJSON(nil, got)), string(value.AppendJSON(nil, value.StrMap(want))); a != b {
			t.Fatalf("%v: got %s, want %s", h, a, b)
		}
		for name, v := range want {
			if got.Get(name).Text() != v {
				t.Fatalf("%v: %s is %v, want %q", h, name, got.Get(name), v)
			}
		}
		if got.Get("h9").Defined() {
			t.Fatal("a header that is not there is")
		}
	}
}
