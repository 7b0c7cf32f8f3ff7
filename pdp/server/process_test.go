package server

import (
	"context"
	"log/slog"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/fstest"
	"time"

	"github.com/remit-pdp/remit/pdp/config"
)

// The memory that the process may have is the least that anything says.
func TestAvailableMemory(t *testing.T) {
	const machine = "MemTotal:       16384000 kB\nMemFree:         1000000 kB\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"a machine": {map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/\n"}, 16384000 << 10},
		"a container sees its own group as the root": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n", "sys/fs/cgroup/memory.high": "max\n",
		}, 512 << 20},
		"a service": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "0::/system.slice/remit.service\n",
			"sys/fs/cgroup/system.slice/remit.service/memory.max": "max\n", "sys/fs/cgroup/system.slice/memory.max": "2147483648\n",
		}, 2 << 30},
		"one that is slowed down before its end": {map[string]string{
			"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "2147483648\n", "sys/fs/cgroup/a/memory.high": "1073741824\n",
		}, 1 << 30},
		"a group with more than there is": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "99999999999999\n",
		}, 16384000 << 10},
		"the older hierarchies": {map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "5:memory:/docker/a\n"}, 16384000 << 10},
		"a way out of the root": {map[string]string{"proc/self/cgroup": "0::/../../a\n", "sys/fs/cgroup/a/memory.max": "1073741824\n"}, 1 << 30},
		"nothing":               {nil, 0},
		"what cannot be read":   {map[string]string{"proc/meminfo": "MemTotal: many kB\n", "sys/fs/cgroup/memory.max": "much\n"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{}
			for file, text := range c.files {
				root[file] = &fstest.MapFile{Data: []byte(text)}
			}
			if got := availableMemory(root); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
			if got := memoryLimit(&config.Process{}, root); got > c.want/100*81 || got < c.want/100*79 {
				t.Errorf("the limit is %d of %d", got, c.want)
			}
			if got := memoryLimit(&config.Process{MemoryLimit: 1 << 28}, root); got != 1<<28 {
				t.Errorf("the limit is %d, configured is %d", got, 1<<28)
			}
		})
	}
}

// What is configured is in force, and what the environment says in Go's own words
// is left alone.
func TestTheEnvironmentWins(t *testing.T) {
	gc, limit, threads := debug.SetGCPercent(100), debug.SetMemoryLimit(1<<40), runtime.GOMAXPROCS(1)
	t.Cleanup(func() {
		debug.SetGCPercent(gc)
		debug.SetMemoryLimit(limit)
		runtime.GOMAXPROCS(threads)
	})
	p := &config.Process{GCPercent: 300, MemoryLimit: 1 << 33, Threads: 2, HeapFloor: 1}
	inForce := func() (int, int64, int) {
		percent := debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		return percent, debug.SetMemoryLimit(-1), runtime.GOMAXPROCS(0)
	}
	for name, value := range map[string]string{"GOGC": "100", "GOMEMLIMIT": "1TiB", "GOMAXPROCS": "1"} {
		t.Setenv(name, value)
	}
	tune(t.Context(), p, slog.New(slog.DiscardHandler))
	if percent, limit, threads := inForce(); percent != 100 || limit != 1<<40 || threads != 1 {
		t.Errorf("with the environment: %d %%, %d bytes, %d threads", percent, limit, threads)
	}
	for _, name := range []string{"GOGC", "GOMEMLIMIT", "GOMAXPROCS"} {
		t.Setenv(name, "")
	}
	tune(t.Context(), p, slog.New(slog.DiscardHandler))
	if percent, limit, threads := inForce(); percent != 300 || limit != 1<<33 || threads != 2 {
		t.Errorf("without: %d %%, %d bytes, %d threads", percent, limit, threads)
	}
}

// A small heap may grow to the floor, a large one by the percentage.
func TestHeapGrowth(t *testing.T) {
	const floor = 1 << 30
	for live, want := range map[int64]int{
		0: 400, 1 << 10: 10_000, 64 << 20: 1500, 128 << 20: 700, floor / 5: 400, 1 << 30: 400, 1 << 40: 400,
	} {
		if got := growth(live, 400, floor); got != want {
			t.Errorf("a heap of %d bytes may grow by %d %%, want %d", live, got, want)
		}
	}
	for limit, want := range map[int64]int64{0: 0, 512 << 20: 32 << 20, 64 << 30: maxFloor} {
		if got := heapFloor(&config.Process{}, limit); got != want {
			t.Errorf("of %d bytes the floor is %d, want %d", limit, got, want)
		}
	}
	if got := heapFloor(&config.Process{HeapFloor: 1 << 20}, 1<<40); got != 1<<20 {
		t.Errorf("the configured floor is %d", got)
	}
}

// Pacing follows what is in use.
func TestPacing(t *testing.T) {
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); pace(ctx, 100, 1<<40) }()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		runtime.GC()
		percent := debug.SetGCPercent(100)
		if debug.SetGCPercent(percent); percent == 10_000 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("after a while it is %d %%", percent)
		}
	}
	stop()
	<-done
}
