package pdp

import (
	"time"

	"github.com/remit-pdp/remit/pdp/value"
)

// Decision is the answer to one question. The zero Decision denies, and a
// door renders nothing but a Decision.
type Decision struct {
	ID      string // see [IDs]; "" only where not even an id could be made
	Effect  Effect
	Class   Class // for a decision that is not an allow
	Reasons []Reason
	// WouldDeny are denials that were not enforced, of an allow that is owed to
	// them or not.
	WouldDeny []Observed
	// Retry is how long the agent should wait before trying again; 0 means
	// that trying again cannot help.
	Retry time.Duration
	// Response is what the policy wants done to the HTTP exchange.
	Response Response
	// Metadata is what the policy wants to hand to later filters.
	Metadata value.Value
	// Session and Generation name what the decision was made with; either may
	// be empty. Digest is the action's, which the signed header is bound to.
	Session    string
	Generation string
	Digest     [32]byte
	// Engine is what evaluated the policy that was asked last.
	Engine Engine
	// Opened is the session that began by explicit admission; nil otherwise.
	Opened *Opened
	// Reply is how the caller asked, for a door that answers in kind. It is
	// the question's, not the record's.
	Reply Reply
}

// Engine names what evaluated a policy; "" is that no policy was asked.
type Engine string

// The engines. Where a bundle is compiled, topdown (OPA's own) is the fallback
// for what cannot be, and takes many times as long.
const (
	EngineCompiled Engine = "compiled"
	EngineTopdown  Engine = "topdown"
)

// Reply says what an answer must fit to.
type Reply struct {
	Protocol Protocol
	Binding  Binding
	// RPCMethod, RPCID (JSON text, "" for a notification) and Revision are those
	// of the JSON-RPC message; empty where there was none that could be read.
	RPCMethod, RPCID, Revision string
}

// Reason is one reason of a decision.
type Reason struct {
	Code    string // stable, machine readable
	Message string // for a person; never a secret
	// Controls are the controls the rule serves ("ASI02", "NHI5").
	Controls []string
}

// Response is what a decision does to the HTTP exchange. The names follow
// opa-envoy-plugin's result object.
type Response struct {
	Status int    // of a denial; 0 leaves it to the door
	Body   string // of a denial; "" leaves it to the door
	// Headers go to the upstream with an allow, to the caller with a denial.
	Headers Headers
	// ResponseHeaders are added to the upstream's answer after an allow.
	ResponseHeaders Headers
	// RemoveHeaders are taken off an allowed request.
	RemoveHeaders []string
	SetQuery      Headers // query parameters set on an allowed request
	RemoveQuery   []string
}

// When says on which event a policy's memo takes effect.
type When string

// The events of a memo. Done and Failed wait for the outcome: until then the
// memo is pending.
const (
	OnAttempted When = "attempted"
	OnAllowed   When = "allowed"
	OnDenied    When = "denied"
	OnDone      When = "done"
	OnFailed    When = "failed"
)

// Verdict is what a policy said about one action, before anything was made
// true. The zero Verdict denies.
type Verdict struct {
	Effect   Effect
	Class    Class // "" leaves it to the effect
	Reasons  []Reason
	Retry    time.Duration
	Remember []Memo
	Charges  []Charge
	Labels   []string // labels the session picks up with an allow
	// WouldDeny is what packs in observe would have denied.
	WouldDeny []Observed
	Session   Directive
	Response  Response
	Metadata  value.Value
	// Engine is set where the policy was asked, whatever came of it.
	Engine Engine
}

// Memo asks for a fact to be remembered.
type Memo struct {
	Fact string
	Key  []value.Value
	// Values are kept with the fact: up to 4 for `last`, one number for `ring`,
	// where none counts as 1.
	Values []value.Value
	On     When
}

// Charge asks for N units of a budget. N is at least 1.
type Charge struct {
	Budget string
	N      int64
}

// Directive is what a verdict wants done to the session.
type Directive struct {
	Quarantine bool
	Close      bool
	ExpiresIn  time.Duration // shortens the session; 0 leaves it
}

// Admission is what a policy said about the beginning of a session. The zero
// Admission does not admit.
type Admission struct {
	Admit   bool
	Reasons []Reason
	// Task is `input.session.task` for the whole session; where no task is
	// declared it is {"source": "none"}.
	Task value.Value
	// ExpiresIn and Idle shorten the configured limits; 0 leaves them.
	ExpiresIn time.Duration
	Idle      time.Duration
	// InheritNone says that labels of the agent's other sessions do not reach
	// this one, on evidence that the agent cannot make itself.
	InheritNone bool
	// WouldDeny is what packs in observe would have refused.
	WouldDeny []Observed
	// Engine is set where the policy was asked, whatever came of it.
	Engine Engine
}

// NoTask is the task of a session that was admitted without one.
var NoTask = value.Obj(value.M("source", value.Str("none")))

// OutcomeState says how an allowed action ended.
type OutcomeState string

// The outcomes. An action of which nothing was heard in time is unknown.
const (
	OutcomeDone    OutcomeState = "done"
	OutcomeFailed  OutcomeState = "failed"
	OutcomeUnknown OutcomeState = "unknown"
)

// Outcome is what happened after an allow, as a door learned it.
type Outcome struct {
	DecisionID string
	State      OutcomeState
	Source     string // the door: "access_log"
	At         time.Time
	Status     int // HTTP status of the upstream's answer; 0 where there was none
	// Attempts is how often the proxy sent the request upstream; more than
	// one means that the tool may have run more than once.
	Attempts      int
	RequestBytes  int64
	ResponseBytes int64
	ContentType   string
	Host          string // authority of the request, which must match the action's
	Details       string // the proxy's own word for how it ended
}

// Effects is what a policy's outcome rules want remembered. They can add
// facts and labels, never allow or deny.
type Effects struct {
	Remember []Memo
	Labels   []string
}
