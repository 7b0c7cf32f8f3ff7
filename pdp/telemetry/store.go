package telemetry

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// stored are the counters of what a store accepts and refuses.
type stored struct {
	entries    [state.Ordered + 1]prometheus.Counter
	errors     *prometheus.CounterVec
	sessions   prometheus.Counter
	aggregated prometheus.Counter
	allowed    prometheus.Counter
	outcomes   map[ending]prometheus.Counter
	activated  prometheus.Counter
	refused    prometheus.Counter
}

// An ending is what outcomes are told apart by.
type ending struct {
	state pdp.OutcomeState
	late  bool
}

func newStored(in prometheus.Registerer) stored {
	s := stored{
		errors: storeErrorsTotal.counter(in), outcomes: make(map[ending]prometheus.Counter),
		sessions:   sessionsTotal.counter(in).WithLabelValues(),
		aggregated: aggregatedTotal.counter(in).WithLabelValues(),
		allowed:    actionsTotal.counter(in).WithLabelValues(),
	}
	activations := activationsTotal.counter(in)
	s.activated, s.refused = activations.WithLabelValues("ok"), activations.WithLabelValues("refused")
	entries := entriesTotal.counter(in)
	for kind, name := range map[state.Kind]string{
		state.Decided: "decided", state.Settled: "settled", state.Activated: "activated", state.Revoked: "revoked", state.Lifted: "lifted",
		state.Ordered: "ordered",
	} {
		s.entries[kind] = entries.WithLabelValues(name)
	}
	for _, operation := range []string{"acquire", "commit", "revoke"} { // present before the first error
		s.errors.WithLabelValues(operation, "unavailable")
	}
	outcomes := outcomesTotal.counter(in)
	for _, outcome := range []pdp.OutcomeState{pdp.OutcomeDone, pdp.OutcomeFailed, pdp.OutcomeUnknown} {
		for _, late := range []bool{false, true} {
			s.outcomes[ending{outcome, late}] = outcomes.WithLabelValues(string(outcome), yesNo(late))
		}
	}
	return s
}

// accepted counts an entry that a store has accepted.
func (s *stored) accepted(e *state.Entry) {
	if int(e.Kind) < len(s.entries) && s.entries[e.Kind] != nil {
		s.entries[e.Kind].Inc()
	}
	switch {
	case e.Settling != nil:
		if settled := s.outcomes[ending{e.Settling.State, e.Settling.Late}]; settled != nil {
			settled.Inc()
		}
	case e.Kind == state.Activated && e.Problem != "":
		s.refused.Inc()
	case e.Kind == state.Activated:
		s.activated.Inc()
	case e.Effects != nil && e.Effects.Flight != nil:
		s.allowed.Inc()
	case e.Record != nil && e.Record.Count > 1:
		s.aggregated.Add(float64(e.Record.Count - 1))
	}
	if e.Effects != nil && e.Effects.Open != nil {
		s.sessions.Inc()
	}
}

// failed counts what a store could not do; nil and a revocation, which it did
// its duty with, are no failures.
func (s *stored) failed(operation string, err error) {
	var revoked *state.RevokedError
	switch {
	case err == nil || errors.As(err, &revoked):
		return
	case errors.Is(err, state.ErrUnavailable):
		s.errors.WithLabelValues(operation, "unavailable").Inc()
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		s.errors.WithLabelValues(operation, "deadline").Inc()
	default:
		s.errors.WithLabelValues(operation, other).Inc()
	}
}

func yesNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// Store wraps a store: what it accepts and refuses is counted.
func (m *Meter) Store(s state.Store) state.Store { return &store{s, m} }

type store struct {
	state.Store
	meter *Meter
}

func (s *store) Acquire(ctx context.Context, key pdp.PartitionKey) (state.Held, error) {
	h, err := s.Store.Acquire(ctx, key)
	if err != nil {
		s.meter.stored.failed("acquire", err)
		return nil, err
	}
	return &held{h, s.meter}, nil
}

func (s *store) Append(ctx context.Context, e *state.Entry) error {
	err := s.Store.Append(ctx, e)
	s.meter.committed("commit", e, err)
	return err
}

func (s *store) Revoke(ctx context.Context, e *state.Entry) error {
	err := s.Store.Revoke(ctx, e)
	s.meter.committed("revoke", e, err)
	return err
}

// held counts the commits of a turn.
type held struct {
	state.Held
	meter *Meter
}

func (h *held) Commit(ctx context.Context, e *state.Entry) error {
	err := h.Held.Commit(ctx, e)
	h.meter.committed("commit", e, err)
	return err
}

// committed counts what became of an entry.
func (m *Meter) committed(operation string, e *state.Entry, err error) {
	if err != nil {
		m.stored.failed(operation, err)
		return
	}
	m.stored.accepted(e)
}
