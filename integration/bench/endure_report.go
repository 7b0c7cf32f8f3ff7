package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// endureReport is what a long run found.
type endureReport struct {
	Saturation float64   `json:"saturation"`    // decisions a second
	Load       float64   `json:"load_seconds"`  // kills and starts included
	Others     float64   `json:"others"`        // share of the processors that others had meanwhile
	Cycles     []cycle   `json:"cycles"`        //
	Records    int       `json:"records"`       // of decisions
	Untold     int       `json:"untold"`        // records that nobody was told of
	Excused    int       `json:"excused"`       // denials that only an answer that was lost explains
	Together   int       `json:"asked_at_once"` // questions to a budget while another one to it was under way
	Budgets    []pressed `json:"budgets"`
	Growth     growths   `json:"growth"`
	Promises   []promise `json:"promises"`
}

// growths are by how much more the second half of the cycles took than the first.
type growths struct {
	Resident float64 `json:"resident"`
	Live     float64 `json:"live"`
	Disk     float64 `json:"disk"`
	Recovery float64 `json:"recovery"`
}

const (
	// flat is what still counts as not growing: the second half of the cycles over
	// the first.
	flat = 0.15
	// excusable is the share of the answers that may be denials for want of time,
	// or explained by a lost answer alone.
	excusable = 0.01
	// quiet is what others may have of the processors where how long something
	// takes is to be judged.
	quiet = 0.05
	cores = 2
	// timed is how long a run is at the least for that.
	timed = 5 * time.Minute
	// enough is of how many cycles what they take is judged: in fewer it depends on
	// whether one was killed just behind a collection or before one.
	enough = 6
)

// judge holds what was seen against what must hold.
func (e *endurance) judge() {
	source, r := e.remit.source, e.report
	e.Together, e.Excused = source.Pressed()
	asked, allowed := source.HostileSeen()
	r.promise("no wrong allow", source.WrongAllows == 0 && allowed == 0, "%d answers, %d of them to hostile bodies; %d wrong allows", source.Judged(), asked, source.WrongAllows)
	r.promise("every answer was the one that must be given", len(source.Wrong) == 0, "wrong: %v; no answer: %v", source.Wrong, source.Failed)
	r.promise("budgets were asked for at once", e.Together > 0, "%d questions while another one to the same budget was under way", e.Together)
	forged := 0.0
	for _, c := range e.Cycles {
		forged += c.Forged
	}
	r.promise("no outcome was taken for a forged one", forged == 0, "%.0f were", forged)
	few := int(excusable * float64(source.Judged()))
	e.timely("denials that only a lost answer explains are rare", e.Excused <= few, fmt.Sprintf("%d denials, %d answers lost", e.Excused, source.Gone+failures(e.remit)))
	e.timely("answers came in time", source.Late+failures(e.remit) <= few, fmt.Sprintf("%d of %d answers without time to decide", source.Late, source.Judged()))
	e.footprints()
	e.Promises = r.Promises
}

// timely makes a promise about how long something takes, where the processors
// were there for it.
func (e *endurance) timely(what string, kept bool, seen string) {
	switch {
	case e.duration < timed:
		e.report.promise(what, true, "%s; not judged in a run this short", seen)
	case e.Others > quiet:
		e.report.promise(what, true, "%s; not judged: others had %.0f %% of the processors", seen, 100*e.Others)
	default:
		e.report.promise(what, kept, "%s", seen)
	}
}

// footprints judges whether anything grows, once sessions have begun to end.
func (e *endurance) footprints() {
	settled := slices.DeleteFunc(slices.Clone(e.Cycles), func(c cycle) bool { return c.Seconds < e.life.Seconds() })
	// A heap that was hardly collected shows how much was done, not what it holds.
	full := slices.DeleteFunc(slices.Clone(settled), func(c cycle) bool { return c.Live == 0 })
	g, r := &e.Growth, e.report
	g.Resident, g.Live = grown(full, func(c *cycle) float64 { return float64(c.Resident) }), grown(full, func(c *cycle) float64 { return float64(c.Live) })
	// What is kept of the journal grows until something of it is removed.
	settled = slices.DeleteFunc(settled, func(c cycle) bool { return c.Disk < retained })
	g.Disk, g.Recovery = grown(settled, func(c *cycle) float64 { return float64(c.Disk) }), grown(settled, func(c *cycle) float64 { return c.Recovery })
	seen := fmt.Sprintf("second half of %d cycles over the first: %+.1f %% of the process, %+.1f %% of what is in use", len(full), 100*g.Resident, 100*g.Live)
	if len(full) < enough {
		seen += "; not judged of so few, or of a remit that had hardly a processor to collect with"
	}
	r.promise("memory is flat", len(full) < enough || g.Resident <= flat && g.Live <= flat, "%s", seen)
	if seen = fmt.Sprintf("%d cycles, %+.1f %%", len(settled), 100*g.Disk); len(settled) < enough {
		seen += "; not judged of so few in which as much was written as is kept"
	}
	r.promise("so is the state directory", len(settled) < enough || g.Disk <= flat, "%s", seen)
	e.timely("and being ready after a kill takes as long", g.Recovery <= 0.5, fmt.Sprintf("%+.1f %%", 100*g.Recovery))
}

// grown is the growth of a figure of cycles.
func grown(cycles []cycle, figure func(*cycle) float64) float64 {
	values := make([]float64, len(cycles))
	for i := range cycles {
		values[i] = figure(&cycles[i])
	}
	return growth(values)
}

// write leaves the report in a folder.
func (r *endureReport) write(folder string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return leave(folder, "endure.json", append(text, '\n'))
}

// print writes the report as a table.
func (r *endureReport) print(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nkill\tat\tanswers\tlate\tlost\tp50\tp99\tresident\tin use\tdisk\tready after\t")
	for i, c := range r.Cycles {
		fmt.Fprintf(t, "%d\t%.0f s\t%d\t%d\t%d\t%.1f ms\t%.1f ms\t%d MiB\t%d MiB\t%d MiB\t%.2f s\t\n", i+1, c.Seconds, c.Answers, c.Late, c.Lost,
			c.P50/1000, c.P99/1000, c.Resident>>20, c.Live>>20, c.Disk>>20, c.Recovery)
	}
	recoveries := make([]float64, len(r.Cycles))
	for i, c := range r.Cycles {
		recoveries[i] = c.Recovery
	}
	fmt.Fprintf(t, "\nsaturation\t%.0f/s\nthe load\t%.0f %% of it for %.0f s, others had %.0f %% of the processors\n", r.Saturation, 100*share, r.Load, 100*r.Others)
	fmt.Fprintf(t, "ready after a kill\tp50 %.2f s, at the most %.2f s\n", median(recoveries), slices.Max(recoveries))
	fmt.Fprintf(t, "records\t%d, of which %d nobody was told of\n", r.Records, r.Untold)
	fmt.Fprintf(t, "denials that a lost answer explains\t%d\n", r.Excused)
	fmt.Fprintln(t, "\npromise\tkept\tseen")
	for _, p := range r.Promises {
		fmt.Fprintf(t, "%s\t%s\t%s\n", p.Promise, map[bool]string{true: "yes", false: "NO"}[p.Kept], p.Seen)
	}
	return t.Flush()
}
