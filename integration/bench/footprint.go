package main

import (
	"bufio"
	"context"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/remit-pdp/remit/integration/bench/measure"
)

// footprint is what a process took, from its start to its kill.
type footprint struct {
	Resident int64   `json:"resident_bytes"` // at the most
	Live     int64   `json:"live_bytes"`     // what the last collection left of the heap; 0 where none was late enough
	Disk     int64   `json:"disk_bytes"`     // of the state directory, at the kill
	Forged   float64 `json:"forged"`         // outcomes that were refused as nobody's
	born     time.Time
}

// watch measures a server every second until ctx ends.
func (f *footprint) watch(ctx context.Context, server *measure.Server, each func() error) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := f.look(ctx, server); err != nil {
			if ctx.Err() != nil {
				return nil // it was killed meanwhile
			}
			return err
		}
		if err := each(); err != nil {
			return err
		}
	}
}

func (f *footprint) look(ctx context.Context, server *measure.Server) error {
	resident, err := measure.Resident(server.PID)
	if err != nil {
		return err
	}
	f.Resident = max(f.Resident, resident)
	h, err := readHeap(ctx, server.Remit.Health)
	if err != nil {
		return err
	}
	f.Live, f.Forged = h.live(f.born, time.Now()), h.forged
	f.Disk, err = onDisk(server.Data)
	return err
}

// heap is what Go's runtime tells of the heap, and what remit tells of outcomes.
type heap struct {
	next, percent float64 // the size of the next collection, and by how much it may grow until then
	last          float64 // when the last one was (Unix time)
	forged        float64 // outcomes that were refused as forged
}

// live is what the last collection left: the next one waits for that, and a
// percentage of it. It is 0 where that was in the first half of the process' life
// so far, when it had not seen much.
func (h *heap) live(born, now time.Time) int64 {
	if half := born.Add(now.Sub(born) / 2); h.last < float64(half.Unix()) {
		return 0
	}
	return int64(h.next / (1 + h.percent/100))
}

func readHeap(ctx context.Context, health string) (h heap, err error) {
	figures := map[string]*float64{
		"go_memstats_next_gc_bytes": &h.next, "go_gc_gogc_percent": &h.percent, "go_memstats_last_gc_time_seconds": &h.last,
		`remit_outcomes_refused_total{cause="forged"}`: &h.forged,
	}
	err = get(ctx, "http://"+health+"/metrics", func(r io.Reader) error {
		for lines := bufio.NewScanner(r); ; {
			if !lines.Scan() {
				return lines.Err()
			}
			name, text, _ := strings.Cut(lines.Text(), " ")
			if to := figures[name]; to != nil {
				var err error
				if *to, err = strconv.ParseFloat(text, 64); err != nil {
					return err
				}
			}
		}
	})
	return h, err
}

// growth is by how much more the second half of some figures is than the first,
// by their medians: 0.1 is a tenth. Of fewer than two it is 0.
func growth(of []float64) float64 {
	if len(of) < 2 {
		return 0
	}
	half := len(of) / 2
	return median(of[half:])/median(of[:half]) - 1
}
