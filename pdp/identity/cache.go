package identity

import (
	"sync"
	"sync/atomic"
	"time"
)

// The bounds of a cache, of which each listener has one of tokens and one of
// certificates. What one owner holds is bounded apart: whoever gets good
// credentials without end puts out his own.
const (
	maxWeight   = 64 << 20 // bytes of a whole cache, by estimate
	maxOwned    = 256      // credentials of one owner
	maxOwn      = 32 << 10 // bytes of one credential; heavier ones are verified each time
	cacheShards = 64
	// entryWeight is what a credential takes beside what is known of it.
	entryWeight = 512
	// patientHand is how many credentials in use are passed over to find one
	// that is not: making room takes a bounded time.
	patientHand = 32
)

// cache remembers credentials that were verified good, so that the dear part of
// verifying is done once a credential. Nothing else ever gets in: whoever sends
// bad ones changes nothing here. It holds no credential, only the [cacheKey] of
// each, and it decides nothing: what can change (keys, time, who presents it) is
// for its user to look at on every use. Safe for concurrent use; whoever looks
// something up waits for nobody but another look at the same shard.
type cache[T any] struct {
	*keyer
	shards [cacheShards]cacheShard[T]

	mu     sync.Mutex // of what follows, for putting in and taking out
	weight int
	ring   []*cached[T] // the hand goes round it and takes out what was not used since
	hand   int
	owners map[string]*owned[T]
}

type cacheShard[T any] struct {
	mu   sync.RWMutex
	held map[cacheKey]*cached[T]
}

// cached is one credential. All but used and the places is immutable.
type cached[T any] struct {
	key     cacheKey
	is      T
	ends    time.Time // from when on it is of no use to anybody
	weight  int
	owner   string
	inRing  int
	inOwned int
	used    atomic.Bool
}

// owned are the credentials of one owner, the next to be put out at next.
type owned[T any] struct {
	all  []*cached[T] // with holes
	next int
	held int
}

func newCache[T any]() *cache[T] {
	c := &cache[T]{keyer: newKeyer(), owners: make(map[string]*owned[T])}
	for i := range c.shards {
		c.shards[i].held = make(map[cacheKey]*cached[T])
	}
	return c
}

func (c *cache[T]) shard(key cacheKey) *cacheShard[T] { return &c.shards[key[0]%cacheShards] }

// get returns what was put in under key.
func (c *cache[T]) get(key cacheKey) (is T, found bool) {
	e := c.shard(key).peek(key)
	if e == nil {
		return is, false
	}
	if !e.used.Load() { // a store that changes nothing would still take the line from others
		e.used.Store(true)
	}
	return e.is, true
}

// put remembers a good credential of owner: up to about ends, and as long as
// there is room. weight is about how many bytes it takes.
func (c *cache[T]) put(key cacheKey, owner string, is T, weight int, now, ends time.Time) {
	weight += entryWeight + len(owner)
	e := &cached[T]{key: key, is: is, ends: ends, weight: weight, owner: owner}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.shard(key).peek(key)) // two may have verified it at the same time
	if weight > maxOwn {
		return
	}
	for c.weight+weight > maxWeight {
		c.remove(c.oldest(now))
	}
	c.own(e)
	e.inRing = len(c.ring)
	c.ring = append(c.ring, e)
	c.weight += weight
	shard := c.shard(key)
	shard.mu.Lock()
	shard.held[key] = e
	shard.mu.Unlock()
}

// drop forgets a credential.
func (c *cache[T]) drop(key cacheKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.shard(key).peek(key))
}

// peek returns what is held under key, without using it.
func (s *cacheShard[T]) peek(key cacheKey) *cached[T] {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.held[key]
}

// oldest returns what is put out next: what has ended, or was not used since
// the hand came by.
func (c *cache[T]) oldest(now time.Time) *cached[T] {
	for range patientHand {
		e := c.ring[c.hand%len(c.ring)]
		if !e.used.Swap(false) || !now.Before(e.ends) {
			return e
		}
		c.hand++
	}
	return c.ring[c.hand%len(c.ring)]
}

// own makes room for e among what its owner holds.
func (c *cache[T]) own(e *cached[T]) {
	o := c.owners[e.owner]
	if o == nil {
		o = &owned[T]{}
		c.owners[e.owner] = o
	}
	if len(o.all) < maxOwned {
		e.inOwned = len(o.all)
		o.all = append(o.all, e)
	} else {
		e.inOwned, o.next = o.next, (o.next+1)%maxOwned
		if before := o.all[e.inOwned]; before != nil {
			c.remove(before)
			c.owners[e.owner] = o // it may have been the last one
		}
		o.all[e.inOwned] = e
	}
	o.held++
}

// remove takes e out, everywhere; nil is nothing. c.mu is held.
func (c *cache[T]) remove(e *cached[T]) {
	if e == nil {
		return
	}
	shard := c.shard(e.key)
	shard.mu.Lock()
	delete(shard.held, e.key)
	shard.mu.Unlock()
	last := c.ring[len(c.ring)-1]
	c.ring[e.inRing], last.inRing = last, e.inRing
	c.ring[len(c.ring)-1] = nil
	c.ring = c.ring[:len(c.ring)-1]
	c.weight -= e.weight
	o := c.owners[e.owner]
	o.all[e.inOwned] = nil
	if o.held--; o.held == 0 {
		delete(c.owners, e.owner)
	}
}
