// Package checks makes the questions of a benchmark, as many agents at work
// make them, knows what must be answered to each, and keeps what was.
package checks

import (
	"fmt"
	"strings"
	"time"

	"github.com/remit-pdp/remit/integration/harness"
)

// Agents are live agents, each acting for a person of its own, in one session
// after the other. A few of them at a time are hot: they do nine tenths of what
// is done, until their session is over and others get hot. Nobody does more
// than the shipped limits let an agent do. Not safe for concurrent use.
type Agents struct {
	issuer *harness.Issuer
	all    []agent
	hot    []int
	queue  []int // whose turn is before everybody's
	next   int   // who gets hot next
	turn   int
	greedy greedy
	// life ends a session, where it is not 0.
	life time.Duration
	// Rotated counts the tokens that were replaced by a newer one.
	Rotated int
}

type agent struct {
	epoch, step int    // of its session, and in it
	token, next string // of this session, and of the one after it; "" is not made yet
	began       time.Time
	denied      int // how often it asked for what must be denied
}

// actions is how many actions a session has: fewer than an agent may do in a
// minute.
const actions = 150

// NewAgents makes n agents with a token each, hot of them hot.
func NewAgents(issuer *harness.Issuer, n, hot int) (*Agents, error) {
	a := &Agents{issuer: issuer, all: make([]agent, n), next: hot}
	for i := range a.all {
		token, err := a.sign(i, 0)
		if err != nil {
			return nil, err
		}
		a.all[i].token = token
	}
	for i := range hot {
		a.hot = append(a.hot, i)
	}
	return a, nil
}

// Len is how many agents there are.
func (a *Agents) Len() int { return len(a.all) }

// id is the id of an agent; all are as long.
func id(i int) string { return "agent-" + digits(6, i) }

// sign makes the token of an agent for a session of its. All tokens are as long.
func (a *Agents) sign(i, epoch int) (string, error) {
	person := "user-" + digits(6, i)
	return a.issuer.Token(id(i), person, fmt.Sprintf("session-%s-%s", digits(6, i), digits(4, epoch)), map[string]any{
		"azp": "desk-assistant", "jti": "4c1b7f0e-" + digits(8, i) + "-" + digits(8, epoch), "client_id": "desk-assistant",
		"name": "Person Number " + digits(6, i), "email": person + "@example.test", "email_verified": true,
		"groups": []string{"support", "support-emea", "tickets-readers", "tickets-writers", "customers-readers"},
		"exp":    time.Now().Add(55 * time.Minute).Unix(),
	})
}

// Prepare makes the next tokens of all whose session is over, so that signing
// takes no time of a measurement.
func (a *Agents) Prepare() error {
	for i := range a.all {
		if g := &a.all[i]; g.step >= actions && g.next == "" {
			var err error
			if g.next, err = a.sign(i, g.epoch+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// Rotate ends the sessions of n agents: each begins its next one, with another
// token, before anybody else's turn.
func (a *Agents) Rotate(n int) error {
	for i := range min(n, len(a.all)) {
		a.all[i].step = actions
		a.queue = append(a.queue, i)
	}
	return a.Prepare()
}

// Everybody makes it each agent's turn once, before anybody's second.
func (a *Agents) Everybody() {
	for i := range a.all {
		a.queue = append(a.queue, i)
	}
}

// pick returns whose turn it is.
func (a *Agents) pick(now time.Time) (who int, g *agent) {
	a.turn++
	switch {
	case len(a.queue) > 0:
		who, a.queue = a.queue[0], a.queue[1:]
	case a.greedy.due(now):
		who = a.crowd() + a.greedy.turn%a.greedy.n
		a.again(who, a.greedy.together-1)
	case a.turn%10 != 0:
		who = a.hot[a.turn%len(a.hot)]
	default:
		who = a.anybody()
	}
	g = &a.all[who]
	if g.step >= actions || a.life > 0 && g.step > 0 && now.Sub(g.began) > a.life {
		a.renew(who, g)
	}
	if g.step == 0 {
		g.began = now
	}
	return who, g
}

// crowd is how many agents are not greedy: all but the last, of which one saves
// its greed up.
func (a *Agents) crowd() int {
	if a.greedy.n == 0 {
		return len(a.all)
	}
	return len(a.all) - a.greedy.n - 1
}

// again makes it an agent's turn n times more, before anybody else's.
func (a *Agents) again(who, n int) {
	for range n {
		a.queue = append(a.queue, who)
	}
}

// anybody is one of all, far from the one before; whose next token is not there
// yet is passed over.
func (a *Agents) anybody() (who int) {
	for try := range 100 {
		who = ((a.turn/10 + try) * 7919) % a.crowd()
		if g := &a.all[who]; g.step < actions || g.next != "" {
			return who
		}
	}
	return who
}

// renew begins the next session of an agent.
func (a *Agents) renew(i int, g *agent) {
	if g.next == "" {
		token, err := a.sign(i, g.epoch+1)
		if err != nil {
			panic(err) // by a key that has signed before
		}
		g.next = token
	}
	g.token, g.next = g.next, ""
	g.epoch, g.step = g.epoch+1, 0
	a.Rotated++
}

// acted takes an agent a step further; when its session is over another one
// gets hot in its place.
func (a *Agents) acted(who int, g *agent) {
	if g.step++; g.step < actions {
		return
	}
	for slot, i := range a.hot {
		if i == who {
			a.hot[slot] = a.next
			a.next = (a.next + 1) % a.crowd()
			return
		}
	}
}

// Profiles are the entries of n agents in data.remit.agents, as YAML.
func Profiles(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "%s: { owner: team-support, systems: [support-tools, tickets], operations: [discover, read, write, send], max_sensitivity: confidential }\n", id(i))
	}
	return text.String()
}

func digits(width, n int) string { return fmt.Sprintf("%0*d", width, n) }
