package localstore

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/remit-pdp/remit/pdp/state"
)

// Status is how a store is, for who looks after it.
type Status struct {
	Written state.Position // of the journal, in bytes since it was begun
	Kept    state.Position // where what is kept of it begins
	Room    int64          // bytes that are left in the files there are
	Segment int64          // bytes of one file
	Free    uint64         // bytes that are left on the disk, which the next file needs
	// Problem is why entries are not accepted, or nothing is allowed any more, or
	// will not be once the room is used up; nil where nothing is wrong.
	Problem    error
	Snapshot   time.Time // when the newest was taken; zero before the first
	Partitions int       // that are held in memory, awake or asleep
}

// Status returns how the store is at this moment. An error says that the state
// directory cannot be looked at; the rest is good then.
func (s *Store) Status() (Status, error) {
	status := s.journal.status()
	status.Kept = s.Kept()
	if err := s.backlog(); err != nil && status.Problem == nil {
		status.Problem = err
	}
	for i := range s.shelf.shards {
		shard := &s.shelf.shards[i]
		shard.mu.Lock()
		status.Partitions += len(shard.slots)
		shard.mu.Unlock()
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(s.dir, &disk); err != nil {
		return status, err
	}
	status.Free = disk.Bavail * uint64(disk.Bsize)
	paths, err := snapshotPaths(s.dir)
	if err != nil || len(paths) == 0 {
		return status, err
	}
	newest, err := os.Stat(paths[0])
	if err != nil {
		return status, err
	}
	status.Snapshot = newest.ModTime()
	return status, nil
}

func (j *journal) status() Status {
	current := j.current.Load()
	status := Status{Written: j.position(), Segment: j.size, Room: max(0, int64(len(current.bytes))-current.tail.Load())}
	if cause := j.full.Load(); cause != nil {
		status.Problem = *cause
	}
	if cause := j.broken.Load(); cause != nil {
		status.Problem = *cause
	}
	return status
}
