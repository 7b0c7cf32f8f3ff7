package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/remit-pdp/remit/integration/bench/measure"
	"github.com/remit-pdp/remit/pdp/state"
)

// How the long run is made.
const (
	share      = 0.8              // of saturation
	killEvery  = 30 * time.Second // and six times at the least
	leastKills = 6
	// longest is how long it may take: within the window of the budgets that are
	// pressed, and the life of the tokens.
	longest, shortest = 50 * time.Minute, time.Minute
	hostileShare      = 2 // of a hundred bodies
	greedyAgents      = 10
	// Sessions end within the run, so that what is remembered of them has stopped
	// growing: at the shortest age that remit can be told, or a bit more.
	sessionLife, renewed = 2 * time.Minute, 0.6
	// retained is how much of the journal remit keeps.
	retained = 512 << 20
)

// endurance is a run at a steady load under which remit is killed again and
// again.
type endurance struct {
	*bench
	endureReport
	duration, every, life time.Duration
	budgets               map[string]*declared
	archive               *archive
	rate                  float64 // questions a second
	began                 time.Time
	killed                int
	used                  time.Duration // processor time of all remits
}

func (b *bench) endure(ctx context.Context) (err error) {
	d := b.duration
	if d < shortest || d > longest {
		return fmt.Errorf("-endure %s is not between %s and %s", d, shortest, longest)
	}
	e := &endurance{bench: b, duration: d, every: min(killEvery, d/leastKills), life: max(time.Minute, min(sessionLife, d/4))}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"building", e.prepare},
		{"how much it can decide", e.saturate},
		{fmt.Sprintf("%.0f %% of that for %s, a kill every %s", 100*share, d, e.every), e.run},
		{"the answers, the records and the budgets", e.compare},
	} {
		b.say("%s", step.what)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	e.judge()
	if err := errors.Join(e.write(filepath.Join(b.root, "build")), e.print(os.Stdout)); err != nil {
		return err
	}
	return b.report.broken()
}

func (e *endurance) prepare(ctx context.Context) (err error) {
	if e.budgets, err = readBudgets(e.root); err != nil {
		return err
	}
	e.binary = filepath.Join(e.dir, "remit")
	if err := e.build(ctx, e.binary, "./cmd/remit", ""); err != nil {
		return err
	}
	if err := e.prepareLoad(); err != nil {
		return err
	}
	e.remit, err = e.startRemitWith(ctx, measure.Options{
		Dir: filepath.Join(e.dir, "main"), Binary: e.binary, Engine: "compiled", SessionLife: e.life, Retain: retained,
	})
	if err != nil {
		return err
	}
	e.archive, err = newArchive(filepath.Join(e.dir, "archive"), e.remit.server.Data)
	return err
}

// saturate makes every agent live and measures how much remit can decide of what
// it will be asked.
func (e *endurance) saturate(ctx context.Context) error {
	source := e.remit.source
	source.Press(asBudgets(e.budgets), greedyAgents, time.Duration(renewed*float64(e.life)))
	source.Hostile = hostileShare
	e.agents.Everybody()
	if err := e.remit.client.Once(liveAgents, inFlight); err != nil {
		return err
	}
	var rates []float64
	for range 4 {
		r, err := e.remit.measure(1500 * time.Millisecond)
		if err != nil {
			return err
		}
		rates = append(rates, r.rate)
	}
	e.Saturation = median(rates[1:]) // it finds its pace in the first
	e.rate = share * e.Saturation
	source.Expect(int(e.rate * (e.duration + time.Minute).Seconds()))
	return ctx.Err()
}

// run plays the cycles, and reads what else had the processors meanwhile.
func (e *endurance) run(ctx context.Context) error {
	busy, err := measure.Busy()
	if err != nil {
		return err
	}
	own, err := measure.Own()
	if err != nil {
		return err
	}
	before, err := measure.CPU(e.remit.server.PID)
	if err != nil {
		return err
	}
	e.began, e.used = time.Now(), -before
	for n := int(e.duration / e.every); e.killed < n; {
		if err := e.cycle(ctx); err != nil {
			return err
		}
		c := &e.Cycles[len(e.Cycles)-1]
		e.say("kill %d of %d: %d answers, %d late, %d lost, %d MiB, ready again after %.2f s", e.killed, n, c.Answers, c.Late, c.Lost, c.Resident>>20, c.Recovery)
	}
	return e.others(busy, own)
}

// others reads what share of the processors was used by nobody of this run.
func (e *endurance) others(busy, own time.Duration) error {
	busyNow, err := measure.Busy()
	if err != nil {
		return err
	}
	ownNow, err := measure.Own()
	if err != nil {
		return err
	}
	e.Load = time.Since(e.began).Seconds()
	e.Others = ((busyNow - busy) - (ownNow - own) - e.used).Seconds() / e.Load / cores
	return nil
}

// compare asks the last process for something too, ends it in order, and holds
// the records against the answers and the budgets.
func (e *endurance) compare(ctx context.Context) error {
	const spree = 300 // as much as an agent may do in a minute, and more than a person may read
	e.remit.source.Spree(spree)
	if err := e.remit.client.Once(spree+inFlight, inFlight); err != nil {
		return err
	}
	if err := e.remit.hangUp(); err != nil {
		return err
	}
	e.remit.server.Remit.Stop()
	if err := e.archive.keep(true); err != nil {
		return err
	}
	out, err := e.remit.server.Remit.Run(ctx, "log", "verify")
	e.report.promise("remit log verify finds what was kept of the journal as it was written", err == nil, "%s", out)
	out, err = e.remit.server.Remit.Run(ctx, "log", "verify", "--state.dir", e.archive.dir)
	e.report.promise("and the whole of it, with what was removed in order", err == nil, "%s", out)
	answers, budgets := newComparison(e.remit.source), newRecount(e.budgets)
	if err := eachRecord(ctx, e.archive.dir, func(entry *state.Entry, r *state.Record) {
		answers.add(r)
		budgets.add(entry, r)
	}); err != nil {
		return err
	}
	answers.judge(e.report)
	budgets.judge(e.report)
	e.Records, e.Untold, e.Budgets = answers.records, answers.untold, budgets.all()
	return nil
}
