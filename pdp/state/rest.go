package state

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// Rest says how long a partition is kept when nothing comes any more, in
// UnixNano. To give it up
//
//   - until Needed would let something be done that is refused now, or would
//     take what was spent for unspent: it is never done;
//   - until Wanted would hide what a policy could read. It is done only where
//     there is no room, and visibly (see [Partition.Lost]). Marks says that it
//     is more than counts: labels, denials, or claims whose session has ended;
//   - later changes nothing: every decision reads the same without it. What an
//     agent without marks has done is counted for two hours after its last
//     window began; `agent.activity.complete_from_ns` says since when.
//
// What is revoked by name is needed besides, for as long as it is: see
// [Partition.Named].
type Rest struct {
	Needed, Wanted int64
	Marks          bool
}

// overdue is how long after its deadline an outcome may still settle an action.
const overdue = time.Hour

// forgetAfter is how long what must not be shed is remembered at least. It is
// not less than the longest that labels may be carried.
const forgetAfter = 31 * 24 * time.Hour

// forever is a time that does not come.
const forever = math.MaxInt64

// Rest returns how long the partition is kept.
func (p *Partition) Rest() Rest {
	var r Rest
	r.need(p.Memory.until())
	for _, since := range p.Declared {
		if since.At > p.Created { // a hole, that the fact's longest window sees
			r.need(after(p.Last, ttlOf(since.Fact)))
		}
	}
	for _, f := range p.Flights {
		r.need(after(f.Deadline, overdue))
	}
	for _, s := range p.Sessions {
		s.rest(&r)
	}
	for _, e := range p.Ended {
		r.mark(e.Until)
	}
	for _, a := range p.Agents {
		a.rest(&r, p.Last)
	}
	r.Wanted = max(r.Wanted, r.Needed)
	return r
}

// Forgettable reports whether nothing in the partition matters any more at now.
func (p *Partition) Forgettable(now int64) bool { return now > p.Rest().Wanted }

func (r *Rest) need(until int64) { r.Needed = max(r.Needed, until) }
func (r *Rest) want(until int64) { r.Wanted = max(r.Wanted, until) }
func (r *Rest) mark(until int64) {
	r.want(until)
	r.Marks = true
}

// after is t and d later, at most forever.
func after(t int64, d time.Duration) int64 {
	if t > forever-int64(d) {
		return forever
	}
	return t + int64(d)
}

// rest: an agent's own session gives way to a new one when it is over; one that
// was admitted is refused without it. A claim's must not begin again.
func (s *Session) rest(r *Rest) {
	ends := s.Expires
	if s.Idle > 0 && !s.Quarantined && !s.Closed {
		ends = min(ends, after(s.Seen, time.Duration(s.Idle)))
	}
	r.need(ends)
	if s.begun() != "claim" {
		return
	}
	if s.Closed || s.Quarantined {
		r.need(s.Forgotten())
	}
	r.mark(s.Forgotten())
}

func (a *Agent) rest(r *Rest, last int64) {
	r.need(a.Memory.until())
	r.need((max(a.OpenMinute, a.AskMinute) + 1) * int64(time.Minute))
	for i, w := range &a.Activity.Windows {
		if w.Current != (Tally{}) || w.Previous != (Tally{}) {
			r.want(after(w.Start, time.Duration(2*windowSizes[i].Size)))
		}
	}
	if len(a.Labels) > 0 || len(a.Past) > 0 || a.Activity.Denied > 0 {
		r.mark(after(last, forgetAfter))
	}
}

// until is when nothing of a memory is left.
func (m *Memory) until() (until int64) {
	for _, t := range m.Facts {
		for _, cell := range t.Cells {
			until = max(until, after(cell.Used, time.Duration(cell.TTL)))
		}
	}
	for _, meter := range m.Meters {
		until = max(until, meter.until())
	}
	return until
}

// until is when nothing that was charged counts any more.
func (m *Meter) until() (until int64) {
	for _, b := range m.Buckets {
		switch {
		case b.Settled == 0 && b.Open == 0:
		case m.Window == 0:
			return forever
		default:
			until = max(until, after(b.Start, time.Duration(m.width()+m.Window)))
		}
	}
	return until
}

// ttlOf reads the time to live off a fact's [signature].
func ttlOf(signature string) time.Duration {
	signature = strings.TrimSuffix(signature, "/clear")
	ttl, err := strconv.ParseInt(signature[strings.LastIndexByte(signature, '/')+1:], 36, 64)
	if err != nil || ttl < 0 {
		return forgetAfter
	}
	return time.Duration(ttl)
}

// Forgotten is when the session is forgotten at the earliest, though a token
// should still name it.
func (s *Session) Forgotten() int64 { return after(s.Expires, forgetAfter) }

// Named reports whether a point names one of the partition's sessions: only
// with the partition it is known which one that was.
func (p *Partition) Named(revocations *Revocations, now int64) bool {
	if !revocations.NameSessions() {
		return false
	}
	for id := range p.Sessions {
		if revocations.named(pdp.RevokedSession, id, time.Unix(0, now)) != nil {
			return true
		}
	}
	return false
}

// Lose says of an empty partition that there may have been another one: its
// counts as late as counts, its marks as late as marks; 0 where never. The
// partition's first entry tells it to the journal.
func (p *Partition) Lose(counts, marks int64) { p.Lost, p.LostMarks = counts, marks }

// marksLost reports whether a label or an ended session may have been given up
// that would still matter at now.
func (p *Partition) marksLost(now int64) bool {
	return p.LostMarks > 0 && now <= after(p.LostMarks, forgetAfter)
}
