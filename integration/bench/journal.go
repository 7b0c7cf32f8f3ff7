package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/remit-pdp/remit/integration/bench/checks"
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
	"github.com/remit-pdp/remit/pdp/state/localstore"
)

// comparison is of the answers that were given with the records of a journal.
type comparison struct {
	source *checks.Source
	told   []checks.Answer // by the decision's id
	seen   []bool          // whether an answer has a record
	live   map[string]bool // the agents of whom something was allowed

	repeated int // answers to a decision that was answered before
	records  int
	// Records with another effect than the answer, of an answer that has one, of a
	// question that got no answer, of nothing that was asked.
	other, twice, untold, unasked int
	shared                        int // records that stand for more than one decision
	overtaken                     int // allows of questions that were answered for want of time meanwhile
}

// newComparison puts the answers in the order of their ids: there are millions.
func newComparison(source *checks.Source) *comparison {
	c := &comparison{source: source, told: source.Answers, seen: make([]bool, len(source.Answers)), live: make(map[string]bool)}
	slices.SortFunc(c.told, func(a, b checks.Answer) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for i := 1; i < len(c.told); i++ {
		if c.told[i].ID == c.told[i-1].ID {
			c.repeated++
		}
	}
	return c
}

// compareJournal holds every answer against the records: each has one, with the
// same effect, and no more was recorded than was answered, but for questions that
// got no answer because of a kill or a reset.
func (b *bench) compareJournal(ctx context.Context) error {
	c := newComparison(b.remit.source)
	if err := eachRecord(ctx, b.remit.server.Data, func(_ *state.Entry, r *state.Record) { c.add(r) }); err != nil {
		return err
	}
	c.judge(b.report)
	b.report.promise(fmt.Sprintf("%d agents are live", liveAgents), len(c.live) == liveAgents,
		"%d agents acted, %d of them hot at a time", len(c.live), hotAgents)
	return nil
}

// eachRecord visits the records of the journal in a folder.
func eachRecord(ctx context.Context, data string, visit func(*state.Entry, *state.Record)) error {
	journal, err := localstore.NewReader(data)
	if err != nil {
		return err
	}
	return journal.Entries(ctx, 0, func(_ state.Position, e *state.Entry) error {
		if e.Record != nil {
			visit(e, e.Record)
		}
		return nil
	})
}

// explain adds to the wrong answers what their records in a journal give as the
// reason.
func (s *side) explain(ctx context.Context, data string) error {
	return eachRecord(ctx, data, func(_ *state.Entry, r *state.Record) { s.source.Explain(r.ID, r.Reasons) })
}

// add counts a record.
func (c *comparison) add(r *state.Record) {
	c.records++
	if r.Count != 1 { // only those of callers without an identity may, and there are none
		c.shared++
	}
	allow := r.Effect == pdp.Allow
	if allow {
		c.live[r.Agent.ID] = true
	}
	denied, unknown := c.source.Untold[r.RequestID]
	i, answered := slices.BinarySearchFunc(c.told, r.ID, func(a checks.Answer, id string) int { return bytes.Compare(a.ID[:], []byte(id)) })
	switch {
	case !answered && unknown:
		c.untold++
		if denied && allow {
			c.overtaken++
		}
		delete(c.source.Untold, r.RequestID) // asked once, to be recorded once
	case !answered:
		c.unasked++
	case c.seen[i]:
		c.twice++
	case c.told[i].Allow != allow:
		c.other++
	}
	if answered {
		c.seen[i] = true
	}
	c.source.Explain(r.ID, r.Reasons)
}

// unrecorded is how many answers have no record.
func (c *comparison) unrecorded() (n int) {
	for _, seen := range c.seen {
		if !seen {
			n++
		}
	}
	return n
}

func (c *comparison) judge(r *report) {
	unrecorded := c.unrecorded()
	r.promise("each answer has exactly one record, with its effect",
		c.repeated == 0 && unrecorded == 0 && c.other == 0 && c.twice == 0 && c.shared == 0,
		"%d answers; %d repeated, %d without a record, %d with another effect, %d with two; %d records for more than one", len(c.told), c.repeated, unrecorded, c.other, c.twice, c.shared)
	r.promise("nothing was recorded that was not asked", c.unasked == 0,
		"%d records that nobody asked for; %d of questions that no decision was told of, of which there were %d; %d of them allows that a denial for want of time overtook",
		c.unasked, c.untold, c.untold+len(c.source.Untold), c.overtaken)
}
