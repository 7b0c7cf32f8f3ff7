package compiled

import (
	"testing"

	"github.com/remit-pdp/remit/pdp/value"
)

// breaks panics when a member of it is read.
type breaks struct{}

func (breaks) Get(string) value.Value               { panic("no") }
func (breaks) Range(func(string, value.Value) bool) {}

// What a request left is not read by another one, also after one that panicked half
// way through a read.
func TestAPanicLeavesNothingToTheNext(t *testing.T) {
	p, err := Compile(t.Context(), []Module{parsed(t, `package p
d contains input.agent.role if input.agent.role`)}, value.Obj(), []string{"data.p.d"}, Options{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(agent value.Value) string {
		defer func() { recover() }()
		got, err := p.Eval(t.Context(), 0, Question{Input: value.Obj(value.M("agent", agent))})
		if err != nil {
			t.Error(err)
		}
		return string(value.AppendJSON(nil, got))
	}
	for range 20 {
		if got := ask(value.Obj(value.M("role", value.Str("admin")))); got != `["admin"]` {
			t.Fatalf("got %s", got)
		}
		ask(value.From(breaks{}))
		if got := ask(value.Obj()); got != "[]" {
			t.Fatalf("an agent without a role has one: %s", got)
		}
	}
}

// leaveOver puts into the run that the next evaluation is likely to get what one
// before it may have left: whatever reads a place before it has written there says
// something else than topdown then.
func leaveOver(p *Program) {
	r := p.runs.Get().(*run)
	defer p.runs.Put(r)
	left, astray := ofStr("left over"), value.Sight{}
	value.NewMembers([]value.Member{value.M("a", value.Int(1)), value.M("b", value.Int(2))}).See("b", &astray)
	if len(r.stack) == 0 {
		r.stack = make([]val, 1024)
	}
	all(r.stack, left)
	for i := range r.memo {
		r.memo[i].v = left
	}
	for i := range r.paths {
		r.paths[i].v, r.paths[i].sight = left, astray
	}
	all(r.sights, astray)
	all(r.args[:cap(r.args)], left)
	all(r.names[:cap(r.names)], "left over")
	for _, d := range r.arena.dicts {
		all(d.keys[:cap(d.keys)], left)
		all(d.vals[:cap(d.vals)], left)
	}
	for _, m := range r.arena.sets {
		all(m.items[:cap(m.items)], left)
	}
	for _, l := range r.arena.lists {
		all(l.items[:cap(l.items)], left)
	}
	r.spare = left
}

func all[T any](of []T, v T) {
	for i := range of {
		of[i] = v
	}
}
