package localstore

import (
	"encoding/binary"
	"math"
	"sync/atomic"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// Partitions are forgotten while decisions are made, a few at a time: a sweep
// goes round the shelf, puts to sleep what was not used since the last round and
// lets go of what nothing matters of any more. A new partition that there is no
// room for takes the place of one that may be given up (see [state.Rest]); what
// was given up so shows in every partition that begins later.

// forgetting is the shelf's part of it.
type forgetting struct {
	now func() time.Time
	// floor protects a snapshot that is being written: what has an entry that
	// is not before it is replayed over the snapshot and must be in it.
	floor atomic.Uint64
	// lostCounts and lostMarks are until when what was given up had entries.
	lostCounts, lostMarks atomic.Int64
	// named reports whether a revocation names a session of a partition.
	named atomic.Pointer[func(encoded string) bool]
}

// rest is a [state.Rest] in whole seconds, rounded up: for a sleeping partition
// nothing needs to be decoded to know that it must stay.
type rest struct {
	needed, wanted uint32
	marks          bool
}

func restOf(p *state.Partition) rest {
	r := p.Rest()
	return rest{needed: seconds(r.Needed), wanted: seconds(r.Wanted), marks: r.Marks}
}

// seconds are those of a UnixNano, rounded up; the last one stands for ever.
func seconds(nano int64) uint32 {
	return uint32(min(max(nano, -1)/int64(time.Second)+1, math.MaxUint32))
}

// over reports whether nothing matters any more at now.
func (r rest) over(now uint32) bool { return r.wanted != math.MaxUint32 && now > r.wanted }

// spare reports whether it may be given up at now.
func (r rest) spare(now uint32) bool { return r.needed != math.MaxUint32 && now > r.needed }

const restBytes = 9

func (r rest) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, r.needed)
	b = binary.BigEndian.AppendUint32(b, r.wanted)
	if r.marks {
		return append(b, 1)
	}
	return append(b, 0)
}

func readRest(b []byte) rest {
	return rest{needed: binary.BigEndian.Uint32(b), wanted: binary.BigEndian.Uint32(b[4:]), marks: b[8] != 0}
}

// clock is the time that a sleeping partition is judged by.
func (f *forgetting) clock() uint32 { return seconds(f.now().UnixNano()) - 1 }

// droppable reports whether a slot may leave the shelf: nobody wants it, no
// snapshot needs it. It is called with the lock.
func (s *shelf) droppable(slot *slot) bool {
	return !slot.taken && slot.partition == nil && uint64(slot.at) < s.floor.Load()
}

// isNamed reports whether a revocation names a session of a sleeping partition.
func (s *shelf) isNamed(slot *slot) bool {
	named := s.named.Load()
	return named != nil && (*named)(slot.asleep)
}

// forget takes a sleeping partition off the shelf, where nothing of it matters
// any more.
func (s *shelf) forget(key pdp.PartitionKey) {
	shard := s.shard(key)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if slot := shard.slots[key]; slot != nil && slot.over(s.clock()) && s.droppable(slot) && !s.isNamed(slot) {
		delete(shard.slots, key)
	}
}

// candidates is how many partitions are looked at to find one that can be
// given up. They are picked at random: the one used longest ago goes, counts
// before marks.
const candidates = 16

// makeRoom gives up a partition where the shard has as many as it should have.
// It reports false where none can be, and there are too many. It is called with
// the lock.
func (s *shelf) makeRoom(shard *shard) bool {
	if len(shard.slots) < s.limit {
		return true
	}
	key, victim := s.victim(shard)
	if victim == nil || s.isNamed(victim) {
		return len(shard.slots) < s.limit+s.limit/8+1
	}
	delete(shard.slots, key)
	if now := s.clock(); victim.over(now) {
		return true
	} else if lost := int64(now) * int64(time.Second); victim.marks {
		raise(&s.lostMarks, lost)
		raise(&s.lostCounts, lost)
	} else {
		raise(&s.lostCounts, lost)
	}
	return true
}

func raise(to *atomic.Int64, at int64) {
	for {
		before := to.Load()
		if at <= before || to.CompareAndSwap(before, at) {
			return
		}
	}
}

func (s *shelf) victim(shard *shard) (key pdp.PartitionKey, victim *slot) {
	now, seen := s.clock(), 0
	for k, slot := range shard.slots { // Go begins anywhere
		if slot.spare(now) && s.droppable(slot) && (victim == nil || slot.before(victim, now)) {
			key, victim = k, slot
		}
		if seen++; seen >= candidates {
			break
		}
	}
	return key, victim
}

// before reports whether a slot is to be given up rather than another.
func (s *slot) before(other *slot, now uint32) bool {
	if over := s.over(now); over != other.over(now) {
		return over
	}
	if s.marks != other.marks {
		return other.marks
	}
	return s.at < other.at
}

// newPartition returns the partition of a key that the shelf knows nothing of,
// which knows what was given up.
func (s *shelf) newPartition(key pdp.PartitionKey) *state.Partition {
	p := state.NewPartition(key)
	p.Lose(s.lostCounts.Load(), s.lostMarks.Load())
	return p
}

// sweep looks at a shard: what was not used since the last time falls asleep,
// and what nothing matters of is forgotten.
func (s *shelf) sweep(shard *shard) {
	for range shard.waking() {
		tired, key := shard.next()
		if tired != nil {
			s.sleep(shard, key, tired)
		}
	}
	for _, key := range shard.past(s.clock()) {
		s.forget(key)
	}
}

func (s *shard) waking() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.awake)
}

// next takes the turn on the partition that woke first, unless it was used
// since it was last looked at.
func (s *shard) next() (*slot, pdp.PartitionKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tired(0, 1)
}

// past returns the sleeping partitions of which nothing matters any more.
func (s *shard) past(now uint32) (keys []pdp.PartitionKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, slot := range s.slots {
		if !slot.taken && slot.partition == nil && slot.over(now) {
			keys = append(keys, key)
		}
	}
	return keys
}

// sweepEvery is how long a sweep of the whole shelf takes. Tests replace it.
var sweepEvery = time.Minute

// sweeps goes round the shelf until the store is closed.
func (s *Store) sweeps() {
	ticker := time.NewTicker(sweepEvery / time.Duration(len(s.shelf.shards)))
	defer ticker.Stop()
	for i := 0; ; i++ {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
			s.shelf.sweep(&s.shelf.shards[i%len(s.shelf.shards)])
		}
	}
}

// nameRevoked makes the shelf keep partitions with sessions that were revoked
// by name.
func (s *Store) nameRevoked() {
	named := func(encoded string) bool {
		points := s.Revocations()
		if !points.NameSessions() {
			return false
		}
		p, err := state.DecodePartition(encoded)
		return err != nil || p.Named(points, s.options.Now().UnixNano())
	}
	s.shelf.named.Store(&named)
}
