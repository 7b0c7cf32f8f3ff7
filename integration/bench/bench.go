package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/remit-pdp/remit/integration/bench/checks"
	"github.com/remit-pdp/remit/integration/bench/load"
	"github.com/remit-pdp/remit/integration/bench/measure"
	"github.com/remit-pdp/remit/integration/harness"
)

// How the load is made: so many agents, so many of them hot; as many checks in
// flight over as many connections as an Envoy with two workers has.
const (
	liveAgents  = 10_000
	hotAgents   = 100
	inFlight    = 64
	connections = 2
)

// bench is one run.
type bench struct {
	options
	root, dir    string
	issuer       *harness.Issuer
	agents       *checks.Agents
	floor, remit *side
	binary       string // of remit, as it ships
	tests        map[string]string
	report       *report
	started      []*side
}

// side is a server that is measured, and who asks it.
type side struct {
	server   *measure.Server
	source   *checks.Source
	client   *load.Client
	inFlight int // checks, while it is measured
}

func (b *bench) say(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, values...))
}

// prepare builds what is needed, makes the tokens and starts the servers.
func (b *bench) prepare(ctx context.Context) (err error) {
	b.say("building")
	floor := filepath.Join(b.dir, "floor")
	if err := b.build(ctx, floor, "./integration/bench/floor", ""); err != nil {
		return err
	}
	b.binary = filepath.Join(b.dir, "remit")
	if err := b.build(ctx, b.binary, "./cmd/remit", ""); err != nil {
		return err
	}
	if err := b.buildBenchmarks(ctx); err != nil {
		return err
	}
	if err := b.prepareLoad(); err != nil {
		return err
	}
	server, err := measure.StartFloor(ctx, floor, b.dir)
	if err != nil {
		return err
	}
	if b.floor, err = b.side(server, false); err != nil {
		return err
	}
	b.remit, err = b.startRemit(ctx, "main", b.binary, "compiled")
	return err
}

// prepareLoad puts this process on its core and makes the agents' tokens.
func (b *bench) prepareLoad() (err error) {
	if err := measure.PinLoad(); err != nil {
		return err
	}
	b.say("making the tokens of %d agents", liveAgents)
	if b.issuer, err = harness.NewIssuer(); err != nil {
		return err
	}
	b.agents, err = checks.NewAgents(b.issuer, liveAgents, hotAgents)
	return err
}

// build builds a command as it ships, but for what the flags say; an overlay
// changes it, "" does not.
func (b *bench) build(ctx context.Context, binary, command, overlay string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-o", binary}, flags...)
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	return b.golang(ctx, append(args, command)...)
}

func (b *bench) golang(ctx context.Context, args ...string) error {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = b.root
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// startRemit runs a remit of its own, with everything that it writes in dir/name.
func (b *bench) startRemit(ctx context.Context, name, binary, engine string) (*side, error) {
	return b.startRemitWith(ctx, measure.Options{Dir: filepath.Join(b.dir, name), Binary: binary, Engine: engine})
}

func (b *bench) startRemitWith(ctx context.Context, o measure.Options) (*side, error) {
	o.Root, o.Issuer, o.Agents = b.root, b.issuer, liveAgents
	server, err := measure.StartRemit(ctx, o)
	if err != nil {
		return nil, err
	}
	return b.side(server, true)
}

// side makes who asks a server. judges says that its answers are remit's.
func (b *bench) side(server *measure.Server, judges bool) (*side, error) {
	s := &side{server: server, inFlight: inFlight}
	b.started = append(b.started, s)
	agents, err := b.agents, error(nil)
	if !judges { // whose agents need not be in step with anybody's sessions
		if agents, err = checks.NewAgents(b.issuer, 2*hotAgents, hotAgents); err != nil {
			return nil, err
		}
	}
	if s.source, err = checks.NewSource(agents, judges); err != nil {
		return nil, err
	}
	return s, s.dial()
}

func (s *side) dial() (err error) {
	s.source.Reconnected()
	s.client, err = load.Dial(s.server.Address, s.server.Outcomes, connections, s.source)
	return err
}

// hangUp closes the connections. What was asked by them and not answered will
// not be.
func (s *side) hangUp() error {
	client := s.client
	s.client = nil
	client.Unanswered(s.source.Lost)
	return client.Close()
}

// end stops a server.
func (s *side) end() error {
	var err error
	if s.client != nil {
		err = s.hangUp()
	}
	if s.server != nil {
		s.server.Stop()
		s.server = nil
	}
	return err
}

// stop stops whatever still runs.
func (b *bench) stop() {
	var err error
	for _, s := range b.started {
		err = errors.Join(err, s.end())
	}
	if err != nil {
		b.say("%v", err)
	}
}
