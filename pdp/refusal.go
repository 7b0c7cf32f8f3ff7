package pdp

import (
	"errors"
	"time"
)

// Refusal is why a step says no. It is an error, and it is a decision's class
// and reason: every denial that does not come from a policy is one.
type Refusal struct {
	Class  Class
	Reason Reason
	// Detail tells the operator what exactly was wrong; it goes to the record
	// and the log, never to the caller, and holds no secret.
	Detail string
	// Retry is how long to wait before trying again; 0: it cannot help.
	Retry time.Duration
}

// Refuse returns the refusal with this class, reason code, message for the
// caller and detail for the operator.
func Refuse(class Class, code, message, detail string) *Refusal {
	return &Refusal{Class: class, Reason: Reason{Code: code, Message: message}, Detail: detail}
}

// Error returns the reason code and the operator's detail.
func (r *Refusal) Error() string {
	if r.Detail == "" {
		return r.Reason.Code
	}
	return r.Reason.Code + ": " + r.Detail
}

// ErrNotInFlight says that an outcome belongs to no action in flight.
var ErrNotInFlight = errors.New("no such action in flight")

// ErrNotReady says that no generation is active yet; the same may succeed
// later.
var ErrNotReady = errors.New("no policy is active")

// ErrForged says that an id or a stamp was not made with remit's keys.
var ErrForged = errors.New("not made with the keys of this remit")

// refusal turns any error of a step into the refusal it is, or into an internal
// error: an unexpected error is never a reason to go on.
func refusal(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) && r != nil {
		return r
	}
	return Refuse(Unavailable, CodeInternal, "the decision could not be made", err.Error())
}
