package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/remit-pdp/remit/bundles"
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/identity"
	"github.com/remit-pdp/remit/pdp/state"
)

// activation keeps in force what the source of policy holds, as long as that is
// good: a bundle is compiled, checked and tried off to the side, kept on the
// disk and journalled, and then all of it takes the place of the one before at
// once. A bad one is reported and changes nothing (invariant 9).
type activation struct {
	source  bundles.Source
	maker   *maker
	point   deciding
	journal journal
	kept    bundles.LastGood
	log     *slog.Logger
	status  *statusKeeper
	mark    string // of what was fetched last
}

// deciding is the part of a decision point that generations are put in force at.
type deciding interface {
	Activate(*pdp.Generation)
	Generation() *pdp.Generation
}

// journal is the part of a store that activations are recorded in.
type journal interface {
	Append(context.Context, *state.Entry) error
}

func newActivation(c *config.Config, keys *pdp.Keys, issuers *identity.Issuers, point deciding, j journal, log *slog.Logger) (*activation, error) {
	source, sourceErr := newSource(&c.Policy.Bundle)
	m, makerErr := newMaker(c, keys, issuers, time.Now)
	if err := errors.Join(sourceErr, makerErr); err != nil {
		return nil, err
	}
	kept := bundles.LastGood(policyDir(c.State.Dir))
	return &activation{
		source: source, maker: m, point: point, journal: j, kept: kept, log: log,
		status: newStatusKeeper(kept, source, log),
	}, nil
}

// policyDir is where the state directory holds what is known of the policy.
func policyDir(stateDir string) string { return filepath.Join(stateDir, "policy") }

// start activates what the source holds, or else what served last. It returns
// an error where neither is good.
func (a *activation) start(ctx context.Context) error {
	snapshot, err := a.source.Fetch(ctx, "")
	if err != nil {
		a.status.unreachable(err)
		return a.fallBack(ctx, err)
	}
	a.mark = snapshot.Mark
	if err := a.take(ctx, snapshot); err != nil {
		return a.fallBack(ctx, err)
	}
	return nil
}

// fallBack activates the copy of what served last, because of a problem with
// the source.
func (a *activation) fallBack(ctx context.Context, problem error) error {
	kept, err := a.kept.Read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return problem
	case err != nil:
		return errors.Join(problem, err)
	case kept.Source != a.source.String():
		return errors.Join(problem, fmt.Errorf("the last good policy is not used: it came from another source, %s", kept.Source))
	}
	generation, warnings, err := a.build(ctx, &kept.Snapshot)
	if err != nil {
		return errors.Join(problem, fmt.Errorf("the last good policy is not good any more: %w", err))
	}
	if err := a.enforce(ctx, generation, warnings); err != nil {
		return err
	}
	a.status.activated(generation.ID, kept.At, true)
	a.log.Warn("serving the last good policy, because its source has none that is good",
		"generation", generation.ID, "since", kept.At, "problem", problem)
	return nil
}

// watch looks for changes until ctx ends. The function it returns waits for
// the end.
func (a *activation) watch(ctx context.Context, every time.Duration) (wait func()) {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				a.look(ctx)
			}
		}
	}()
	return func() { stop(); <-ended }
}

// look activates what the source holds, if that is new.
func (a *activation) look(ctx context.Context) {
	snapshot, err := a.source.Fetch(ctx, a.mark)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		a.status.unreachable(err)
	case snapshot == nil:
		a.status.reached()
	default:
		a.status.reached()
		a.mark = snapshot.Mark
		_ = a.take(ctx, snapshot) // reported, and what served serves on
	}
}

// take activates a snapshot, or reports what is wrong with it.
func (a *activation) take(ctx context.Context, s *bundles.Snapshot) error {
	generation, warnings, err := a.build(ctx, s)
	if err != nil {
		a.refuse(ctx, s, err)
		return err
	}
	if now := a.point.Generation(); now != nil && now.ID == generation.ID {
		a.status.confirmed()
		return nil
	}
	at := time.Now()
	err = a.kept.Keep(&bundles.Kept{Source: a.source.String(), At: at, Snapshot: *s})
	if err == nil {
		err = a.enforce(ctx, generation, warnings)
	}
	if err != nil {
		a.mark = "" // the bundle is good: it is tried again
		a.status.refused(generation.ID, err)
		return err
	}
	a.status.activated(generation.ID, at, false)
	return nil
}

// build makes a generation. Whatever a bundle does to the compiler, it is the
// bundle that is bad.
func (a *activation) build(ctx context.Context, s *bundles.Snapshot) (g *pdp.Generation, warnings []error, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			a.log.Error("a panic while a policy was compiled", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			err = fmt.Errorf("%s cannot be compiled: %v", s.Name, cause)
		}
	}()
	return a.maker.generation(ctx, s)
}

// enforce journals a generation and puts it in force, all of it at once.
func (a *activation) enforce(ctx context.Context, g *pdp.Generation, warnings []error) error {
	if err := a.journal.Append(ctx, &state.Entry{Kind: state.Activated, At: time.Now().UnixNano(), Generation: g.ID}); err != nil {
		return fmt.Errorf("journal the activation: %w", err)
	}
	a.point.Activate(g)
	for _, warning := range warnings {
		a.log.Warn(warning.Error(), "generation", g.ID)
	}
	a.log.Info("policy activated", "generation", g.ID)
	return nil
}

// refuse reports a bundle that is bad.
func (a *activation) refuse(ctx context.Context, s *bundles.Snapshot, problem error) {
	name := s.Version
	if name == "" {
		name = s.Name
	}
	a.status.refused(name, problem)
	entry := &state.Entry{Kind: state.Activated, At: time.Now().UnixNano(), Generation: name, Problem: shortened(problem.Error())}
	if err := a.journal.Append(ctx, entry); err != nil && ctx.Err() == nil {
		a.log.Error("a refused policy was not journalled", "error", err)
	}
}

// maxProblem bounds what the journal keeps of a problem, in bytes.
const maxProblem = 2048

func shortened(text string) string {
	if len(text) <= maxProblem {
		return text
	}
	return text[:maxProblem] + "…"
}
