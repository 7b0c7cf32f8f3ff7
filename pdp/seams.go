package pdp

import (
	"context"

	"github.com/remit-pdp/remit/pdp/value"
)

// Reader reads an envelope into a request (step 2).
//
// Read is pure. Where the request cannot be read in exactly one way it returns
// a [*Refusal] of class [Unreadable], and with it as much of the request as was
// certain: never a repaired path or body. Read must not keep the envelope; what
// it returns may read it on demand, for as long as the decision lasts.
type Reader interface {
	Read(*Envelope) (Request, error)
}

// Verifier proves who sent a request (step 3).
//
// Verify returns the zero [Agent] for a request without any credential, and a
// [*Refusal] of class [Unauthenticated] for a credential that is not good; its
// Detail tells the operator why, its Reason tells the caller nothing. It never
// takes an identity from a header that a client can set.
type Verifier interface {
	Verify(context.Context, *Envelope) (Agent, error)
}

// Catalog knows what requests do and to what (step 4).
//
// Find always answers: what no entry covers has an unknown target, which is
// [Restricted], and the most restrictive operation its protocol allows for.
// Its cost does not grow with the number of entries.
type Catalog interface {
	Find(*Request) Action
}

// Policy evaluates a bundle (step 6). Every method honours the deadline of its
// context and is safe for concurrent use; the input is read for the duration
// of the call only.
type Policy interface {
	// Admit asks whether a session may begin. A bundle without admission
	// rules admits without a task.
	Admit(ctx context.Context, input value.Value) (Admission, error)
	// Decide asks the entry point. Undefined, error, wrong type and timeout
	// are four different [*Refusal]s (invariant 2).
	Decide(ctx context.Context, input value.Value) (Verdict, error)
	// Settle asks the outcome rules; a bundle without them answers the zero
	// Effects.
	Settle(ctx context.Context, input value.Value) (Effects, error)
}

// History is everything remembered, one partition at a time (steps 5 and 7).
type History interface {
	// Begin waits for c.Partition and returns a turn on it, in which c acts
	// alone. The zero partition is that of nobody: a turn on it is to be had
	// at once, remembers nothing, and still records. Begin returns ctx's
	// error, or a [*Refusal] of class [Unavailable].
	Begin(ctx context.Context, c *Case) (Turn, error)
	// Resume returns the settlement of the action that was allowed with this
	// decision id, by the declarations in force. It returns [ErrNotInFlight]
	// where there is none: an unknown id, or an action settled before.
	Resume(ctx context.Context, declared *Declarations, partition PartitionKey, decisionID string) (Settlement, error)
}

// Turn is one exclusive read and commit of a partition. It belongs to one
// goroutine.
type Turn interface {
	// View returns the partition as the policy sees it for c. Asked again
	// after c.Admission was set, it shows the session that would begin.
	View(c *Case) Snapshot
	// Commit makes d true: one journal entry with all its effects and its
	// record, accepted before Commit returns. Where budgets, bounds or the
	// deadline forbid an allow, what is committed and returned is a denial
	// without charges. An error means that nothing was committed.
	Commit(ctx context.Context, c *Case, d Decision) (Decision, error)
	// Release ends the turn, committed or not. It may be called twice.
	Release()
}

// Settlement is one exclusive settling of an action in flight. It belongs to
// one goroutine.
type Settlement interface {
	// Input is what the policy's outcome rules see of the action.
	Input(Outcome) value.Value
	// Commit settles the action and adds effects, in one journal entry.
	Commit(context.Context, Outcome, Effects) error
	// Release ends the settlement, committed or not. It may be called twice.
	Release()
}

// Snapshot is a partition as one question sees it.
type Snapshot struct {
	// Refusal is set where the state itself forbids the action: the session
	// has ended or is quarantined, or the check repeats an id with another action.
	Refusal *Refusal
	// Recorded is set where the very same check is in flight: its answer.
	Recorded *Decision
	// Open says that there is an open session; without one the admission is
	// asked. Kept says that there is somebody to remember anything for.
	Open bool
	Kept bool
	// NewTarget says that the session has not touched the action's target.
	NewTarget bool
	// What the policy reads; each an object.
	Session  value.Value
	Activity value.Value // of the agent
	Memory   value.Value
	Budgets  value.Value
}

// Generation is one immutable set of everything decisions are made with.
type Generation struct {
	ID       string // the bundle's revision and the configuration's digest
	Reader   Reader
	Verifier Verifier
	Catalog  Catalog
	Policy   Policy
	Declared *Declarations
	Observe  Observe
	Agents   value.Value // data.remit.agents: agent id → profile
}
