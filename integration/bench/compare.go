package main

import (
	"context"
	"slices"
	"time"

	"github.com/remit-pdp/remit/integration/bench/load"
	"github.com/remit-pdp/remit/integration/bench/measure"
)

// round is what one server did in one round.
type round struct {
	cost float64 // processor time a decision, µs
	rate float64 // decisions a second of wall time
	busy float64 // share of the core that it had
}

// measure has a server decide as much as it can for a time, and reads what that
// cost it: what it still owed afterwards, and the outcomes, included.
func (s *side) measure(d time.Duration) (r round, err error) {
	if err := s.source.Prepare(); err != nil {
		return r, err
	}
	var before, after time.Duration
	if s.server.PID != 0 {
		if before, err = measure.CPU(s.server.PID); err != nil {
			return r, err
		}
	}
	start := time.Now()
	took, err := s.client.Closed(s.inFlight, d)
	if err != nil {
		return r, err
	}
	wall := time.Since(start).Seconds()
	r.rate = float64(took.Count()) / wall
	if s.server.PID == 0 {
		return r, nil
	}
	if after, err = measure.Quiet(s.server.PID); err != nil {
		return r, err
	}
	r.cost = (after - before).Seconds() * 1e6 / float64(took.Count())
	r.busy = (after - before).Seconds() / wall
	return r, nil
}

// interleave measures sides in turn, the first one first in every other round,
// and returns the rounds of each. What both have of the machine's weather is in
// both.
func interleave(ctx context.Context, rounds int, d time.Duration, sides ...*side) ([][]round, error) {
	all := make([][]round, len(sides))
	for i := range rounds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for k := range sides {
			if i%2 == 1 {
				k = len(sides) - 1 - k
			}
			r, err := sides[k].measure(d)
			if err != nil {
				return nil, err
			}
			all[k] = append(all[k], r)
		}
	}
	return all, nil
}

// ratio is the median of the ratios of what two sides did, round by round.
func ratio(a, b []round, of func(round) float64) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = of(a[i]) / of(b[i])
	}
	return median(ratios)
}

func cost(r round) float64 { return r.cost }
func rate(r round) float64 { return r.rate }
func busy(r round) float64 { return r.busy }

// middle is the median of what a side did.
func middle(rounds []round, of func(round) float64) float64 {
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = of(r)
	}
	return median(values)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[len(sorted)/2-1] + sorted[len(sorted)/2]) / 2
}

// warm makes every agent live, and lets a server find its pace.
func (b *bench) warm() error {
	b.agents.Everybody()
	if err := b.remit.client.Once(liveAgents, inFlight); err != nil {
		return err
	}
	for _, s := range []*side{b.floor, b.remit} {
		if _, err := s.measure(time.Second); err != nil {
			return err
		}
	}
	return nil
}

// compare measures the floor, remit and the peer at saturation.
func (b *bench) compare(ctx context.Context) error {
	if err := b.warm(); err != nil {
		return err
	}
	sides := []*side{b.floor, b.remit}
	if b.peer != "" {
		peer, err := b.side(&measure.Server{Address: b.peer, PID: b.peerPID}, false)
		if err != nil {
			return err
		}
		sides = append(sides, peer)
	}
	all, err := interleave(ctx, 9, 1500*time.Millisecond, sides...)
	if err != nil {
		return err
	}
	r := b.report
	r.Floor, r.Remit = middle(all[0], cost), middle(all[1], cost)
	r.floorRate, r.remitRate = middle(all[0], rate), middle(all[1], rate)
	r.busy = [2]float64{middle(all[0], busy), middle(all[1], busy)}
	r.set("cpu_per_decision_vs_floor", ratio(all[1], all[0], cost))
	r.set("decisions_per_second_per_core", 1e6/r.Remit)
	if len(all) == 3 {
		b.comparePeer(all)
	}
	return nil
}

// comparePeer reports the peer: by processor time where that can be read, and
// by how much it decides.
func (b *bench) comparePeer(all [][]round) {
	b.report.set("peer_decisions_per_second_vs_remit", ratio(all[2], all[1], rate))
	if b.peerPID != 0 {
		b.report.set("peer_cpu_vs_floor", ratio(all[2], all[0], cost))
		b.report.set("peer_cpu_vs_remit", ratio(all[2], all[1], cost))
	}
}

// latencies measures how long answers take when remit has a part of the load it
// can bear, and the floor at the same rates.
func (b *bench) latencies(ctx context.Context) error {
	for _, percent := range []int{30, 60} {
		var all [2]load.Histogram
		for range 2 {
			for i, s := range []*side{b.floor, b.remit} {
				if err := s.source.Prepare(); err != nil {
					return err
				}
				took, err := s.client.Open(b.report.remitRate*float64(percent)/100, 3*time.Second)
				if err != nil {
					return err
				}
				all[i].Merge(took)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		b.report.latency(percent, &all[0], &all[1])
	}
	return nil
}
