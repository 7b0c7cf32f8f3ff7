package export

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/remit-pdp/remit/pdp/state"
)

// A batch has at most so many events, and about so many bytes.
const (
	maxEvents = 2000
	maxBytes  = 1 << 20
)

// A follower takes one sink through the journal.
type follower struct {
	name     string
	sink     Sink
	settings *Settings
	journal  Journal
	cursor   cursor
	stop     chan struct{}
	lost     *gap // to be told of first; nil where there is none
	trouble  trouble

	at     atomic.Uint64 // the sink has everything before
	oldest atomic.Int64  // when what the sink does not have was written; 0 where it has all
	events atomic.Uint64
	gaps   atomic.Uint64
}

// A gap is a part of the journal that cannot be exported.
type gap struct {
	from, to state.Position
	next     state.Position // where to go on
	why      string
}

// A batch is what a sink gets at a time, and where to go on after it.
type batch struct {
	events [][]byte
	bytes  int
	first  int64 // when the first was written
	next   state.Position
	more   bool // there is more to be had at once
}

func (f *follower) position() state.Position { return state.Position(f.at.Load()) }

// begin makes the follower one of the journal as it was opened. A cursor behind its
// end is taken back at once: with the next entry it would not be behind it any more.
func (f *follower) begin(j Journal) error {
	f.journal = j
	at, end := f.position(), j.End()
	if at <= end {
		return nil
	}
	f.misses(gap{end, at, end, "the journal lost its end: what was exported of it stands in no journal"})
	f.at.Store(uint64(end))
	return f.cursor.save(end)
}

// run exports until it is stopped, and then what is left, until ctx ends.
func (f *follower) run(ctx context.Context) {
	for {
		more, err := f.step(ctx)
		if ctx.Err() != nil {
			return
		}
		pause := f.settings.Interval
		switch {
		case err != nil:
			pause = f.failed(err)
		case more:
			pause = 0
		}
		select {
		case <-f.stop:
			f.drain(ctx)
			return
		case <-time.After(pause):
		}
	}
}

func (f *follower) drain(ctx context.Context) {
	for more := true; more; {
		var err error
		if more, err = f.step(ctx); err != nil {
			f.failed(err)
			return
		}
	}
}

// step hands over one batch and remembers that.
func (f *follower) step(ctx context.Context) (more bool, err error) {
	b, err := f.next(ctx)
	if err != nil {
		return false, err
	}
	rejected, err := f.hand(ctx, b)
	if err != nil {
		return false, err
	}
	from := f.position()
	if b.next != from {
		if err := f.cursor.save(b.next); err != nil {
			return false, err
		}
	}
	f.worked()
	f.at.Store(uint64(b.next))
	f.lost = nil
	if rejected == nil {
		f.events.Add(uint64(len(b.events)))
	} else {
		f.events.Add(uint64(len(b.events) - rejected.N))
		f.misses(gap{from, b.next, b.next, rejected.Error()})
		b.more = true
	}
	if !b.more {
		f.oldest.Store(0)
	}
	return b.more, nil
}

// hand gives the sink a batch. Without an error the sink has it, but for what it
// rejected.
func (f *follower) hand(ctx context.Context, b batch) (*Rejected, error) {
	if len(b.events) == 0 {
		return nil, f.sink.Idle(ctx)
	}
	f.oldest.Store(b.first)
	err := f.sink.Accept(ctx, b.events)
	var rejected *Rejected
	if errors.As(err, &rejected) {
		return rejected, nil
	}
	return nil, err
}

// next is the next batch: a gap alone, or what the journal has.
func (f *follower) next(ctx context.Context) (batch, error) {
	if f.lost != nil {
		return f.tell(), nil
	}
	from := f.position()
	if f.journal.End() == from {
		return batch{next: from}, nil
	}
	b, err := f.read(ctx, from)
	// Whoever reads what is being removed sees what is left of it: that nothing was
	// removed is known afterwards.
	if kept := f.journal.Kept(); kept > from {
		f.misses(gap{from, kept, kept, "it was removed from the journal before it was exported"})
		return f.tell(), nil
	}
	return b, err
}

// misses makes a gap what is told of next.
func (f *follower) misses(g gap) {
	f.lost = &g
	f.gaps.Add(1)
	f.settings.Log.Error("the exported decision log has a gap", "sink", f.name, "from", g.from, "to", g.to, "reason", g.why)
}

// tell is the batch that says what is missing.
func (f *follower) tell() batch {
	now := f.settings.Now()
	event := f.settings.Form.Gap(f.lost.from, f.lost.to, f.lost.why, now)
	return batch{events: [][]byte{event}, first: now.UnixNano(), next: f.lost.next, more: true}
}

var errFull = errors.New("the batch is full")

func (f *follower) read(ctx context.Context, from state.Position) (b batch, err error) {
	var ended state.Position
	b.next, err = f.journal.Read(ctx, from, func(at state.Position, e *state.Entry) error {
		if len(b.events) == maxEvents || b.bytes >= maxBytes {
			ended = at
			return errFull
		}
		if len(b.events) == 0 {
			b.first = e.At
		}
		event := f.settings.Form.Event(at, e)
		b.events, b.bytes = append(b.events, event), b.bytes+len(event)
		return nil
	})
	if errors.Is(err, errFull) {
		b.next, b.more, err = ended, true, nil
	}
	return b, err
}
