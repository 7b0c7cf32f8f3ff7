package pdp

import (
	"math"
	"net/http"

	"github.com/remit-pdp/remit/pdp/value"
)

// What an agent is told (DESIGN 5.7), the same at every door: a class, reason
// codes, the decision's id, whether trying again can help. What helps to find
// out what exists is not in it.

// statuses are the HTTP statuses of the classes.
var statuses = map[Class]int{
	OutOfScope:      http.StatusForbidden,
	NeedsApproval:   http.StatusForbidden,
	Revoked:         http.StatusForbidden,
	BudgetSpent:     http.StatusTooManyRequests,
	Pending:         http.StatusTooManyRequests,
	Unauthenticated: http.StatusUnauthorized,
	Unreadable:      http.StatusBadRequest,
	Unavailable:     http.StatusServiceUnavailable,
}

// HTTPStatus returns the status of a denial of this class; of one that is not
// known that of an outage, like every mistake of the decision point's own.
func (c Class) HTTPStatus() int {
	if s := statuses[c]; s != 0 {
		return s
	}
	return http.StatusServiceUnavailable
}

var remedies = map[Class]string{
	OutOfScope:      "do something else: this is not part of what this session may do",
	NeedsApproval:   "a person must approve this action first",
	Revoked:         "ask the person you act for: this session may do nothing more",
	BudgetSpent:     "do without: the limit is reached",
	Pending:         "wait for what is under way, then try again",
	Unauthenticated: "present a valid credential",
	Unreadable:      "send the request in plain, standard form",
	Unavailable:     "try again later: no decision could be made",
}

// Remedy says what would make an action allowed that was denied with this
// class.
func (c Class) Remedy() string { return remedies[c] }

// RetrySeconds is how long to wait before trying again, rounded up: never
// earlier than it helps. 0 means that trying again cannot help.
func (d *Decision) RetrySeconds() int64 { return int64(math.Ceil(d.Retry.Seconds())) }

// Retryable reports whether trying the same again can help.
func (d *Decision) Retryable() bool {
	return d.RetrySeconds() > 0 || d.Class == Pending || d.Class == Unavailable
}

// Explanation is the machine-readable part of a denial, the same in every
// language that it is answered in.
func (d *Decision) Explanation() []value.Member {
	reasons := make([]value.Value, len(d.Reasons))
	for i, reason := range d.Reasons {
		reasons[i] = value.Obj(value.M("code", value.Str(reason.Code)), value.M("message", value.OptStr(reason.Message)))
	}
	members := []value.Member{
		value.M("class", value.Str(string(d.Class))),
		value.M("reasons", value.List(reasons...)),
		value.M("decision_id", value.OptStr(d.ID)),
		value.M("retryable", value.Of(d.Retryable())),
	}
	if seconds := d.RetrySeconds(); seconds > 0 {
		members = append(members, value.M("retry_after_seconds", value.Int(seconds)))
	}
	return members
}

// Problem is a denial as application/problem+json (RFC 9457).
func (d *Decision) Problem() value.Value {
	status := d.Class.HTTPStatus()
	return value.Obj(append([]value.Member{
		value.M("type", value.Str("about:blank")),
		value.M("title", value.Str(http.StatusText(status))),
		value.M("status", value.Int(int64(status))),
		value.M("detail", value.Str(d.Class.Remedy())),
	}, d.Explanation()...)...)
}
