package state

import (
	"cmp"
	"slices"
)

// Ended is what stays of a claim's session: that it must not begin again.
type Ended struct {
	Ref   uint64 // hash of the reference
	Until int64
}

// Bounds of the sessions that a partition remembers.
const (
	// roomy is how many sessions are remembered whole, though they have ended.
	roomy = 4
	// maxSessions is how many there are when no more may begin.
	maxSessions = 4096
	// maxEnded bounds what stays of those that have ended.
	maxEnded = 16 << 10
)

// prune lets go of what has ended, each time that the sessions have doubled, so
// that it costs the same however many sessions an agent begins.
func (p *Partition) prune(e *Entry) {
	n := len(p.Sessions)
	doubled := n >= roomy && n&(n-1) == 0 && e.Effects.Open != nil
	if !doubled && (n < maxSessions || e.Seq%pruneEvery != 0) {
		return
	}
	p.Ended = slices.DeleteFunc(p.Ended, func(ended Ended) bool { return e.At > ended.Until })
	for id, s := range p.Sessions {
		own := s.Shared && p.Refs[s.Ref] == id // it tells what the next one comes after
		if s.InFlight == 0 && s.ended(e.At) && !own {
			delete(p.Sessions, id)
			p.bury(s, e.At)
		}
	}
	p.limitEnded(e.At)
}

// pruneEvery is after how many entries a partition looks again, that has as
// many sessions as it may.
const pruneEvery = 256

// bury remembers of a session that it must not begin again.
func (p *Partition) bury(s *Session, now int64) {
	if p.Refs[s.Ref] == s.ID {
		delete(p.Refs, s.Ref)
	}
	if s.begun() != "claim" || now > s.Forgotten() {
		return
	}
	e := Ended{Ref: s.Ref.hash(), Until: s.Forgotten()}
	if i, known := p.findEnded(e.Ref); !known {
		p.Ended = slices.Insert(p.Ended, i, e)
	}
}

// limitEnded gives up those that would end first. What was given up may be
// asked for again: a session that begins later says so.
func (p *Partition) limitEnded(now int64) {
	if len(p.Ended) <= maxEnded {
		return
	}
	byTime := slices.Clone(p.Ended)
	slices.SortFunc(byTime, func(a, b Ended) int { return cmp.Or(cmp.Compare(a.Until, b.Until), cmp.Compare(a.Ref, b.Ref)) })
	limit := byTime[len(byTime)-maxEnded*7/8].Until
	p.Ended = slices.DeleteFunc(p.Ended, func(e Ended) bool { return e.Until < limit })
	p.LostMarks = now
}

func (p *Partition) findEnded(ref uint64) (int, bool) {
	return slices.BinarySearchFunc(p.Ended, ref, func(e Ended, ref uint64) int { return cmp.Compare(e.Ref, ref) })
}

// hasEnded reports whether a session was selected by ref and has ended. Two
// references with one hash are refused where one is.
func (p *Partition) hasEnded(ref Ref, now int64) bool {
	if len(p.Ended) == 0 {
		return false
	}
	i, known := p.findEnded(ref.hash())
	return known && now <= p.Ended[i].Until
}

func codeEnded(c *coder, e *Ended) {
	c.hash(&e.Ref)
	c.moment(&e.Until)
}
