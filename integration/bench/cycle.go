package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/remit-pdp/remit/integration/bench/measure"
)

// cycle is what one process of remit did, from its start to its kill, and what
// came after.
type cycle struct {
	footprint
	Seconds  float64 `json:"seconds"`  // since the load began, at the kill
	Answers  int     `json:"answers"`  // to it
	Late     int     `json:"late"`     // those that there was no time to decide
	Lost     int     `json:"lost"`     // questions that got no answer because of the kill
	P50      float64 `json:"p50_us"`   // from when a question was due to its answer
	P99      float64 `json:"p99_us"`   //
	Recovery float64 `json:"recovery"` // seconds from the start after the kill to being ready
}

// cycle has remit decide at a rate, kills it under load and starts it again.
func (e *endurance) cycle(ctx context.Context) error {
	s, c := e.remit, cycle{}
	c.born = time.Now()
	answers, late, gone := len(s.source.Answers), s.source.Late, s.source.Gone
	watching, stop := context.WithCancel(ctx)
	watched, killed := make(chan error, 1), make(chan error, 1)
	go func() { watched <- c.watch(watching, s.server, func() error { return e.archive.keep(false) }) }()
	var killing atomic.Bool
	time.AfterFunc(e.every, func() {
		killing.Store(true)
		killed <- e.kill(stop, watched)
	})
	took, err := s.client.Open(e.rate, e.every+time.Minute)
	if err == nil || !killing.Load() {
		stop()
		return fmt.Errorf("it was not the kill that ended the load: %v", err)
	}
	if failed := <-killed; failed != nil {
		return fmt.Errorf("before the kill: %w", failed)
	}
	c.Seconds = time.Since(e.began).Seconds()
	e.killed++
	if err := s.hangUp(); err != nil {
		return err
	}
	c.Answers, c.Late, c.Lost = len(s.source.Answers)-answers, s.source.Late-late, s.source.Gone-gone
	c.P50, c.P99 = float64(took.Quantile(0.5).Microseconds()), float64(took.Quantile(0.99).Microseconds())
	if c.Recovery, err = e.recover(ctx); err != nil {
		return err
	}
	e.Cycles = append(e.Cycles, c)
	return ctx.Err()
}

// kill ends the watch and kills remit.
func (e *endurance) kill(stop func(), watched <-chan error) error {
	stop()
	err := <-watched
	server := e.remit.server
	used, failed := measure.CPU(server.PID)
	e.used += used
	server.Remit.Kill()
	return errors.Join(err, failed)
}

// recover starts remit again with the same state, connects to it, and returns how
// long it took to be ready.
func (e *endurance) recover(ctx context.Context) (float64, error) {
	start := time.Now()
	if err := e.remit.server.Restart(ctx); err != nil {
		return 0, fmt.Errorf("start again after the kill: %w", err)
	}
	took := time.Since(start).Seconds()
	return took, e.remit.dial()
}
