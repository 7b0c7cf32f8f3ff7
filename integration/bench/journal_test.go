package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/remit-pdp/remit/integration/bench/checks"
	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/state"
)

func decisionID(n int) string { return fmt.Sprintf("%0*d", checks.IDSize, n) }

// told are the answers to decisions 0 to 9, every third a denial, in no order.
func told() (answers []checks.Answer) {
	for _, n := range []int{3, 1, 4, 0, 5, 9, 2, 6, 8, 7} {
		answers = append(answers, checks.Answer{ID: [checks.IDSize]byte([]byte(decisionID(n))), Allow: n%3 != 0})
	}
	return answers
}

// recorded are their records, and one of the question "lost", which got no answer.
func recorded() (records []*state.Record) {
	for n := range 11 {
		r := &state.Record{ID: decisionID(n), RequestID: fmt.Sprint("request ", n), Count: 1}
		if n%3 != 0 {
			r.Effect = pdp.Allow
		}
		records = append(records, r)
	}
	records[10].RequestID = "lost"
	return records
}

// Each way in which answers and records can disagree fails the run.
func TestAnswersAndRecordsMustAgree(t *testing.T) {
	add := func(r state.Record) func([]*state.Record) []*state.Record {
		return func(records []*state.Record) []*state.Record { return append(records, &r) }
	}
	for name, c := range map[string]struct {
		change func([]*state.Record) []*state.Record
		fails  string
	}{
		"as it was": {change: func(r []*state.Record) []*state.Record { return r }},
		"a record missing": {func(r []*state.Record) []*state.Record { return slices.Delete(r, 4, 5) },
			"1 without a record"},
		"a record twice":        {func(r []*state.Record) []*state.Record { return append(r, r[7]) }, "1 with two"},
		"with another effect":   {func(r []*state.Record) []*state.Record { r[3].Effect = pdp.Allow; return r }, "1 with another effect"},
		"a denial told allowed": {func(r []*state.Record) []*state.Record { r[4].Effect = pdp.Deny; return r }, "1 with another effect"},
		"for two decisions":     {func(r []*state.Record) []*state.Record { r[3].Count = 2; return r }, "1 records for more than one"},
		"that nobody asked for": {add(state.Record{ID: decisionID(99), RequestID: "another", Count: 1}), "1 records that nobody asked for"},
		"of a lost question twice": {add(state.Record{ID: decisionID(99), RequestID: "lost", Count: 1}),
			"1 records that nobody asked for"},
	} {
		t.Run(name, func(t *testing.T) {
			comparison := newComparison(&checks.Source{Answers: told(), Untold: map[string]bool{"lost": true, "lost too": true}})
			for _, r := range c.change(recorded()) {
				comparison.add(r)
			}
			failsWith(t, comparison.judge, c.fails)
		})
	}
}

func TestAnAnswerTwiceIsNoticed(t *testing.T) {
	answers := told()
	comparison := newComparison(&checks.Source{Answers: append(answers, answers[2])})
	for _, r := range recorded()[:10] {
		comparison.add(r)
	}
	failsWith(t, comparison.judge, "1 repeated")
}

// failsWith holds a judgement to break a promise with a text, or none for "".
func failsWith(t *testing.T, judge func(*report), text string) {
	t.Helper()
	r := newReport()
	judge(r)
	err := r.broken()
	if (err == nil) != (text == "") || err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %q", err, text)
	}
}
