package checks

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/remit-pdp/remit/integration/bench/load"
	"github.com/remit-pdp/remit/pdp"
)

// Source asks what agents at work ask, and keeps every answer. It implements
// [load.Source]. Not safe for concurrent use.
type Source struct {
	*Agents
	// Hostile is how many of a hundred questions have a hostile body.
	Hostile int
	// Asked counts the answers by what was asked for, Wrong those among them
	// that were not what must be answered, Late those that said that there was
	// no time to decide, Failed the calls without an answer, by their status.
	Asked, Wrong, Failed map[string]int
	Late                 int
	// WrongAllows counts the allows among Wrong.
	WrongAllows int
	// Answers is what was answered, in no order.
	Answers []Answer
	// Gone counts the questions without an answer because the server was gone.
	Gone int
	// Untold holds the questions whose decision nobody was told of, by their
	// request's id: there was no answer or, where it is true, a denial for want of
	// time that names no decision.
	Untold map[string]bool

	good, bad []kind
	script    [actions]int // the kind of each step of a session
	asked     uint64
	outcomes  outcomes
	judges    bool
	press     *pressure
	doubted   map[[IDSize]byte]bool // decisions that count in Wrong
}

// NewSource returns the questions of agents. judges says that the answers are
// remit's: they are held against what must be answered, kept, and their outcomes
// reported.
func NewSource(agents *Agents, judges bool) (*Source, error) {
	s := &Source{Agents: agents, Asked: make(map[string]int), Wrong: make(map[string]int), Failed: make(map[string]int),
		Untold: make(map[string]bool), doubted: make(map[[IDSize]byte]bool), judges: judges}
	var err error
	if s.good, s.bad, err = makeKinds(agents.all[0].token); err != nil {
		return nil, err
	}
	if s.outcomes, err = newOutcomes(); err != nil {
		return nil, err
	}
	for step := range s.script {
		s.script[step] = s.index(kindOf(step))
	}
	return s, nil
}

// kindOf is what an agent does at a step of its session: it reads and searches,
// writes now and then, sends two mails, and tries once what it may not.
func kindOf(step int) string {
	switch step {
	case 20, 80:
		return "send_mail"
	case 50:
		return "read_customer"
	case 120:
		return "delete_ticket"
	}
	return [...]string{"search_docs", "GET ticket", "read_ticket", "read_ticket", "GET ticket",
		"update_ticket", "read_ticket", "GET ticket", "POST note", "read_ticket"}[step%10]
}

func (s *Source) index(name string) int {
	for i := range s.good {
		if s.good[i].name == name {
			return i
		}
	}
	panic("no kind " + name)
}

// Next implements [load.Source].
func (s *Source) Next(c *load.Call) {
	s.asked++
	now := time.Now()
	who, g := s.pick(now)
	c.Kind, c.Who, c.Run = s.script[g.step], who, g.epoch
	// Whose they are is left to chance: an agent that sends nothing else is
	// quarantined.
	evil := rand.IntN(100) < s.Hostile && s.mayBeDenied(g)
	switch {
	case evil:
		c.Kind = len(s.good) + rand.IntN(len(s.bad))
	case s.press != nil:
		c.Kind = s.pressing(who, g)
	}
	k := s.kind(c.Kind)
	// A session is about forty tickets.
	k.fill(c.Set(k.message), now, g.token, uint64(who%1000*40+g.step%40+1), s.asked)
	if !k.allow {
		g.denied++
	}
	if s.press != nil {
		s.press.asked(c, g)
	}
	if !evil {
		s.acted(who, g)
	}
}

func (s *Source) kind(i int) *kind {
	if i < len(s.good) {
		return &s.good[i]
	}
	return &s.bad[i-len(s.good)]
}

// Answered implements [load.Source].
func (s *Source) Answered(c *load.Call, status string, answer []byte) {
	if status != "0" {
		s.Failed[status]++
		s.untold(c)
		return
	}
	if !s.judges {
		return
	}
	k, a := s.kind(c.Kind), read(answer)
	s.Asked[k.name]++
	allow := k.allow
	if s.press != nil {
		allow = s.press.answered(c, &a, allow)
	}
	if a.ID != (Answer{}).ID {
		s.Answers = append(s.Answers, a.Answer)
	} else {
		s.Untold[k.requestID(c.Message())] = true
	}
	switch {
	case a.unavailable:
		s.Late++
	case a.ID == (Answer{}).ID:
		s.Wrong[k.name+": no decision's id"]++
	case a.Allow != allow:
		s.Wrong[wrong(k, a.Allow)]++
		s.doubted[a.ID] = true
	}
	if a.Allow && !allow {
		s.WrongAllows++
	}
	if a.Allow {
		s.outcomes.add(a.ID[:], k.host)
	}
}

// Lost is told of a question that gets no answer because the server is gone.
func (s *Source) Lost(c *load.Call) {
	s.Gone++
	s.untold(c)
}

// untold keeps a question whose decision nobody was told of.
func (s *Source) untold(c *load.Call) {
	if !s.judges {
		return
	}
	s.Untold[s.kind(c.Kind).requestID(c.Message())] = false
	if s.press != nil {
		s.press.lost(c)
	}
}

// Reconnected is told that the connections are new ones.
func (s *Source) Reconnected() { s.outcomes.reconnected() }

// Expect makes room for the answers to n questions, so that keeping them takes no
// time of a measurement.
func (s *Source) Expect(n int) { s.Answers = slices.Grow(s.Answers, n) }

// Outcomes implements [load.Source].
func (s *Source) Outcomes(now time.Time, last bool) []byte { return s.outcomes.message(now, last) }

// Explain adds the reasons of a decision to what is said about wrong answers.
func (s *Source) Explain(id string, reasons []pdp.Reason) {
	if len(id) != IDSize || len(reasons) == 0 || !s.doubted[[IDSize]byte([]byte(id))] {
		return
	}
	s.Wrong["because "+reasons[0].Code]++
}

// Judged is how many answers were judged.
func (s *Source) Judged() (n int) {
	for _, asked := range s.Asked {
		n += asked
	}
	return n
}

// HostileSeen is how many of them were to hostile bodies, and how many of those
// were allowed.
func (s *Source) HostileSeen() (asked, allowed int) {
	for i := range s.bad {
		asked += s.Asked[s.bad[i].name]
		allowed += s.Wrong[wrong(&s.bad[i], true)]
	}
	return asked, allowed
}

// wrong names an answer that is not what must be answered.
func wrong(k *kind, allow bool) string { return fmt.Sprintf("%s: allowed is %v", k.name, allow) }
