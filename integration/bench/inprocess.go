package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// A figure that is best measured in process comes from a benchmark beside the
// code that it is about.
type benchmark struct {
	pkg, pattern string
	time         string // -benchtime
	rounds       int
	whole        bool // not in the short form: it takes long
}

var benchmarks = []benchmark{
	{"pdp/policy", "^BenchmarkDecision$/^allow$", "200ms", 5, false},
	{"pdp/policy/compiled", "^BenchmarkRules$/^(equal|in|prefix|undefined)$/^(10|1000)$/^compiled$", "100ms", 9, false},
	{"pdp/server", "^BenchmarkHistory$", "3000x", 3, false},
	{"pdp/state/localstore", "^BenchmarkBytesPerSession$", "1x", 1, true},
}

// buildBenchmarks builds the test binaries while both cores are free.
func (b *bench) buildBenchmarks(ctx context.Context) error {
	b.tests = make(map[string]string)
	for _, m := range benchmarks {
		if b.tests[m.pkg] != "" || m.whole && b.short {
			continue
		}
		b.tests[m.pkg] = filepath.Join(b.dir, strings.ReplaceAll(m.pkg, "/", "-")+".test")
		if err := b.golang(ctx, "test", "-c", "-o", b.tests[m.pkg], "./"+m.pkg); err != nil {
			return err
		}
	}
	return nil
}

// results are what benchmarks reported, round by round, by name and unit.
type results map[string]map[string][]float64

// inProcess runs the benchmarks and sets their figures.
func (b *bench) inProcess(ctx context.Context) error {
	all := make(results)
	for _, m := range benchmarks {
		if m.whole && b.short {
			continue
		}
		for range m.rounds {
			if err := b.runBenchmark(ctx, m, all); err != nil {
				return err
			}
		}
	}
	return all.figures(b.report)
}

// runBenchmark runs one round of all that a benchmark compares: what is compared
// is measured one after the other, and not in blocks between which the machine
// may change its pace.
func (b *bench) runBenchmark(ctx context.Context, m benchmark, all results) error {
	run := exec.CommandContext(ctx, b.tests[m.pkg], "-test.run", "^$", "-test.bench", m.pattern, "-test.benchtime", m.time)
	run.Dir = filepath.Join(b.root, m.pkg)
	out, err := run.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", m.pattern, err, out)
	}
	return all.read(string(out))
}

// read reads lines of the form "BenchmarkX/y  N  1.5 ns/op  2 allocs/op".
func (r results) read(out string) error {
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		if r[fields[0]] == nil {
			r[fields[0]] = make(map[string][]float64)
		}
		of := r[fields[0]]
		for i := 2; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
			of[fields[i+1]] = append(of[fields[i+1]], v)
		}
	}
	return nil
}

// quotient is the processor time of a as a multiple of that of b: the median of
// the rounds' quotients.
func (r results) quotient(a, b string) (float64, error) {
	const unit = "cpu-ns/op"
	above, below := r[a][unit], r[b][unit]
	if len(above) == 0 || len(above) != len(below) {
		return 0, fmt.Errorf("%s has %d rounds of %s and %s has %d", a, len(above), unit, b, len(below))
	}
	quotients := make([]float64, len(above))
	for i := range above {
		if above[i] == 0 || below[i] == 0 {
			return 0, fmt.Errorf("%s took %v of %s in round %d and %s took %v", a, above[i], unit, i+1, b, below[i])
		}
		quotients[i] = above[i] / below[i]
	}
	return median(quotients), nil
}

func (r results) figures(to *report) error {
	speedup, err := r.quotient("BenchmarkDecision/allow/topdown", "BenchmarkDecision/allow/compiled")
	if err != nil {
		return err
	}
	to.set("engine_speedup_vs_topdown", speedup)
	worst := 0.0
	for _, guard := range []string{"equal", "in", "prefix", "undefined"} {
		more, err := r.quotient("BenchmarkRules/"+guard+"/1000/compiled", "BenchmarkRules/"+guard+"/10/compiled")
		if err != nil {
			return err
		}
		worst = max(worst, more)
	}
	to.set("rules_1000_vs_10_nonmatching", worst)
	for _, actions := range []string{"1000", "100000"} {
		more, err := r.quotient("BenchmarkHistory/"+actions, "BenchmarkHistory/10")
		if err != nil {
			return err
		}
		to.set("history_"+actions+"_vs_10", more)
	}
	if bytes, measured := r["BenchmarkBytesPerSession"]["bytes/session"]; measured {
		to.set("bytes_per_session_at_1m", median(bytes))
	}
	return nil
}
