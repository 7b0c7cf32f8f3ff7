package localstore

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// Options say how a store keeps what it accepts.
type Options struct {
	Keys *pdp.Keys
	// Sync makes accepted mean synced to the disk.
	Sync bool
	// SegmentBytes is the size of a segment; 0 is 64 MiB.
	SegmentBytes int64
	// SnapshotEvery is how much journal is written between snapshots; 0 is
	// one segment.
	SnapshotEvery int64
	// Partitions is how many are kept, about; 0 is [DefaultPartitions]. Beyond
	// it a new one takes the place of one that may be given up, or is refused.
	Partitions int
	// Queue is how many may wait for one partition; 0 is 4096.
	Queue int
	// Retention says what is kept of the journal; the zero value keeps all.
	Retention Retention
	// Now is the clock that partitions are forgotten by; nil is time.Now.
	Now func() time.Time
	// Warn is told of what goes wrong off the path of decisions.
	Warn func(error)
}

// Store is the embedded store. It implements [state.Store] and [state.Log].
type Store struct {
	dir       string
	options   Options
	lock      *os.File
	journal   *journal
	sealer    *sealer
	authority *authority
	shelf     *shelf

	snapshotAt atomic.Uint64 // position of the newest snapshot
	kept       atomic.Uint64 // position of the first segment that is kept
	snapshot   sync.Mutex    // held by whoever takes one
	stop       chan struct{}
	done       sync.WaitGroup
	closed     atomic.Bool
}

var (
	_ state.Store = (*Store)(nil)
	_ state.Log   = (*Store)(nil)
)

// DefaultPartitions is how many partitions are kept where nothing is configured.
const DefaultPartitions = 2_000_000

// Open opens the store in dir, which it makes when there is none. Another
// process that has it open is [state.ErrLocked]; a journal that is not what was
// written is refused with file and byte, never repaired.
func Open(dir string, o Options) (_ *Store, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &Store{dir: dir, options: o.withDefaults(), stop: make(chan struct{})}
	if s.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.lock.Close()
		}
	}()
	name := o.Keys.Name()
	if err := dropUnfinished(dir); err != nil {
		return nil, err
	}
	if err := s.loadHorizon(); err != nil {
		return nil, unreadable(err)
	}
	list, current, err := settleTail(dir, name)
	if err != nil {
		return nil, unreadable(err)
	}
	r, err := fold(dir, name, list, anybody)
	if err != nil {
		return nil, unreadable(err)
	}
	if err := r.endsBefore(current); err != nil {
		return nil, unreadable(inFile(dir, err))
	}
	for _, note := range r.notes {
		s.options.Warn(errors.New(note))
	}
	s.shelf = r.shelf
	s.shelf.setLimit(s.options.Partitions)
	s.shelf.now = s.options.Now
	s.authority = newAuthority(r.revocations.With(r.revoking...))
	if s.journal, err = startJournal(dir, name, s.options.SegmentBytes, o.Sync, current); err != nil {
		return nil, err
	}
	for _, file := range list {
		if file.path != s.journal.currentPath() {
			s.journal.leaveBehind(file.path)
		}
	}
	s.startSealer(r)
	// What was replayed counts to the next snapshot: a process that is killed before
	// it has written as much by itself must not leave more and more to replay.
	s.snapshotAt.Store(uint64(r.begin))
	s.nameRevoked()
	s.done.Go(s.snapshots)
	s.done.Go(s.sweeps)
	return s, nil
}

// loadHorizon learns where the journal begins, and finishes what a crash kept
// from being removed.
func (s *Store) loadHorizon() error {
	h, err := readHorizon(s.dir)
	if err != nil {
		return err
	}
	keys := s.options.Keys
	if err := h.check(s.dir, keys.Name(), keys.Seal().Public().(ed25519.PublicKey)); err != nil {
		return err
	}
	s.kept.Store(h.first)
	return removeRest(s.dir, h)
}

func (o Options) withDefaults() Options {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 64 << 20
	}
	if o.SnapshotEvery == 0 {
		o.SnapshotEvery = o.SegmentBytes
	}
	if o.Partitions == 0 {
		o.Partitions = DefaultPartitions
	}
	if o.Queue == 0 {
		o.Queue = 4096
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	return o
}

func unreadable(err error) error {
	if errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("%w; move the state directory aside and put back a backup: a journal that is not what was written cannot be trusted to know what was spent and revoked", err)
	}
	return err
}

// lockDir keeps other processes out. The lock goes with the process.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder := make([]byte, 32)
		n, _ := f.ReadAt(holder, 0)
		return nil, errors.Join(fmt.Errorf("%s: %w (process %s)", dir, state.ErrLocked, holder[:n]), f.Close())
	}
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := fmt.Fprint(f, os.Getpid()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (s *Store) startSealer(r *recovered) {
	s.sealer = &r.sealer
	s.sealer.journal, s.sealer.key = s.journal, s.options.Keys.Seal()
	s.sealer.stop, s.sealer.done = make(chan struct{}), make(chan struct{})
	s.sealer.failed, s.sealer.pace = s.options.Warn, new(pdp.Pace)
	s.sealer.fresh = true // what a crash left unsealed is sealed now
	current := s.journal.current.Load()
	s.sealer.first, s.sealer.at = current.first, s.journal.position()
	s.sealer.passed.Store(current.first)
	go s.sealer.run()
}

// Acquire implements [state.Store].
func (s *Store) Acquire(ctx context.Context, key pdp.PartitionKey) (state.Held, error) {
	if s.closed.Load() {
		return nil, fmt.Errorf("the store is closed: %w", state.ErrUnavailable)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	slot, err := s.shelf.take(ctx, key, s.options.Queue)
	if err != nil {
		return nil, err
	}
	return &held{store: s, key: key, slot: slot}, nil
}

// Append implements [state.Store].
func (s *Store) Append(ctx context.Context, e *state.Entry) error {
	_, err := s.accept(ctx, e)
	return err
}

// accept writes an entry unless it is an allow that is revoked: see
// [authority].
func (s *Store) accept(ctx context.Context, e *state.Entry) (state.Position, error) {
	if e.Record == nil || e.Record.Effect != pdp.Allow {
		return s.write(ctx, e)
	}
	standing := s.authority.enter(e.Partition)
	defer standing.leave(e.Partition)
	if err := s.backlog(); err != nil {
		return 0, err
	}
	if err := standing.points.Check(e); err != nil {
		return 0, err
	}
	return s.write(ctx, e)
}

func (s *Store) write(ctx context.Context, e *state.Entry) (state.Position, error) {
	b := buffers.Get().(*[]byte)
	defer buffers.Put(b)
	*b = e.AppendBinary((*b)[:0])
	// The end of a session's authority, and what an operator ordered, outlive a
	// power cut (DESIGN 5.5).
	ends := e.Revoking != nil || e.Ordering != nil || e.Effects != nil && (e.Effects.Close || e.Effects.Quarantine)
	return s.journal.append(ctx, kindEntry, *b, ends)
}

// held is a turn on a slot.
type held struct {
	store    *Store
	key      pdp.PartitionKey
	slot     *slot
	released bool
}

func (h *held) State() *state.Partition { return h.slot.partition }

func (h *held) Commit(ctx context.Context, e *state.Entry) error {
	if h.released {
		return errors.New("commit after release")
	}
	at, err := h.store.accept(ctx, e)
	if err != nil {
		return err
	}
	h.slot.partition.Apply(e)
	h.slot.at = at
	return nil
}

func (h *held) Release() {
	if !h.released {
		h.released = true
		h.store.shelf.give(h.key, h.slot)
	}
}

// Partitions implements [state.Store].
func (s *Store) Partitions(ctx context.Context, visit func(*state.Partition) error) error {
	return s.shelf.partitions(ctx, visit)
}

// Entries implements [state.Log].
func (s *Store) Entries(ctx context.Context, from state.Position, visit func(state.Position, *state.Entry) error) error {
	_, err := readEntries(ctx, s.dir, s.journal.keyName, from, after(from, visit))
	return err
}

// Read visits the entries from a position on, the one that begins there included,
// and returns the position to go on from. What was removed is not visited:
// [Store.Kept] says afterwards whether anything may have been missed.
func (s *Store) Read(ctx context.Context, from state.Position, visit func(state.Position, *state.Entry) error) (next state.Position, err error) {
	return readEntries(ctx, s.dir, s.journal.keyName, from, visit)
}

// snapshots takes a snapshot whenever enough journal was written, and removes
// what need not be kept.
func (s *Store) snapshots() {
	ctx, cancel := context.WithCancel(context.Background())
	s.done.Go(func() { <-s.stop; cancel() }) // a snapshot at leisure: the end takes its own
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
			if uint64(s.journal.position())-s.snapshotAt.Load() >= uint64(s.options.SnapshotEvery) {
				if err := s.takeSnapshot(ctx, new(pdp.Pace)); err != nil && ctx.Err() == nil {
					s.options.Warn(fmt.Errorf("take a snapshot: %w", err))
				}
			}
			if err := s.retain(); err != nil {
				s.options.Warn(fmt.Errorf("remove what need not be kept of the journal: %w", err))
			}
		}
	}
}

// Close ends the store in order: a last seal, everything synced, and a snapshot
// that holds the seal: without it the journal was cut.
// Turns that are held must be released before.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	close(s.stop)
	s.done.Wait()
	close(s.sealer.stop)
	<-s.sealer.done
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(s.sealer.seal(true), s.Snapshot(ctx), s.journal.close(), s.lock.Close())
}
