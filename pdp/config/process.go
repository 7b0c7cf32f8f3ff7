package config

// Process says what the process takes of the machine. What the environment says
// in Go's own words (GOGC, GOMEMLIMIT, GOMAXPROCS) wins over it.
type Process struct {
	// GCPercent is by how much memory may grow, in percent of what is in use,
	// before it is looked through for what is not. More is less work and more
	// memory. The environment's GOGC wins.
	GCPercent int `yaml:"gc_percent"`
	// HeapFloor is how large the heap may always get before it is looked through: a
	// small one would be looked through very often. 0 is a sixteenth of the memory
	// limit, and 1 GiB at the most. The environment's GOGC wins.
	HeapFloor int64 `yaml:"heap_floor_bytes"`
	// MemoryLimit is where memory is kept below with more work; 0 is 80 % of what
	// the process may have (its cgroup's limit, or the machine's memory). The
	// environment's GOMEMLIMIT wins.
	MemoryLimit int64 `yaml:"memory_limit_bytes"`
	// Threads is how many processors are used at a time; 0 leaves it to Go, which
	// looks at the machine, the affinity and the cgroup. The environment's
	// GOMAXPROCS wins.
	Threads int `yaml:"threads"`
	// Workers is how many goroutines each listener keeps for reading requests, and
	// as many for deciding; beyond them each has one of its own.
	Workers int `yaml:"workers"`
}

func (p *Process) fill() {
	orInt(&p.GCPercent, 400)
	orInt(&p.Workers, 64)
}

func (p *Process) problems(say sayFunc) {
	if p.GCPercent < 10 || p.GCPercent > 10_000 {
		say("process.gc_percent", "%d is not between 10 and 10000", p.GCPercent)
	}
	if p.HeapFloor < 0 || p.HeapFloor > 1<<40 {
		say("process.heap_floor_bytes", "%d is not between 0 and 1 TiB", p.HeapFloor)
	}
	if p.MemoryLimit != 0 && p.MemoryLimit < 64<<20 {
		say("process.memory_limit_bytes", "%d is less than 64 MiB, which is not enough to work with; leave it out for 80 %% of what there is", p.MemoryLimit)
	}
	if p.Threads < 0 || p.Threads > 1024 {
		say("process.threads", "%d is not between 0 and 1024", p.Threads)
	}
	if p.Workers < 1 || p.Workers > 4096 {
		say("process.workers", "%d is not between 1 and 4096", p.Workers)
	}
}
