package state

import (
	"context"
	"fmt"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Resume implements [pdp.History].
func (h *History) Resume(ctx context.Context, declared *pdp.Declarations, partition pdp.PartitionKey, id string) (pdp.Settlement, error) {
	if partition == (pdp.PartitionKey{}) {
		return nil, pdp.ErrNotInFlight // nothing of nobody's is in flight
	}
	held, err := h.store.Acquire(ctx, partition)
	if err != nil {
		return nil, fmt.Errorf("wait for the partition: %w", err)
	}
	flight := held.State().Flights[id]
	if flight == nil {
		held.Release()
		return nil, pdp.ErrNotInFlight
	}
	return &settlement{History: h, declared: declared, held: held, id: id, flight: flight, at: max(h.now().UnixNano(), held.State().Last)}, nil
}

// settlement settles one action in flight.
type settlement struct {
	*History
	declared *pdp.Declarations
	held     Held
	id       string
	flight   *InFlight
	at       int64
	outcome  pdp.Outcome // of Input
	view     value.View[settlement]
}

// Release implements [pdp.Settlement].
func (s *settlement) Release() { s.held.Release() }

// Input implements [pdp.Settlement]: `input` of the outcome rules.
func (s *settlement) Input(o pdp.Outcome) value.Value {
	s.outcome = o
	return settlementFields.In(&s.view, s)
}

type settlementField = value.Field[settlement]

// settlementFields are read when a policy asks: most have no outcome rules.
var settlementFields = value.NewFields(
	settlementField{Name: "action", Read: func(s *settlement) value.Value {
		return value.Obj(
			value.M("tool", value.Str(s.flight.Action.Tool)),
			value.M("operation", value.Str(operationName(s.flight.Action.Operation))))
	}},
	settlementField{Name: "target", Read: func(s *settlement) value.Value {
		return value.Obj(
			value.M("system", value.Str(s.flight.Action.System)),
			value.M("resource", value.Str(s.flight.Target)),
			value.M("sensitivity", value.Str(levelName(int8(s.flight.Action.Level)))),
			value.M("level", value.Int(int64(s.flight.Action.Level))))
	}},
	settlementField{Name: "outcome", Read: func(s *settlement) value.Value { return outcomeInput(&s.outcome) }},
	settlementField{Name: "time", Read: func(s *settlement) value.Value { return pdp.TimeInput(time.Unix(0, s.at)) }},
	settlementField{Name: "agent", Read: func(s *settlement) value.Value {
		agent := s.held.State().Agents[s.flight.Agent]
		if agent == nil {
			return value.Nothing
		}
		return value.Obj(value.M("id", value.Str(agent.Is.ID)), value.M("issuer", value.OptStr(agent.Is.Issuer)))
	}},
	settlementField{Name: "session", Read: func(s *settlement) value.Value {
		session := s.held.State().Sessions[s.flight.Session]
		if session == nil {
			return value.Nothing
		}
		return value.Obj(value.M("id", value.Str(session.ID)), value.M("labels", labelsValue(session.Labels, s.at)))
	}},
)

func outcomeInput(o *pdp.Outcome) value.Value {
	return value.Obj(
		value.M("state", value.Str(string(o.State))),
		value.M("source", value.Str(o.Source)),
		value.M("status", value.Int(int64(o.Status))),
		value.M("attempts", value.Int(int64(o.Attempts))),
		value.M("content_type", value.OptStr(o.ContentType)),
		value.M("details", value.OptStr(o.Details)),
		value.M("bytes", value.Obj(value.M("sent", value.Int(o.RequestBytes)), value.M("received", value.Int(o.ResponseBytes)))))
}

// Commit implements [pdp.Settlement].
func (s *settlement) Commit(ctx context.Context, o pdp.Outcome, effects pdp.Effects) error {
	if o.Host != "" && s.flight.Host != "" && o.Host != s.flight.Host {
		return fmt.Errorf("the outcome is of another host than the action: %w", pdp.ErrForged)
	}
	state := s.held.State()
	settled := &struct {
		entry    Entry
		settling Settling
	}{}
	settling := &settled.settling
	*settling = Settling{
		ID: s.id, State: o.State, Source: o.Source, Status: o.Status, Attempts: o.Attempts, Sent: o.RequestBytes,
		Received: o.ResponseBytes, ContentType: o.ContentType, Details: o.Details, Labels: effects.Labels,
		Late: s.at > s.flight.Deadline, Undeclared: s.signatures(s.declared).undeclared(state.Declared),
	}
	ring := keyring{keys: s.keys}
	for i := range effects.Remember {
		m := &effects.Remember[i]
		if (m.On == pdp.OnDone && o.State == pdp.OutcomeDone) || (m.On == pdp.OnFailed && o.State == pdp.OutcomeFailed) {
			settling.Notes = ring.note(settling.Notes, s.declared, m)
		}
	}
	e := &settled.entry
	*e = Entry{Kind: Settled, At: s.at, Partition: state.Key, Seq: state.Seq + 1, Settling: settling}
	if err := s.held.Commit(ctx, e); err != nil {
		return fmt.Errorf("write the outcome: %w", err)
	}
	return nil
}
