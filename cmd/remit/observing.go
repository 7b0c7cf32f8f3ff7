package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
)

// printObserving lists the places whose denials are not enforced, each with
// what it would have denied by the journal in dir. No journal is none yet.
func printObserving(ctx context.Context, out io.Writer, observe pdp.Observe, dir string) error {
	var places []string
	for kind, names := range map[string]map[string]bool{"listener": observe.Listeners, "system": observe.Systems, "pack": observe.Packs} {
		for name := range names {
			places = append(places, kind+" "+name)
		}
	}
	if len(places) == 0 {
		return nil
	}
	counted, err := wouldDeny(ctx, dir)
	if err != nil {
		return err
	}
	slices.Sort(places)
	for _, place := range places {
		tally := counted[place]
		if tally == nil {
			tally = &observedTally{}
		}
		fmt.Fprintf(out, "observes: %s: %d denials were not enforced\n", place, tally.decisions)
		for _, code := range slices.SortedFunc(maps.Keys(tally.codes), func(a, b string) int { return tally.codes[b] - tally.codes[a] }) {
			fmt.Fprintf(out, "  %6d  %s\n", tally.codes[code], code)
		}
	}
	return nil
}

// observedTally counts what one place would have denied: decisions, and
// reasons by code.
type observedTally struct {
	decisions int
	codes     map[string]int
}

// wouldDeny counts by place.
func wouldDeny(ctx context.Context, dir string) (map[string]*observedTally, error) {
	counted := make(map[string]*observedTally)
	journal, err := localstore.NewReader(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return counted, nil
	}
	if err != nil {
		return nil, err
	}
	err = journal.Entries(ctx, 0, func(_ state.Position, e *state.Entry) error {
		if e.Record == nil {
			return nil
		}
		seen := make(map[string]bool)
		for _, o := range e.Record.WouldDeny {
			tally := counted[o.Place]
			if tally == nil {
				tally = &observedTally{codes: make(map[string]int)}
				counted[o.Place] = tally
			}
			if tally.codes[o.Reason.Code]++; !seen[o.Place] {
				tally.decisions++
			}
			seen[o.Place] = true
		}
		return nil
	})
	return counted, err
}
