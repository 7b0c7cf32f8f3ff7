// Package policy compiles the Rego of a bundle and evaluates it: the admission
// of sessions, the decision about an action, and what is made of its outcome.
//
// Package compiled evaluates; an entry point that cannot be compiled, and an
// evaluation that fails, are OPA's topdown's. Topdown needs its input as a tree,
// which is built from the view (package value) here and nowhere else, and only
// of the members that the bundle can read.
package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Where a bundle answers, besides its entry point.
const (
	DefaultEntrypoint = "data.remit.authz.decision"
	admissionPath     = "data.remit.admission.decision"
	outcomePath       = "data.remit.authz.outcome"
)

// Source is a bundle as this package needs it.
type Source struct {
	Revision string
	Modules  []Module
	Data     value.Value
	// Locate says where a datum stands; nil where nobody knows.
	Locate func(path ...string) (file string, line int)
}

// Module is one Rego file.
type Module struct {
	Path string
	Text []byte
}

// Options say how a bundle is compiled and evaluated.
type Options struct {
	// Entrypoint is the path of the decision; "" is [DefaultEntrypoint].
	Entrypoint string
	// Timeout bounds one evaluation.
	Timeout time.Duration
	// Engine says how to evaluate; "" is [Compiled], but where the tests run once
	// more with the other one.
	Engine EngineName
	// InputSchema is the JSON schema that the type checker holds references to
	// input against.
	InputSchema []byte
}

// Engine is a compiled bundle. It implements [pdp.Policy]; immutable, safe for
// concurrent use.
type Engine struct {
	revision string
	timeout  time.Duration
	engine   EngineName
	declared *pdp.Declarations
	observe  pdp.Observe
	reads    selection
	warnings Problems

	entry, admission, outcome *query // the latter two may be nil
}

var _ pdp.Policy = (*Engine)(nil)

// Compile compiles a bundle. Everything that is wrong with it is reported at
// once, as [Problems].
func Compile(ctx context.Context, s Source, o Options) (*Engine, error) {
	if o.Entrypoint == "" {
		o.Entrypoint = DefaultEntrypoint
	}
	if o.Engine == "" {
		o.Engine = EngineName(standard)
	}
	if !slices.Contains([]EngineName{Compiled, Topdown, Both}, o.Engine) {
		return nil, fmt.Errorf("there is no engine %q: compiled, topdown or both", o.Engine)
	}
	modules, problems := parse(s.Modules)
	problems = append(problems, slices.Concat(forbidden(modules), scattered(modules))...)
	declared, more := readDeclarations(s)
	if problems = append(problems, more...); len(problems) > 0 {
		return nil, problems.err()
	}
	compiler, err := newCompiler(o)
	if err != nil {
		return nil, err
	}
	if compiler.Compile(modules); compiler.Failed() {
		return nil, fromOPA(compiler.Errors).err()
	}
	observe, more := readObserve(s, compiler)
	if problems := append(undeclared(compiler, declared), more...); len(problems) > 0 {
		return nil, problems.err()
	}
	e := &Engine{revision: s.Revision, timeout: o.Timeout, engine: o.Engine, declared: declared, observe: observe, reads: inputReads(compiler)}
	if err := e.prepare(ctx, s, o, compiler, modules); err != nil {
		return nil, err
	}
	return e, e.try(ctx, o.Entrypoint)
}

// Declared returns the facts and budgets the bundle declares.
func (e *Engine) Declared() *pdp.Declarations { return e.declared }

// Observe returns where the bundle's decisions are not enforced. Its packs are
// all there; listeners and systems are for the caller to compare with what it
// has.
func (e *Engine) Observe() pdp.Observe { return e.observe }

// Warnings returns what is not wrong but probably not meant.
func (e *Engine) Warnings() Problems { return e.warnings }

func parse(sources []Module) (map[string]*ast.Module, Problems) {
	modules := make(map[string]*ast.Module)
	var problems Problems
	for _, m := range sources {
		parsed, err := ast.ParseModuleWithOpts(m.Path, string(m.Text), ast.ParserOptions{
			ProcessAnnotation: true, RegoVersion: ast.RegoV1,
		})
		if err != nil {
			problems = append(problems, fromOPA(err)...)
			continue
		}
		if parsed == nil {
			problems = append(problems, Problem{File: m.Path, Line: 1, Text: "the file holds no module"})
			continue
		}
		modules[m.Path] = parsed
	}
	return modules, problems
}

func newCompiler(o Options) (*ast.Compiler, error) {
	compiler := ast.NewCompiler().WithCapabilities(capabilities()).WithStrict(true).WithUseTypeCheckAnnotations(true)
	if len(o.InputSchema) == 0 {
		return compiler, nil
	}
	var schema any
	if err := json.Unmarshal(o.InputSchema, &schema); err != nil {
		return nil, fmt.Errorf("the schema of input is not JSON: %w", err)
	}
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, schema)
	return compiler.WithSchemas(schemas), nil
}

// prepare makes the queries.
func (e *Engine) prepare(ctx context.Context, s Source, o Options, compiler *ast.Compiler, modules map[string]*ast.Module) error {
	data, ok := s.Data.Go().(map[string]any)
	if !ok {
		data = map[string]any{}
	}
	store := inmem.NewFromObjectWithOpts(data, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
	var err error
	if !defines(compiler, o.Entrypoint) {
		return Problems{{Text: "the bundle defines nothing at the entry point " + o.Entrypoint,
			Remedy: "name another one in policy.entrypoint, or `remit init` a bundle that has it"}}
	}
	if e.entry, err = newQuery(ctx, o.Entrypoint, compiler, store); err != nil {
		return err
	}
	if defines(compiler, admissionPath) {
		if e.admission, err = newQuery(ctx, admissionPath, compiler, store); err != nil {
			return err
		}
	}
	if defines(compiler, outcomePath) {
		if e.outcome, err = newQuery(ctx, outcomePath, compiler, store); err != nil {
			return err
		}
	}
	if o.Engine != Topdown {
		e.compile(ctx, s, o, modules)
	}
	return nil
}

func defines(compiler *ast.Compiler, path string) bool {
	ref, err := ast.ParseRef(path)
	return err == nil && len(compiler.GetRules(ref)) > 0
}

func newQuery(ctx context.Context, path string, compiler *ast.Compiler, store storage.Store) (*query, error) {
	prepared, err := rego.New(
		rego.Query(path),
		rego.Compiler(compiler),
		rego.Store(store),
		rego.StrictBuiltinErrors(true),
	).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", path, err)
	}
	return &query{path: path, prepared: prepared}, nil
}

// try evaluates the entry point on samples, so that a bundle that cannot answer
// is found before it serves. A plain rule that is undefined for a sample is
// none of a mistake: it denies.
func (e *Engine) try(ctx context.Context, entrypoint string) error {
	var problems Problems
	for _, sample := range samples(e.declared) {
		_, err := e.Decide(ctx, sample.input)
		var refusal *pdp.Refusal
		switch {
		case err == nil:
		case errors.As(err, &refusal) && refusal.Reason.Code == pdp.CodePolicyUndefined && entrypoint != DefaultEntrypoint:
			e.warnings = append(e.warnings, Problem{
				Text:   fmt.Sprintf("%s is undefined for %s, which denies as an outage of the policy", entrypoint, sample.name),
				Remedy: "give it a default",
			})
		default:
			problems = append(problems, Problem{Text: fmt.Sprintf("%s for %s: %v", entrypoint, sample.name, err)})
		}
	}
	return problems.err()
}

// sample is an input that every bundle must have an answer to.
type sample struct {
	name  string
	input value.Value
}

func samples(declared *pdp.Declarations) []sample {
	generation := &pdp.Generation{Declared: declared}
	nobody := &pdp.Case{Envelope: &pdp.Envelope{}, Generation: generation, Now: time.Unix(1_800_000_000, 0)}
	somebody := *nobody
	somebody.Agent = pdp.Agent{ID: "sample-agent", Issuer: "https://issuer.example", Kind: "jwt"}
	return []sample{{"a caller without an identity", nobody.Input()}, {"an unknown agent", somebody.Input()}}
}

// capabilities are OPA's without what a decision must not depend on.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool { return substitutes[b.Name] != "" })
	c.AllowNet = []string{}
	return c
}

// substitutes says what to use instead of the builtins that a decision must
// not use: the network, the environment, chance.
var substitutes = map[string]string{
	"http.send":              "put what it would fetch into the bundle's data",
	"net.lookup_ip_addr":     "name the addresses in the bundle's data",
	"opa.runtime":            "put settings into the bundle's data",
	"rand.intn":              "a decision must repeat; use a field of input",
	"uuid.rfc4122":           "a decision must repeat; input.request.id tells requests apart",
	"rego.parse_module":      "policies are compiled when the bundle is activated",
	"rego.metadata.rule":     "name the rule in the reason's code",
	"rego.metadata.chain":    "name the rule in the reason's code",
	"providers.aws.sign_req": "a decision sends nothing",
	"trace":                  "remit eval shows what a policy saw",
}

// forbidden reports calls of builtins that a decision must not use.
func forbidden(modules map[string]*ast.Module) (found Problems) {
	for _, m := range modules {
		ast.WalkTerms(m, func(t *ast.Term) bool {
			if call, ok := t.Value.(ast.Call); ok {
				found = appendForbidden(found, call[0], t.Location)
			}
			return false
		})
		ast.WalkExprs(m, func(e *ast.Expr) bool {
			if e.IsCall() {
				found = appendForbidden(found, e.OperatorTerm(), e.Location)
			}
			return false
		})
	}
	return found
}

func appendForbidden(found Problems, operator *ast.Term, loc *ast.Location) Problems {
	name := operator.String()
	if substitute := substitutes[name]; substitute != "" {
		return append(found, at(loc, substitute, "%s may not be used in a decision", name))
	}
	return found
}
