package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/remit-pdp/remit/integration/bench/load"
	"github.com/remit-pdp/remit/integration/bench/parts"
)

// report is what a run found.
type report struct {
	When     time.Time          `json:"when"`
	Go       string             `json:"go"`
	Figures  map[string]float64 `json:"figures"`
	Floor    float64            `json:"floor_us"` // processor time a decision
	Remit    float64            `json:"remit_us"`
	Parts    []parts.Part       `json:"parts"`
	Levers   []leverCost        `json:"levers"`
	Promises []promise          `json:"promises"`

	names                []string // of figures, in the order they were found
	floorRate, remitRate float64  // decisions a second
	busy                 [2]float64
}

// leverCost is how many times what it costs otherwise a decision costs without
// a lever.
type leverCost struct {
	Lever string  `json:"lever"`
	Times float64 `json:"times"`
}

// promise is something that must hold for the figures to mean anything.
type promise struct {
	Promise string `json:"promise"`
	Kept    bool   `json:"kept"`
	Seen    string `json:"seen"`
}

func newReport() *report {
	return &report{When: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(), Figures: make(map[string]float64)}
}

func (r *report) set(name string, v float64) {
	if _, known := r.Figures[name]; !known {
		r.names = append(r.names, name)
	}
	r.Figures[name] = v
}

func (r *report) promise(what string, kept bool, format string, values ...any) {
	r.Promises = append(r.Promises, promise{what, kept, strings.TrimSpace(fmt.Sprintf(format, values...))})
}

// latency sets how long answers took, in µs, at a percentage of saturation.
func (r *report) latency(percent int, floor, remit *load.Histogram) {
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		r.set(fmt.Sprintf("%s_us_at_%d", q.name, percent), float64(remit.Quantile(q.at).Microseconds()))
		r.set(fmt.Sprintf("floor_%s_us_at_%d", q.name, percent), float64(floor.Quantile(q.at).Microseconds()))
	}
}

// kept returns the promises that did not hold.
func (r *report) kept() error {
	if err := r.broken(); err != nil {
		return fmt.Errorf("no figure is printed, because these promises did not hold:\n%w", err)
	}
	return nil
}

// broken returns the promises that did not hold.
func (r *report) broken() (err error) {
	for _, p := range r.Promises {
		if !p.Kept {
			err = errors.Join(err, fmt.Errorf("%s: NO (%s)", p.Promise, p.Seen))
		}
	}
	return err
}

// write leaves the report in a folder, for machines and as a chart.
func (r *report) write(folder string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(leave(folder, "bench.json", append(text, '\n')), leave(folder, "bench.svg", r.chart()))
}

// leave writes a file for whoever ran this, into a folder that may not be there.
func leave(folder, name string, text []byte) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name), text, 0o644)
}

// print writes the report as a table.
func (r *report) print(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nwhat a decision costs\tµs of CPU\tfloors\t")
	fmt.Fprintf(t, "floor\t%.1f\t1.00\t%.0f/s, core %.0f %% busy\n", r.Floor, r.floorRate, 100*r.busy[0])
	fmt.Fprintf(t, "remit\t%.1f\t%.2f\t%.0f/s, core %.0f %% busy\n", r.Remit, r.Figures["cpu_per_decision_vs_floor"], r.remitRate, 100*r.busy[1])
	for _, p := range r.Parts {
		fmt.Fprintf(t, "  %s\t%.1f\t%.2f\t%.1f %%\n", p.Name, p.Share*r.Remit, p.Share*r.Figures["cpu_per_decision_vs_floor"], 100*p.Share)
	}
	for _, l := range r.Levers {
		fmt.Fprintf(t, "without %s\t%.1f\t%.2f\t%.2f times\n", l.Lever, l.Times*r.Remit, l.Times*r.Figures["cpu_per_decision_vs_floor"], l.Times)
	}
	fmt.Fprintln(t, "\nfigure\t\t\t")
	for _, name := range r.names {
		fmt.Fprintf(t, "%s\t%s\t\t\n", name, shown(r.Figures[name]))
	}
	fmt.Fprintln(t, "\npromise\tseen\t\t")
	for _, p := range r.Promises {
		fmt.Fprintf(t, "%s\t%s\t\t\n", p.Promise, p.Seen)
	}
	return t.Flush()
}

func shown(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
