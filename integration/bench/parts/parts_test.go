package parts

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"testing"
	"time"
)

// traces is what pprof prints, of seven stacks.
const traces = `File: remit
Type: cpu
Duration: 6.12s, Total samples = 100ms
-----------+-------------------------------------------------------
      40ms   runtime.mapaccess1_faststr
             github.com/remit-pdp/remit/pdp/state.(*turn).cellView
             github.com/remit-pdp/remit/pdp/policy/compiled.get (inline)
             github.com/remit-pdp/remit/pdp.(*Point).answer
             github.com/remit-pdp/remit/pdp/door/extauthz.(*Server).Check.func1
-----------+-------------------------------------------------------
      30ms   runtime.scanobject
             runtime.gcDrain
             runtime.gcBgMarkWorker
-----------+-------------------------------------------------------
      10ms   runtime.memmove
             github.com/remit-pdp/remit/pdp/state/localstore.(*segment).append
             github.com/remit-pdp/remit/pdp/state.(*turn).Commit
             github.com/remit-pdp/remit/pdp.(*Point).answer
-----------+-------------------------------------------------------
      10ms   internal/runtime/syscall.Syscall6
             syscall.write
             google.golang.org/grpc/internal/transport.(*bufWriter).Flush
-----------+-------------------------------------------------------
      10ms   runtime.futex
             runtime.schedule
-----------+-------------------------------------------------------
      20ms   runtime.newobject
             github.com/remit-pdp/remit/pdp.(*Point).answer
             github.com/remit-pdp/remit/pdp/telemetry.(*Points).Decide
-----------+-------------------------------------------------------
      80ms   time.Now
             github.com/remit-pdp/remit/pdp/telemetry.reader.Read
             github.com/remit-pdp/remit/pdp.(*Point).answer
             github.com/remit-pdp/remit/pdp/telemetry.(*Points).Decide
-----------+-------------------------------------------------------
`

func TestSharesAddUp(t *testing.T) {
	stacks, err := parse(traces)
	if err != nil {
		t.Fatal(err)
	}
	if len(stacks) != 7 || stacks[0].Time != 40*time.Millisecond || stacks[0].Functions[2] != "github.com/remit-pdp/remit/pdp/policy/compiled.get" {
		t.Fatalf("got %v", stacks)
	}
	want := map[string]float64{"policy": 0.2, "garbage collection": 0.15, "journal": 0.05, "transport": 0.05, "scheduler": 0.05, "decision": 0.1, "metrics": 0.4}
	if got := Share(Of(stacks), "policy"); math.Abs(got-0.2) > 1e-9 {
		t.Errorf("policy's share is %v", got)
	}
	sum := 0.0
	for _, p := range Of(stacks) {
		if math.Abs(p.Share-want[p.Name]) > 1e-9 {
			t.Errorf("%s has %v, want %v", p.Name, p.Share, want[p.Name])
		}
		sum += p.Share
	}
	if math.Abs(sum-1) > 1e-9 {
		t.Errorf("the shares add up to %v", sum)
	}
}

func TestAnEmptyProfileIsAnError(t *testing.T) {
	if stacks, err := parse("File: remit\nDuration: 1s\n"); err == nil {
		t.Errorf("got %v", stacks)
	}
}

func TestFlameGraphIsAPicture(t *testing.T) {
	stacks, err := parse(traces)
	if err != nil {
		t.Fatal(err)
	}
	picture := Flame(stacks)
	if n := bytes.Count(picture, []byte("<rect")); n != 22 {
		t.Errorf("%d boxes, want 22", n)
	}
	for d := xml.NewDecoder(bytes.NewReader(picture)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
