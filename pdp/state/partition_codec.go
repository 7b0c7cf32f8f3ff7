package state

import (
	"strings"

	"github.com/remit-pdp/remit/pdp"
)

func codePartition(c *coder, p *Partition) {
	c.raw(p.Key[:])
	c.int(&p.Created)
	c.origin = p.Created
	codePrincipal(c, &p.Root)
	c.moment(&p.Last)
	c.uint(&p.Seq)
	codeMemory(c, &p.Memory)
	c.hash(&p.Generation)
	list(c, &p.Declared, codeSince)
	dict(c, &p.Sessions, strings.Compare, word[string], pointer(codeSession))
	dict(c, &p.Agents, comparePrincipals, codePrincipal, pointer(p.codeAgent))
	dict(c, &p.Refs, compareRefs, codeRef, word[string])
	list(c, &p.Ended, codeEnded)
	c.moment(&p.Lost)
	c.moment(&p.LostMarks)
	dict(c, &p.Flights, strings.Compare, word[string], pointer(codeInFlight))
	dict(c, &p.Checks, strings.Compare, text[string], word[string])
}

func codeSince(c *coder, s *Since) {
	word(c, &s.Fact)
	c.moment(&s.At)
}

func codeRef(c *coder, r *Ref) {
	number(c, &r.By)
	codePrincipal(c, &r.Agent)
	word(c, &r.Name)
}

func codeInFlight(c *coder, f *InFlight) {
	codeFlight(c, &f.Flight)
	c.moment(&f.At)
	c.uint(&f.Seq)
	word(c, &f.Session)
	codePrincipal(c, &f.Agent)
	word(c, &f.Target)
	codeActed(c, &f.Action)
	list(c, &f.Charges, codeCharge)
	list(c, &f.Notes, codeNote)
}

// codeAgent comes after the sessions: what an agent of one session has done is
// what the session has done, and written once.
func (p *Partition) codeAgent(c *coder, a *Agent) {
	codePrincipal(c, &a.Is)
	only := p.only()
	same := !c.reading && only != nil && a.Activity.equal(&only.Activity)
	switch c.flags(&same); {
	case !same:
		codeActivity(c, &a.Activity)
	case only == nil:
		c.fail()
	case c.reading:
		a.Activity = only.Activity.clone()
	}
	c.uint(&a.Started)
	list(c, (*[]Label)(&a.Labels), codeLabel)
	list(c, (*[]Label)(&a.Past), codeLabel)
	codeMemory(c, &a.Memory)
	c.moment(&a.LastSeen)
	list(c, &a.Open, word[string])
	c.int(&a.OpenMinute)
	number(c, &a.Opened)
	c.uint(&a.Asked)
	c.int(&a.AskMinute)
	number(c, &a.AskedNow)
}

// only is the partition's session, where it has one alone.
func (p *Partition) only() *Session {
	if len(p.Sessions) == 1 {
		for _, s := range p.Sessions {
			return s
		}
	}
	return nil
}

func codeSession(c *coder, s *Session) {
	word(c, &s.ID)
	codeRef(c, &s.Ref)
	codePrincipal(c, &s.Agent)
	word(c, &s.Task)
	word(c, &s.Owner)
	word(c, &s.Token)
	cleared := len(s.Cleared) > 0
	c.flags(&s.Shared, &s.Alone, &s.AfterRevocation, &s.Closed, &s.Quarantined, &cleared)
	c.uint(&s.Asked)
	c.moment(&s.Started)
	c.moment(&s.Seen)
	c.moment(&s.Expires)
	c.int(&s.Idle)
	c.int(&s.Sent)
	c.int(&s.Received)
	c.moment(&s.Heard)
	number(c, &s.InFlight)
	list(c, &s.Chain, codePrincipal)
	list(c, &s.Credentials, word[string])
	codeActivity(c, &s.Activity)
	list(c, (*[]Label)(&s.Labels), codeLabel)
	if cleared {
		list(c, &s.Cleared, codeCleared)
	}
	codeMemory(c, &s.Memory)
	codeRecents(c, &s.Recent)
}

func codeCleared(c *coder, v *Cleared) {
	word(c, &v.Label)
	c.uint(&v.Seq)
}

// codeRecents codes what is not far from what is before it as its distance.
func codeRecents(c *coder, all *[]Recent) {
	origin, seq := c.origin, uint64(0)
	list(c, all, func(c *coder, r *Recent) {
		c.moment(&r.At)
		c.origin = r.At
		distance := r.Seq - seq
		c.uint(&distance)
		r.Seq = seq + distance
		seq = r.Seq
		codeKind(c, r)
		word(c, &r.System)
		word(c, &r.Tool)
		word(c, &r.Outcome)
	})
	c.origin = origin
}

// codeKind codes what kind of action it was in a byte, or, where it is of no kind
// there is, in more.
func codeKind(c *coder, r *Recent) {
	const unusual = 1 << 7
	kind := [1]byte{byte(r.Effect&3) | r.Operation&7<<2 | r.Level&3<<5}
	if r.Effect > 3 || r.Operation > 7 || r.Level > 3 {
		kind[0] = unusual
	}
	if c.raw(kind[:]); kind[0] < unusual {
		r.Effect, r.Operation, r.Level = pdp.Effect(kind[0]&3), kind[0]>>2&7, kind[0]>>5
		return
	}
	number(c, &r.Effect)
	number(c, &r.Operation)
	number(c, &r.Level)
}
