package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/integration/bench/parts"
	"github.com/remit-pdp/remit/integration/harness"
)

// Each lever is there to be taken away: its text occurs once, as it is written.
func TestLeversAreThere(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	levers, err := readLevers(root)
	if err != nil || len(levers) == 0 {
		t.Fatalf("%d levers, %v", len(levers), err)
	}
	for _, l := range levers {
		if len(l.Changes) == 0 {
			continue
		}
		if _, err := harness.Overlay(root, t.TempDir(), l.Changes...); err != nil {
			t.Errorf("%s: %v", l.Name, err)
		}
	}
	gone := harness.Change{File: "go.mod", Replace: "a text that is not there", With: ""}
	if _, err := harness.Overlay(root, t.TempDir(), gone); err == nil {
		t.Error("a lever that is gone is no error")
	}
}

func TestRatiosAreOfTheSameRound(t *testing.T) {
	a := []round{{cost: 10}, {cost: 40}, {cost: 30}}
	b := []round{{cost: 5}, {cost: 10}, {cost: 10}}
	if got := ratio(a, b, cost); got != 3 {
		t.Errorf("ratio %v, want 3", got)
	}
	if got := middle([]round{{rate: 1}, {rate: 9}, {rate: 3}, {rate: 5}}, rate); got != 4 {
		t.Errorf("middle %v, want 4", got)
	}
}

func TestBenchmarksAreRead(t *testing.T) {
	all := make(results)
	for _, took := range [][2]int{{30, 10}, {160, 20}, {40, 10}} { // 3, 8 and 4 times
		out := fmt.Sprintf("goos: linux\nBenchmarkX/a \t 100\t 5 ns/op\t %d cpu-ns/op\nBenchmarkX/b \t 1\t %d cpu-ns/op\nPASS\n", took[0], took[1])
		if err := all.read(out); err != nil {
			t.Fatal(err)
		}
	}
	if q, err := all.quotient("BenchmarkX/a", "BenchmarkX/b"); err != nil || q != 4 {
		t.Errorf("quotient %v, %v", q, err)
	}
	if _, err := all.quotient("BenchmarkX/a", "BenchmarkX/c"); err == nil {
		t.Error("a benchmark that did not run is no error")
	}
	if err := all.read("BenchmarkY/a 1 0 cpu-ns/op\nBenchmarkY/b 1 10 cpu-ns/op"); err != nil {
		t.Fatal(err)
	}
	for _, two := range [][2]string{{"BenchmarkY/a", "BenchmarkY/b"}, {"BenchmarkY/b", "BenchmarkY/a"}} {
		if _, err := all.quotient(two[0], two[1]); err == nil {
			t.Errorf("%s by %s: a benchmark that took no time is no error", two[0], two[1])
		}
	}
	if err := all.read("BenchmarkX/a 1 10 cpu-ns/op"); err != nil {
		t.Fatal(err)
	}
	if _, err := all.quotient("BenchmarkX/a", "BenchmarkX/b"); err == nil {
		t.Error("a round that only one of two ran is no error")
	}
}

func TestABrokenPromiseWithholdsTheFigures(t *testing.T) {
	r := newReport()
	r.promise("one", true, "seen")
	if err := r.kept(); err != nil {
		t.Fatal(err)
	}
	r.promise("two", false, "5 of 6")
	if err := r.kept(); err == nil || !strings.Contains(err.Error(), "two: NO (5 of 6)") {
		t.Errorf("got %v", err)
	}
}

// A ratio more than a tenth worse fails, whichever direction is worse; so does
// one that has no baseline.
func TestRegressionsFail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "baseline.json")
	before := newReport()
	for _, ratio := range ratios {
		before.set(ratio.name, 10)
	}
	if err := before.writeBaseline(path); err != nil {
		t.Fatal(err)
	}
	for change, fails := range map[float64]bool{1: false, 1.08: false, 0.94: false, 1.2: true, 0.8: true} {
		now := newReport()
		for _, ratio := range ratios {
			now.set(ratio.name, 10)
		}
		for _, ratio := range ratios {
			if ratio.more == (change < 1) {
				now.set(ratio.name, 10*change)
				break
			}
		}
		if err := now.compareBaseline(path); (err != nil) != fails {
			t.Errorf("changed to %v: %v", change, err)
		}
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := before.compareBaseline(path); err == nil {
		t.Error("without a baseline nothing fails")
	}
}

// Of several tries the best of each ratio counts, whichever direction is better.
func TestTheBestOfSeveralTriesCounts(t *testing.T) {
	best, try := newReport(), []map[string]float64{
		{"cpu_per_decision_vs_floor": 3, "engine_speedup_vs_topdown": 20},
		{"cpu_per_decision_vs_floor": 2, "engine_speedup_vs_topdown": 30},
		{"cpu_per_decision_vs_floor": 4, "engine_speedup_vs_topdown": 25},
	}
	for _, figures := range try {
		best.takeBest(&report{Figures: figures})
	}
	if cost, speedup := best.Figures["cpu_per_decision_vs_floor"], best.Figures["engine_speedup_vs_topdown"]; cost != 2 || speedup != 30 {
		t.Errorf("the best are %v and %v, want 2 and 30", cost, speedup)
	}
}

// The chart is well-formed: a background, a bar for the floor, one for each part and
// lever, and the legend.
func TestChart(t *testing.T) {
	r := newReport()
	r.Floor, r.Remit = 20, 40
	r.set("cpu_per_decision_vs_floor", 2)
	r.Parts = []parts.Part{{Name: "policy", Share: 0.75}, {Name: "<state>", Share: 0.25}}
	r.Levers = []leverCost{{"one & two", 3}}
	chart := r.chart()
	levers := 0
	for d := xml.NewDecoder(bytes.NewReader(chart)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok && strings.Contains(string(text), "without one & two") {
			levers++
		}
	}
	if levers != 1 || bytes.Count(chart, []byte("<rect")) != 7 {
		t.Errorf("the lever is not in the chart: %s", chart)
	}
}
