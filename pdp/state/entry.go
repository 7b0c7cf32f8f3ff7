package state

import (
	"github.com/remit-pdp/remit/pdp"
)

// Kind says what an entry tells of.
type Kind uint8

// The kinds of entries.
const (
	Decided   Kind = 1 // a decision, with its record and effects
	Settled   Kind = 2 // the outcome of an allowed action
	Activated Kind = 3 // decisions are made with a generation from here on, or it was refused
	Revoked   Kind = 4 // authority ends: see [Revocations]
	Lifted    Kind = 5 // a revocation is taken back
)

// Entry is one entry of the journal: what happened, and what it does to its
// partition. Effects hold all that the fold needs, windows and bounds
// included, so that replaying never depends on the bundle in force.
type Entry struct {
	Kind      Kind
	At        int64 // UnixNano; never before the partition's earlier entries
	Partition pdp.PartitionKey
	Seq       uint64 // the partition's, from 1; 0 without a partition
	Record    *Record
	Effects   *Effects
	Settling  *Settling
	// Revoking is the point that begins; of a [Lifted] entry the one that
	// ends, with the reason, the actor and the time of lifting it.
	Revoking *pdp.Revocation
	// Generation names what was activated, or was refused to be because of
	// Problem.
	Generation string
	Problem    string
}

// Record is the decision record: the evidence of one decision.
type Record struct {
	ID         string
	Question   pdp.Question
	Effect     pdp.Effect
	Class      pdp.Class
	Reasons    []pdp.Reason
	WouldDeny  []pdp.Observed // denials that were not enforced
	Detail     string         // for the operator
	Generation string
	Door       string
	Listener   string
	Proxy      string

	Agent          pdp.Principal
	AgentKind      string
	Owner          string
	Chain          []pdp.Principal
	Credential     string // fingerprint
	CredentialKind string
	// Workload presented the agent's token, with this credential's
	// fingerprint; the zero ones where none was proved.
	Workload           pdp.Principal
	WorkloadCredential string

	Session string

	Protocol    pdp.Protocol
	Method      string
	Host        string
	Path        string // without query
	RPC         string // JSON-RPC method
	Tool        string
	Operation   pdp.Operation
	System      string
	Resource    string
	Environment string
	Sensitivity pdp.Sensitivity
	Known       bool // the target
	RequestID   string
	Digest      [32]byte

	Labels  []string // the session's labels after the decision
	Charges []Charge

	PolicyMicros int64
	TotalMicros  int64
	// Count is how many identical denials this record stands for (invariant
	// 8); 1 for every other record.
	Count int64
}

// Effects are what a decision does to its partition.
type Effects struct {
	// Question is what was asked: only about an action is anything done.
	Question pdp.Question
	Root     pdp.Principal // of the partition, for its first entry
	Agent    pdp.Principal
	Open     *Opening // a session begins with this action
	Session  string   // id; "" when a denied admission counts at the agent alone
	Action   Acted
	Charges  []Charge
	Notes    []Note
	Labels   []string
	Flight   *Flight

	Quarantine bool
	Close      bool
	Expires    int64 // a new, earlier end of the session; 0 leaves it

	// Declares lists the facts of a generation when it is the first decision
	// of the partition that is made with it: Generation names it then.
	Generation string
	Declares   []string
}

// Opening is the beginning of a session.
type Opening struct {
	ID      string
	Ref     string // what selects it: see sessionRef
	Shared  bool   // all runs of the agent are this session
	Task    string // JSON
	Token   string // fingerprint of the session token; "" where none was made
	Expires int64
	Idle    int64 // nanoseconds without an action that end it; 0: none
	// Alone says that labels of the agent's other sessions do not reach it;
	// Past says that they are too old to, and become past labels.
	Alone, Past bool
	// AfterRevocation says that the agent's own session before this one was
	// revoked.
	AfterRevocation bool
	// Owner and Chain are the agent's, for counting what a revocation covers.
	Owner string
	Chain []pdp.Principal
}

// Acted is an action as the counts see it.
type Acted struct {
	Effect     pdp.Effect
	Operation  uint8 // index in pdp.Operations
	Level      uint8 // of the target's sensitivity
	System     string
	Tool       string
	Target     uint64 // hash of the target's id
	Credential string // fingerprint
}

// Charge is N units of a budget.
type Charge struct {
	Budget string
	Scope  pdp.Scope
	N      int64
	Window int64 // nanoseconds; 0: the life of the scope
	Keep   bool  // stands even when the action fails
	bucket int64 // where it was put, for settling it there
}

// Note is one fact to remember.
type Note struct {
	Fact   string
	Kind   pdp.FactKind
	Scope  pdp.Scope
	Key    string   // canonical JSON, or its fingerprint
	Values []string // canonical JSON each, or fingerprints
	Number float64  // of a ring
	On     pdp.When
	TTL    int64 // nanoseconds
	Keys   int   // bound of keys
	Ring   int   // bound of a ring
}

// Flight is an allowed action whose outcome is awaited.
type Flight struct {
	Deadline int64  // after it, without an outcome, the action is unknown
	Check    string // the key of the check (invariant 10); "" where it has none
	Digest   [32]byte
	Answer   string // the decision as it was answered, encoded; "" when too long
	Host     string
}

// Settling is the outcome of an action.
type Settling struct {
	ID          string // of the decision
	State       pdp.OutcomeState
	Source      string
	Status      int
	Attempts    int
	Sent        int64 // request bytes
	Received    int64 // response bytes
	ContentType string
	Details     string
	Labels      []string
	Notes       []Note
	Late        bool
	// Undeclared lists the facts that were declared to the partition and are
	// not by the generation whose outcome rules were asked: what those would
	// have noted is lost.
	Undeclared []string
}

// AppendBinary appends the entry's encoding to dst.
func (e *Entry) AppendBinary(dst []byte) []byte { return encode(dst, e, codeEntry) }

// DecodeEntry reads what [Entry.AppendBinary] wrote. Any other bytes are an
// error.
func DecodeEntry(b []byte) (*Entry, error) { return decode(b, codeEntry) }

func codeEntry(c *coder, e *Entry) {
	number(c, &e.Kind)
	c.int(&e.At)
	c.raw(e.Partition[:])
	c.uint(&e.Seq)
	optional(c, &e.Record, codeRecord)
	optional(c, &e.Effects, codeEffects)
	optional(c, &e.Settling, codeSettling)
	optional(c, &e.Revoking, codeRevocation)
	text(c, &e.Generation)
	text(c, &e.Problem)
}

func codeRecord(c *coder, r *Record) {
	text(c, &r.ID)
	number(c, &r.Question)
	number(c, &r.Effect)
	text(c, &r.Class)
	list(c, &r.Reasons, codeReason)
	list(c, &r.WouldDeny, codeObserved)
	for _, s := range []*string{&r.Detail, &r.Generation, &r.Door, &r.Listener, &r.Proxy, &r.AgentKind, &r.Owner,
		&r.Credential, &r.CredentialKind, &r.WorkloadCredential, &r.Session, &r.Method, &r.Host, &r.Path, &r.RPC, &r.Tool, &r.System,
		&r.Resource, &r.Environment, &r.RequestID} {
		text(c, s)
	}
	codePrincipal(c, &r.Agent)
	codePrincipal(c, &r.Workload)
	list(c, &r.Chain, codePrincipal)
	text(c, &r.Protocol)
	text(c, &r.Operation)
	text(c, &r.Sensitivity)
	c.flag(&r.Known)
	c.raw(r.Digest[:])
	list(c, &r.Labels, text[string])
	list(c, &r.Charges, codeCharge)
	c.int(&r.PolicyMicros)
	c.int(&r.TotalMicros)
	c.int(&r.Count)
}

func codePrincipal(c *coder, p *pdp.Principal) {
	text(c, &p.ID)
	text(c, &p.Issuer)
}

func codeReason(c *coder, r *pdp.Reason) {
	text(c, &r.Code)
	text(c, &r.Message)
	list(c, &r.Controls, text[string])
}

func codeObserved(c *coder, o *pdp.Observed) {
	text(c, &o.Place)
	text(c, &o.Class)
	codeReason(c, &o.Reason)
}

func codeEffects(c *coder, e *Effects) {
	number(c, &e.Question)
	codePrincipal(c, &e.Root)
	codePrincipal(c, &e.Agent)
	optional(c, &e.Open, codeOpening)
	text(c, &e.Session)
	codeActed(c, &e.Action)
	list(c, &e.Charges, codeCharge)
	list(c, &e.Notes, codeNote)
	list(c, &e.Labels, text[string])
	optional(c, &e.Flight, codeFlight)
	c.flag(&e.Quarantine)
	c.flag(&e.Close)
	c.int(&e.Expires)
	text(c, &e.Generation)
	list(c, &e.Declares, text[string])
}

func codeOpening(c *coder, o *Opening) {
	text(c, &o.ID)
	text(c, &o.Ref)
	c.flag(&o.Shared)
	text(c, &o.Task)
	text(c, &o.Token)
	c.int(&o.Expires)
	c.int(&o.Idle)
	c.flag(&o.Alone)
	c.flag(&o.Past)
	c.flag(&o.AfterRevocation)
	text(c, &o.Owner)
	list(c, &o.Chain, codePrincipal)
}

func codeActed(c *coder, a *Acted) {
	number(c, &a.Effect)
	number(c, &a.Operation)
	number(c, &a.Level)
	text(c, &a.System)
	text(c, &a.Tool)
	c.uint(&a.Target)
	text(c, &a.Credential)
}

func codeCharge(c *coder, v *Charge) {
	text(c, &v.Budget)
	text(c, &v.Scope)
	c.int(&v.N)
	c.int(&v.Window)
	c.flag(&v.Keep)
	c.int(&v.bucket)
}

func codeNote(c *coder, n *Note) {
	text(c, &n.Fact)
	text(c, &n.Kind)
	text(c, &n.Scope)
	text(c, &n.Key)
	list(c, &n.Values, text[string])
	codeFloat(c, &n.Number)
	text(c, &n.On)
	c.int(&n.TTL)
	number(c, &n.Keys)
	number(c, &n.Ring)
}

func codeFlight(c *coder, f *Flight) {
	c.int(&f.Deadline)
	text(c, &f.Check)
	c.raw(f.Digest[:])
	text(c, &f.Answer)
	text(c, &f.Host)
}

func codeSettling(c *coder, s *Settling) {
	for _, v := range []*string{&s.ID, &s.Source, &s.ContentType, &s.Details} {
		text(c, v)
	}
	text(c, &s.State)
	number(c, &s.Status)
	number(c, &s.Attempts)
	c.int(&s.Sent)
	c.int(&s.Received)
	list(c, &s.Labels, text[string])
	list(c, &s.Notes, codeNote)
	c.flag(&s.Late)
	list(c, &s.Undeclared, text[string])
}
