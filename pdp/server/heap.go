package server

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/remit-pdp/remit/pdp/config"
)

// A floor that nobody configured: floorShare of the memory limit, and no more than
// maxFloor, beyond which a collection is rare enough.
const (
	floorShare = 1.0 / 16
	maxFloor   = 1 << 30
)

// heapFloor is how large the heap may always get, in bytes; 0 where no limit is
// known that it could be a part of.
func heapFloor(p *config.Process, limit int64) int64 {
	if p.HeapFloor > 0 {
		return p.HeapFloor
	}
	return min(maxFloor, int64(floorShare*float64(limit)))
}

// pace lets a small heap grow to the floor between two collections: what a
// collection costs for each byte that is made does not depend on how much is in
// use, but on by how much it may grow. Until ctx ends it follows what is in use.
func pace(ctx context.Context, percent int, floor int64) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}} // what the last collection left
	inForce := percent
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(live)
		want := growth(int64(live[0].Value.Uint64()), percent, floor)
		if want > inForce*11/10 || want < inForce*9/10 || want == percent && inForce != percent {
			debug.SetGCPercent(want) // it stops everything for a moment: not for every small change
			inForce = want
		}
	}
}

// growth is by how many percent a heap of live bytes may grow.
func growth(live int64, percent int, floor int64) int {
	if live <= 0 {
		return percent
	}
	const most = 10_000 // of a heap of next to nothing
	return max(percent, int(min(most, floor*100/live-100)))
}
