package integration

import (
	"testing"

	"github.com/remit-pdp/remit/integration/harness"
)

// eachReader runs a test twice: with remit as it ships, which reads checks off the
// wire, and with one that has the generated types read them all, as it does with
// what is not plain. Nothing may depend on which it is.
func eachReader(t *testing.T, test func(t *testing.T, binary string)) {
	t.Helper()
	t.Run("off the wire", func(t *testing.T) {
		binary, err := buildOnce()
		if err != nil {
			t.Fatal(err)
		}
		test(t, binary)
	})
	t.Run("by the generated types", func(t *testing.T) {
		root, err := harness.Root()
		if err != nil {
			t.Fatal(err)
		}
		overlay := overlayOf(t, root, "pdp/door/extauthz/envelope.go", "fromWire(message); plain {", "fromWire(message); plain && false {")
		binary, err := harness.BuildRemit(t.Context(), root, "remit-types", false, overlay)
		if err != nil {
			t.Fatal(err)
		}
		test(t, binary)
	})
}
