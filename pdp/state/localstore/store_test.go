package localstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/statetest"
)

// Some tests need another process on the same directory: it is this test's own
// binary, told by the environment what to be.
const childRole, childDir = "REMIT_TEST_CHILD", "REMIT_TEST_DIR"

func TestMain(m *testing.M) {
	if role := os.Getenv(childRole); role != "" {
		if err := children[role](os.Getenv(childDir)); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var children = map[string]func(dir string) error{
	"open":   openChild,
	"write":  writeChild,
	"full":   fullChild,
	"freeze": freezeChild,
}

func child(t testing.TB, role, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir)
	c.Stderr = os.Stderr
	return c
}

// keysOf are the keys of a directory's seed, which is made the first time.
func keysOf(dir string) (*pdp.Keys, error) {
	seed, err := LoadOrCreateSeed(dir)
	if err != nil {
		return nil, err
	}
	return pdp.NewKeys(seed)
}

const testSegment = 256 << 10

func openDir(dir string, change ...func(*Options)) (*Store, error) {
	keys, err := keysOf(dir)
	if err != nil {
		return nil, err
	}
	o := Options{Keys: keys, SegmentBytes: testSegment}
	for _, c := range change {
		c(&o)
	}
	return Open(dir, o)
}

func open(t testing.TB, dir string, change ...func(*Options)) *Store {
	t.Helper()
	s, err := openDir(dir, change...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !t.Failed() {
			t.Error(err)
		}
	})
	return s
}

func verified(t testing.TB, dir string) Report {
	t.Helper()
	r, err := NewReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	report, err := r.Verify()
	if err != nil {
		t.Fatalf("%+v: %v", report, err)
	}
	return report
}

// encodings are the partitions of a store, encoded.
func encodings(t testing.TB, s interface {
	Partitions(context.Context, func(*state.Partition) error) error
}) map[pdp.PartitionKey]string {
	t.Helper()
	all := make(map[pdp.PartitionKey]string)
	err := s.Partitions(context.Background(), func(p *state.Partition) error {
		all[p.Key] = string(p.AppendBinary(nil))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestContract(t *testing.T) {
	for _, sync := range []bool{false, true} {
		t.Run(fmt.Sprintf("sync %v", sync), func(t *testing.T) {
			statetest.Run(t, func(t *testing.T) statetest.Store {
				return open(t, t.TempDir(), func(o *Options) { o.Sync = sync })
			})
		})
	}
}

func openChild(dir string) error {
	_, err := openDir(dir)
	return err
}

func TestAnotherProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := openDir(dir); !errors.Is(err, state.ErrLocked) {
		t.Errorf("opened twice in a process: %v", err)
	}
	out, err := child(t, "open", dir).Output()
	if err == nil || !strings.Contains(string(out), state.ErrLocked.Error()) || !strings.Contains(string(out), fmt.Sprint(os.Getpid())) {
		t.Errorf("another process opened it, or is not told who has it: %v, %s", err, out)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := child(t, "open", dir).Output(); err != nil {
		t.Errorf("after its end it is refused: %s", out)
	}
}

func TestOtherKeysAreRefused(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	other, err := pdp.NewKeys([]byte(strings.Repeat("x", pdp.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{Keys: other}); err == nil || !strings.Contains(err.Error(), "other keys") {
		t.Errorf("opened with other keys: %v", err)
	}
	if err := os.Remove(dir + "/seed"); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateSeed(dir); err == nil {
		t.Error("a journal without its seed got a new one")
	}
}

func TestASeedThatOthersCanReadIsRefused(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadOrCreateSeed(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir+"/seed", 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateSeed(dir); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("got %v", err)
	}
}

// inLine is how many wait for a turn on a partition.
func inLine(s *Store, key pdp.PartitionKey) int {
	shard := s.shelf.shard(key)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if waiting := shard.lines[shard.slots[key]]; waiting != nil {
		return len(*waiting)
	}
	return 0
}

func TestTheQueueIsBounded(t *testing.T) {
	s := open(t, t.TempDir(), func(o *Options) { o.Queue = 3 })
	held, err := s.Acquire(t.Context(), statetest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for i := range 3 {
		wait.Go(func() {
			if err := statetest.Commit(t.Context(), s, statetest.Key(1), fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		})
	}
	for inLine(s, statetest.Key(1)) < 3 {
		time.Sleep(time.Millisecond)
	}
	if _, err := s.Acquire(t.Context(), statetest.Key(1)); !errors.Is(err, state.ErrUnavailable) {
		t.Errorf("the fourth in a queue of three: %v", err)
	}
	held.Release()
	wait.Wait()
}

// What is asked of a closed store is refused, and whoever held a turn is told.
func TestAfterClose(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	held, err := s.Acquire(t.Context(), statetest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	entry := statetest.Entry(held.State(), "late")
	held.Release()
	again, err := s.Acquire(t.Context(), statetest.Key(2))
	if err != nil {
		t.Fatal(err)
	}
	closing := make(chan error, 1)
	go func() { closing <- s.Close() }()
	for !s.closed.Load() {
		time.Sleep(time.Millisecond)
	}
	again.Release()
	if err := <-closing; err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquire(t.Context(), statetest.Key(1)); !errors.Is(err, state.ErrUnavailable) {
		t.Errorf("a turn on a closed store: %v", err)
	}
	if err := s.Append(t.Context(), entry); !errors.Is(err, state.ErrUnavailable) {
		t.Errorf("an entry for a closed store: %v", err)
	}
	if report := verified(t, dir); !report.Closed || report.Unsealed != 0 {
		t.Errorf("%+v", report)
	}
}
