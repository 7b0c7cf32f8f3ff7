package extauthz

import (
	"context"
	"sync/atomic"
	"time"
)

// A limit is the context of one decision. It ends at a time and nothing else ends
// it: the caller's going away does not, so that what is decided is recorded. It
// costs nothing as long as nobody waits for its end: it looks at the clock, and
// makes a timer for the first who asks for its channel.
type limit struct {
	values context.Context // the call's, for what it carries
	end    time.Time
	waited atomic.Pointer[waited]
}

// waited is the context of a limit that somebody waits for.
type waited struct {
	context.Context
	cancel context.CancelFunc
}

// Deadline implements [context.Context].
func (l *limit) Deadline() (time.Time, bool) { return l.end, true }

// Value implements [context.Context].
func (l *limit) Value(key any) any {
	if w := l.waited.Load(); w != nil {
		return w.Value(key)
	}
	return l.values.Value(key)
}

// Done implements [context.Context].
func (l *limit) Done() <-chan struct{} {
	if w := l.waited.Load(); w != nil {
		return w.Done()
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(l.values), l.end)
	if !l.waited.CompareAndSwap(nil, &waited{ctx, cancel}) {
		cancel() // somebody else was first
	}
	return l.waited.Load().Done()
}

// Err implements [context.Context].
func (l *limit) Err() error {
	if w := l.waited.Load(); w != nil {
		return w.Err()
	}
	if time.Now().Before(l.end) {
		return nil
	}
	return context.DeadlineExceeded
}

// release gives back what waiting has taken, when the decision is made.
func (l *limit) release() {
	if w := l.waited.Load(); w != nil {
		w.cancel()
	}
}
