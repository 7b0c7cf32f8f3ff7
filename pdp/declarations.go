package pdp

import "time"

// Declarations are the memory that a bundle asks for: its facts
// (`data.remit.memory`) and budgets (`data.remit.budgets`). Immutable.
type Declarations struct {
	Facts   map[string]*Fact
	Budgets map[string]*Budget
}

// Scope says for whom a fact or a budget is kept.
type Scope string

// The scopes, from the narrowest to the widest that one decision can touch.
const (
	PerSession   Scope = "session"
	PerAgent     Scope = "agent"
	PerPartition Scope = "partition"
)

// FactKind says what is kept of a fact.
type FactKind string

// The kinds of facts.
const (
	// FactLast keeps, per key, when it happened last, its sequence number and
	// up to 4 values.
	FactLast FactKind = "last"
	// FactRing keeps, per key, the latest times and one number each, and what
	// fell out of the ring as a residue.
	FactRing FactKind = "ring"
)

// Fact declares one fact.
type Fact struct {
	Name  string
	Kind  FactKind
	Scope Scope
	// TTL is how long a key is kept after its last use. At least a second.
	TTL time.Duration
	// Keys is how many keys are kept for each scope, 1 to 4096; beyond it the
	// oldest is evicted, visibly.
	Keys int
	// Ring is how many entries a ring keeps, 1 to 64; 0 for other kinds.
	Ring int
	// Clear says that keys and values are kept readable; otherwise both are
	// fingerprinted, and a value that comes back is its fingerprint.
	Clear bool
	// Lookup names lists of input paths that make the key of a request:
	// {"here": [["action","arguments","change_id"]]}.
	Lookup map[string][][]string
}

// Budget declares one budget.
type Budget struct {
	Name  string
	Scope Scope
	Limit int64
	// Window is the length of the rolling window; 0 is the life of the scope.
	Window time.Duration
	Unit   string
	// KeepOnFailure says that a charge stands when its action fails.
	KeepOnFailure bool
	// Shown says that an agent may see how much of it remains.
	Shown bool
}
