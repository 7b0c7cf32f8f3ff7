package server

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/telemetry"
)

// crashes returns what is told of every panic that became a denial: it is
// counted and logged.
func crashes(meter *telemetry.Meter, log *slog.Logger) func(cause any, stack []byte) {
	return meter.Crashed(func(cause any, stack []byte) {
		log.Error("a panic became a denial", "cause", panicked(cause), "stack", string(stack))
	})
}

// panicked describes what a panic was about. Anything but the runtime's own
// words may hold a part of a request, and is known by its type alone.
func panicked(cause any) string {
	if err, ok := cause.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a %T", cause)
}

// lostEvery is how often it is logged, at most, that outcomes settle nothing:
// whoever sends them, or a store that is full, must not fill the log. (Metrics
// count each.)
const lostEvery = 10 * time.Second

// lostOutcomes returns what is told of every outcome that settled nothing.
func lostOutcomes(log *slog.Logger, now func() time.Time) func(pdp.Outcome, error) {
	var mu sync.Mutex
	var next time.Time
	var untold int
	return func(o pdp.Outcome, err error) {
		mu.Lock()
		defer mu.Unlock()
		at := now()
		if at.Before(next) {
			untold++
			return
		}
		id := o.DecisionID
		if errors.Is(err, pdp.ErrForged) {
			id = "" // anybody may have chosen it
		}
		log.Warn("an outcome was not settled", "source", o.Source, "decision_id", id, "error", err, "and_before", untold)
		next, untold = at.Add(lostEvery), 0
	}
}
