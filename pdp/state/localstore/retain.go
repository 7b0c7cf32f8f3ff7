package localstore

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp/state"
)

// Retention says how much of the journal is kept, and who has to have read it
// before it goes. The zero value keeps everything.
type Retention struct {
	// Age is how old the newest entry of a segment gets before the segment is
	// removed; Bytes is how much of the journal is kept. 0 is no bound.
	Age   time.Duration
	Bytes int64
	// Exported returns the position that everything before was exported to
	// wherever it must be; nil where nothing is exported.
	Exported func() state.Position
	// MaxLag is how many bytes the export may be behind. Beyond it segments that
	// are due are removed all the same or, with Deny, nothing more is allowed until
	// it has caught up.
	MaxLag int64
	Deny   bool
}

// Kept returns where the journal begins: what was before it was removed.
func (s *Store) Kept() state.Position { return state.Position(s.kept.Load()) }

// End returns the end of the journal.
func (s *Store) End() state.Position { return s.journal.position() }

// backlog refuses an allow where the export is too far behind to have it.
func (s *Store) backlog() error {
	r := &s.options.Retention
	if !r.Deny || r.Exported == nil || s.lag() <= r.MaxLag {
		return nil
	}
	return fmt.Errorf("%d bytes of the journal are not exported yet, more than the %d that may be: %w", s.lag(), r.MaxLag, state.ErrBehind)
}

// lag is how many bytes the export is behind.
func (s *Store) lag() int64 {
	end := s.journal.position()
	return int64(end - min(end, s.options.Retention.Exported()))
}

// retain removes the segments that need not be kept any more, oldest first.
func (s *Store) retain() error {
	if s.options.Retention.Age == 0 && s.options.Retention.Bytes == 0 {
		return nil
	}
	floor, err := replayFloor(s.dir)
	if err != nil {
		return err
	}
	floor = min(floor, s.sealer.passed.Load())
	for {
		list, err := segments(s.dir, s.journal.keyName)
		if err != nil || len(list) < 2 || list[1].first > floor {
			return err
		}
		due, err := s.due(list)
		if err != nil || !due {
			return err
		}
		if r := &s.options.Retention; r.Exported != nil && uint64(r.Exported()) < list[1].first {
			s.options.Warn(fmt.Errorf("%s is given up although it was not exported: the export is %d bytes behind, %d may be kept for it", list[0].path, s.lag(), r.MaxLag))
		}
		if err := s.remove(list[0]); err != nil {
			return fmt.Errorf("remove %s: %w", list[0].path, err)
		}
	}
}

// replayFloor is the position that a start needs the journal from, even where the
// newest snapshot is damaged; 0 where there is only one.
func replayFloor(dir string) (uint64, error) {
	paths, err := snapshotPaths(dir)
	if err != nil || len(paths) < 2 {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSuffix(filepath.Base(paths[1]), ".snapshot"), 16, 64) // see snapshotName
}

// due reports whether the oldest segment is to be removed: too much or too old,
// and exported, or too far behind with that.
func (s *Store) due(list []segmentFile) (bool, error) {
	r, end := &s.options.Retention, list[1].first
	if over, err := s.over(list); err != nil || !over {
		return false, err
	}
	if r.Exported == nil || uint64(r.Exported()) >= end {
		return true, nil
	}
	return !r.Deny && s.lag() > r.MaxLag, nil
}

func (s *Store) over(list []segmentFile) (bool, error) {
	r := &s.options.Retention
	if r.Bytes > 0 && uint64(s.journal.position())-list[1].first >= uint64(r.Bytes) {
		return true, nil
	}
	if r.Age == 0 {
		return false, nil
	}
	at, err := list[1].firstEntry()
	return err == nil && at > 0 && s.options.Now().UnixNano()-at > int64(r.Age), err
}

// firstEntry is the time of the first entry of the segment; 0 where it has none.
func (s segmentFile) firstEntry() (at int64, err error) {
	found := errors.New("found")
	_, _, err = s.read(0, func(position state.Position, kind uint8, payload []byte) error {
		if kind != kindEntry {
			return nil
		}
		e, err := state.DecodeEntry(string(payload))
		if err != nil {
			return unread(position, err)
		}
		at = e.At
		return found
	})
	if errors.Is(err, found) {
		err = nil
	}
	return at, err
}

// remove removes the oldest segment, and says with a signature what was in it:
// what was changed in it is noticed now, not hidden by removing it.
func (s *Store) remove(oldest segmentFile) error {
	h, err := readHorizon(s.dir)
	if err != nil {
		return err
	}
	key := s.options.Keys.Seal()
	v := newVerifier(h, s.journal.keyName, key.Public().(ed25519.PublicKey))
	end, err := v.segment(oldest, 0)
	if err != nil {
		return err
	}
	if end != atEnd || v.Pending > 0 {
		return errors.New("an entry of it is still being written")
	}
	next := horizon{first: oldest.first + uint64(oldest.size), chain: v.chain}
	s.kept.Store(next.first) // first, so that who reads meanwhile learns that it may have missed something
	if err := next.write(s.dir, s.journal.keyName, key); err != nil {
		return err
	}
	s.journal.forget(oldest.path)
	return errors.Join(os.Remove(oldest.path), syncDir(s.dir))
}

// removeRest removes the segments beyond the horizon that a crash left there.
func removeRest(dir string, h horizon) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.journal"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		if filepath.Base(path) < segmentName(h.first) {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}
