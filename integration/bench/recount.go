package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/remit-pdp/remit/integration/bench/checks"
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

// The tools that are charged in the sample's bundle, one a call, and to what.
var charged = map[string]string{"send_mail": "mails", "read_customer": "sensitive_reads"}

// declared is a budget as the bundle declares it.
type declared struct {
	Scope  string `yaml:"scope"`
	Limit  int    `yaml:"limit"`
	Window string `yaml:"window"`
	window time.Duration
}

// readBudgets reads the declarations of the sample's bundle.
func readBudgets(root string) (map[string]*declared, error) {
	text, err := os.ReadFile(filepath.Join(root, "integration", "demo", "bundle", "remit", "budgets", "data.yaml"))
	if err != nil {
		return nil, err
	}
	budgets := make(map[string]*declared)
	if err := yaml.Unmarshal(text, &budgets); err != nil {
		return nil, err
	}
	for tool, name := range charged {
		b := budgets[name]
		if b == nil || b.Limit < 1 || b.Scope != "session" && b.Scope != "partition" {
			return nil, fmt.Errorf("the budget %s, which %s is charged to, cannot be counted: %+v", name, tool, b)
		}
		if b.Window == "" {
			continue
		}
		if b.window, err = time.ParseDuration(b.Window); err != nil {
			return nil, err
		}
	}
	return budgets, nil
}

// asBudgets are the budgets as the load presses them.
func asBudgets(budgets map[string]*declared) (all []checks.Budget) {
	for tool, name := range charged {
		all = append(all, checks.Budget{Tool: tool, Session: budgets[name].Scope == "session", Limit: budgets[name].Limit})
	}
	return all
}

// recount counts again what was spent, from what was done: it knows nothing of
// how remit counts. Records come in the order of the journal, which is that of
// the commits of a partition.
type recount struct {
	budgets map[string]*declared
	cells   map[spending]*spent

	exceeded  int // allows beyond a limit
	early     int // denials because a budget was spent that was not
	uncharged int // allows that were charged otherwise than they must be
}

// spending is one session's, or one person's, part of a budget.
type spending struct{ budget, of string }

// spent is when units were spent, latest last, as many as matter.
type spent struct {
	at    []int64
	all   int
	most  int // in one window
	spent bool
}

func newRecount(budgets map[string]*declared) *recount {
	return &recount{budgets: budgets, cells: make(map[spending]*spent)}
}

// add counts a record.
func (c *recount) add(e *state.Entry, r *state.Record) {
	name, is := charged[r.Tool]
	if r.Effect == pdp.Allow && !chargedAs(r.Charges, name, is) {
		c.uncharged++
	}
	if !is || r.Question != pdp.AboutAction {
		return
	}
	b := c.budgets[name]
	cell := c.cell(b, spending{name, r.Session}, e)
	switch {
	case r.Effect == pdp.Allow:
		if cell.spend(b, e.At); cell.most > b.Limit {
			c.exceeded++
		}
	case slices.ContainsFunc(r.Reasons, func(reason pdp.Reason) bool { return reason.Code == pdp.CodeBudgetSpent }):
		cell.spent = true
		if cell.all < b.Limit {
			c.early++
		}
	}
}

// chargedAs reports whether the charges are one unit of a budget, or none.
func chargedAs(charges []state.Charge, budget string, is bool) bool {
	if !is {
		return len(charges) == 0
	}
	return len(charges) == 1 && charges[0].Budget == budget && charges[0].N == 1
}

func (c *recount) cell(b *declared, of spending, e *state.Entry) *spent {
	if b.Scope == "partition" {
		of.of = string(e.Partition[:])
	}
	cell := c.cells[of]
	if cell == nil {
		cell = &spent{}
		c.cells[spending{of.budget, string([]byte(of.of))}] = cell // not a part of the whole entry
	}
	return cell
}

// spend spends a unit.
func (s *spent) spend(b *declared, at int64) {
	s.all++
	if b.window > 0 { // windows are closed: an age of exactly the window is in
		s.at = slices.DeleteFunc(append(s.at, at), func(before int64) bool { return before < at-int64(b.window) })
		s.most = max(s.most, len(s.at))
		return
	}
	s.most = s.all
}

// pressed is what became of one budget.
type pressed struct {
	Budget  string `json:"budget"`
	Cells   int    `json:"cells"`
	Pressed int    `json:"pressed"` // of which more was asked than there was
	Fullest int    `json:"fullest"`
	Limit   int    `json:"limit"`
}

// all says what became of the budgets.
func (c *recount) all() (all []pressed) {
	for _, name := range charged {
		p := pressed{Budget: name, Limit: c.budgets[name].Limit}
		for of, cell := range c.cells {
			if of.budget != name {
				continue
			}
			p.Cells++
			p.Fullest = max(p.Fullest, cell.most)
			if cell.spent {
				p.Pressed++
			}
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b pressed) int { return b.Cells - a.Cells })
	return all
}

func (c *recount) judge(r *report) {
	r.promise("no budget was exceeded, counted again from the records", c.exceeded == 0 && c.uncharged == 0,
		"%d allows beyond a limit, %d charged otherwise than they must be", c.exceeded, c.uncharged)
	r.promise("nobody was denied a budget that was not spent", c.early == 0, "%d denials too early", c.early)
	for _, p := range c.all() {
		r.promise("more was asked of the budget "+p.Budget+" than there was", p.Pressed > 0 && p.Fullest <= p.Limit,
			"%d of %d cells, the fullest %d of %d", p.Pressed, p.Cells, p.Fullest, p.Limit)
	}
}
