package state

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/pdp"
)

// A record keeps the id of the trace that its request belongs to, and nothing
// else that stands in the header.
func TestTheTraceOfARequest(t *testing.T) {
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	for header, want := range map[string]string{
		"00-" + id + "-00f067aa0ba902b7-01": id,
		"00-" + id + "-00f067aa0ba902b7-00": id,
		"":                                  "",
		"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01": "",
		"00-" + strings.Repeat("x", 32) + "-00f067aa0ba902b7-01": "",
		"00-" + id:                "",
		strings.Repeat("a", 4096): "",
	} {
		if got := traceOf(pdp.Headers{{Name: "traceparent", Value: header}}); got != unhex(t, want) {
			t.Errorf("%s: %x, want %s", header, got, want)
		}
	}
	line := pdp.Header{Name: "traceparent", Value: "00-" + id + "-00f067aa0ba902b7-01"}
	if got := traceOf(pdp.Headers{line, line}); got != "" {
		t.Errorf("of two lines one was chosen: %x", got)
	}
	e := &Entry{Kind: Decided, Record: &Record{ID: "1", Trace: unhex(t, id)}}
	read, err := DecodeEntry(string(e.AppendBinary(nil)))
	if err != nil || read.Record.Trace != e.Record.Trace {
		t.Errorf("the journal gives back %x, %v", read.Record.Trace, err)
	}
}

func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
