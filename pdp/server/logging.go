package server

import (
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"runtime"
	"strings"
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

// A sparing lets few of many messages into the log, and counts the others:
// whoever causes them must not fill it. Safe for concurrent use.
type sparing struct {
	now func() time.Time

	mu     sync.Mutex
	begun  time.Time
	told   int
	untold int
}

// toldAtOnce messages are let through within lostEvery.
const toldAtOnce = 100

// tell calls say, where it is not too soon, with how many were not told before.
func (s *sparing) tell(say func(untold int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.now(); at.Sub(s.begun) >= lostEvery || at.Before(s.begun) {
		s.begun, s.told = at, 0
	}
	if s.told++; s.told > toldAtOnce {
		s.untold++
		return
	}
	say(s.untold)
	s.untold = 0
}

// logger is what net/http says of connections, in remit's log.
func (s *sparing) logger(log *slog.Logger, what string) *stdlog.Logger {
	return stdlog.New(written(func(line string) {
		s.tell(func(untold int) { log.Warn(what, "error", line, "and_before", untold) })
	}), "", 0)
}

// written is a writer of lines.
type written func(line string)

// Write implements [io.Writer].
func (w written) Write(line []byte) (int, error) {
	w(strings.TrimSpace(string(line)))
	return len(line), nil
}
