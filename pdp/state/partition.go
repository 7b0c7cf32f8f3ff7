package state

import (
	"time"

	"github.com/remit-pdp/remit/pdp"
)

// Partition is everything remembered about one root. [Partition.Apply] is the
// only thing that changes it.
type Partition struct {
	Key     pdp.PartitionKey
	Root    pdp.Principal
	Created int64
	Last    int64  // time of the latest entry
	Seq     uint64 // entries applied
	Memory  Memory // scope partition
	// Declared says since when each fact has been recorded without a hole, as
	// of Generation, which made the latest decision.
	Generation string
	Declared   map[string]int64
	Agents     map[string]*Agent
	Sessions   map[string]*Session
	Refs       map[string]string // what selects a session → its id
	Flights    map[string]*InFlight
	Checks     map[string]string // key of a check in flight → decision id
	// order holds the ids of flights, oldest first, some perhaps settled.
	order []string
}

// InFlight is an allowed action whose outcome has not come.
type InFlight struct {
	Flight
	At      int64
	Seq     uint64
	Session string
	Agent   string
	Action  Acted
	Tool    string
	System  string
	Target  string // resource
	Charges []Charge
	Notes   []Note // those that wait for the outcome, and where
}

// Agent is what is remembered of one agent over its sessions.
type Agent struct {
	Is       pdp.Principal
	Activity Activity
	Started  uint64 // sessions
	Labels   map[string]Label
	Past     map[string]Label // labels of sessions too long ago to reach a new one
	Memory   Memory
	LastSeen int64 // of any of its sessions
	// Opened counts the sessions begun in the minute OpenMinute.
	OpenMinute int64
	Opened     int
	// Asked counts the questions about what would be allowed, AskedNow those
	// in the minute AskMinute.
	Asked     uint64
	AskMinute int64
	AskedNow  int
}

// Session is what is remembered of one session.
type Session struct {
	ID      string
	Ref     string
	Agent   string
	Shared  bool
	Task    string // JSON
	Token   string // fingerprint of its token; "" where it began without
	Asked   uint64 // questions about what would be allowed
	Started int64
	Seen    int64 // latest action
	Expires int64
	Idle    int64
	Alone   bool
	// AfterRevocation, Owner and Chain: see [Opening].
	AfterRevocation bool
	Owner           string
	Chain           []pdp.Principal
	Closed          bool
	Quarantined     bool
	Activity        Activity
	Labels          map[string]Label
	Memory          Memory
	Recent          []Recent // oldest first
	Credentials     []string
	Sent            int64
	Received        int64
	Heard           int64 // when an outcome came last; 0: never
	InFlight        int
}

// Label is how a session got a label.
type Label struct {
	At     int64
	Seq    uint64 // of the action
	Source string // the target that gave it, or "policy", "outcome"
}

// Recent is one of a session's latest actions.
type Recent struct {
	At      int64
	Seq     uint64
	Action  Acted
	Outcome pdp.OutcomeState // "" while it is in flight
}

// NewPartition returns the empty partition of a key.
func NewPartition(key pdp.PartitionKey) *Partition { return &Partition{Key: key} }

// AppendBinary appends the partition's encoding to dst.
func (p *Partition) AppendBinary(dst []byte) []byte { return encode(dst, p, codePartition) }

// DecodePartition reads what [Partition.AppendBinary] wrote. Any other bytes
// are an error.
func DecodePartition(b []byte) (*Partition, error) { return decode(b, codePartition) }

// Forgettable reports whether nothing in the partition matters any more at
// now: every session has ended, nothing is in flight, and labels, facts and
// budgets have run out.
func (p *Partition) Forgettable(now int64) bool {
	for _, s := range p.Sessions {
		if now <= s.Forgotten() && !s.over(now, int64(forgetAfter)) {
			return false
		}
	}
	if len(p.Flights) > 0 && now < p.Last+int64(forgetAfter) {
		return false
	}
	for _, a := range p.Agents {
		if now <= a.LastSeen+int64(forgetAfter) || !a.Memory.forgettable(now) {
			return false
		}
	}
	return p.Memory.forgettable(now) && now > p.Last+int64(forgetAfter)
}

// overdue is how long after its deadline an outcome may still settle an action.
const overdue = time.Hour

// forgetAfter is how long an ended session is remembered at least. It is not
// less than the longest that labels may be carried.
const forgetAfter = 31 * 24 * time.Hour

// Forgotten is when the session is forgotten at the earliest, though a token
// should still name it.
func (s *Session) Forgotten() int64 { return s.Expires + int64(forgetAfter) }

// over reports whether an agent's own session (not one that a claim names,
// which stays as a tombstone) ended more than grace ago.
func (s *Session) over(now, grace int64) bool {
	return s.Shared && s.ended(now-grace)
}

// ended reports whether the session takes no more actions at now. The limits
// are closed: at exactly its age or idle time it still does. A quarantine is
// not to be waited out by being idle.
func (s *Session) ended(now int64) bool {
	return s.Closed || now > s.Expires || (s.Idle > 0 && !s.Quarantined && now > s.Seen+s.Idle)
}

func agentKey(p pdp.Principal) string { return p.Issuer + "\x00" + p.ID }

func codePartition(c *coder, p *Partition) {
	c.raw(p.Key[:])
	codePrincipal(c, &p.Root)
	c.int(&p.Created)
	c.int(&p.Last)
	c.uint(&p.Seq)
	codeMemory(c, &p.Memory)
	text(c, &p.Generation)
	dict(c, &p.Declared, text[string], (*coder).int)
	dict(c, &p.Agents, text[string], pointer(codeAgent))
	dict(c, &p.Sessions, text[string], pointer(codeSession))
	dict(c, &p.Refs, text[string], text[string])
	dict(c, &p.Flights, text[string], pointer(codeInFlight))
	dict(c, &p.Checks, text[string], text[string])
	list(c, &p.order, text[string])
}

// pointer codes what a map's pointer points to.
func pointer[T any](item func(*coder, *T)) func(*coder, **T) {
	return func(c *coder, v **T) {
		if c.reading {
			*v = new(T)
		}
		item(c, *v)
	}
}

func codeInFlight(c *coder, f *InFlight) {
	codeFlight(c, &f.Flight)
	c.int(&f.At)
	c.uint(&f.Seq)
	for _, s := range []*string{&f.Session, &f.Agent, &f.Tool, &f.System, &f.Target} {
		text(c, s)
	}
	codeActed(c, &f.Action)
	list(c, &f.Charges, codeCharge)
	list(c, &f.Notes, codeNote)
}

func codeAgent(c *coder, a *Agent) {
	codePrincipal(c, &a.Is)
	codeActivity(c, &a.Activity)
	c.uint(&a.Started)
	dict(c, &a.Labels, text[string], codeLabel)
	dict(c, &a.Past, text[string], codeLabel)
	codeMemory(c, &a.Memory)
	c.int(&a.LastSeen)
	c.int(&a.OpenMinute)
	number(c, &a.Opened)
	c.uint(&a.Asked)
	c.int(&a.AskMinute)
	number(c, &a.AskedNow)
}

func codeSession(c *coder, s *Session) {
	for _, v := range []*string{&s.ID, &s.Ref, &s.Agent, &s.Task, &s.Owner, &s.Token} {
		text(c, v)
	}
	c.uint(&s.Asked)
	for _, v := range []*int64{&s.Started, &s.Seen, &s.Expires, &s.Idle, &s.Sent, &s.Received, &s.Heard} {
		c.int(v)
	}
	for _, v := range []*bool{&s.Shared, &s.Alone, &s.AfterRevocation, &s.Closed, &s.Quarantined} {
		c.flag(v)
	}
	codeActivity(c, &s.Activity)
	dict(c, &s.Labels, text[string], codeLabel)
	codeMemory(c, &s.Memory)
	list(c, &s.Recent, codeRecent)
	list(c, &s.Credentials, text[string])
	list(c, &s.Chain, codePrincipal)
	number(c, &s.InFlight)
}

func codeLabel(c *coder, l *Label) {
	c.int(&l.At)
	c.uint(&l.Seq)
	text(c, &l.Source)
}

func codeRecent(c *coder, r *Recent) {
	c.int(&r.At)
	c.uint(&r.Seq)
	codeActed(c, &r.Action)
	text(c, &r.Outcome)
}
