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
	result, err := e.evaluate(ctx, e.admission, input)
	if err != nil {
		return pdp.Admission{}, err
	}
	admission, err := readAdmission(result)
	if err != nil {
		return pdp.Admission{}, wrongType(e.admission, err)
	}
	return admission, nil
}

// Decide implements [pdp.Policy].
func (e *Engine) Decide(ctx context.Context, input value.Value) (pdp.Verdict, error) {
	result, err := e.evaluate(ctx, e.entry, input)
	if err != nil {
		return pdp.Verdict{}, err
	}
	verdict, err := readVerdict(result, e.declared)
	if err != nil {
		return pdp.Verdict{}, wrongType(e.entry, err)
	}
	return verdict, nil
}

// Settle implements [pdp.Policy].
func (e *Engine) Settle(ctx context.Context, input value.Value) (pdp.Effects, error) {
	if e.outcome == nil {
		return pdp.Effects{}, nil
	}
	result, err := e.evaluate(ctx, e.outcome, input)
	if err != nil {
		return pdp.Effects{}, err
	}
	effects, err := readEffects(result, e.declared)
	if err != nil {
		return pdp.Effects{}, wrongType(e.outcome, err)
	}
	return effects, nil
}

// deadline is when an evaluation that begins now must have ended.
func (e *Engine) deadline() time.Time { return time.Now().Add(e.timeout) }

// byTopdown evaluates with OPA's topdown.
func (e *Engine) byTopdown(ctx context.Context, q *query, input value.Value) (value.Value, error) {
	cancel := topdown.NewCancel()
	timer := time.AfterFunc(e.timeout, cancel.Cancel)
	defer timer.Stop()
	stop := context.AfterFunc(ctx, cancel.Cancel)
	defer stop()

	now, _ := input.Path("time", "now_ns").Int()
	results, err := q.prepared.Eval(ctx,
		rego.EvalParsedInput(e.reads.tree(input)),
		rego.EvalTime(time.Unix(0, now)),
		rego.EvalExternalCancel(cancel),
	)
	switch {
	case topdown.IsCancel(err) || ctx.Err() != nil: // OPA may have answered although it was cancelled
		return value.Nothing, timeout(q)
	case err != nil:
		return value.Nothing, failed(q, err)
	case len(results) == 0 || len(results[0].Expressions) != 1:
		return value.Nothing, refuse(pdp.CodePolicyUndefined, q.path+" has no value for this input")
	}
	result, err := value.FromGo(results[0].Expressions[0].Value)
	if err != nil {
		return value.Nothing, wrongType(q, err)
	}
	return result, nil
}

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
