package server

import (
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/audit"
	"github.com/remit-pdp/remit/pdp/audit/export"
	"github.com/remit-pdp/remit/pdp/config"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
	"github.com/remit-pdp/remit/pdp/telemetry"
	"github.com/remit-pdp/remit/pdp/value"
)

// lastExport is how long the last events have to be exported. What is left is
// exported after the next start.
const lastExport = 2 * time.Second

// decisionLog is the export of the decision log; without an exporter it goes
// nowhere.
type decisionLog struct {
	exporter *export.Exporter
	maxLag   int64 // bytes
}

// newDecisionLog makes the export that is configured. It begins with start.
func newDecisionLog(c *config.Config, keys *pdp.Keys, log *slog.Logger) (*decisionLog, error) {
	d := &c.DecisionLog
	if !d.Exports() {
		return &decisionLog{}, nil
	}
	sinks, err := sinksOf(d, log)
	if err != nil {
		return nil, err
	}
	exporter, err := export.New(export.Settings{
		Dir: filepath.Join(c.State.Dir, "export"), Sinks: sinks, Form: eventForm(d, keys), Now: time.Now, Log: log,
	})
	if err != nil {
		return nil, errors.Join(err, closeAll(sinks))
	}
	return &decisionLog{exporter, d.MaxLag}, nil
}

// eventForm is what leaves: what `remit log tail --json` prints, masked.
func eventForm(d *config.DecisionLog, keys *pdp.Keys) export.Form {
	mask := audit.NewMask(d.Mask, d.Erase, func(text string) string { return keys.Fingerprint("decision log", text) })
	return export.Form{
		Event: func(at state.Position, e *state.Entry) []byte {
			return value.AppendJSON(nil, mask.Apply(audit.Event(at, e)))
		},
		Gap: func(from, to state.Position, why string, at time.Time) []byte {
			return value.AppendJSON(nil, audit.Gap(from, to, why, at))
		},
	}
}

// retention is how the store keeps the journal for the export.
func (l *decisionLog) retention(d *config.DecisionLog) localstore.Retention {
	r := localstore.Retention{Age: d.Retain.Age.D(), Bytes: d.Retain.Bytes, MaxLag: d.MaxLag, Deny: d.OnFull == "deny"}
	if l.exporter != nil {
		r.Exported = l.exporter.Exported
	}
	return r
}

func (l *decisionLog) start(store *localstore.Store) error {
	if l.exporter == nil {
		return nil
	}
	return l.exporter.Start(store)
}

func (l *decisionLog) stop() {
	if l.exporter != nil {
		l.exporter.Stop(lastExport)
	}
}

func (l *decisionLog) close() error {
	if l.exporter == nil {
		return nil
	}
	return l.exporter.Close()
}

// status is how the export is, for the metrics, and how many bytes it may be behind.
func (l *decisionLog) status() (all []telemetry.Export, limit int64) {
	if l.exporter == nil {
		return nil, 0
	}
	for _, s := range l.exporter.Status() {
		all = append(all, telemetry.Export{
			Sink: s.Sink, Events: s.Events, Gaps: s.Gaps, Refused: s.Refused, Failed: s.Failed, Blocked: s.Blocked, Failing: s.Failing, LagBytes: s.LagBytes, Lag: s.Lag,
		})
	}
	return all, l.maxLag
}
