package compiled

import (
	"github.com/open-policy-agent/opa/v1/ir"
)

// fn compiles the code of one function or plan.
//
// It does so more than once: what an earlier pass found to be read by nobody
// is not assigned in the next one. What is known of locals depends on the
// statements before alone, so that every pass knows the same.
type fn struct {
	*compiler
	planned *ir.Func // nil for an entry point's
	consts  []val    // of the parameters after the documents
	general bool     // data is not the bundle's

	whole   *usage // of all blocks
	usage   *usage // of the outermost block that is compiled
	shared  map[ir.Local]bool
	exposed map[ir.Local]bool
	// live are the locals that the pass before read; read are this one's.
	live, read map[ir.Local]bool

	// numbers are the places of locals in a frame: first those that blocks
	// share, then each block's own.
	numbers       map[ir.Local]int
	own           map[ir.Local]int
	undefs, width int

	// What is known of locals at the statement that is compiled: constants,
	// what is at a path of the input, results of rules, copies of others, that
	// they are defined. withs counts the replacements around.
	known   map[ir.Local]val
	inputs  map[ir.Local]path
	results map[ir.Local]*function
	copies  map[ir.Local]ir.Local
	sure    map[ir.Local]bool
	withs   int
	loops   int // around
}

// compile compiles blocks, in as many passes as it takes.
func (f *fn) compile(blocks []*ir.Block) body {
	f.whole, f.shared, f.exposed = usageOf(blocks), shared(blocks), exposed(blocks)
	for {
		f.begin()
		made := f.outermost(blocks)
		if f.live != nil && len(f.live) == len(f.read) {
			return body{made, f.width, f.undefs}
		}
		f.live = f.read
	}
}

// begin begins a pass.
func (f *fn) begin() {
	f.read, f.numbers, f.undefs, f.width = make(map[ir.Local]bool), make(map[ir.Local]int), 0, 0
	f.known, f.inputs = make(map[ir.Local]val), map[ir.Local]path{ir.Input: ""}
	f.results, f.copies, f.sure = make(map[ir.Local]*function), make(map[ir.Local]ir.Local), make(map[ir.Local]bool)
	if !f.general {
		f.known[ir.Data] = f.program.data
	}
	for i, v := range f.consts {
		if v.defined() {
			f.known[f.planned.Params[2+i]] = v
		}
	}
	for l := range f.exposed {
		if l > ir.Data && (f.live == nil || f.live[l]) {
			f.numbers[l] = len(f.numbers)
		}
	}
	f.undefs = len(f.numbers)
	f.width = f.undefs
}

// local is the place of a local in the frame.
func (f *fn) local(l ir.Local) int {
	if i, there := f.numbers[l]; there {
		return i
	}
	i, there := f.own[l]
	if !there {
		i = f.undefs + len(f.own)
		f.own[l] = i
		f.width = max(f.width, i+1)
	}
	return i
}

// numberOf is the place of a parameter; -1 for one that nothing reads.
func (f *fn) numberOf(param ir.Local) int {
	if i, there := f.numbers[param]; there && f.read[param] {
		return i
	}
	return -1
}

// reading is the place of a local that is read.
func (f *fn) reading(l ir.Local) int {
	f.read[l] = true
	return f.local(l)
}

// isLive reports whether anything reads a local, as far as is known.
func (f *fn) isLive(l ir.Local) bool { return f.live == nil || f.live[l] }

// learn drops what is known of a local that is assigned anew.
func (f *fn) learn(l ir.Local) {
	if l > ir.Data { // the documents are with's to replace
		delete(f.inputs, l)
		delete(f.known, l)
		delete(f.results, l)
		delete(f.copies, l)
		delete(f.sure, l)
	}
	for copied, of := range f.copies {
		if of == l {
			delete(f.copies, copied)
		}
	}
}

// assignCopy learns that a local is assigned what another one holds.
func (f *fn) assignCopy(to, from ir.Local) {
	if of, copied := f.copies[from]; copied {
		from = of
	}
	f.learn(to)
	if v, ok := f.known[from]; ok {
		f.known[to] = v
	}
	if p, ok := f.inputs[from]; ok && (from != ir.Input || f.withs == 0) {
		f.inputs[to] = p
	}
	if r, ok := f.results[from]; ok {
		f.results[to] = r
	}
	if from != to {
		f.copies[to] = from
	}
	f.sure[to] = f.sure[from]
}

// isSure reports whether a local is defined wherever its block has come so far.
func (f *fn) isSure(l ir.Local) bool {
	if of, copied := f.copies[l]; copied {
		l = of
	}
	return f.sure[l]
}

// forget drops what is known of the locals that blocks assign: they may have
// run or not, once or more often.
func (f *fn) forget(blocks ...*ir.Block) {
	for l := range usageOf(blocks).assigned {
		f.learn(l)
	}
}

// operandKind says where an operand is found.
type operandKind uint8

const (
	isConstant operandKind = iota
	isLocal
	isPath   // of the input, read before
	isResult // of a rule, made before
	isInput
	isData
)

// operand is what a statement works with. It is small, and its methods take it by
// value, so that a closure holds its operands in itself.
type operand struct {
	kind     operandKind
	i        int32 // place of a local, slot of a path or of a result
	constant *val  // nil where it is none
}

func constantly(v val) operand { return operand{constant: &v} }

func (f *fn) operand(o ir.Operand) operand {
	switch v := o.Value.(type) {
	case *ir.Local:
		return f.localOperand(*v)
	case *ir.StringIndex:
		return constantly(ofStr(f.text(int(*v))))
	case *ir.Bool:
		return constantly(ofBool(bool(*v)))
	default:
		f.fail(nil, "an operand of type %T", v)
		return constantly(val{})
	}
}

// operandValue is the constant that an operand is, undefined where it is none.
func (f *fn) operandValue(o ir.Operand) val {
	local, isLocal := o.Value.(*ir.Local)
	if !isLocal {
		return f.operand(o).is()
	}
	if of, copied := f.copies[*local]; copied {
		return f.known[of]
	}
	return f.known[*local]
}

// localOperand is where what a local holds is found with the least work.
func (f *fn) localOperand(l ir.Local) operand {
	if of, copied := f.copies[l]; copied {
		l = of
	}
	if v, ok := f.known[l]; ok {
		return constantly(v)
	}
	switch {
	case l == ir.Input:
		return operand{kind: isInput}
	case l == ir.Data:
		f.readsData = true
		return operand{kind: isData}
	}
	if p, ok := f.inputs[l]; ok && p != "" && f.withs == 0 {
		return operand{kind: isPath, i: int32(f.slot(p))}
	}
	if r, ok := f.results[l]; ok && f.withs == 0 {
		return operand{kind: isResult, i: int32(r.memo)}
	}
	return operand{kind: isLocal, i: int32(f.reading(l))}
}

// at is where the value is: not to be changed, and there until the statement
// has ended.
func (o operand) at(f *frame) *val {
	switch o.kind {
	case isLocal:
		return &f.l[o.i]
	case isConstant:
		return o.constant
	case isPath:
		return &f.paths[o.i].v
	case isResult:
		return &f.memo[o.i].v
	case isInput:
		return &f.input
	default:
		return &f.data
	}
}

// of is the value itself.
func (o operand) of(f *frame) val { return *o.at(f) }

// is returns the constant that an operand is, undefined where it is none.
func (o operand) is() val {
	if o.constant == nil {
		return val{}
	}
	return *o.constant
}
