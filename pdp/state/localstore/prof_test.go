package localstore

import (
	"fmt"
	"os"
	"runtime/pprof"
	"testing"
	"time"
)

var fixed = time.Now()

func nowFixed() time.Time { return fixed }

func BenchmarkAct(b *testing.B) {
	shelf := newShelf(anybody)
	f := newTraffic(b, unwritten{shelf}, nowFixed)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := f.act(i/8, i%8); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func TestHeapAwake(t *testing.T) {
	shelf := newShelf(anybody)
	before := inUse()
	fill(t, shelf, 1000)
	t.Log("awake", (inUse()-before)/1000)
	out, _ := os.Create("/tmp/awake.prof")
	pprof.WriteHeapProfile(out)
	out.Close()
	for i := range shelf.shards {
		for range 2 {
			shelf.sweep(&shelf.shards[i])
		}
	}
	t.Log("asleep", (inUse()-before)/1000)
	n := 0
	for i := range shelf.shards {
		for _, s := range shelf.shards[i].slots {
			if n == 0 {
				fmt.Printf("%q\n", s.asleep)
			}
			n += len(s.asleep)
		}
	}
	t.Log("encoding", n/1000)
}
