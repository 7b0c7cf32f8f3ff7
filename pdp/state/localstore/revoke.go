package localstore

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// authority holds the revocation points, and keeps the promise that none is
// acknowledged while an allow that it covers can still be accepted.
//
// The points are an immutable set behind an atomic pointer (a standing). An
// allow is accepted in four steps:
//
//	enter   count itself on the standing, and look whether it is still the
//	        current one; where it is not, uncount and begin again
//	check   ask the standing's points
//	append  the entry to the journal
//	leave   uncount
//
// and a revocation in four others:
//
//	publish a standing with the point in it
//	drain   wait until nobody is counted on any standing before it
//	append  its entry to the journal, and wait for the disk
//	acknowledge
//
// Why no allow slips through: atomic operations have one order that everybody
// agrees on. Take an allow that was checked against a standing without the
// point. When it looked for the second time that standing was still current, so
// it was counted before the revocation published; the revocation therefore
// finds it counted, and waits until its entry is in the journal. Every other
// allow was checked against the point. So the allows that were not checked
// stand before the revocation's entry in the journal, and were accepted before
// the acknowledgement. An allow that enters while a standing is being replaced
// may count itself on the old one for a moment; it finds out and leaves.
//
// Nobody on the path of decisions ever waits here, and the counters are spread
// over cache lines, so that partitions do not meet: what it costs is two
// additions. Only allows take part: a denial needs no authority.
//
// Lifting is the other way round: the entry first, then the standing without
// the point, so that no allow that needed it stands before the entry. Standings
// that were not drained (a revocation that gave up waiting) are kept until a
// later revocation has drained them.
type authority struct {
	current atomic.Pointer[standing]
	// turn is held by whoever changes the points; retired and accepted belong
	// to its holder.
	turn    chan struct{}
	retired []*standing
	// accepted are the points as the journal has them.
	accepted *state.Revocations
}

// A standing is one set of points and who is being checked against it.
type standing struct {
	points  *state.Revocations
	commits [64]counter
}

// A counter has a cache line to itself.
type counter struct {
	atomic.Int64
	_ [56]byte
}

func newAuthority(points *state.Revocations) *authority {
	a := &authority{turn: make(chan struct{}, 1), accepted: points}
	a.current.Store(&standing{points: points})
	return a
}

// enter counts a commit of a partition on the current standing. Whoever
// entered leaves.
func (a *authority) enter(key pdp.PartitionKey) *standing {
	for {
		s := a.current.Load()
		s.count(key).Add(1)
		if a.current.Load() == s {
			return s
		}
		s.leave(key)
	}
}

func (s *standing) leave(key pdp.PartitionKey) { s.count(key).Add(-1) }

func (s *standing) count(key pdp.PartitionKey) *counter {
	return &s.commits[int(key[0])%len(s.commits)]
}

// publish makes points be what allows are checked against.
func (a *authority) publish(points *state.Revocations) {
	a.retired = append(a.retired, a.current.Swap(&standing{points: points}))
}

// drainEvery is how often a revocation looks whether the commits before it
// have ended.
const drainEvery = 50 * time.Microsecond

// drain waits until nobody is counted on a retired standing.
func (a *authority) drain(ctx context.Context) error {
	for len(a.retired) > 0 {
		if a.retired[0].idle() {
			a.retired = a.retired[1:]
			continue
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("allows that were under way have not ended: %w (%w)", state.ErrUnavailable, ctx.Err())
		case <-time.After(drainEvery):
		}
	}
	return nil
}

func (s *standing) idle() bool {
	for i := range s.commits {
		if s.commits[i].Load() != 0 {
			return false
		}
	}
	return true
}

// hold takes the turn to change the points.
func (a *authority) hold(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("another revocation is under way: %w (%w)", state.ErrUnavailable, ctx.Err())
	}
}

func (a *authority) release() { <-a.turn }

// Revocations implements [state.Store].
func (s *Store) Revocations() *state.Revocations { return s.authority.current.Load().points }

// Revoke implements [state.Store]. After an error the points are as they were;
// where it was the disk that failed, a point may be found in the journal at the
// next start.
func (s *Store) Revoke(ctx context.Context, e *state.Entry) error {
	a := s.authority
	if err := a.hold(ctx); err != nil {
		return err
	}
	defer a.release()
	before := a.accepted
	if err := before.CanTake(e); err != nil {
		return err
	}
	after := before.With(e)
	if e.Kind == state.Revoked {
		a.publish(after)
		if err := a.drain(ctx); err != nil {
			a.publish(before)
			return err
		}
	}
	if _, err := s.write(ctx, e); err != nil {
		a.publish(before)
		return err
	}
	a.accepted = after
	if e.Kind == state.Lifted {
		a.publish(after)
	}
	return nil
}
