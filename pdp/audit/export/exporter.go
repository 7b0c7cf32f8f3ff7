package export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/remit-pdp/remit/pdp/state"
)

// Journal is what is exported.
type Journal interface {
	// Read visits the entries from a position on, the one that begins there
	// included, and returns the position to go on from.
	Read(ctx context.Context, from state.Position, visit func(state.Position, *state.Entry) error) (next state.Position, err error)
	// Kept is where the journal begins. Whoever read from before it may have missed
	// something.
	Kept() state.Position
	// End is where the journal ends.
	End() state.Position
}

// Form is how entries become events: JSON objects without a line break.
type Form struct {
	Event func(at state.Position, e *state.Entry) []byte
	// Gap stands for what is between two positions and is not to be had.
	Gap func(from, to state.Position, why string, at time.Time) []byte
}

// Sink is where events go.
type Sink interface {
	// Accept takes events, oldest first. With nil it has all of them, for good; with
	// [Rejected] all but some, which it is told of as missing; otherwise it gets all
	// of them again.
	Accept(ctx context.Context, events [][]byte) error
	// Idle is called now and then while there is nothing to take.
	Idle(ctx context.Context) error
	// Close is called last.
	Close() error
}

// Settings are what an export is made of.
type Settings struct {
	Dir   string // the cursors' folder
	Sinks map[string]Sink
	Form  Form
	Now   func() time.Time
	Log   *slog.Logger
	// Interval is how often the journal is looked at; 0 is 250 ms.
	Interval time.Duration
	// Pause is how long a sink is left alone after it failed, at first; 0 is 1 s.
	// It doubles up to a minute.
	Pause time.Duration
}

// Exporter exports a journal to sinks, each at its own pace. Safe for concurrent
// use.
type Exporter struct {
	followers []*follower
	stop      chan struct{}
	end       context.CancelFunc
	done      sync.WaitGroup
}

// New returns an exporter that knows how far each sink is. It reads nothing before
// [Exporter.Start].
func New(s Settings) (*Exporter, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, err
	}
	if s.Interval == 0 {
		s.Interval = 250 * time.Millisecond
	}
	if s.Pause == 0 {
		s.Pause = time.Second
	}
	e := &Exporter{stop: make(chan struct{})}
	for _, name := range slices.Sorted(maps.Keys(s.Sinks)) {
		f := &follower{name: name, sink: s.Sinks[name], settings: &s, stop: e.stop, cursor: cursor{filepath.Join(s.Dir, name+".cursor")}}
		at, err := f.cursor.load()
		if err != nil {
			return nil, err
		}
		f.at.Store(uint64(at))
		e.followers = append(e.followers, f)
	}
	return e, nil
}

// Start begins to export. Nothing may have been written to the journal since it was
// opened: where it ends before what a sink has, it lost its end with the power, and
// what is written at those positions from now on is new.
func (e *Exporter) Start(j Journal) error {
	for _, f := range e.followers {
		if err := f.begin(j); err != nil {
			return fmt.Errorf("export the decision log to %s: %w", f.name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.end = cancel
	for _, f := range e.followers {
		e.done.Go(func() { f.run(ctx) })
	}
	return nil
}

// Exported is the position that every sink has everything before.
func (e *Exporter) Exported() state.Position {
	slowest := state.Position(math.MaxUint64)
	for _, f := range e.followers {
		slowest = min(slowest, f.position())
	}
	return slowest
}

// Stop hands over what is there, for as long as grace at most, and ends the export.
// What is left, the next one goes on with. It is called once.
func (e *Exporter) Stop(grace time.Duration) {
	close(e.stop)
	if e.end == nil {
		return // it never began
	}
	timer := time.AfterFunc(grace, e.end)
	e.done.Wait()
	timer.Stop()
	e.end()
}

// Close closes the sinks. Nothing is being exported any more.
func (e *Exporter) Close() error {
	var errs []error
	for _, f := range e.followers {
		errs = append(errs, f.sink.Close())
	}
	return errors.Join(errs...)
}
