package pdp

// Effect is what a decision does. The zero Effect denies (invariant 1).
type Effect uint8

// The effects, in the order in which a stronger one wins over a weaker one.
const (
	Deny      Effect = iota
	Challenge        // not now: a person must approve this very action first
	Allow
)

// String returns the effect's name in policy, records and metrics.
func (e Effect) String() string {
	switch e {
	case Allow:
		return "allow"
	case Challenge:
		return "challenge"
	default:
		return "deny"
	}
}

// Operation is what an action does to its target.
type Operation string

// The operations. OpUnknown is not one that a catalog may name: it stands for
// [OpAdmin] until the catalog or the protocol says what an action does.
const (
	Discover   Operation = "discover"
	Read       Operation = "read"
	Write      Operation = "write"
	Delete     Operation = "delete"
	Execute    Operation = "execute"
	Send       Operation = "send"       // data leaves to a third party
	Credential Operation = "credential" // mints or reads a secret
	Admin      Operation = "admin"
)

// Operations lists every operation, from the least restrictive to the most.
// An action whose operation is not known has the last one.
var Operations = []Operation{Discover, Read, Write, Delete, Execute, Send, Credential, Admin}

// Index returns the operation's place in [Operations], and the last place for
// a word that is not an operation.
func (o Operation) Index() int {
	for i, known := range Operations {
		if o == known {
			return i
		}
	}
	return len(Operations) - 1
}

// Sensitivity is how much harm a target can do. The zero Sensitivity is that
// of an unknown target, the highest.
type Sensitivity string

// The sensitivities, level 0 to 3.
const (
	Public       Sensitivity = "public"
	Internal     Sensitivity = "internal"
	Confidential Sensitivity = "confidential"
	Restricted   Sensitivity = "restricted"
)

// Sensitivities lists every sensitivity by its level.
var Sensitivities = []Sensitivity{Public, Internal, Confidential, Restricted}

// Level returns 0 (public) to 3 (restricted); anything that is not a
// sensitivity counts as restricted.
func (s Sensitivity) Level() int {
	for i, known := range Sensitivities {
		if s == known {
			return i
		}
	}
	return len(Sensitivities) - 1
}

// Protocol is the language a request speaks.
type Protocol string

// The protocols.
const (
	HTTP Protocol = "http"
	GRPC Protocol = "grpc"
	MCP  Protocol = "mcp"
	A2A  Protocol = "a2a"
	// Network is no request at all: a connection that the proxy asks about
	// before a byte of it is read.
	Network Protocol = "network"
)

// Binding is how a request's protocol is carried, which an answer has to be
// carried in as well.
type Binding string

// The bindings. A connection ([Network]) has none.
const (
	BindingHTTP    Binding = "http"    // a method and a path
	BindingJSONRPC Binding = "jsonrpc" // a JSON-RPC 2.0 message in a POST
	BindingGRPC    Binding = "grpc"    // a framed message on a path that names the method
)

// MCPRevisions are the revisions of MCP that are read, and A2AVersions those of
// A2A: who speaks another one is told these.
var (
	MCPRevisions = []string{"2025-06-18", "2025-11-25", "2026-07-28"}
	A2AVersions  = []string{"1.0"}
)

// BodyState says how much of a request's body the decision could see.
type BodyState string

// The body states. The zero BodyState means that no reader has looked yet and
// is treated as [BodyUnreadable].
const (
	BodyNone       BodyState = "none"       // the request has no body
	BodyComplete   BodyState = "complete"   // all of it was seen
	BodyTruncated  BodyState = "truncated"  // the proxy cut it
	BodyUnseen     BodyState = "unseen"     // it may have one; the proxy did not send it
	BodyUnreadable BodyState = "unreadable" // seen, but two readers could read it differently
)

// Class is the kind of answer an agent is given (DESIGN 5.7): stable, machine
// readable, and nothing that helps to enumerate what exists.
type Class string

// The classes of a decision that is not an allow.
const (
	OutOfScope      Class = "out_of_scope"
	NeedsApproval   Class = "needs_approval"
	BudgetSpent     Class = "budget_spent"
	Pending         Class = "pending"
	Revoked         Class = "revoked"
	Unauthenticated Class = "unauthenticated"
	Unreadable      Class = "unreadable"
	Unavailable     Class = "unavailable"
)

// CodeRevision is the reason code for a protocol's revision that is not read.
const CodeRevision = "unsupported_revision"

// Reason codes that remit itself gives. Policies bring their own; these are
// reserved to the decision point.
const (
	CodeNotReady         = "not_ready"          // no generation is active
	CodeUnreadable       = "unreadable"         // prefix: unreadable_path, unreadable_body, …
	CodeUnauthenticated  = "unauthenticated"    // a credential was presented and is not good
	CodeKeysUnavailable  = "keys_unavailable"   // nothing to verify credentials with: the issuer is down
	CodeHistoryDown      = "history_down"       // the store could not read or record
	CodeDeadline         = "deadline"           // the answer could not reach the caller in time
	CodePolicyUndefined  = "policy_undefined"   // the entry point has no value for this input
	CodePolicyError      = "policy_error"       // evaluation failed
	CodePolicyType       = "policy_type"        // the entry point's value is not a decision
	CodePolicyTimeout    = "policy_timeout"     // evaluation took too long
	CodeNotAdmitted      = "not_admitted"       // the session may not begin
	CodeRevoked          = "revoked"            // a revocation point covers the action
	CodeSessionEnded     = "session_ended"      // closed or past its maximum age
	CodeSessionToken     = "session_token"      // the session token is not good
	CodeNoSession        = "no_session"         // the question is about a session, and no token names one
	CodeQuestionLimit    = "question_limit"     // too many questions about what would be allowed
	CodeSessionLimit     = "session_limit"      // too many sessions, or opened too fast
	CodeQuarantined      = "quarantined"        // the session may do nothing more for now
	CodeBudgetSpent      = "budget_spent"       // a budget would be exceeded
	CodeStateFull        = "state_full"         // a bound of the session's state is reached
	CodeRepeatedCheck    = "repeated_check"     // the same request id with another action
	CodeEffectsNeedAgent = "effects_need_agent" // an allow with effects, and nobody to keep them for
	CodeInternal         = "internal_error"     // a mistake in remit
)
