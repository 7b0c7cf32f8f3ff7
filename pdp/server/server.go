// Package server wires everything: it is the only package that knows all the
// others. [Run] is the process: it opens the state, makes a generation from
// the configured bundle, and serves the doors until its context ends.
package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/catalog"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/revocation"
	"github.com/remit-pdp/remit/pdp/sessions"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
	"github.com/remit-pdp/remit/pdp/telemetry"
)

// Run serves c until ctx ends. Nothing listens before everything is good; it
// returns nil after an orderly end.
func Run(ctx context.Context, c *config.Config, log *slog.Logger) (err error) {
	tune(ctx, &c.Process, log)
	seed, err := localstore.LoadOrCreateSeed(c.State.Dir)
	if err != nil {
		return err
	}
	keys, err := pdp.NewKeys(seed)
	if err != nil {
		return err
	}
	issuers := NewIssuers(c, log)
	defer issuers.Close()
	exported, err := newDecisionLog(c, keys, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, exported.close()) }()
	store, err := localstore.Open(c.State.Dir, storeOptions(c, keys, exported, log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := exported.start(store); err != nil {
		return err
	}
	defer exported.stop()

	meter := telemetry.New()
	measured := meter.Store(store)
	history := state.New(measured, keys, StateSettings(c), time.Now)
	defer func() { err = errors.Join(err, history.Close()) }()
	point := meter.NewPoints(history, keys, time.Now, crashes(meter, log))
	endTracing, err := tracing(ctx, point, &c.Telemetry.Traces, log)
	if err != nil {
		return err
	}
	defer endTracing()
	policy, err := newActivation(c, keys, issuers, point, measured, log)
	if err != nil {
		return err
	}
	seen := catalog.NewSeen(Definitions(c), time.Now)
	policy.maker.seen, policy.maker.meter = seen, meter
	if err := policy.start(ctx); err != nil {
		return err
	}
	watching, unwatch := context.WithCancel(ctx)
	defer unwatch()
	go watchDefinitions(watching, seen, log)
	awaitIssuers(ctx, issuers)
	doors, err := listen(c, point, keys, orders{revocation.New(measured, time.Now), sessions.New(measured, time.Now), sessionViews{measured, StateSettings(c)}}, meter, log)
	if err != nil {
		return err
	}
	doors.issuers = issuers
	meter.Observe(sources(policy, issuers, store, exported, doors))
	doors.http.Handler = withMetrics(withPolicy(doors.http.Handler, policy), meter)
	defer policy.watch(ctx, c.Policy.Bundle.Poll.D())()
	log.Info("serving", "generation", point.Generation().ID, "listeners", len(c.Listeners), "state", c.State.Dir)
	return doors.serve(ctx)
}

// storeOptions are the store's part of the configuration.
func storeOptions(c *config.Config, keys *pdp.Keys, exported *decisionLog, log *slog.Logger) localstore.Options {
	return localstore.Options{
		Keys: keys, Sync: c.State.Durability == "sync", SegmentBytes: c.State.SegmentBytes,
		Partitions: c.State.MaxPartitions, Retention: exported.retention(&c.DecisionLog),
		Warn: func(err error) { log.Warn("state", "error", err) },
	}
}

// StateSettings are the history's part of the configuration.
func StateSettings(c *config.Config) state.Settings {
	s := state.Defaults
	s.Idle, s.MaxAge, s.Carry = c.State.Session.Idle.D(), c.State.Session.MaxAge.D(), c.State.Session.Carry.D()
	s.OutcomeTimeout = c.State.OutcomeTimeout.D()
	s.MaxQuestions = c.Agents.MaxQuestionsPerMinute
	s.MaxOpen, s.MaxPerMinute, s.Recent = c.State.Session.MaxOpen, c.State.Session.MaxPerMinute, c.State.Session.RecentActions
	return s
}
