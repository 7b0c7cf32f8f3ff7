package outcome

import (
	"context"
	"time"
)

// patience bounds how long one outcome waits for its partition: a stream must
// not stop because of one that is stuck.
const patience = 5 * time.Second

// A wait is what the outcomes of a message wait with, one after another. They
// share a context for as long as half of its time is left: each has between half
// and all of the patience, and most cost no timer of their own.
type wait struct {
	stream context.Context
	ctx    context.Context
	cancel context.CancelFunc
	since  time.Time
}

// next returns the context of the next outcome.
func (w *wait) next() context.Context {
	if now := time.Now(); w.ctx == nil || now.Sub(w.since) > patience/2 {
		w.end()
		w.ctx, w.cancel = context.WithTimeout(w.stream, patience)
		w.since = now
	}
	return w.ctx
}

// end lets go of the context.
func (w *wait) end() {
	if w.cancel != nil {
		w.cancel()
	}
}
