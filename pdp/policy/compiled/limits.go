package compiled

import (
	"context"
	"errors"
	"time"
)

// Limits of one evaluation. Zero is no limit.
type Limits struct {
	// Steps are loop rounds and calls.
	Steps int
	// Bytes is what an evaluation may make, roughly: 48 for each value.
	Bytes int
}

// Errors of an evaluation that broke a limit. It has no answer then, and is
// not for topdown to do again.
var (
	ErrLate   = errors.New("the evaluation took too long")
	ErrSteps  = errors.New("the evaluation took too many steps")
	ErrMemory = errors.New("the evaluation made too many values")
)

// size is roughly what a value takes, in bytes.
const size = 48

// step counts one round or call, and looks now and then whether to go on.
func (r *run) step() bool {
	r.steps++
	if r.steps&0x3ff == 0 {
		if late(r.ctx, r.deadline) {
			r.fail(ErrLate)
			return false
		}
		if limit := r.limits.Steps; limit > 0 && r.steps > limit {
			r.fail(ErrSteps)
			return false
		}
	}
	return true
}

// late reports whether an evaluation has no more time.
func late(ctx context.Context, deadline time.Time) bool {
	return ctx.Err() != nil || (!deadline.IsZero() && time.Now().After(deadline))
}

// made counts values that an evaluation makes.
func (r *run) made(n int) bool {
	r.bytes += size * n
	if limit := r.limits.Bytes; limit > 0 && r.bytes > limit {
		r.fail(ErrMemory)
		return false
	}
	return true
}

// weight is how many values v is made of; a long text counts as several.
func weight(v val) int {
	n := 1 + len(v.s)/size
	each(v, func(key, item val) bool { n += weight(item); return true })
	return n
}

// affords reports whether the evaluation may make what a builtin of OPA's is
// about to make: those that can make much of little are asked beforehand, as
// nobody can stop them.
func (r *run) affords(builtin string, args []val) bool {
	estimate := yields[builtin]
	if estimate == nil || r.limits.Bytes <= 0 || float64(r.bytes)+estimate(args) <= float64(r.limits.Bytes) {
		return true
	}
	r.fail(ErrMemory)
	return false
}
