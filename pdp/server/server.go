// Package server wires everything: it is the only package that knows all the
// others. [Run] is the process: it opens the state, makes a generation from
// the configured bundle, and serves the doors until its context ends.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/door/outcome"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
)

// drain is how long what is under way may take to end after the health check
// was flipped.
const drain = 10 * time.Second

// Run serves c until ctx ends. Nothing listens before everything is good; it
// returns nil after an orderly end.
func Run(ctx context.Context, c *config.Config, log *slog.Logger) (err error) {
	seed, err := localstore.LoadOrCreateSeed(c.State.Dir)
	if err != nil {
		return err
	}
	keys, err := pdp.NewKeys(seed)
	if err != nil {
		return err
	}
	generation, warnings, err := NewGeneration(ctx, c, keys, time.Now)
	if err != nil {
		return err
	}
	for _, warning := range warnings {
		log.Warn(warning.Error())
	}
	store, err := localstore.Open(c.State.Dir, storeOptions(c, keys, log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	history := state.New(store, keys, stateSettings(c), time.Now)
	defer func() { err = errors.Join(err, history.Close()) }()
	point := pdp.NewPoint(history, keys, time.Now, func(cause any, stack []byte) {
		log.Error("a panic became a denial", "cause", fmt.Sprint(cause), "stack", string(stack))
	})
	point.Activate(generation)

	doors, err := listen(c, point, keys, log)
	if err != nil {
		return err
	}
	log.Info("serving", "generation", generation.ID, "listeners", len(c.Listeners), "state", c.State.Dir)
	return doors.serve(ctx)
}

// settler makes outcomes settle, and tells of those that do not.
type settler struct {
	point *pdp.Point
	log   *slog.Logger
}

// Settle implements [outcome.Settler].
func (s settler) Settle(ctx context.Context, o pdp.Outcome) error {
	err := s.point.Settle(ctx, o)
	if err != nil {
		s.log.Warn("an outcome was not settled", "source", o.Source, "decision_id", o.DecisionID, "error", err)
	}
	return err
}

var _ outcome.Settler = settler{}
