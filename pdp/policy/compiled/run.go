package compiled

import (
	"context"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"

	"github.com/remit-pdp/remit/pdp/value"
)

// signal says how a statement ended. The small numbers are those of breaks: so
// many blocks further out execution goes on.
type signal int32

const (
	next   signal = -1 // go on with the next statement
	broken signal = 0  // undefined: the block ends
	done   signal = 1 << 20
	failed signal = 1 << 21
)

// run is one evaluation. It belongs to one goroutine; runs are pooled.
type run struct {
	program *Program
	limits  Limits
	input   val
	data    val

	stack  []val    // of locals; frames are cut from it
	frames []*frame // by depth of calls
	depth  int
	top    int

	// memo holds the results of functions of input and data alone, one slot a
	// function; paths what was read of the input, one slot a path. Both are of
	// the documents in force: a with has its own.
	memo  []memo
	paths []place
	// sights are where reads of members found them the last time, which holds for
	// the next evaluation as well.
	sights []value.Sight
	// usedMemo and usedPaths are the slots that are filled: there may be many
	// more of rules that do not concern the request.
	usedMemo, usedPaths []int32
	arena               arena
	// args are the arguments of the builtin that is called.
	args []val
	// bits mark the rules that can hold, of the functions under way; names are of
	// an object that the index looks at.
	bits  []uint64
	names []string

	steps    int
	bytes    int
	deadline time.Time
	err      error
	result   val // of the entry point
	spare    val // a result that nobody reads
	ctx      context.Context
	// stop and timer end a builtin of OPA's that takes too long.
	stop   topdown.Cancel
	timer  *time.Timer
	unhook func() bool // from the context
	time   *ast.Term
	cache  builtins.Cache
}

type memo struct {
	known bool
	v     val
}

// place is what was read at a path of the input.
type place struct {
	memo
	sight value.Sight
}

func newRun(p *Program) *run {
	return &run{memo: make([]memo, p.memos), paths: make([]place, p.paths), sights: make([]value.Sight, p.sights)}
}

// frame is one call: its locals, and the evaluation it belongs to.
type frame struct {
	*run
	l    []val
	into *val // where the result goes
}

// statement is one compiled statement.
type statement func(f *frame) signal

// enter makes a frame for a body.
func (r *run) enter(b *body) *frame {
	n := b.locals
	if r.top+n > len(r.stack) {
		// Frames in use keep the old stack: it only stops being cut from.
		r.stack, r.top = make([]val, max(1024, 2*len(r.stack), n)), 0
	}
	if r.depth == len(r.frames) {
		r.frames = append(r.frames, &frame{run: r})
	}
	f := r.frames[r.depth]
	f.l = r.stack[r.top : r.top+n : r.top+n]
	clear(f.l[:b.undefs])
	r.top += n
	r.depth++
	return f
}

func (r *run) leave(f *frame) {
	r.depth--
	if r.top -= len(f.l); r.top < 0 {
		r.top = 0
	}
}

// fail ends the evaluation.
func (r *run) fail(err error) signal {
	if r.err == nil {
		r.err = err
	}
	return failed
}

// see reads the member of v at a key that is a string.
func (r *run) see(v, key *val, last *value.Sight, into *val) {
	switch object := v.of.(type) {
	case *dict:
		if i := object.named(key.s); i >= 0 {
			*into = object.vals[i]
			return
		}
		*into = val{}
	case value.Seen:
		found := object.See(key.s, last)
		r.show(&found, into)
	default:
		*into = r.get(v, key)
	}
}

// get is the member of a value at a key.
func (r *run) get(v, key *val) (found val) {
	if view, ok := v.of.(value.Object); ok {
		if _, made := view.(*dict); !made {
			if key.k == str {
				member := view.Get(key.s)
				r.show(&member, &found)
			}
			return found
		}
	}
	return get(*v, *key)
}

// show is fromView with lists that are lent.
func (r *run) show(v *value.Value, into *val) {
	if v.Kind() != value.Array {
		into.take(v)
		return
	}
	l := r.arena.list(v.Len())
	*into = ofList(l)
	items := v.Items()
	for i := range items {
		l.items = append(l.items, val{})
		r.show(&items[i], &l.items[len(l.items)-1])
	}
}

// clock is what time.now_ns answers.
func (r *run) clock() *ast.Term {
	if r.program.clock == nil {
		return toAST(ofInt(time.Now().UnixNano()))
	}
	if now := r.program.clock.read(r); now.k == number {
		return toAST(*now)
	}
	return toAST(ofInt(0))
}

// runBlock runs statements until one does not go on.
func runBlock(block []statement, f *frame) signal {
	for _, s := range block {
		if r := s(f); r != next {
			return r
		}
	}
	return next
}

// outOf is what a signal of a block means around it.
func (s signal) outOf() signal {
	switch {
	case s == next || s == broken:
		return next
	case s >= done:
		return s
	default:
		return s - 1
	}
}

// Question is what one evaluation is asked with.
type Question struct {
	Input value.Value
	// Deadline, where it is set, ends the evaluation soon after it has come.
	Deadline time.Time
}

// Eval answers entry point i of the program; undefined where the policy says
// nothing. An error is topdown's for the same policy and input, or one of a
// limit.
func (p *Program) Eval(ctx context.Context, i int, q Question) (result value.Value, err error) {
	err = p.Read(ctx, i, q, func(v value.Value) error { result = v.Copy(); return nil })
	return result, err
}

// Read is Eval for an answer that is read where it is: it is gone when read
// returns, whose error Read returns as well. What is kept of it is a copy
// ([value.Value.Copy]).
func (p *Program) Read(ctx context.Context, i int, q Question, read func(value.Value) error) error {
	return p.eval(ctx, i, fromView(&q.Input), q, read)
}

func (p *Program) eval(ctx context.Context, i int, input val, q Question, read func(value.Value) error) error {
	r := p.runs.Get().(*run)
	sound := false // a panic may leave places marked that were never written
	defer func() {
		if r.stop != nil {
			r.letGo()
		}
		if sound {
			p.release(r)
		}
	}()
	r.program, r.limits, r.input, r.data = p, p.limits, input, p.data
	r.ctx, r.deadline = ctx, q.Deadline
	f := r.enter(&p.plans[i])
	f.into = &r.result
	for _, block := range p.plans[i].blocks {
		if s := runBlock(block, f); s >= done {
			break
		}
	}
	err := r.err
	if err == nil {
		err = read(toView(r.result))
	}
	sound = true
	return err
}

// release makes a run ready for the next evaluation. What it grew beyond the
// usual is dropped. What it holds otherwise is left until something else takes its
// place: nothing is read before it was written, and every pointer that is cleared
// costs as much as one that is written.
func (p *Program) release(r *run) {
	for _, i := range r.usedMemo {
		r.memo[i].known = false
	}
	for _, i := range r.usedPaths {
		r.paths[i].known = false
	}
	if len(r.stack) > 1<<14 {
		r.stack = nil
	}
	if cap(r.names) > 1<<8 {
		r.names = nil
	}
	r.arena.reset()
	r.usedMemo, r.usedPaths, r.args, r.bits = r.usedMemo[:0], r.usedPaths[:0], r.args[:0], r.bits[:0]
	r.depth, r.top, r.steps, r.bytes = 0, 0, 0, 0
	r.input, r.result, r.ctx, r.err = val{}, val{}, nil, nil
	p.runs.Put(r)
}

// letGo ends what a builtin of OPA's was given.
func (r *run) letGo() {
	if r.timer != nil {
		r.timer.Stop()
	}
	r.unhook()
	r.stop, r.timer, r.unhook, r.time, r.cache = nil, nil, nil, nil, nil
}
