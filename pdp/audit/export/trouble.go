package export

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Refused says that a receiver will not take what it gets, however often: somebody
// has to change something.
type Refused struct {
	Status int    // of HTTP
	Where  string // the receiver
	Says   string // what it says of that; "" for nothing
}

// Error implements error.
func (r *Refused) Error() string {
	text := fmt.Sprintf("%s answered %d: it does not take the decision log like this", r.Where, r.Status)
	if r.Says == "" {
		return text
	}
	return fmt.Sprintf("%s (it says %q)", text, r.Says)
}

// Rejected says that a receiver took events and said that it did not keep some of
// them, without saying which: it is not to get them again.
type Rejected struct {
	N, Of int
	Where string // the receiver
	Says  string // what it says of that; "" for nothing
}

// Error implements error.
func (r *Rejected) Error() string {
	return fmt.Sprintf("%s did not keep %d of the %d events that it took (it says %q)", r.Where, r.N, r.Of, r.Says)
}

// Later says that a receiver wants to be left alone for a while.
type Later struct {
	Err   error
	After time.Duration
}

// Error implements error.
func (l *Later) Error() string { return l.Err.Error() }

// Unwrap returns what went wrong.
func (l *Later) Unwrap() error { return l.Err }

// A sink is left alone for a minute at most. One that refused so often in a row is
// blocked: that is a person's to look at.
const (
	longestPause    = time.Minute
	patientRefusals = 5
)

// trouble is what a sink has been in since it last took something.
type trouble struct {
	pause    time.Duration
	refusals int
	told     string

	refused, failed atomic.Uint64 // since the start
	blocked         atomic.Bool
	failing         atomic.Bool // the latest attempt failed, and was not refused
}

// failed counts a failure, tells what is new, and returns how long to wait.
func (f *follower) failed(err error) (pause time.Duration) {
	t := &f.trouble
	var refused *Refused
	if errors.As(err, &refused) {
		t.refused.Add(1)
		t.refusals++
		t.failing.Store(false)
	} else {
		t.failed.Add(1)
		t.refusals = 0
		t.failing.Store(true)
	}
	if text := err.Error(); text != t.told {
		t.told = text
		f.settings.Log.Warn("the decision log was not exported; it is tried again", "sink", f.name, "error", err)
	}
	if blocked := t.refusals >= patientRefusals; blocked && !t.blocked.Swap(true) {
		f.settings.Log.Error("the export of the decision log is blocked until its receiver takes it", "sink", f.name, "refusals", t.refusals, "error", err)
	}
	t.pause = min(max(2*t.pause, f.settings.Pause), longestPause)
	pause = t.pause/2 + rand.N(t.pause/2+1) // many remits must not come back at once
	var later *Later
	if errors.As(err, &later) {
		pause = max(pause, min(later.After, longestPause))
	}
	return pause
}

// worked says that the sink is in no trouble any more.
func (f *follower) worked() {
	t := &f.trouble
	if t.told != "" {
		f.settings.Log.Info("the decision log is exported again", "sink", f.name)
	}
	t.pause, t.refusals, t.told = 0, 0, ""
	t.blocked.Store(false)
	t.failing.Store(false)
}

// Status is how the export to a sink is.
type Status struct {
	Sink            string
	Events, Gaps    uint64        // handed over since the start
	Refused, Failed uint64        // attempts since the start
	Blocked         bool          // it refuses, until somebody does something
	Failing         bool          // the latest attempt failed in another way
	LagBytes        int64         // of the journal that the sink does not have
	Lag             time.Duration // since the oldest of it was written
}

// Status returns how the export is, sink by sink.
func (e *Exporter) Status() (all []Status) {
	for _, f := range e.followers {
		s := Status{
			Sink: f.name, Events: f.events.Load(), Gaps: f.gaps.Load(),
			Refused: f.trouble.refused.Load(), Failed: f.trouble.failed.Load(), Blocked: f.trouble.blocked.Load(), Failing: f.trouble.failing.Load(),
		}
		if oldest := f.oldest.Load(); oldest != 0 {
			s.Lag = max(0, f.settings.Now().Sub(time.Unix(0, oldest)))
		}
		if f.journal != nil {
			s.LagBytes = max(0, int64(f.journal.End())-int64(f.position()))
		}
		all = append(all, s)
	}
	return all
}
