package compiled

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/compile"
	"github.com/open-policy-agent/opa/v1/ir"

	"github.com/remit-pdp/remit/pdp/value"
)

// Module is one Rego file, parsed and as it was written.
type Module struct {
	Path   string
	Text   []byte
	Parsed *ast.Module
}

// Options say how a policy is compiled.
type Options struct {
	// Capabilities are what policies may use; nil is everything.
	Capabilities *ast.Capabilities
	// Strict makes the error of a builtin an error; otherwise it is undefined.
	Strict bool
	Limits Limits
	// Clock is the path of the input that time.now_ns answers; where none is
	// given it is the time of the machine.
	Clock []string
}

// Compile plans and compiles the rules at entry points, paths like
// "data.remit.authz.decision": entry point i of the program is the i-th. An
// error means that they have to be evaluated otherwise.
func Compile(ctx context.Context, modules []Module, data value.Value, entrypoints []string, o Options) (*Program, error) {
	planned, err := plan(ctx, modules, entrypoints, o)
	if err != nil {
		return nil, err
	}
	return assemble(planned, ground(data), o)
}

func plan(ctx context.Context, modules []Module, entrypoints []string, o Options) (*ir.Policy, error) {
	b := &bundle.Bundle{Data: map[string]any{}, Manifest: bundle.Manifest{Roots: &[]string{""}}}
	b.Manifest.SetRegoVersion(ast.RegoV1)
	for _, m := range modules {
		b.Modules = append(b.Modules, bundle.ModuleFile{URL: m.Path, Path: m.Path, Parsed: m.Parsed, Raw: m.Text})
	}
	paths := make([]string, len(entrypoints))
	for i, e := range entrypoints {
		paths[i] = strings.ReplaceAll(strings.TrimPrefix(e, "data."), ".", "/")
	}
	c := compile.New().WithTarget(compile.TargetPlan).WithBundle(b).WithEntrypoints(paths...).WithRegoVersion(ast.RegoV1)
	if o.Capabilities != nil {
		c = c.WithCapabilities(o.Capabilities)
	}
	if err := c.Build(ctx); err != nil {
		return nil, err
	}
	var policy ir.Policy
	if err := json.Unmarshal(c.Bundle().PlanModules[0].Raw, &policy); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	return &policy, nil
}

// ground is data as the program keeps it: no views.
func ground(v value.Value) val {
	switch v.Kind() {
	case value.Array:
		l := &list{items: make([]val, 0, v.Len())}
		for _, item := range v.Items() {
			l.items = append(l.items, ground(item))
		}
		return ofList(l)
	case value.Map:
		d := newDict(0)
		d.base = true
		v.Range(func(name string, item value.Value) bool { d.insert(ofStr(name), ground(item)); return true })
		return ofDict(d)
	default:
		return fromView(&v)
	}
}
