package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/remit-pdp/remit/integration/harness"
)

// lever is one thing that makes a decision cheap, and how it is taken away.
type lever struct {
	Name    string           `yaml:"lever"`
	Engine  string           `yaml:"engine"`  // policy.engine instead
	Changes []harness.Change `yaml:"changes"` // of the code instead
	// Unguided builds it without cmd/remit/default.pgo instead.
	Unguided bool `yaml:"unguided"`
	// InFlight is how many checks a remit without it can have in flight and
	// decide in time; 0 is as many as one with it.
	InFlight int `yaml:"in_flight"`
}

func readLevers(root string) (levers []lever, err error) {
	text, err := os.ReadFile(filepath.Join(root, "integration", "bench", "levers.yaml"))
	if err != nil {
		return nil, err
	}
	if err := yaml.UnmarshalWithOptions(text, &levers, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("levers.yaml: %w", err)
	}
	for _, l := range levers {
		ways := 0
		for _, taken := range []bool{l.Engine != "", len(l.Changes) > 0, l.Unguided} {
			if taken {
				ways++
			}
		}
		if l.Name == "" || ways != 1 {
			return nil, fmt.Errorf("levers.yaml: %q needs a name, and one of engine, changes and unguided", l.Name)
		}
	}
	return levers, nil
}

// withoutLevers measures remit without each lever, beside remit with all.
func (b *bench) withoutLevers(ctx context.Context) error {
	levers, err := readLevers(b.root)
	if err != nil {
		return err
	}
	for i, l := range levers {
		costs, err := b.without(ctx, fmt.Sprint("lever", i), &l)
		if err != nil {
			return fmt.Errorf("%s: %w", l.Name, err)
		}
		b.report.Levers = append(b.report.Levers, leverCost{l.Name, costs})
	}
	return nil
}

// without returns how many times what it costs with all levers a decision costs
// without one.
func (b *bench) without(ctx context.Context, name string, l *lever) (float64, error) {
	binary, engine := b.binary, "compiled"
	if l.Engine != "" {
		engine = l.Engine
	} else {
		binary = filepath.Join(b.dir, name)
		if err := b.buildWithout(ctx, binary, l); err != nil {
			return 0, err
		}
		name += "-state"
	}
	s, err := b.startRemit(ctx, name, binary, engine)
	if err != nil {
		return 0, err
	}
	if l.InFlight > 0 {
		s.inFlight = l.InFlight
	}
	if _, err := s.measure(time.Second); err != nil {
		return 0, err
	}
	all, err := interleave(ctx, 3, time.Second, b.remit, s)
	if err != nil {
		return 0, err
	}
	data := s.server.Data
	if err := errors.Join(s.end(), s.explain(ctx, data)); err != nil {
		return 0, err
	}
	b.report.judge(s, "the answers without "+l.Name)
	return ratio(all[1], all[0], cost), nil
}

func (b *bench) buildWithout(ctx context.Context, binary string, l *lever) error {
	if l.Unguided {
		return b.build(ctx, binary, "./cmd/remit", "", "-pgo=off")
	}
	overlay, err := harness.Overlay(b.root, b.dir, l.Changes...)
	if err != nil {
		return err
	}
	return b.build(ctx, binary, "./cmd/remit", overlay)
}
