package attributes

import (
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp"
)

// Every header that is looked at is found by its own name, and by no other.
func TestHeadersAreFoundByTheirNames(t *testing.T) {
	for h, name := range headerNames {
		if found, known := headerOf(name); !known || found != headerID(h) {
			t.Errorf("%s is found as %d, want %d", name, found, h)
		}
	}
	for _, name := range []string{"", "x", "Host", "content-typ", "content-type2", "mcp_name", "x-http-method"} {
		if _, known := headerOf(name); known {
			t.Errorf("%q is found", name)
		}
	}
}

func TestHeadersAreCounted(t *testing.T) {
	a := ask(&pdp.Envelope{Headers: pdp.Headers{
		{Name: "host", Value: "a"}, {Name: "accept", Value: "x"}, {Name: "host", Value: "b"}, {Name: "traceparent", Value: "1"}, {Name: "traceparent", Value: "1"},
	}})
	if first, lines := a.header(headerHost); first != "a" || lines != 2 {
		t.Errorf("host is %q in %d lines", first, lines)
	}
	if _, lines := a.header(headerUpgrade); lines != 0 || a.traces || a.misspelt != "" {
		t.Errorf("%d lines of upgrade, traces differ: %v, misspelt: %q", lines, a.traces, a.misspelt)
	}
}

func TestLabels(t *testing.T) {
	const good = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	for c := range 256 {
		for _, label := range []string{string([]byte{byte(c)}), "a" + string([]byte{byte(c)}) + "z"} {
			if want := strings.IndexByte(good, byte(c)) >= 0; isLabel(label) != want {
				t.Errorf("%q is a label: %v", label, !want)
			}
		}
	}
	if isLabel("") {
		t.Error("nothing is a label")
	}
}
