package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// ratios are the figures that a machine's speed does not change. more says that
// more is better.
var ratios = []struct {
	name string
	more bool
}{
	{"cpu_per_decision_vs_floor", false},
	{"engine_speedup_vs_topdown", true},
	{"rules_1000_vs_10_nonmatching", false},
	{"history_100000_vs_10", false},
}

// worse is how much worse than the baseline a ratio may be.
const worse = 1.10

// check measures the ratios alone and compares them with the baseline.
func (b *bench) check(ctx context.Context) error {
	if err := b.warm(); err != nil {
		return err
	}
	all, err := interleave(ctx, 15, time.Second, b.floor, b.remit)
	if err != nil {
		return err
	}
	b.report.set("cpu_per_decision_vs_floor", ratio(all[1], all[0], cost))
	b.report.judge(b.remit, "every answer was the one that must be given")
	if err := b.inProcess(ctx); err != nil {
		return err
	}
	if err := b.report.kept(); err != nil {
		return err
	}
	path := filepath.Join(b.root, "integration", "bench", "baseline.json")
	if b.write {
		return b.report.writeBaseline(path)
	}
	return b.report.compareBaseline(path)
}

func (r *report) writeBaseline(path string) error {
	baseline := make(map[string]float64)
	for _, ratio := range ratios {
		baseline[ratio.name] = r.Figures[ratio.name]
	}
	text, err := json.MarshalIndent(baseline, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

func (r *report) compareBaseline(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var baseline map[string]float64
	if err := json.Unmarshal(text, &baseline); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var regressions error
	for _, ratio := range ratios {
		now, before := r.Figures[ratio.name], baseline[ratio.name]
		change := now / before
		if ratio.more {
			change = before / now
		}
		fmt.Printf("%-32s %8s  was %8s  %+.0f %%\n", ratio.name, shown(now), shown(before), 100*(now/before-1))
		if !(change <= worse) { // also where there is no baseline
			regressions = errors.Join(regressions, fmt.Errorf("%s is %s and was %s: more than a tenth worse", ratio.name, shown(now), shown(before)))
		}
	}
	return regressions
}
