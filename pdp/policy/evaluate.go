package policy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/policy/compiled"
	"github.com/remit-pdp/remit/pdp/value"
)

// query is one path of the bundle, ready to be asked.
type query struct {
	path     string
	prepared rego.PreparedEvalQuery
	// program is nil where only topdown can evaluate the path.
	program *compiled.Program
}

// Admit implements [pdp.Policy].
func (e *Engine) Admit(ctx context.Context, input value.Value) (pdp.Admission, error) {
	if e.admission == nil {
		return pdp.Admission{Admit: true, Task: pdp.NoTask}, nil
	}
	var admission pdp.Admission
	engine, err := e.evaluate(ctx, e.admission, input, func(result value.Value) (err error) {
		admission, err = readAdmission(result)
		return err
	})
	admission.Engine = engine
	return admission, err
}

// Decide implements [pdp.Policy].
func (e *Engine) Decide(ctx context.Context, input value.Value) (pdp.Verdict, error) {
	var verdict pdp.Verdict
	engine, err := e.evaluate(ctx, e.entry, input, func(result value.Value) (err error) {
		verdict, err = readVerdict(result, e.declared)
		return err
	})
	verdict.Engine = engine
	return verdict, err
}

// Settle implements [pdp.Policy].
func (e *Engine) Settle(ctx context.Context, input value.Value) (pdp.Effects, error) {
	if e.outcome == nil {
		return pdp.Effects{}, nil
	}
	var effects pdp.Effects
	_, err := e.evaluate(ctx, e.outcome, input, func(result value.Value) (err error) {
		effects, err = readEffects(result, e.declared)
		return err
	})
	return effects, err
}

// deadline is when an evaluation that begins now must have ended.
func (e *Engine) deadline() time.Time { return time.Now().Add(e.timeout) }

// byTopdown evaluates with OPA's topdown.
func (e *Engine) byTopdown(ctx context.Context, q *query, input value.Value, read func(value.Value) error) error {
	end, cancel := e.deadline(), topdown.NewCancel()
	timer := time.AfterFunc(e.timeout, cancel.Cancel)
	defer timer.Stop()
	stop := context.AfterFunc(ctx, cancel.Cancel)
	defer stop()

	now, _ := input.Path(clock...).Int()
	results, err := q.prepared.Eval(ctx,
		rego.EvalParsedInput(e.reads.tree(input)),
		rego.EvalTime(time.Unix(0, now)),
		rego.EvalExternalCancel(cancel),
	)
	switch {
	case topdown.IsCancel(err) || ctx.Err() != nil || time.Now().After(end): // OPA may have answered although it was cancelled
		return timeout(q)
	case err != nil:
		return failed(q, err)
	case len(results) == 0 || len(results[0].Expressions) != 1:
		return answered(q, value.Nothing, read)
	}
	result, err := value.FromGo(results[0].Expressions[0].Value)
	if err != nil {
		return wrongType(q, err)
	}
	return answered(q, result, read)
}

// clock is the path of the only clock that a policy has.
var clock = []string{"time", "now_ns"}

// refuse is a denial that is the policy's fault, and so an outage to the
// caller, not a verdict about it.
func refuse(code, detail string) *pdp.Refusal {
	return pdp.Refuse(pdp.Unavailable, code, "the decision could not be made", detail)
}

func timeout(q *query) *pdp.Refusal {
	return refuse(pdp.CodePolicyTimeout, q.path+" was not evaluated in time")
}

func wrongType(q *query, err error) *pdp.Refusal {
	return refuse(pdp.CodePolicyType, q.path+": "+err.Error())
}

// failed tells where an evaluation failed and by what class of error. OPA's
// own message may quote values of the input, so it is left out (invariant 7).
func failed(q *query, err error) *pdp.Refusal {
	var e *topdown.Error
	if !errors.As(err, &e) {
		return refuse(pdp.CodePolicyError, q.path+" failed")
	}
	detail := fmt.Sprintf("%s failed with %s", q.path, e.Code)
	if e.Location != nil {
		detail = fmt.Sprintf("%s at %s:%d", detail, e.Location.File, e.Location.Row)
	}
	return refuse(pdp.CodePolicyError, detail)
}
