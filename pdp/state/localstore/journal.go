package localstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/remit-pdp/remit/pdp/state"
)

// journal appends entries to segments and makes the next segment ahead.
type journal struct {
	dir     string
	keyName string
	size    int64
	sync    bool
	current atomic.Pointer[segment]

	turn   chan struct{} // held while segments change
	next   chan prepared // the segment that comes next, when it is ready
	stop   chan struct{}
	done   sync.WaitGroup
	closed atomic.Bool
	// full is why the next segment could not be made, nil where it could; broken
	// is why the disk cannot be trusted any more.
	full, broken atomic.Pointer[error]
	// behind are the files before the current one that are perhaps not on the
	// disk yet: nobody asked for it so far.
	behind   []string
	behindMu sync.Mutex
}

type prepared struct {
	segment *segment
	err     error
}

// startJournal goes on writing at segment s, or at a first one where s is nil.
func startJournal(dir, keyName string, size int64, durable bool, s *segment) (*journal, error) {
	j := &journal{
		dir: dir, keyName: keyName, size: size, sync: durable,
		turn: make(chan struct{}, 1), next: make(chan prepared, 1), stop: make(chan struct{}),
	}
	if s == nil {
		var err error
		if s, err = createSegment(dir, 0, size, keyName); err != nil {
			return nil, err
		}
	}
	j.current.Store(s)
	j.prepare(s.first + uint64(len(s.bytes)))
	return j, nil
}

// prepare makes the segment that begins at position first, off the path of
// decisions.
func (j *journal) prepare(first uint64) {
	j.done.Go(func() {
		s, err := createSegment(j.dir, first, j.size, j.keyName)
		if j.full.Store(nil); err != nil {
			j.full.Store(&err)
		}
		select {
		case j.next <- prepared{s, err}:
		case <-j.stop:
			if s != nil {
				s.retire()
			}
		}
	})
}

// patience is how long an entry waits for a segment that is being made. Tests
// replace it.
var patience = 5 * time.Second

// append accepts an entry and returns its position. Where no space is to be
// had it waits for ctx and for [patience], then fails; nothing is dropped.
// durable makes it wait for the disk whatever the store's durability.
func (j *journal) append(ctx context.Context, kind uint8, payload []byte, durable bool) (state.Position, error) {
	if limit := min(maxPayload, j.size-segmentHead-3*entryHead); int64(len(payload)) > limit {
		return 0, fmt.Errorf("an entry of %d bytes is too large for the journal (limit %d)", len(payload), limit)
	}
	for {
		if j.closed.Load() {
			return 0, fmt.Errorf("the journal is closed: %w", state.ErrUnavailable)
		}
		if cause := j.broken.Load(); cause != nil {
			return 0, j.unavailable(*cause)
		}
		s := j.current.Load()
		if !s.enter() {
			continue
		}
		offset, fits := s.append(kind, payload)
		if fits {
			err := j.reachDisk(s, durable)
			s.leave()
			if err != nil {
				// The entry is in the journal and does not count: nothing may
				// come behind it until the directory is opened again.
				return 0, j.breakOff(err)
			}
			return state.Position(s.first) + state.Position(offset), nil
		}
		s.leave()
		if err := j.rotate(ctx, s); err != nil {
			return 0, err
		}
	}
}

// reachDisk waits until what was appended to s is on the disk, where it must be.
func (j *journal) reachDisk(s *segment, durable bool) error {
	if durable {
		if err := j.syncBehind(); err != nil {
			return err
		}
	}
	if !j.sync && !durable {
		return nil
	}
	return s.syncer.wait(func() error { return syncFile(s.file) })
}

// breakOff ends the journal: the disk cannot be trusted any more.
func (j *journal) breakOff(cause error) error {
	j.broken.Store(&cause)
	return j.unavailable(cause)
}

// rotate goes on to the next segment, unless somebody else already has.
func (j *journal) rotate(ctx context.Context, full *segment) error {
	select {
	case j.turn <- struct{}{}:
		defer func() { <-j.turn }()
	case <-ctx.Done():
		return j.unavailable(ctx.Err())
	}
	if j.current.Load() != full {
		return nil
	}
	select {
	case p := <-j.next:
		after := full.first + uint64(len(full.bytes))
		if p.err != nil {
			j.prepare(after) // space may come back
			return j.unavailable(p.err)
		}
		full.end()
		if j.sync { // or entries could survive whose segment seems not to be reached yet
			if err := syncFile(full.file); err != nil {
				return j.breakOff(err)
			}
		} else {
			j.leaveBehind(j.currentPath())
		}
		j.current.Store(p.segment)
		full.retire()
		j.prepare(p.segment.first + uint64(len(p.segment.bytes)))
		return nil
	case <-ctx.Done():
		return j.unavailable(ctx.Err())
	case <-j.stop:
		return j.unavailable(errors.New("the journal is closed"))
	case <-time.After(patience):
		return j.unavailable(errors.New("no further segment was made in time"))
	}
}

// currentPath is the file that is being written.
func (j *journal) currentPath() string {
	return filepath.Join(j.dir, segmentName(j.current.Load().first))
}

func (j *journal) leaveBehind(paths ...string) {
	j.behindMu.Lock()
	defer j.behindMu.Unlock()
	j.behind = append(j.behind, paths...)
}

// forget leaves out a file that is about to be removed.
func (j *journal) forget(path string) {
	j.behindMu.Lock()
	defer j.behindMu.Unlock()
	j.behind = slices.DeleteFunc(j.behind, func(behind string) bool { return behind == path })
}

// syncBehind writes the segments before the current one to the disk: an entry
// that must outlive a loss of power is of no use behind a hole.
func (j *journal) syncBehind() error {
	j.behindMu.Lock()
	defer j.behindMu.Unlock()
	for len(j.behind) > 0 {
		f, err := os.Open(j.behind[0])
		if err != nil {
			return err
		}
		if err := errors.Join(syncFile(f), f.Close()); err != nil {
			return err
		}
		j.behind = j.behind[1:]
	}
	return nil
}

// syncFile writes what f holds to the disk. Tests replace it.
var syncFile = func(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }

func (j *journal) unavailable(cause error) error {
	if full := j.full.Load(); full != nil && cause != *full {
		cause = fmt.Errorf("%w (%w)", cause, *full)
	}
	return fmt.Errorf("%w: %w", state.ErrUnavailable, cause)
}

// position is the end of what has been reserved.
func (j *journal) position() state.Position {
	s := j.current.Load()
	return state.Position(s.first) + state.Position(s.tail.Load())
}

// syncNow writes everything accepted to the disk.
func (j *journal) syncNow() error {
	s := j.current.Load()
	if !s.enter() {
		return nil
	}
	defer s.leave()
	return syncFile(s.file)
}

func (j *journal) close() error {
	err := j.syncNow()
	j.closed.Store(true)
	close(j.stop)
	j.done.Wait()
	select {
	case p := <-j.next:
		if p.segment != nil {
			p.segment.retire()
		}
	default:
	}
	j.current.Load().retire()
	return err
}

// rounds lets many callers share one slow call: whoever comes while a call is
// under way waits for the next one, which began after it came.
type rounds struct {
	mu      sync.Mutex
	running bool
	queue   []chan error
}

func (r *rounds) wait(call func() error) error {
	done := make(chan error, 1)
	r.mu.Lock()
	r.queue = append(r.queue, done)
	if !r.running {
		r.running = true
		go r.run(call)
	}
	r.mu.Unlock()
	return <-done
}

func (r *rounds) run(call func() error) {
	for {
		r.mu.Lock()
		waiting := r.queue
		r.queue = nil
		if len(waiting) == 0 {
			r.running = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		err := call()
		for _, done := range waiting {
			done <- err
		}
	}
}
