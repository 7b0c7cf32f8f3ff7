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
	Ordered   Kind = 6 // an operator ordered something about a session: see [Ordering]
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
	Ordering *Ordering
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
	Trace       string // 16 bytes: see [traceOf]
	Digest      [32]byte

	Labels  []string // the session's labels after the decision
	Charges []Charge

	// Engine evaluated the policy, which took PolicyMicros.
	Engine       pdp.Engine
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
	// Lost and LostMarks: see [Partition.Lose]; of the first entry alone.
	Lost, LostMarks int64
	Agent           pdp.Principal
	Open            *Opening // a session begins with this action
	Session         string   // id; "" when a denied admission counts at the agent alone
	Action          Acted
	Charges         []Charge
	Notes           []Note
	Labels          []string
	Flight          *Flight

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
	Ref     Ref
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
	Undecided  bool  // a denial because remit could not decide: an outage, no verdict about the agent
	Operation  uint8 // index in pdp.Operations
	Level      uint8 // of the target's sensitivity
	System     string
	Tool       string
	Target     uint64 // hash of the target's id
	Credential string // fingerprint
}

// denied reports whether the action counts against its agent.
func (a *Acted) denied() bool { return a.Effect != pdp.Allow && !a.Undecided }

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
	Answer   *Answer // what was answered; nil when too long
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
