package compiled

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ir"
)

// Program is a compiled policy: immutable, safe for concurrent use.
type Program struct {
	plans  []body
	funcs  []*function
	data   val
	limits Limits
	// memos and paths are how many slots an evaluation needs.
	memos, paths int
	dynamic      *mapping
	runs         sync.Pool
}

// body is compiled code with the number of its locals.
type body struct {
	blocks [][]statement
	locals int
}

// function is one planned function: a rule, or a function of the policy.
type function struct {
	body
	name   string
	params []int  // their locals
	memo   int    // slot of its result; -1 where it has arguments
	index  *index // nil where all blocks are run
	folded *val   // its result, where that depends on nothing but data
}

// mapping finds the function of a path of data at run time.
type mapping struct {
	fn    *function
	below map[string]*mapping
}

func (m *mapping) put(path []string, fn *function) {
	for _, name := range path {
		if m.below == nil {
			m.below = make(map[string]*mapping)
		}
		if m.below[name] == nil {
			m.below[name] = &mapping{}
		}
		m = m.below[name]
	}
	m.fn = fn
}

// compiler compiles one [ir.Policy].
type compiler struct {
	policy  *ir.Policy
	program *Program
	funcs   map[string]*function
	slots   map[path]int
	strict  bool
	problem error
}

// fn compiles the code of one function or plan: locals are numbered anew,
// because the plan numbers them over all functions.
type fn struct {
	*compiler
	planned *ir.Func // nil for an entry point's
	locals  map[ir.Local]int
	usage   *usage // of the outermost block that is compiled
	shared  map[ir.Local]bool
	// known are the locals that hold a constant, inputs those that hold what
	// is at a path of the input; withs counts the replacements around.
	known  map[int]val
	inputs map[int]path
	withs  int
}

func (c *compiler) newFn(planned *ir.Func, blocks []*ir.Block) *fn {
	f := &fn{compiler: c, planned: planned, locals: make(map[ir.Local]int), shared: shared(blocks), known: make(map[int]val)}
	f.inputs = map[int]path{0: ""}
	f.local(ir.Input)
	f.local(ir.Data)
	return f
}

func (f *fn) local(l ir.Local) int {
	i, there := f.locals[l]
	if !there {
		i = len(f.locals)
		f.locals[l] = i
	}
	return i
}

func (c *compiler) fail(format string, args ...any) {
	if c.problem == nil {
		c.problem = fmt.Errorf(format, args...)
	}
}

// assemble compiles a plan over data. strict makes the error of a builtin an
// error, as remit evaluates; otherwise it is undefined.
func assemble(policy *ir.Policy, data val, strict bool, limits Limits) (*Program, error) {
	p := &Program{data: seal(data), limits: limits, dynamic: &mapping{}}
	c := &compiler{policy: policy, program: p, funcs: make(map[string]*function), slots: make(map[path]int), strict: strict}
	for _, planned := range policy.Funcs.Funcs {
		made := &function{name: planned.Name, memo: -1}
		if len(planned.Params) == 2 {
			made.memo = p.memos
			p.memos++
		}
		c.funcs[planned.Name] = made
		p.funcs = append(p.funcs, made)
		if planned.Path != nil {
			p.dynamic.put(planned.Path, made)
		}
	}
	for i, planned := range policy.Funcs.Funcs {
		c.function(p.funcs[i], planned)
	}
	for _, plan := range policy.Plans.Plans {
		f := c.newFn(nil, plan.Blocks)
		blocks := f.outermost(plan.Blocks)
		p.plans = append(p.plans, body{blocks, len(f.locals)})
	}
	if c.problem != nil {
		return nil, c.problem
	}
	p.paths = len(c.slots)
	p.runs.New = func() any { return &run{memo: make([]memo, p.memos), paths: make([]memo, p.paths)} }
	c.fold()
	return p, nil
}

func (c *compiler) function(into *function, planned *ir.Func) {
	f := c.newFn(planned, planned.Blocks)
	for _, param := range planned.Params {
		into.params = append(into.params, f.local(param))
	}
	into.blocks = f.outermost(planned.Blocks)
	into.locals = len(f.locals)
	into.index = f.index(planned.Blocks)
}

// outermost compiles the blocks of a function. Nothing that one has learnt
// of locals holds in the next.
func (f *fn) outermost(blocks []*ir.Block) [][]statement {
	all := make([][]statement, len(blocks))
	for i, b := range blocks {
		f.usage = usageOf([]*ir.Block{b})
		all[i] = f.block(b)
		f.forget(b)
	}
	return all
}

// nested compiles blocks within one. What they learn holds in them alone.
func (f *fn) nested(blocks ...*ir.Block) [][]statement {
	f.forget(blocks...)
	all := make([][]statement, len(blocks))
	for i, b := range blocks {
		all[i] = f.block(b)
		f.forget(blocks...)
	}
	return all
}

func (f *fn) block(b *ir.Block) []statement {
	if b == nil {
		return nil
	}
	statements := make([]statement, 0, len(b.Stmts))
	for i := 0; i < len(b.Stmts); i++ {
		if made, n := f.hoist(b.Stmts[i:]); n > 1 {
			statements = append(statements, made.statements()...)
			i += n - 1
			continue
		}
		if target, ok := assigns(b.Stmts[i]); ok {
			if _, isDot := b.Stmts[i].(*ir.DotStmt); !isDot {
				f.learn(target)
			}
		}
		if compiled := f.statement(b.Stmts[i]); compiled != nil {
			statements = append(statements, compiled)
		}
	}
	return statements
}

func (f *fn) text(i int) string { return f.policy.Static.Strings[i].Value }

// call evaluates a function whose arguments the caller has put into f.
func (p *function) call(f *frame) (val, signal) {
	r := f.run
	if !r.step() {
		return val{}, failed
	}
	s := next
	if p.index == nil {
		for i := 0; i < len(p.blocks) && s < done; i++ {
			s = runBlock(p.blocks[i], f)
		}
	} else {
		s = p.indexed(f)
	}
	if s == failed {
		return val{}, failed
	}
	v := r.result
	r.result = val{}
	return v, next
}

// indexed runs the blocks that can hold.
func (p *function) indexed(f *frame) signal {
	mark := len(f.bits)
	f.bits = slices.Grow(f.bits, p.index.words)[:mark+p.index.words]
	words := f.bits[mark:]
	defer func() { f.bits = f.bits[:mark] }()
	p.index.candidates(f, words)
	for w := range words {
		for word := words[w]; word != 0; word &= word - 1 {
			if s := runBlock(p.blocks[w*64+bits.TrailingZeros64(word)], f); s >= done {
				return s
			}
		}
	}
	return next
}

func (v val) json() json.Number { return json.Number(v.literal()) }
