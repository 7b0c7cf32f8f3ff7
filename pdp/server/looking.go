package server

import (
	"context"
	"encoding/json"
	"time"

	"github.com/remit-pdp/remit/pdp/door/operators"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/value"
)

// sessionViews shows what the store remembers of sessions.
type sessionViews struct {
	store    state.Store
	settings state.Settings
}

var _ operators.Sessions = sessionViews{}

// Session implements [operators.Sessions].
func (v sessionViews) Session(ctx context.Context, id string) (shown json.RawMessage, err error) {
	err = state.VisitSession(ctx, v.store, id, func(p *state.Partition, _ *state.Session) { shown = v.show(p, id) })
	return shown, err
}

// Sessions implements [operators.Sessions].
func (v sessionViews) Sessions(ctx context.Context, visit func(json.RawMessage) error) error {
	return v.store.Partitions(ctx, func(p *state.Partition) error {
		for id := range p.Sessions {
			if err := visit(v.show(p, id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// show writes a session down at once: the partition is the visitor's only now.
func (v sessionViews) show(p *state.Partition, id string) json.RawMessage {
	return value.AppendJSON(nil, p.Show(id, v.settings, v.store.Revocations(), time.Now()))
}
