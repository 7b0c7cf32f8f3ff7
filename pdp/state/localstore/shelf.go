package localstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// A shelf holds partitions and the turns on them. Those used lately are awake:
// structures that a turn reads and changes. All others sleep: they are their
// encoding, one string without pointers, which takes a fraction of the memory
// and nothing of the garbage collector's time. A turn wakes its partition, and
// the end of a turn puts another one to sleep where too many are awake, so the
// work goes on in small pieces and never stops anybody.
type shelf struct {
	shards [1024]shard
	// awake is how many partitions of a shard stay awake, limit how many there
	// are when something must be given up for another one.
	awake, limit int
	forgetting
}

// awakePartitions is how many partitions stay awake, at most.
const awakePartitions = 8 << 10

// A shard holds some of the partitions. Its lock is held for a look-up only.
type shard struct {
	mu    sync.Mutex
	slots map[pdp.PartitionKey]*slot
	// lines are those who wait for a turn, in order of arrival.
	lines map[*slot]*line
	// awake names the slots that were woken, in the order they were.
	awake []pdp.PartitionKey
}

// A slot is one partition and who has the turn on it. Whoever has the turn owns
// partition and at; everything else, and all of it while nobody has the turn,
// is the shard's.
type slot struct {
	partition *state.Partition // nil while it sleeps
	asleep    string           // its encoding; "" while it is awake
	at        state.Position   // of its latest entry
	rest                       // while it sleeps
	taken     bool             // somebody has the turn
	used      bool             // again, since it was last looked at
}

// A line is who waits for one turn. A channel is closed when its owner has the
// turn.
type line []chan struct{}

// newShelf returns a shelf for about limit partitions.
func newShelf(limit int) *shelf {
	s := &shelf{awake: awakePartitions / len(shelf{}.shards)}
	s.setLimit(limit)
	s.now = time.Now
	s.floor.Store(math.MaxUint64)
	for i := range s.shards {
		s.shards[i].slots = make(map[pdp.PartitionKey]*slot)
		s.shards[i].lines = make(map[*slot]*line)
	}
	return s
}

func (s *shelf) setLimit(limit int) { s.limit = max(limit/len(s.shards), 1) }

// shard goes by the first bits of a key, so that shards in order hold keys in
// order.
func (s *shelf) shard(key pdp.PartitionKey) *shard {
	return &s.shards[int(key[0])<<2|int(key[1])>>6]
}

// take waits, in order of arrival, for the turn on a partition, and wakes it.
// Where limit wait already it is [state.ErrUnavailable].
func (s *shelf) take(ctx context.Context, key pdp.PartitionKey, limit int) (*slot, error) {
	shard := s.shard(key)
	shard.mu.Lock()
	found := shard.slots[key]
	fresh := found == nil
	if fresh {
		if !s.makeRoom(shard) {
			shard.mu.Unlock()
			return nil, fmt.Errorf("there is no room for another partition: %w", state.ErrUnavailable)
		}
		found = &slot{partition: s.newPartition(key)}
		shard.slots[key] = found
		shard.awake = append(shard.awake, key)
	}
	if !found.taken {
		found.taken, found.used = true, found.used || !fresh && found.partition != nil
		shard.mu.Unlock()
	} else if err := shard.wait(ctx, key, found, limit); err != nil {
		return nil, err
	}
	if err := s.wake(shard, key, found); err != nil {
		s.give(key, found)
		return nil, err
	}
	return found, nil
}

// wait stands in line for a turn. It is called with the shard's lock, and
// returns without.
func (s *shard) wait(ctx context.Context, key pdp.PartitionKey, slot *slot, limit int) error {
	waiting := s.lines[slot]
	if waiting == nil {
		waiting = new(line)
		s.lines[slot] = waiting
	}
	if len(*waiting) >= limit {
		s.mu.Unlock()
		return fmt.Errorf("%d wait for the partition already: %w", limit, state.ErrUnavailable)
	}
	turn := make(chan struct{})
	*waiting = append(*waiting, turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(*waiting, turn); i >= 0 {
		*waiting = slices.Delete(*waiting, i, i+1)
	} else { // the turn came at the same moment
		s.pass(key, slot)
	}
	return ctx.Err()
}

// pass gives the turn to the next in line. A partition of which nothing is
// remembered is let go when nobody wants it. It is called with the lock.
func (s *shard) pass(key pdp.PartitionKey, slot *slot) {
	if waiting := s.lines[slot]; waiting != nil {
		if len(*waiting) > 0 {
			slot.used = true
			next := (*waiting)[0]
			*waiting = slices.Delete(*waiting, 0, 1)
			close(next)
			return
		}
		delete(s.lines, slot)
	}
	slot.taken = false
	if slot.partition != nil && slot.partition.Seq == 0 {
		delete(s.slots, key)
	}
}

// give ends a turn, and puts somebody to sleep where too many are awake.
func (s *shelf) give(key pdp.PartitionKey, slot *slot) {
	shard := s.shard(key)
	shard.mu.Lock()
	shard.pass(key, slot)
	tired, name := shard.tired(s.awake, 4)
	shard.mu.Unlock()
	if tired != nil {
		s.sleep(shard, name, tired)
	}
}

// wake makes a partition of an encoding. The caller has the turn.
func (s *shelf) wake(shard *shard, key pdp.PartitionKey, slot *slot) error {
	if slot.partition != nil {
		return nil
	}
	p, err := state.DecodePartition(slot.asleep)
	if err != nil {
		return fmt.Errorf("partition %s cannot be read: %w: %w", key, err, state.ErrUnavailable)
	}
	slot.partition, slot.asleep = p, ""
	shard.mu.Lock()
	shard.awake = append(shard.awake, key)
	shard.mu.Unlock()
	return nil
}

// tired takes the turn on a partition that was not used again since it was last
// looked at, where more than bound are awake. It looks at no more than looks of
// them. It is called with the lock.
func (s *shard) tired(bound, looks int) (*slot, pdp.PartitionKey) {
	for range looks {
		if len(s.awake) <= bound {
			break
		}
		key := s.awake[0]
		s.awake = s.awake[1:]
		slot := s.slots[key]
		switch {
		case slot == nil || !slot.taken && slot.partition == nil: // it was let go, or sleeps
		case slot.taken || slot.used:
			slot.used = false
			s.awake = append(s.awake, key)
		default:
			slot.taken = true
			return slot, key
		}
	}
	return nil, pdp.PartitionKey{}
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// sleep makes an encoding of a partition whose turn the caller has, and ends
// the turn.
func (s *shelf) sleep(shard *shard, key pdp.PartitionKey, slot *slot) {
	b := buffers.Get().(*[]byte)
	*b = slot.partition.AppendBinary((*b)[:0])
	encoded, resting := string(*b), restOf(slot.partition)
	buffers.Put(b)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	slot.partition, slot.asleep, slot.rest = nil, encoded, resting
	shard.pass(key, slot)
}

// keys returns the keys of a shard's partitions in order.
func (s *shard) keys() []pdp.PartitionKey {
	s.mu.Lock()
	keys := make([]pdp.PartitionKey, 0, len(s.slots))
	for key := range s.slots {
		keys = append(keys, key)
	}
	s.mu.Unlock()
	slices.SortFunc(keys, func(a, b pdp.PartitionKey) int { return slices.Compare(a[:], b[:]) })
	return keys
}

// A visited partition is awake, and then in a turn, or asleep.
type visited struct {
	key       pdp.PartitionKey
	at        state.Position
	partition *state.Partition // nil where it sleeps
	asleep    string
	rest
}

// each visits every partition that there is something of, in the order of
// their keys, at a pace. One that sleeps is not woken.
func (s *shelf) each(ctx context.Context, p *pdp.Pace, visit func(visited) error) error {
	for i := range s.shards {
		for _, key := range s.shards[i].keys() {
			if err := s.visit(ctx, &s.shards[i], key, visit); err != nil {
				return err
			}
			p.Step()
		}
	}
	return nil
}

func (s *shelf) visit(ctx context.Context, shard *shard, key pdp.PartitionKey, visit func(visited) error) error {
	shard.mu.Lock()
	slot := shard.slots[key]
	if slot == nil || !slot.taken && slot.partition == nil {
		var v visited
		if slot != nil {
			v = visited{key: key, at: slot.at, asleep: slot.asleep, rest: slot.rest}
		}
		shard.mu.Unlock()
		if slot == nil {
			return ctx.Err()
		}
		return errors.Join(ctx.Err(), visit(v))
	}
	shard.mu.Unlock()
	slot, err := s.take(ctx, key, anybody)
	if err != nil {
		return err
	}
	defer s.give(key, slot)
	if slot.partition.Seq == 0 {
		return nil
	}
	return visit(visited{key: key, at: slot.at, partition: slot.partition})
}

// anybody is the limit of a line that nobody is turned away from.
const anybody = math.MaxInt

// read returns the partition, which must not be changed.
func (v visited) read() (*state.Partition, error) {
	if v.partition != nil {
		return v.partition, nil
	}
	return state.DecodePartition(v.asleep)
}

// partitions visits every partition as a structure, for an operator or an order: who
// waits for it waits for nobody's pace.
func (s *shelf) partitions(ctx context.Context, visit func(*state.Partition) error) error {
	return s.each(ctx, nil, func(v visited) error {
		p, err := v.read()
		if err != nil {
			return fmt.Errorf("partition %s: %w", v.key, err)
		}
		return visit(p)
	})
}

// put lays a sleeping partition on the shelf. Nobody else uses the shelf yet.
func (s *shelf) put(key pdp.PartitionKey, at state.Position, resting rest, encoded string) {
	s.shard(key).slots[key] = &slot{asleep: encoded, at: at, rest: resting}
}
