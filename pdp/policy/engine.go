package policy

import (
	"context"
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/policy/compiled"
	"github.com/remit-pdp/remit/pdp/value"
)

// EngineName names a way to evaluate.
type EngineName string

// The engines. Each gives the same answers.
const (
	// Compiled is the engine of package compiled, with topdown for what that
	// cannot do.
	Compiled EngineName = "compiled"
	// Topdown is OPA's own.
	Topdown EngineName = "topdown"
	// Both asks both, and denies where they differ: for tests and for trying.
	Both EngineName = "both"
)

// standard is the engine where none is named. `make test-topdown` links the
// tests with the other one (-ldflags -X).
var standard = "compiled"

// limits of one evaluation, beside its time. Topdown has none of its own: what
// exceeds them is not evaluated again.
var limits = compiled.Limits{Steps: 50_000_000, Bytes: 256 << 20}

// compile compiles what can be; the rest stays topdown's, with a warning.
func (e *Engine) compile(ctx context.Context, s Source, o Options, parsed map[string]*ast.Module) {
	var modules []compiled.Module
	for _, m := range s.Modules {
		modules = append(modules, compiled.Module{Path: m.Path, Text: m.Text, Parsed: parsed[m.Path]})
	}
	options := compiled.Options{Capabilities: capabilities(), Strict: true, Limits: limits, Clock: clock}
	for _, q := range []*query{e.entry, e.admission, e.outcome} {
		if q == nil {
			continue
		}
		program, err := compiled.Compile(ctx, modules, s.Data, []string{q.path}, options)
		if err != nil {
			e.warnings = append(e.warnings, fallback(q.path, err))
			continue
		}
		q.program = program
	}
}

// fallback tells that topdown evaluates a path, because of what, and where that
// stands.
func fallback(path string, cause error) Problem {
	p := Problem{Remedy: "write it differently, or live with the time it takes"}
	var unplanned *compiled.Unplanned
	if errors.As(cause, &unplanned) {
		p.File, p.Line = unplanned.File, unplanned.Line
	} else if found := fromOPA(cause); len(found) > 0 {
		p.File, p.Line, cause = found[0].File, found[0].Line, errors.New(found[0].Text)
	}
	p.Text = fmt.Sprintf("%s is evaluated by topdown, which takes many times as long: %v", path, cause)
	return p
}

// evaluate asks a query, has its answer read while it is there, and says which
// engine gave it. Undefined, failed, out of time and of the wrong type are
// different refusals.
func (e *Engine) evaluate(ctx context.Context, q *query, input value.Value, read func(value.Value) error) (pdp.Engine, error) {
	err := errTopdown
	switch {
	case ctx.Err() != nil:
		return "", timeout(q)
	case q.program == nil:
	case e.engine == Both:
		err = e.byBoth(ctx, q, input, read)
	default:
		err = e.byProgram(ctx, q, input, read)
	}
	if errors.Is(err, errTopdown) {
		return pdp.EngineTopdown, e.byTopdown(ctx, q, input, read)
	}
	return pdp.EngineCompiled, err
}

// errTopdown leaves an evaluation to topdown.
var errTopdown = errors.New("left to topdown")

// byProgram evaluates with the compiled engine. What fails there is asked of
// topdown again: which of several errors comes first, and whether a rule that
// would fail is looked at, depends on the engine's order and index, and a
// failure denies whatever it costs.
func (e *Engine) byProgram(ctx context.Context, q *query, input value.Value, read func(value.Value) error) error {
	var unread error
	err := q.program.Read(ctx, 0, compiled.Question{Input: input, Deadline: e.deadline()}, func(result value.Value) error {
		unread = answered(q, result, read)
		return nil
	})
	switch {
	case ctx.Err() != nil, errors.Is(err, compiled.ErrLate):
		return timeout(q)
	case errors.Is(err, compiled.ErrSteps), errors.Is(err, compiled.ErrMemory):
		return refuse(pdp.CodePolicyError, q.path+": "+err.Error())
	case err != nil:
		return errTopdown
	default:
		return unread
	}
}

// answered has an answer read.
func answered(q *query, result value.Value, read func(value.Value) error) error {
	if !result.Defined() {
		return refuse(pdp.CodePolicyUndefined, q.path+" has no value for this input")
	}
	if err := read(result); err != nil {
		return wrongType(q, err)
	}
	return nil
}

// byBoth asks both engines, and refuses where they differ.
func (e *Engine) byBoth(ctx context.Context, q *query, input value.Value, read func(value.Value) error) error {
	var got, want value.Value
	err := e.byProgram(ctx, q, input, func(v value.Value) error { got = v.Copy(); return nil })
	if errors.Is(err, errTopdown) {
		return err
	}
	wantErr := e.byTopdown(ctx, q, input, func(v value.Value) error { want = v; return nil })
	switch {
	case (err == nil) != (wantErr == nil) || !value.Equal(got, want):
		return refuse(pdp.CodePolicyError, fmt.Sprintf("%s: the engines differ: compiled %s %v, topdown %s %v",
			q.path, value.AppendJSON(nil, got), err, value.AppendJSON(nil, want), wantErr))
	case err != nil:
		return err
	default:
		return answered(q, got, read)
	}
}
