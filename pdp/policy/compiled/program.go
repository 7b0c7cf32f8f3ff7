package compiled

import (
	"math/bits"
	"slices"
	"sync"
)

// Program is a compiled policy: immutable, safe for concurrent use.
type Program struct {
	plans  []body
	data   val
	limits Limits
	// memos, paths and sights are how many slots an evaluation needs.
	memos, paths, sights int
	clock                *reader // of time.now_ns; nil where the policy has none
	runs                 sync.Pool
}

// body is compiled code with the number of its locals, of which the first few
// have to be undefined at the beginning.
type body struct {
	blocks         [][]statement
	locals, undefs int
}

// function is one planned function: a rule, or a function of the policy; or a
// variant of one, with some arguments known beforehand.
type function struct {
	body
	params []int  // their locals; -1 for one that nothing reads
	memo   int    // slot of its result; -1 where that depends on arguments
	index  *index // nil where all blocks are run
	folded *val   // its result, where that depends on nothing but data
	path   path   // what it answers, where that is what is at a path of the input
	isPath bool
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

// result is the function's for the documents in force, remembered.
func (p *function) result(f *frame) (*val, signal) {
	if p.folded != nil {
		return p.folded, next
	}
	if m := &f.memo[p.memo]; m.known {
		return &m.v, next
	}
	m := &f.memo[p.memo]
	callee := f.enter(&p.body)
	s := p.call(callee, &m.v)
	f.leave(callee)
	m.known = s == next
	f.usedMemo = append(f.usedMemo, int32(p.memo))
	return &m.v, s
}

// with calls with arguments of the caller's frame, those after the documents, and
// puts the result into into.
func (p *function) with(f *frame, args []operand, into *val) signal {
	callee := f.enter(&p.body)
	for i := range args {
		if to := p.params[i]; to >= 0 {
			callee.l[to] = *args[i].at(f)
		}
	}
	s := p.call(callee, into)
	f.leave(callee)
	return s
}

// call evaluates a function whose arguments the caller has put into f, and puts
// the result into into; undefined where it has none.
func (p *function) call(f *frame, into *val) signal {
	if !f.step() {
		return failed
	}
	*into = val{}
	f.into = into
	s := next
	if p.index == nil {
		for i := 0; i < len(p.blocks) && s < done; i++ {
			s = runBlock(p.blocks[i], f)
		}
	} else {
		s = p.indexed(f)
	}
	if s == failed {
		return failed
	}
	return next
}

// indexed runs the blocks that can hold.
func (p *function) indexed(f *frame) (s signal) {
	mark := len(f.bits)
	f.bits = slices.Grow(f.bits, p.index.words)[:mark+p.index.words]
	p.index.candidates(f, f.bits[mark:])
	s = next
	for w := 0; w < p.index.words && s < done; w++ {
		for word := f.bits[mark+w]; word != 0 && s < done; word &= word - 1 {
			s = runBlock(p.blocks[w*64+bits.TrailingZeros64(word)], f)
		}
	}
	f.bits = f.bits[:mark]
	return s
}
