package checks

import (
	"time"

	"github.com/remit-pdp/remit/integration/bench/load"
)

// Budget is one that agents ask for more of than there is.
type Budget struct {
	Tool    string // each call of it is charged, one
	Session bool   // counted for each session, else for each person
	Limit   int
}

// maxDenials is how often an agent asks for what must be denied in all: below
// what the shipped settings take for probing within an hour.
const maxDenials = 60

// The mails of a session, from its first step on: several at once, and some
// when all are spent.
const (
	mailStep      = 20
	mailsStep     = 80
	mailsTogether = 5
	lastMailStep  = 130
)

// greedy are agents that read more than their person's budget holds, at the
// pace of a clock: as fast as an agent may, whatever the load is.
type greedy struct {
	n, together int // how many there are, and how much one asks for at once
	every       time.Duration
	next        time.Time
	turn        int
}

// newGreedy makes n greedy agents that ask for three things every 900 ms: the
// shipped policy lets nobody do more than 600 things in this minute and the last.
func newGreedy(n int) greedy {
	const together = 3
	return greedy{n: n, together: together, every: together * 300 * time.Millisecond / time.Duration(max(n, 1))}
}

// due reports whether it is the turn of a greedy agent, and takes it.
func (g *greedy) due(now time.Time) bool {
	if g.n == 0 || now.Before(g.next) {
		return false
	}
	g.next = now.Add(g.every)
	g.turn++
	return true
}

// pressure has agents press budgets, and knows what may be answered to that.
type pressure struct {
	budgets []Budget
	of      map[int]int // the budget of a kind
	cells   map[cell]tally
	// what is asked for instead, and by the greedy
	read, customer, mail int

	together int // questions to a budget that another one of was in flight
	excused  int // denials that only an answer that was lost explains
}

// cell is what a budget is counted in.
type cell struct{ budget, who, run int }

// tally is what is known of a cell: how many allows were told, how many answers
// were lost, how many questions are in flight.
type tally struct{ told, lost, open int }

// Press has agents ask for more than their budgets hold: everybody for mails,
// and n agents for customers. No session gets older than life.
func (s *Source) Press(budgets []Budget, n int, life time.Duration) {
	p := &pressure{budgets: budgets, of: make(map[int]int), cells: make(map[cell]tally),
		read: s.index("read_ticket"), customer: s.index("read_customer"), mail: s.index("send_mail")}
	for i, b := range budgets {
		p.of[s.index(b.Tool)] = i
	}
	s.press, s.greedy, s.life = p, newGreedy(n), life
}

// Spree has the next n questions be those of a greedy agent that has asked for next
// to nothing so far: however slow the machine is, its budget will be spent.
func (s *Source) Spree(n int) { s.again(len(s.all)-1, n) }

// Pressed says how many questions to a budget were in flight together, and how
// many denials only a lost answer explains.
func (s *Source) Pressed() (together, excused int) { return s.press.together, s.press.excused }

// mayBeDenied reports whether an agent may ask for what must be denied.
func (s *Source) mayBeDenied(g *agent) bool { return s.press == nil || g.denied < maxDenials }

// pressing is what an agent does at a step of its session.
func (s *Source) pressing(who int, g *agent) int {
	p := s.press
	if who >= s.crowd() {
		if g.step%4 == 3 {
			return p.read
		}
		return p.customer
	}
	mails := g.step == mailStep || g.step >= mailsStep && g.step < mailsStep+mailsTogether || g.step == lastMailStep
	kind := s.script[g.step]
	switch {
	case g.step >= mailsStep && (mails || !s.good[kind].allow) && !s.mayBeDenied(g):
		return p.read
	case g.step == mailsStep:
		s.again(who, mailsTogether-1)
		return p.mail
	case mails:
		return p.mail
	}
	return kind
}

// cell returns the cell that a question is charged to.
func (p *pressure) cell(c *load.Call) (at cell, limit int, charged bool) {
	i, charged := p.of[c.Kind]
	if !charged {
		return at, 0, false
	}
	at = cell{budget: i, who: c.Who}
	if p.budgets[i].Session {
		at.run = c.Run
	}
	return at, p.budgets[i].Limit, true
}

// asked counts a question in flight.
func (p *pressure) asked(c *load.Call, g *agent) {
	at, limit, charged := p.cell(c)
	if !charged {
		return
	}
	t := p.cells[at]
	if t.open > 0 {
		p.together++
	}
	if t.told+t.open >= limit {
		g.denied++ // most likely
	}
	t.open++
	p.cells[at] = t
}

// answered returns whether an answer had to be an allow, given what is known: what
// was told is spent for certain, what was lost or is in flight perhaps.
func (p *pressure) answered(c *load.Call, a *answer, allow bool) bool {
	at, limit, charged := p.cell(c)
	if !charged {
		return allow
	}
	t := p.cells[at]
	t.open--
	spent, perhaps := t.told >= limit, t.told+t.open+t.lost >= limit
	switch {
	case a.Allow:
		t.told++
		allow = !spent
	case a.unavailable:
		if a.ID == (Answer{}).ID { // nobody knows what was decided
			t.lost++
		}
	case perhaps:
		if t.told+t.open < limit {
			p.excused++
		}
		allow = false
	}
	p.cells[at] = t
	return allow
}

// lost counts a question that gets no answer.
func (p *pressure) lost(c *load.Call) {
	at, _, charged := p.cell(c)
	if !charged {
		return
	}
	t := p.cells[at]
	t.open--
	t.lost++
	p.cells[at] = t
}
