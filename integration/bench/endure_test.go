package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/bench/checks"
	"github.com/remit-pdp/remit/integration/harness"
)

// endured is a run of ten minutes in which everything held.
func endured(t *testing.T) *endurance {
	t.Helper()
	issuer, err := harness.NewIssuer()
	if err != nil {
		t.Fatal(err)
	}
	agents, err := checks.NewAgents(issuer, 4, 2)
	if err != nil {
		t.Fatal(err)
	}
	source, err := checks.NewSource(agents, true)
	if err != nil {
		t.Fatal(err)
	}
	budgets := sampleBudgets(t)
	source.Press(asBudgets(budgets), 1, time.Minute)
	source.Asked["read_ticket"] = 100_000
	e := &endurance{bench: &bench{report: newReport(), remit: &side{source: source}}, duration: 10 * time.Minute, life: 2 * time.Minute, budgets: budgets}
	for i := range 20 {
		e.Cycles = append(e.Cycles, cycle{Seconds: float64(30 * (i + 1)), Recovery: 0.4, Answers: 5000,
			footprint: footprint{Resident: 1000<<20 + int64(i%3)<<20, Live: 200 << 20, Disk: 700 << 20}})
	}
	return e
}

// Whatever is not as it must be fails the run.
func TestTheLongRunFails(t *testing.T) {
	each := func(change func(i int, c *cycle)) func(*endurance) {
		return func(e *endurance) {
			for i := range e.Cycles {
				change(i, &e.Cycles[i])
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*endurance)
		fails  string
	}{
		"held":               {func(*endurance) {}, ""},
		"a wrong allow":      {func(e *endurance) { e.remit.source.WrongAllows = 1 }, "no wrong allow: NO"},
		"a wrong denial":     {func(e *endurance) { e.remit.source.Wrong["read_ticket: allowed is false"]++ }, "every answer was the one that must be given: NO"},
		"forged outcomes":    {each(func(_ int, c *cycle) { c.Forged = 1 }), "no outcome was taken for a forged one: NO (20 were)"},
		"many late":          {func(e *endurance) { e.remit.source.Late = 1500 }, "answers came in time: NO"},
		"a busy machine":     {func(e *endurance) { e.remit.source.Late, e.Others = 1500, 0.3 }, ""},
		"a short run":        {func(e *endurance) { e.remit.source.Late, e.duration = 1500, time.Minute }, ""},
		"memory that rises":  {each(func(i int, c *cycle) { c.Resident += int64(i) * 25 << 20 }), "memory is flat: NO"},
		"a heap that rises":  {each(func(i int, c *cycle) { c.Live += int64(i) * 5 << 20 }), "memory is flat: NO"},
		"a disk that fills":  {each(func(i int, c *cycle) { c.Disk += int64(i) * 64 << 20 }), "so is the state directory: NO"},
		"slower each time":   {each(func(i int, c *cycle) { c.Recovery += float64(i) * 0.1 }), "and being ready after a kill takes as long: NO"},
		"growing at first":   {each(func(i int, c *cycle) { c.Live = min(c.Live, int64(i+1)*50<<20) }), ""},
		"no late collection": {each(func(i int, c *cycle) { c.Live = 0 }), ""},
		"hardly a processor": {each(func(i int, c *cycle) { c.Live, c.Resident = 0, int64(i)*50<<20 }), ""},
		"hardly a disk":      {each(func(i int, c *cycle) { c.Disk = int64(i) * 20 << 20 }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := endured(t)
			c.change(e)
			e.judge()
			got := e.report.broken()
			// Nothing was asked in this run: that is noticed, and not what is looked for.
			text := strings.ReplaceAll(fmt.Sprint(got), "budgets were asked for at once: NO (0 questions while another one to the same budget was under way)", "")
			if c.fails == "" && strings.Contains(text, "NO") || !strings.Contains(text, c.fails) {
				t.Errorf("got %v, want %q", got, c.fails)
			}
		})
	}
}

// What the last collection left is read from what the next one waits for; one from
// the beginning of a process says nothing about it.
func TestTheHeapInUse(t *testing.T) {
	born := time.Unix(1_700_000_000, 0)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# HELP x\ngo_gc_gogc_percent 900\ngo_memstats_next_gc_bytes 1.0e+09\ngo_memstats_last_gc_time_seconds %d\n", born.Unix()+20)
	}))
	defer server.Close()
	h, err := readHeap(t.Context(), strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if got := h.live(born, born.Add(30*time.Second)); got != 100_000_000 {
		t.Errorf("%d bytes, want 100,000,000", got)
	}
	if got := h.live(born, born.Add(60*time.Second)); got != 0 {
		t.Errorf("%d bytes of a collection in the first half", got)
	}
}

// What remit removes stays; the file made ahead, which may be made anew, is kept
// when all is over.
func TestTheArchiveKeepsWhatIsRemoved(t *testing.T) {
	data := t.TempDir()
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(data, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"seed", "1.journal", "2.journal", "3.journal"} {
		write(name)
	}
	a, err := newArchive(filepath.Join(t.TempDir(), "a"), data)
	if err != nil {
		t.Fatal(err)
	}
	for _, all := range []bool{false, true} {
		if err := a.keep(all); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(filepath.Join(a.dir, "3.journal"))
		if (err == nil) != all {
			t.Errorf("the last file, with all %v: %v", all, err)
		}
		if err := os.Remove(filepath.Join(data, "1.journal")); err != nil && !all {
			t.Fatal(err)
		}
	}
	if kept, err := onDisk(a.dir); err != nil || kept != int64(len("seed"+"1.journal"+"2.journal"+"3.journal")) {
		t.Errorf("%d bytes, %v", kept, err)
	}
}

func TestTheLongRunHasBounds(t *testing.T) {
	for _, d := range []time.Duration{time.Second, time.Hour} {
		b := &bench{options: options{duration: d}, report: newReport()}
		if err := b.endure(t.Context()); err == nil || !strings.Contains(err.Error(), "is not between") {
			t.Errorf("%s: %v", d, err)
		}
	}
}
