package identity

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"

	"github.com/remit-pdp/remit/pdp"
)

// A token with an unknown key may wait for the answer to a question that its
// key has caused: rotation is not seen by clients then. Only so many wait, and
// only so long; nobody else waits for anything.
const (
	patience   = 200 * time.Millisecond
	maxWaiting = 64
)

// issuer is one issuer whose keys are asked for over the network. Decisions
// read the keys that are there; one goroutine brings new ones.
type issuer struct {
	id, name string
	fetch    *Fetch
	from     *fetcher
	pinned   map[string]jwa.SignatureAlgorithm
	options  *IssuerOptions
	log      *slog.Logger

	current atomic.Pointer[held]
	waiting atomic.Int32
	wanted  chan struct{} // asks the goroutine to refresh ahead of time
	asked   chan struct{} // closed after the first attempt

	mu       sync.Mutex
	attempt  chan struct{} // closed when the attempt ends; nil while none is due
	began    time.Time     // of the last attempt
	failures int           // since the last good attempt
	failed   error         // of the last attempt
}

// held are the keys in use and when their issuer last confirmed them.
type held struct {
	keys *keySet
	at   time.Time
}

var _ keySource = (*issuer)(nil)

func newIssuer(id, name string, f *Fetch, from *fetcher, pinned map[string]jwa.SignatureAlgorithm, o *IssuerOptions) *issuer {
	s := &issuer{
		id: id, name: name, fetch: f, from: from, pinned: pinned, options: o,
		log: o.Log.With("issuer", name), wanted: make(chan struct{}, 1), asked: make(chan struct{}),
	}
	s.recall()
	return s
}

// find implements [keySource].
func (s *issuer) find(ctx context.Context, id string) (*publicKey, *pdp.Refusal) {
	keys, refusal := s.usable()
	if refusal != nil {
		return nil, refusal
	}
	if key := keys.get(id); key != nil {
		return key, nil
	}
	s.wait(ctx)
	if keys, refusal = s.usable(); refusal != nil {
		return nil, refusal
	}
	return keys.find(ctx, id)
}

// usable returns the keys that are there. An outage is no verdict on the
// caller's credential: it may be good, and trying again may help.
func (s *issuer) usable() (*keySet, *pdp.Refusal) {
	now := s.current.Load()
	if now == nil {
		return nil, s.unavailable("remit has no keys of the issuer %s yet: %v", s.name, s.status().Err)
	}
	if age := s.age(now); age > s.fetch.MaxStale {
		return nil, s.unavailable("the issuer %s last confirmed its keys %s ago, more than %s: %v",
			s.name, age.Round(time.Second), s.fetch.MaxStale, s.status().Err)
	}
	return now.keys, nil
}

func (s *issuer) unavailable(format string, args ...any) *pdp.Refusal {
	return pdp.Refuse(pdp.Unavailable, pdp.CodeKeysUnavailable, "credentials cannot be verified at present", fmt.Sprintf(format, args...))
}

// age is how long ago the issuer confirmed the keys, at least 0: a clock that
// was set back makes nothing younger than new.
func (s *issuer) age(h *held) time.Duration { return max(s.options.Now().Sub(h.at), 0) }

// wait waits for an attempt that may bring a key which is not there.
func (s *issuer) wait(ctx context.Context) {
	if s.waiting.Add(1) > maxWaiting {
		s.waiting.Add(-1)
		return
	}
	defer s.waiting.Add(-1)
	attempt := s.hurry()
	if attempt == nil {
		return
	}
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case <-attempt:
	case <-enough.C:
	case <-ctx.Done():
	}
}

// hurry asks for an attempt ahead of time and returns what is closed when it
// ends; nil where the last one was too short a time ago. Whoever sends tokens
// with invented keys makes remit ask the issuer once in MinRefresh, no more.
func (s *issuer) hurry() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attempt == nil {
		if time.Since(s.began) < s.fetch.MinRefresh {
			return nil
		}
		s.attempt = make(chan struct{})
		select {
		case s.wanted <- struct{}{}:
		default:
		}
	}
	return s.attempt
}

// run asks until ctx ends: in every Refresh, ahead of time where a key is
// missing, and sooner and sooner again after a failure.
func (s *issuer) run(ctx context.Context) {
	for ctx.Err() == nil {
		s.refresh(ctx)
		next := time.NewTimer(s.pause())
		select {
		case <-ctx.Done():
		case <-next.C:
		case <-s.wanted:
		}
		next.Stop()
	}
}

// pause is the time until the next attempt: after failures it begins at
// MinRefresh and doubles up to Refresh.
func (s *issuer) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures == 0 {
		return s.fetch.Refresh
	}
	return min(s.fetch.MinRefresh<<min(s.failures-1, 16), s.fetch.Refresh)
}

// refresh asks once. What is not a good answer changes nothing but the age.
func (s *issuer) refresh(ctx context.Context) {
	s.mu.Lock()
	if s.attempt == nil {
		s.attempt = make(chan struct{})
	}
	s.began = time.Now()
	select {
	case <-s.wanted: // this is what was wanted
	default:
	}
	s.mu.Unlock()

	text, err := s.from.keys(ctx)
	var keys *keySet
	if err == nil {
		keys, err = parseKeys(text, s.pinned)
	}
	if err == nil {
		s.hold(&held{keys, s.options.Now()})
		s.keep(text)
	}
	s.ended(ctx, err)
}

// ended notes how an attempt ended, and lets go who waits for it.
func (s *issuer) ended(ctx context.Context, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil && s.failures > 0:
		s.log.Info("the issuer's keys are confirmed again", "failures", s.failures)
		fallthrough
	case err == nil:
		s.failures = 0
	case ctx.Err() == nil:
		s.failures++
		age := "none"
		if now := s.current.Load(); now != nil {
			age = s.age(now).Round(time.Second).String()
		}
		s.log.Warn("the issuer's keys could not be refreshed", "error", err, "age_of_keys_in_use", age, "max_stale", s.fetch.MaxStale)
	}
	s.failed = err
	close(s.attempt)
	s.attempt = nil
	select {
	case <-s.asked:
	default:
		close(s.asked)
	}
}

// hold takes keys into use: what they do not hold is withdrawn.
func (s *issuer) hold(next *held) {
	before := s.current.Load()
	was := make(map[string]*publicKey)
	if before != nil {
		was = before.keys.byID
		next.keys.takeOver(before.keys)
	}
	s.current.Store(next)
	now := slices.Sorted(maps.Keys(next.keys.byID))
	if before != nil && slices.Equal(now, slices.Sorted(maps.Keys(was))) {
		return
	}
	for _, reason := range next.keys.left() {
		s.log.Warn("a published key is of no use", "reason", reason)
	}
	if len(now) == 0 {
		s.log.Warn("the issuer publishes no key: none of its tokens is good any more")
	}
	s.log.Info("the issuer's keys have changed", "before", slices.Sorted(maps.Keys(was)), "now", now)
}

func (s *issuer) status() IssuerStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := IssuerStatus{Issuer: s.name, Err: s.failed, Clock: s.from.clock.Load()}
	if now := s.current.Load(); now != nil {
		st.Algs = now.keys.algorithms()
		st.Held, st.Keys, st.Age = true, len(now.keys.byID), s.age(now)
		st.Usable = st.Age <= s.fetch.MaxStale
	}
	return st
}
