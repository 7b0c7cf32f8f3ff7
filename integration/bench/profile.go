package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/remit-pdp/remit/integration/bench/parts"
	"github.com/remit-pdp/remit/integration/harness"
)

// listener is a file that is added to the command in the build that is profiled,
// and in no other: it serves net/http/pprof and what was allocated.
const listener = `package main

import (
	"encoding/json"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
)

func init() {
	http.HandleFunc("/memory", func(w http.ResponseWriter, _ *http.Request) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		json.NewEncoder(w).Encode(map[string]uint64{"mallocs": m.Mallocs})
	})
	go http.ListenAndServe(os.Getenv("BENCH_PROFILE"), nil)
}
`

// profiled is a remit whose processor profile can be had, at an address.
type profiled struct {
	*side
	binary, address string
}

func (b *bench) startProfiled(ctx context.Context) (p profiled, err error) {
	p.binary = filepath.Join(b.dir, "remit-profiled")
	overlay, err := harness.OverlayTexts(b.root, b.dir, map[string]string{"cmd/remit/bench_profile.go": listener})
	if err != nil {
		return p, err
	}
	if err := b.build(ctx, p.binary, "./cmd/remit", overlay); err != nil {
		return p, err
	}
	if p.address, err = harness.FreePort(); err != nil {
		return p, err
	}
	if err := os.Setenv("BENCH_PROFILE", p.address); err != nil {
		return p, err
	}
	if p.side, err = b.startRemit(ctx, "profiled", p.binary, "compiled"); err != nil {
		return p, err
	}
	b.agents.Everybody() // as for the one that is measured: what is live has been seen
	return p, p.client.Once(liveAgents, inFlight)
}

// profile finds where the time of a decision goes, and counts allocations.
func (b *bench) profile(ctx context.Context) error {
	p, err := b.startProfiled(ctx)
	if err != nil {
		return err
	}
	if _, err := p.measure(2 * time.Second); err != nil {
		return err
	}
	if err := b.allocations(ctx, p); err != nil {
		return err
	}
	file := filepath.Join(b.dir, "profile")
	if err := p.record(ctx, 8, file); err != nil {
		return err
	}
	stacks, err := parts.Read(ctx, file)
	if err != nil {
		return err
	}
	b.report.Parts = parts.Of(stacks)
	b.report.set("journal_us_added", parts.Share(b.report.Parts, "journal")*b.report.Remit)
	if b.flame {
		if err := b.leaveProfile(file, stacks); err != nil {
			return err
		}
	}
	b.report.judge(p.side, "the profiled build's answers")
	return p.end()
}

// record takes a processor profile of so many seconds, under load.
func (p *profiled) record(ctx context.Context, seconds int, file string) error {
	got := make(chan error, 1)
	go func() {
		got <- save(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", p.address, seconds), file)
	}()
	if _, err := p.client.Closed(inFlight, time.Duration(seconds+1)*time.Second); err != nil {
		return err
	}
	return <-got
}

// guideCompiler writes cmd/remit/default.pgo anew: the Go compiler makes quicker
// what decisions spend their time on.
func (b *bench) guideCompiler(ctx context.Context) error {
	p, err := b.startProfiled(ctx)
	if err != nil {
		return err
	}
	file := filepath.Join(b.dir, "profile")
	if err := p.record(ctx, 60, file); err != nil {
		return err
	}
	profile, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	guide, err := parts.Guide(profile)
	if err != nil {
		return err
	}
	return errors.Join(p.end(), leave(filepath.Join(b.root, "cmd", "remit"), "default.pgo", guide))
}

// leaveProfile leaves the profile and its flame graph for whoever asked.
func (b *bench) leaveProfile(file string, stacks []parts.Stack) error {
	profile, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	build := filepath.Join(b.root, "build")
	return errors.Join(leave(build, "bench.pprof", profile), leave(build, "bench-flame.svg", parts.Flame(stacks)))
}

// allocations counts what the whole process allocates for a decision, gRPC and
// the outcome included.
func (b *bench) allocations(ctx context.Context, p profiled) error {
	before, err := mallocs(ctx, p.address)
	if err != nil {
		return err
	}
	took, err := p.client.Closed(inFlight, 2*time.Second)
	if err != nil {
		return err
	}
	after, err := mallocs(ctx, p.address)
	if err != nil {
		return err
	}
	b.report.set("allocs_per_decision", (after-before)/float64(took.Count()))
	return nil
}

func mallocs(ctx context.Context, address string) (float64, error) {
	var memory struct{ Mallocs float64 }
	err := get(ctx, "http://"+address+"/memory", func(r io.Reader) error { return json.NewDecoder(r).Decode(&memory) })
	return memory.Mallocs, err
}

func save(ctx context.Context, url, path string) error {
	return get(ctx, url, func(r io.Reader) error {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(f, r)
		return err
	})
}

func get(ctx context.Context, url string, read func(io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, response.Status)
	}
	return read(response.Body)
}
