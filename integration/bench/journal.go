package main

import (
	"context"
	"fmt"

	"github.com/remit-pdp/remit/integration/bench/checks"
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
)

// comparison is of the answers that were given with the records of a journal.
type comparison struct {
	told map[string]bool // whether it was an allow, by the decision's id
	seen map[string]bool // the ids of records
	live map[string]bool // the agents of whom something was allowed

	other, twice, untold int // records with another effect, again, and of no answer
}

// compareJournal holds every answer against the records: each has one, with the
// same effect, and no more were recorded than answered, but at most untold that a
// kill kept from being told, and those whose call was reset.
func (b *bench) compareJournal(ctx context.Context, untold int) error {
	source := b.remit.source
	c := comparison{told: make(map[string]bool), seen: make(map[string]bool), live: make(map[string]bool)}
	for _, a := range source.Answers {
		c.told[string(a.ID[:])] = a.Allow
	}
	journal, err := localstore.NewReader(b.remit.server.Data)
	if err != nil {
		return err
	}
	err = journal.Entries(ctx, 0, func(_ state.Position, e *state.Entry) error {
		if e.Record != nil {
			c.add(e.Record, source)
		}
		return nil
	})
	if err != nil {
		return err
	}
	unrecorded := len(c.told) + c.untold - len(c.seen)
	untold += failures(b.remit)
	b.report.promise("each answer has exactly one record, with its effect",
		len(c.told) == len(source.Answers) && unrecorded == 0 && c.other == 0 && c.twice == 0,
		"%d answers to %d decisions; %d without a record, %d with another effect, %d with two", len(source.Answers), len(c.told), unrecorded, c.other, c.twice)
	b.report.promise("nothing was recorded that was not asked", c.untold <= untold,
		"%d records of decisions that were not told, at most %d by kill and reset", c.untold, untold)
	b.report.promise(fmt.Sprintf("%d agents are live", liveAgents), len(c.live) == liveAgents,
		"%d agents acted, %d of them hot at a time", len(c.live), hotAgents)
	return nil
}

// explain adds to the wrong answers what their records in a journal give as the
// reason.
func (s *side) explain(ctx context.Context, data string) error {
	journal, err := localstore.NewReader(data)
	if err != nil {
		return err
	}
	return journal.Entries(ctx, 0, func(_ state.Position, e *state.Entry) error {
		if e.Record != nil {
			s.source.Explain(e.Record.ID, e.Record.Reasons)
		}
		return nil
	})
}

// add counts a record.
func (c *comparison) add(r *state.Record, source *checks.Source) {
	allow := r.Effect == pdp.Allow
	if allow {
		c.live[r.Agent.ID] = true
	}
	told, answered := c.told[r.ID]
	switch {
	case c.seen[r.ID]:
		c.twice++
	case !answered:
		c.untold++
	case told != allow:
		c.other++
	}
	c.seen[r.ID] = true
	source.Explain(r.ID, r.Reasons)
}
