// Command bench measures what a decision costs, beside the floor (an ext_authz
// server that decides nothing), in one run, with every promise of remit on and
// checked. README.md says what is measured and how to read it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
)

func main() {
	var o options
	flag.BoolVar(&o.short, "check", false, "a short form: compare the ratios with baseline.json, and fail where one is more than a tenth worse")
	flag.BoolVar(&o.write, "baseline", false, "with -check: write baseline.json instead")
	flag.BoolVar(&o.flame, "flame", false, "leave the processor profile and a flame graph in build")
	flag.BoolVar(&o.guide, "guide", false, "instead: take a profile of decisions and write cmd/remit/default.pgo, which the Go compiler is guided by")
	flag.StringVar(&o.peer, "peer", "", "HOST:PORT of another ext_authz server, which is asked the same")
	flag.IntVar(&o.peerPID, "peer-pid", 0, "its process, where it runs on this machine: its processor time is read")
	flag.DurationVar(&o.duration, "endure", 0, "instead: so long at a steady load, killing remit again and again")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	short, write, flame, guide bool
	peer                       string
	peerPID                    int
	duration                   time.Duration // of the long run; 0 is none
}

func run(ctx context.Context, o options) (err error) {
	b := &bench{options: o, report: newReport()}
	if b.root, err = harness.Root(); err != nil {
		return err
	}
	// A short path: the name of a Unix socket has room for 107 bytes.
	if b.dir, err = os.MkdirTemp("", "remit-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	defer b.stop()
	if o.duration != 0 {
		return b.endure(ctx)
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	switch {
	case o.guide:
		return b.guideCompiler(ctx)
	case o.short:
		return b.check(ctx)
	}
	return b.whole(ctx)
}

// whole measures everything and reports it. Nothing is reported where a promise
// did not hold.
func (b *bench) whole(ctx context.Context) error {
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"the servers, in turn, as much as they can", b.compare},
		{"at 30 % and 60 % of that", b.latencies},
		{"where the time goes", b.profile},
		{"without each lever", b.withoutLevers},
		{"in process", b.inProcess},
		{"whether the promises held", b.promises},
	} {
		b.say("%s", step.what)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	if err := b.report.kept(); err != nil {
		return err
	}
	if err := b.report.write(filepath.Join(b.root, "build")); err != nil {
		return err
	}
	return b.report.print(os.Stdout)
}
