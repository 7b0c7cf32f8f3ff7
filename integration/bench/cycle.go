package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/remit-pdp/remit/integration/bench/load"
	"github.com/remit-pdp/remit/integration/bench/measure"
)

// cycle is what one process of remit did, from its start to its kill, and what
// came after.
type cycle struct {
	footprint
	Seconds  float64 `json:"seconds"`          // since the load began, at the kill
	Answers  int     `json:"answers"`          // to it
	Late     int     `json:"late"`             // those that there was no time to decide
	Lost     int     `json:"lost"`             // questions that got no answer because of the kill
	P50      float64 `json:"p50_us"`           // from when a question was due to its answer
	P99      float64 `json:"p99_us"`           //
	Recovery float64 `json:"recovery_seconds"` // seconds from the start after the kill to being ready
}

// cycle has remit decide at a rate, kills it under load and starts it again.
func (e *endurance) cycle(ctx context.Context) error {
	s := e.remit
	c := cycle{footprint: footprint{born: time.Now()}}
	answers, late, gone := len(s.source.Answers), s.source.Late, s.source.Gone
	took, err := e.untilKilled(ctx, &c.footprint)
	if err != nil {
		return err
	}
	c.Seconds = time.Since(e.began).Seconds()
	if err := s.hangUp(); err != nil {
		return err
	}
	c.Answers, c.Late, c.Lost = len(s.source.Answers)-answers, s.source.Late-late, s.source.Gone-gone
	c.P50, c.P99 = float64(took.Quantile(0.5).Microseconds()), float64(took.Quantile(0.99).Microseconds())
	if c.Recovery, err = e.startAgain(ctx); err != nil {
		return err
	}
	e.Cycles = append(e.Cycles, c)
	return ctx.Err()
}

// untilKilled asks until the kill, and watches what remit takes. It is an error
// where anything else ends the load.
func (e *endurance) untilKilled(ctx context.Context, f *footprint) (*load.Histogram, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	watched, killed := make(chan error, 1), make(chan error, 1)
	go func() { watched <- f.watch(watching, e.remit.server, func() error { return e.archive.keep(false) }) }()
	var killing atomic.Bool
	time.AfterFunc(e.every, func() {
		stop()
		err := <-watched
		killing.Store(true)
		killed <- errors.Join(err, e.kill())
	})
	took, err := e.remit.client.Open(e.rate, e.every+time.Minute)
	if err == nil || !killing.Load() {
		return nil, fmt.Errorf("it was not the kill that ended the load: %v", err)
	}
	return took, <-killed
}

// kill kills remit, and counts what it used of the processors.
func (e *endurance) kill() error {
	server := e.remit.server
	used, err := measure.CPU(server.PID)
	e.used += used
	e.killed++
	server.Remit.Kill()
	return err
}

// startAgain starts remit with the same state, connects to it, and returns how long
// it took to be ready, in seconds.
func (e *endurance) startAgain(ctx context.Context) (float64, error) {
	start := time.Now()
	if err := e.remit.server.Restart(ctx); err != nil {
		return 0, fmt.Errorf("start again after the kill: %w", err)
	}
	took := time.Since(start).Seconds()
	return took, e.remit.dial()
}
