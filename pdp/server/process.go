package server

import (
	"context"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/remit-pdp/remit/pdp/config"
)

// memoryShare is the part of the memory that the process may have which Go is
// told to stay within. The rest is for what Go does not count: the journal's
// mapped segments, threads, the kernel's buffers of connections.
const memoryShare = 0.8

// tune tells Go's runtime what the process may take of the machine. How many
// processors there are it finds out itself: machine, affinity, cgroup.
// It goes on doing so until ctx ends.
func tune(ctx context.Context, p *config.Process, log *slog.Logger) {
	unsaid := func(variable string) bool { return os.Getenv(variable) == "" }
	if limit := memoryLimit(p, os.DirFS("/")); limit > 0 && unsaid("GOMEMLIMIT") {
		debug.SetMemoryLimit(limit)
	}
	if unsaid("GOGC") {
		debug.SetGCPercent(p.GCPercent)
		go pace(ctx, p.GCPercent, heapFloor(p, debug.SetMemoryLimit(-1)))
	}
	if p.Threads > 0 && unsaid("GOMAXPROCS") {
		runtime.GOMAXPROCS(p.Threads)
	}
	log.Info("process", "threads", runtime.GOMAXPROCS(0), "memory_limit_bytes", debug.SetMemoryLimit(-1))
}

// memoryLimit is the limit in bytes; 0 where nothing can be found out.
func memoryLimit(p *config.Process, root fs.FS) int64 {
	if p.MemoryLimit > 0 {
		return p.MemoryLimit
	}
	return int64(memoryShare * float64(availableMemory(root)))
}

// availableMemory is how much memory the process may have, in bytes: the least of
// the machine's and of the limits of its cgroup and of those above it (Linux,
// "Control Group v2", memory.high and memory.max); 0 where there is no telling.
func availableMemory(root fs.FS) int64 {
	least := int64(math.MaxInt64)
	consider := func(n int64) {
		if n > 0 {
			least = min(least, n)
		}
	}
	consider(machineMemory(root))
	for group := cgroup(root); ; group = path.Dir(group) {
		dir := path.Join("sys/fs/cgroup", group)
		consider(number(root, path.Join(dir, "memory.max")))
		consider(number(root, path.Join(dir, "memory.high")))
		if group == "/" {
			break
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}

// cgroup is the process' group in the unified hierarchy; "/" where there is none.
func cgroup(root fs.FS) string {
	text, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(text)) {
		if group, unified := strings.CutPrefix(strings.TrimSpace(line), "0::"); unified {
			return path.Clean("/" + group)
		}
	}
	return "/"
}

// machineMemory is MemTotal of /proc/meminfo, in bytes; 0 where it is not there.
func machineMemory(root fs.FS) int64 {
	text, _ := fs.ReadFile(root, "proc/meminfo")
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "MemTotal:" && fields[2] == "kB" {
			kilobytes, _ := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}

// number is the number in a file; 0 where there is none ("max").
func number(root fs.FS, name string) int64 {
	text, _ := fs.ReadFile(root, name)
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
