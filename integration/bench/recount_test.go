package main

import (
	"testing"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

func sampleBudgets(t *testing.T) map[string]*declared {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	budgets, err := readBudgets(root)
	if err != nil {
		t.Fatal(err)
	}
	return budgets
}

// spender records what one person's sessions do.
type spender struct {
	count *recount
	now   time.Time
}

func newSpender(t *testing.T) *spender {
	return &spender{newRecount(sampleBudgets(t)), time.Unix(1_700_000_000, 0)}
}

func (s *spender) record(r state.Record) {
	s.now = s.now.Add(time.Millisecond)
	e := &state.Entry{At: s.now.UnixNano(), Partition: pdp.PartitionKey{1}, Record: &r}
	r.Question = pdp.AboutAction
	s.count.add(e, &r)
}

func (s *spender) allow(tool, session string) {
	s.record(state.Record{Effect: pdp.Allow, Tool: tool, Session: session, Charges: []state.Charge{{Budget: charged[tool], N: 1}}})
}

func (s *spender) deny(tool, session string) {
	s.record(state.Record{Effect: pdp.Deny, Tool: tool, Session: session, Reasons: []pdp.Reason{{Code: pdp.CodeBudgetSpent}}})
}

// spendAll spends everything there is, and is denied more.
func (s *spender) spendAll() {
	for range s.count.budgets["mails"].Limit {
		s.allow("send_mail", "a")
	}
	s.deny("send_mail", "a")
	s.allow("send_mail", "b")
	for range s.count.budgets["sensitive_reads"].Limit {
		s.allow("read_customer", "a")
	}
	s.deny("read_customer", "b") // it is one person's
	s.record(state.Record{Effect: pdp.Allow, Tool: "read_ticket", Session: "a"})
}

// One unit beyond a budget fails the run, and so does everything else that is
// counted wrongly.
func TestBudgetsAreCountedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		more  func(*spender)
		fails string
	}{
		"all spent":                {func(*spender) {}, ""},
		"one mail too many":        {func(s *spender) { s.allow("send_mail", "a") }, "1 allows beyond a limit"},
		"one read too many":        {func(s *spender) { s.allow("read_customer", "c") }, "1 allows beyond a limit"},
		"a mail that is left":      {func(s *spender) { s.allow("send_mail", "b") }, ""},
		"denied what is left":      {func(s *spender) { s.deny("send_mail", "b") }, "1 denials too early"},
		"a read within the window": {func(s *spender) { s.now = s.now.Add(59 * time.Minute); s.allow("read_customer", "c") }, "1 allows beyond a limit"},
		"a read behind the window": {func(s *spender) { s.now = s.now.Add(61 * time.Minute); s.allow("read_customer", "c") }, ""},
		"a mail for nothing": {func(s *spender) { s.record(state.Record{Effect: pdp.Allow, Tool: "send_mail", Session: "c"}) },
			"1 charged otherwise"},
		"a search for a mail": {func(s *spender) {
			s.record(state.Record{Effect: pdp.Allow, Tool: "search_docs", Charges: []state.Charge{{Budget: "mails", N: 1}}})
		}, "1 charged otherwise"},
		"a mail for two": {func(s *spender) {
			s.record(state.Record{Effect: pdp.Allow, Tool: "send_mail", Session: "c", Charges: []state.Charge{{Budget: "mails", N: 2}}})
		}, "1 charged otherwise"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpender(t)
			s.spendAll()
			c.more(s)
			failsWith(t, s.count.judge, c.fails)
		})
	}
}

// A run in which nobody wanted more than there was proves nothing.
func TestBudgetsMustBePressed(t *testing.T) {
	s := newSpender(t)
	s.allow("send_mail", "a")
	s.allow("read_customer", "a")
	failsWith(t, s.count.judge, "more was asked of the budget mails than there was: NO")
}
