package export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp/state"
)

// paper is a journal in memory. Entry i is at position 10*i+10.
type paper struct {
	mu   sync.Mutex
	n    int
	kept state.Position
}

func (p *paper) write(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n += n
}

func (p *paper) remove(before state.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = before
}

func (p *paper) Read(_ context.Context, from state.Position, visit func(state.Position, *state.Entry) error) (state.Position, error) {
	end := p.End()
	for at := max(from, p.Kept(), 10); at < end; at += 10 {
		if err := visit(at, &state.Entry{At: int64(at)}); err != nil {
			return from, err
		}
	}
	return end, nil
}

func (p *paper) Kept() state.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept
}

func (p *paper) End() state.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return state.Position(10*p.n + 10)
}

// plain is a form whose events are positions: "10", and "gap 10 30".
var plain = Form{
	Event: func(at state.Position, _ *state.Entry) []byte { return fmt.Append(nil, at) },
	Gap: func(from, to state.Position, _ string, _ time.Time) []byte {
		return fmt.Appendf(nil, "gap %d %d", from, to)
	},
}

// taker is a sink in memory that does as it is told.
type taker struct {
	mu     sync.Mutex
	events []string
	fail   func(events [][]byte) error
}

func (k *taker) Accept(_ context.Context, events [][]byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		if err := k.fail(events); err != nil {
			return err
		}
	}
	for _, e := range events {
		k.events = append(k.events, string(e))
	}
	return nil
}

func (k *taker) Idle(context.Context) error { return nil }
func (k *taker) Close() error               { return nil }

func (k *taker) has() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.events)
}

func (k *taker) failing(fail func([][]byte) error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fail = fail
}

// exporting is an exporter of one sink, "sink", that looks often.
func exporting(t *testing.T, dir string, sink Sink) *Exporter {
	t.Helper()
	e, err := New(Settings{
		Dir: dir, Sinks: map[string]Sink{"sink": sink}, Form: plain, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Interval: time.Millisecond, Pause: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func begun(t *testing.T, e *Exporter, j Journal) {
	t.Helper()
	if err := e.Start(j); err != nil {
		t.Fatal(err)
	}
}

// ended ends an export in order.
func ended(t *testing.T, e *Exporter, grace time.Duration) {
	t.Helper()
	e.Stop(grace)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not happen: %s", what)
		}
	}
}

// positions are those of entries from..to, as plain writes them.
func positions(from, to int) (all []string) {
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint(10*i+10))
	}
	return all
}

// A sink gets everything once, in order, over orderly ends, in batches.
func TestEverythingIsExported(t *testing.T) {
	dir, journal, sink := t.TempDir(), &paper{}, &taker{}
	journal.write(2*maxEvents + 5)
	for range 3 {
		e := exporting(t, dir, sink)
		begun(t, e, journal)
		journal.write(3)
		ended(t, e, 10*time.Second)
		if e.Exported() != journal.End() || e.Status()[0].LagBytes != 0 || e.Status()[0].Lag != 0 {
			t.Errorf("%d of %d is exported: %+v", e.Exported(), journal.End(), e.Status())
		}
	}
	if got := sink.has(); !slices.Equal(got, positions(0, 2*maxEvents+14)) {
		t.Errorf("%d events, want %d", len(got), 2*maxEvents+14)
	}
}

// A sink that fails holds nobody up, and the position that everybody has is its.
func TestASinkThatFailsIsWaitedFor(t *testing.T) {
	journal, good, bad := &paper{}, &taker{}, &taker{}
	bad.failing(func([][]byte) error { return errors.New("no") })
	e, err := New(Settings{
		Dir: t.TempDir(), Sinks: map[string]Sink{"good": good, "bad": bad}, Form: plain, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Interval: time.Millisecond, Pause: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	begun(t, e, journal)
	defer e.Stop(time.Second)
	journal.write(5)
	eventually(t, "the other sink has it", func() bool { return len(good.has()) == 5 })
	eventually(t, "failures are counted", func() bool { return e.Status()[0].Failed > 3 })
	if s := e.Status()[0]; s.Sink != "bad" || e.Exported() != 10 && e.Exported() != 0 || s.LagBytes == 0 || s.Lag == 0 || s.Blocked || !s.Failing || s.Events != 0 {
		t.Errorf("%d is exported, %+v", e.Exported(), s)
	}
	bad.failing(nil)
	eventually(t, "it is tried again", func() bool { return e.Exported() == journal.End() && !e.Status()[0].Failing })
	if got := bad.has(); !slices.Equal(got, positions(0, 5)) {
		t.Errorf("%v", got)
	}
}

// A receiver that refuses is not given up and nothing is dropped: it blocks, for
// everybody to see, until it takes what it gets.
func TestARefusalBlocks(t *testing.T) {
	journal, sink := &paper{}, &taker{}
	sink.failing(func([][]byte) error {
		return fmt.Errorf("upload: %w", &Refused{Status: 400, Where: "https://logs.example.test"})
	})
	e := exporting(t, t.TempDir(), sink)
	begun(t, e, journal)
	defer e.Stop(time.Second)
	journal.write(1)
	eventually(t, "it is blocked", func() bool { return e.Status()[0].Blocked })
	if s := e.Status()[0]; s.Refused < patientRefusals || s.Failed != 0 || s.Failing {
		t.Errorf("%+v", s)
	}
	sink.failing(nil)
	eventually(t, "it goes on", func() bool { return len(sink.has()) == 1 && !e.Status()[0].Blocked })
}

// What was removed before it was exported is an event in its place.
func TestWhatIsMissingIsAnEvent(t *testing.T) {
	dir, journal, sink := t.TempDir(), &paper{}, &taker{}
	journal.write(3)
	e := exporting(t, dir, sink)
	begun(t, e, journal)
	ended(t, e, 10*time.Second)
	journal.write(4)
	journal.remove(60)
	e = exporting(t, dir, sink)
	begun(t, e, journal)
	ended(t, e, 10*time.Second)
	want := append(append(positions(0, 3), "gap 40 60"), positions(5, 7)...)
	if got := sink.has(); !slices.Equal(got, want) || e.Status()[0].Gaps != 1 {
		t.Errorf("%v, want %v; %+v", got, want, e.Status())
	}
}

// Where a loss of power took the end of the journal, what is written in its place
// is exported, and that something else stood there is told. A process that ends
// before it could tell does not make the next one skip anything.
func TestAJournalThatLostItsEnd(t *testing.T) {
	for untold, want := range map[bool][]string{false: append(positions(0, 5), "gap 40 60", "40"), true: append(positions(0, 5), "40")} {
		dir, journal, sink := t.TempDir(), &paper{}, &taker{}
		journal.write(5)
		e := exporting(t, dir, sink)
		begun(t, e, journal)
		ended(t, e, 10*time.Second)
		journal.n = 3
		e = exporting(t, dir, sink)
		if untold {
			sink.failing(func([][]byte) error { return errors.New("no") })
			begun(t, e, journal)
			ended(t, e, 10*time.Second)
			sink.failing(nil)
			e = exporting(t, dir, sink)
		}
		begun(t, e, journal)
		journal.write(1)
		ended(t, e, 10*time.Second)
		if got := sink.has(); !slices.Equal(got, want) {
			t.Errorf("untold %v: %v, want %v", untold, got, want)
		}
	}
}

func TestADamagedCursorIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := writeWhole(dir+"/sink.cursor", []byte("{")); err != nil {
		t.Fatal(err)
	}
	_, err := New(Settings{Dir: dir, Sinks: map[string]Sink{"sink": &taker{}}})
	if err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("%v", err)
	}
}

func TestPausesGrow(t *testing.T) {
	f := &follower{settings: &Settings{Pause: time.Second, Log: slog.New(slog.DiscardHandler)}}
	no := errors.New("no")
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		if pause := f.failed(no); pause < want*time.Second/2 || pause > want*time.Second+1 {
			t.Errorf("pause %d is %s, want about %s", i, pause, want*time.Second)
		}
	}
	f.worked()
	if pause := f.failed(&Later{no, 20 * time.Second}); pause != 20*time.Second {
		t.Errorf("a receiver that wants to be left alone for 20 s is left alone for %s", pause)
	}
}
