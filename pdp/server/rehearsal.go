package server

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
	"github.com/remit-pdp/remit/pdp/value"
)

// Rehearsal decides requests with the configuration and policies that would be
// served, and with a history of its own that is gone afterwards. Everything is
// the real thing but two: the clock, which the caller moves, and who acts,
// which the caller says instead of proving it. Not safe for concurrent use.
type Rehearsal struct {
	point  *pdp.Point
	who    pdp.Agent
	saw    value.Value
	clock  time.Time
	closes []func() error
}

// NewRehearsal makes everything ready that [Run] would serve with.
func NewRehearsal(ctx context.Context, c *config.Config) (_ *Rehearsal, err error) {
	r := &Rehearsal{clock: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	seed := make([]byte, pdp.SeedSize)
	rand.Read(seed) // never fails since Go 1.24
	keys, err := pdp.NewKeys(seed)
	if err != nil {
		return nil, err
	}
	now := func() time.Time { return r.clock }
	generation, _, err := NewGeneration(ctx, c, keys, NewIssuers(c, nil), now)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "remit-rehearsal-")
	if err != nil {
		return nil, err
	}
	r.closes = append(r.closes, func() error { return os.RemoveAll(dir) })
	store, err := localstore.Open(dir, localstore.Options{Keys: keys, SegmentBytes: 1 << 20, Warn: func(error) {}})
	if err != nil {
		return nil, err
	}
	r.closes = append(r.closes, store.Close)
	history := state.New(store, keys, StateSettings(c), now)
	r.closes = append(r.closes, history.Close)

	generation.Verifier, generation.Policy = r, rehearsed{generation.Policy, r}
	r.point = pdp.NewPoint(history, keys, now, func(any, []byte) {}) // the denial itself tells of a panic
	r.point.Activate(generation)
	return r, nil
}

// Verify implements [pdp.Verifier]: it is whoever the caller said.
func (r *Rehearsal) Verify(context.Context, *pdp.Envelope) (pdp.Agent, error) { return r.who, nil }

// rehearsed shows what the policy sees.
type rehearsed struct {
	pdp.Policy
	to *Rehearsal
}

// Decide implements [pdp.Policy].
func (p rehearsed) Decide(ctx context.Context, input value.Value) (pdp.Verdict, error) {
	// The view is of this decision only: what is kept of it is a copy.
	copied, err := value.DecodeJSON(value.AppendJSON(nil, input))
	if err == nil {
		p.to.saw = copied
	}
	return p.Policy.Decide(ctx, input)
}

// Wait moves the clock on.
func (r *Rehearsal) Wait(d time.Duration) { r.clock = r.clock.Add(d) }

// Ask decides e as a request of agent.
func (r *Rehearsal) Ask(ctx context.Context, agent pdp.Agent, e *pdp.Envelope) pdp.Decision {
	r.who, r.saw, e.Received = agent, value.Nothing, r.clock
	return r.point.Decide(ctx, e)
}

// Saw is the input that the policy decided the latest request by; undefined
// where it was not asked.
func (r *Rehearsal) Saw() value.Value { return r.saw }

// Settle says how the action that was allowed with a decision ended.
func (r *Rehearsal) Settle(ctx context.Context, decisionID string, s pdp.OutcomeState) error {
	return r.point.Settle(ctx, pdp.Outcome{DecisionID: decisionID, State: s, Source: "rehearsal", At: r.clock})
}

// Close forgets everything.
func (r *Rehearsal) Close() (err error) {
	for i := len(r.closes) - 1; i >= 0; i-- {
		err = errors.Join(err, r.closes[i]())
	}
	r.closes = nil
	return err
}
