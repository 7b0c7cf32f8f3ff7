package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// rotated is how many tokens are replaced by newer ones in a run at the least.
const rotated = 1000

// promises plays what is hard on the server that was measured, then stops it and
// holds its journal against every answer that it gave in the whole run.
func (b *bench) promises(ctx context.Context) error {
	// What was measured meanwhile took longer than a connection gets old.
	if err := errors.Join(b.remit.hangUp(), b.remit.dial()); err != nil {
		return err
	}
	if err := b.rotate(); err != nil {
		return err
	}
	if err := b.hostile(); err != nil {
		return err
	}
	if err := b.kill(ctx); err != nil {
		return err
	}
	if err := b.remit.hangUp(); err != nil {
		return err
	}
	b.remit.server.Remit.Stop()
	out, err := b.remit.server.Remit.Run(ctx, "log", "verify")
	b.report.promise("remit log verify finds the journal as it was written", err == nil, "%s", out)
	if err := b.compareJournal(ctx); err != nil {
		return err
	}
	b.report.judge(b.remit, "every answer was the one that must be given")
	return nil
}

// rotate replaces tokens while their agents act.
func (b *bench) rotate() error {
	if err := b.agents.Rotate(rotated); err != nil {
		return err
	}
	if err := b.remit.client.Once(2*rotated, inFlight); err != nil {
		return err
	}
	b.report.promise("1,000 tokens were rotated", b.agents.Rotated >= rotated, "%d tokens were replaced while their agents acted", b.agents.Rotated)
	return nil
}

// hostile has every twentieth body be one that a tool could read otherwise.
func (b *bench) hostile() error {
	b.remit.source.Hostile = 5
	_, err := b.remit.client.Closed(inFlight, 1500*time.Millisecond)
	b.remit.source.Hostile = 0
	asked, allowed := b.remit.source.HostileSeen()
	b.report.promise("5 % hostile bodies, all denied", asked > 0 && allowed == 0, "%d hostile bodies, %d allowed", asked, allowed)
	return err
}

// kill kills remit under load and starts it again.
func (b *bench) kill(ctx context.Context) error {
	s := b.remit
	var killed atomic.Bool
	time.AfterFunc(700*time.Millisecond, func() {
		killed.Store(true)
		s.server.Remit.Kill()
	})
	_, err := s.client.Closed(inFlight, 5*time.Second)
	b.report.promise("remit was killed under load (SIGKILL)", err != nil && killed.Load(), "%v", err)
	if err := s.hangUp(); err != nil {
		return err
	}
	if err := s.server.Restart(ctx); err != nil {
		return fmt.Errorf("start again after the kill: %w", err)
	}
	if err := s.dial(); err != nil {
		return err
	}
	_, err = s.client.Closed(inFlight, time.Second)
	return err
}

// judge holds what a side's source saw against what had to be answered.
func (r *report) judge(s *side, what string) {
	n := s.source.Judged()
	r.promise(what, len(s.source.Wrong) == 0, "%d answers, wrong: %v", n, s.source.Wrong)
	// Explicit denials because there was no time are right, but what they cost
	// is not what a decision costs.
	r.promise(what+", in time", n > 0 && s.source.Late+failures(s) <= n/100,
		"%d answers, %d without time to decide, no answer: %v", n, s.source.Late, s.source.Failed)
}

func failures(s *side) (n int) {
	for _, failed := range s.source.Failed {
		n += failed
	}
	return n
}
