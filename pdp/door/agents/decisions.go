package agents

import (
	"context"
	"fmt"
	"net/http"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// suppose says what would be decided about one request, or about each of a
// batch: {"evaluations": [...]}, as AuthZEN 1.0 has it. The members of the
// answer are AuthZEN's too: a decision, and its context.
func (d *Door) suppose(ctx context.Context, env *pdp.Envelope) reply {
	body, err := readBody(env)
	if err != nil {
		return unreadable(err)
	}
	batch := body.Get("evaluations")
	if !batch.Defined() {
		about, err := d.described("", body, env)
		if err != nil {
			return unreadable(err)
		}
		decision := d.decider.Suppose(ctx, env, about)
		if unanswered(&decision) {
			return denied(&decision)
		}
		return reply{http.StatusOK, evaluation(&decision), nil}
	}
	abouts, err := d.batch(body, env)
	if err != nil {
		return unreadable(err)
	}
	answers := make([]value.Value, len(abouts))
	for i, about := range abouts {
		decision := d.decider.Suppose(ctx, env, about)
		if unanswered(&decision) {
			return denied(&decision)
		}
		answers[i] = evaluation(&decision)
	}
	return reply{http.StatusOK, value.Obj(value.M("evaluations", value.List(answers...))), nil}
}

// batch reads every description before any is asked about.
func (d *Door) batch(body value.Value, env *pdp.Envelope) ([]*pdp.Envelope, error) {
	var err error
	whole := fieldsOf("", body, &err)
	list := whole.get("evaluations")
	if n := list.Len(); list.Kind() != value.Array || n == 0 || n > d.settings.MaxBatch {
		whole.wrong("evaluations", "must be a list of 1 to %d descriptions", d.settings.MaxBatch)
	}
	if whole.done(); err != nil {
		return nil, err
	}
	abouts := make([]*pdp.Envelope, list.Len())
	for i, item := range list.Items() {
		if abouts[i], err = d.described(fmt.Sprintf("evaluations[%d]", i), item, env); err != nil {
			return nil, err
		}
	}
	return abouts, nil
}

// unanswered reports whether a decision is about the asking itself, not about
// the action: who asks is not proved, may not ask so much, or remit cannot say.
func unanswered(d *pdp.Decision) bool {
	if d.Effect == pdp.Allow {
		return d.ID == ""
	}
	limited := len(d.Reasons) > 0 && d.Reasons[0].Code == pdp.CodeQuestionLimit
	return d.Class == pdp.Unauthenticated || d.Class == pdp.Unavailable || limited
}

// evaluation says what would be decided, with no more than the denial itself
// would say: its class and reason codes.
func evaluation(d *pdp.Decision) value.Value {
	context := []value.Member{value.M("decision_id", value.Str(d.ID))}
	if d.Effect != pdp.Allow {
		codes := make([]string, len(d.Reasons))
		for i, reason := range d.Reasons {
			codes[i] = reason.Code
		}
		context = append(context, value.M("class", value.Str(string(d.Class))), value.M("reasons", value.Strs(codes)),
			value.M("retryable", value.Of(d.Retryable())))
		if seconds := d.RetrySeconds(); seconds > 0 {
			context = append(context, value.M("retry_after_seconds", value.Int(seconds)))
		}
	}
	return value.Obj(value.M("decision", value.Of(d.Effect == pdp.Allow)), value.M("context", value.Obj(context...)))
}
