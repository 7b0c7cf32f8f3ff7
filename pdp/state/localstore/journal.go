package localstore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

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
	// full is the last reason why no further segment could be made.
	full atomic.Pointer[error]
}

type prepared struct {
	segment *segment
	err     error
}

// startJournal goes on writing at segment s, or at a new one where s is nil.
func startJournal(dir, keyName string, size int64, durable bool, s *segment, first uint64) (*journal, error) {
	j := &journal{
		dir: dir, keyName: keyName, size: size, sync: durable,
		turn: make(chan struct{}, 1), next: make(chan prepared, 1), stop: make(chan struct{}),
	}
	if s == nil {
		var err error
		if s, err = createSegment(dir, first, size, keyName); err != nil {
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
		select {
		case j.next <- prepared{s, err}:
		case <-j.stop:
			if s != nil {
				s.retire()
			}
		}
	})
}

// append accepts an entry and returns its position. Where no space is to be
// had it waits for ctx, then fails; nothing is dropped.
func (j *journal) append(ctx context.Context, kind uint8, payload []byte) (state.Position, error) {
	if len(payload) > maxPayload {
		return 0, fmt.Errorf("an entry of %d bytes is too large for the journal (limit %d)", len(payload), maxPayload)
	}
	for {
		if j.closed.Load() {
			return 0, fmt.Errorf("the journal is closed: %w", state.ErrUnavailable)
		}
		s := j.current.Load()
		if !s.enter() {
			continue
		}
		offset, fits := s.append(kind, payload)
		if fits {
			var err error
			if j.sync {
				err = s.syncer.wait(func() error { return unix.Fdatasync(int(s.file.Fd())) })
			}
			s.leave()
			return state.Position(s.first) + state.Position(offset), err
		}
		s.leave()
		if err := j.rotate(ctx, s); err != nil {
			return 0, err
		}
	}
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
			j.full.Store(&p.err)
			j.prepare(after) // space may come back
			return j.unavailable(p.err)
		}
		full.end()
		j.current.Store(p.segment)
		full.retire()
		j.prepare(p.segment.first + uint64(len(p.segment.bytes)))
		return nil
	case <-ctx.Done():
		return j.unavailable(ctx.Err())
	}
}

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
	return unix.Fdatasync(int(s.file.Fd()))
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
