package extauthz

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/attributes"
)

// at measures f. cpu-ns/op is of the whole process, garbage collection included,
// and does not grow with what else the machine does.
func at(b *testing.B, name string, f func()) {
	b.Run(name, func(b *testing.B) {
		used := func() int64 {
			var u syscall.Rusage
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
				b.Fatal(err)
			}
			return u.Utime.Nano() + u.Stime.Nano()
		}
		b.ReportAllocs()
		before := used()
		for b.Loop() {
			f()
		}
		b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op")
	})
}

// allowing decides for everything.
type allowing pdp.Decision

func (d *allowing) Decide(context.Context, *pdp.Envelope) pdp.Decision { return pdp.Decision(*d) }

// What the door does to a check, each part beside what it stands in for.
func BenchmarkDoor(b *testing.B) {
	keys, err := pdp.NewKeys(make([]byte, pdp.SeedSize))
	if err != nil {
		b.Fatal(err)
	}
	message := string(marshal(b, Realistic()))
	e, plain := fromWire(message)
	if !plain {
		b.Fatal("the realistic check is not plain")
	}
	d := &pdp.Decision{ID: pdp.NewIDs(keys).New(pdp.PartitionKey{1}), Effect: pdp.Allow}
	r := renderer{AsToolError, keys, time.Now}
	at(b, "read/wire", func() { fromWire(message) })
	at(b, "read/types", func() { fromTypes(message) })
	// What the filters said is read off the wire while the request is.
	reader := attributes.New(attributes.Settings{MCPPaths: map[string][]string{"": {"/mcp"}}})
	if _, err := reader.Read(e); err != nil {
		b.Fatal(err)
	}
	at(b, "request", func() { reader.Read(e) })
	at(b, "stamp", func() { r.stamp(d) })
	at(b, "render/wire", func() { r.plainAllow(d, e.Headers) })
	at(b, "render/types", func() { marshal(b, r.response(d, e.Headers)) })

	s := NewServer(Settings{Caller: func(context.Context) string { return "p" }, Deadline: time.Second, Margin: 20 * time.Millisecond, Workers: 64},
		(*allowing)(d), keys, time.Now, func(any, []byte) {})
	at(b, "check", func() { s.Check(b.Context(), message) })
	at(b, "check/in the caller's goroutine", func() {
		c := &check{proxy: "p", message: message}
		c.values, c.end = b.Context(), s.end(b.Context())
		s.answer(c)
	})
}

// A plain check is read with as few allocations as this: the envelope, its body,
// and what reads metadata.
func TestReadingOffTheWireCopiesNothing(t *testing.T) {
	message := string(marshal(t, Realistic()))
	if n := testing.AllocsPerRun(100, func() { fromWire(message) }); n > 3 {
		t.Errorf("%v allocations", n)
	}
}
