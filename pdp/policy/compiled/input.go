package compiled

import (
	"errors"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ir"
)

// path is a path of the input in one string: each name with its length before
// it, so that no two paths are the same string.
type path string

func (p path) member(name string) path {
	return p + path(strconv.Itoa(len(name))+":"+name)
}

// slot is where an evaluation keeps what it has read at a path.
func (c *compiler) slot(p path) int {
	i, there := c.slots[p]
	if !there {
		i = len(c.slots)
		c.slots[p] = i
	}
	return i
}

// dot compiles a read of a member. What is at a path of the input is read once
// an evaluation: the input is a view, and reading it may make what it shows.
func (f *fn) dot(s *ir.DotStmt) statement {
	source, key := f.operand(s.Source), f.operand(s.Key)
	at, ok := f.inputs[source.local]
	to := f.learn(s.Target)
	if ok && key.local < 0 && key.constant.k == str && f.withs == 0 {
		at = at.member(key.constant.s)
		f.inputs[to] = at
		from, name, slot := source.local, key.constant, f.slot(at)
		return func(f *frame) signal {
			m := &f.paths[slot]
			if !m.known {
				m.v, m.known = get(f.l[from], name), true
			}
			f.l[to] = m.v
			return goOn(m.v.defined())
		}
	}
	if key.local < 0 {
		name := key.constant
		return func(f *frame) signal {
			f.l[to] = get(source.of(f), name)
			return goOn(f.l[to].defined())
		}
	}
	return func(f *frame) signal {
		from, name := source.of(f), f.l[key.local]
		if f.l[to] = get(from, name); f.l[to].defined() {
			return next
		}
		if elsewhere(from, name) {
			return f.fail(ErrElsewhere)
		}
		return broken
	}
}

// ErrElsewhere says that this evaluation is for topdown to do: a number was
// looked up in an object of the bundle's data that has it as a string. Topdown
// finds it where the reference begins with data, because it reads data by
// paths of strings, and does not where a variable holds the object; the plan
// does not tell the two apart.
var ErrElsewhere = errors.New("a number was looked up among names of data")

func elsewhere(in, key val) bool {
	d, ok := in.of.(*dict)
	return ok && d.base && key.k == number && d.find(ofStr(key.literal())) >= 0
}
