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

func pathOf(names []string) (p path) {
	for _, name := range names {
		p = p.member(name)
	}
	return p
}

// names are those of a path.
func (p path) names() (all []string) {
	for p != "" {
		digits := 0
		for p[digits] != ':' {
			digits++
		}
		n, _ := strconv.Atoi(string(p[:digits]))
		all = append(all, string(p[digits+1:digits+1+n]))
		p = p[digits+1+n:]
	}
	return all
}

// sight is where a read of a member remembers the shape of what it has read.
func (c *compiler) sight() int {
	c.program.sights++
	return c.program.sights - 1
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

// reader reads what is at a path of the input, once an evaluation: the input is
// a view, and reading it may make what it shows.
type reader struct {
	slots []int // of the path's prefixes, the path itself last
	names []string
	last  int
}

func (c *compiler) reader(p path) *reader {
	r := &reader{names: p.names()}
	for i := range r.names {
		r.slots = append(r.slots, c.slot(pathOf(r.names[:i+1])))
	}
	r.last = r.slots[len(r.slots)-1]
	return r
}

// read is what the input has at the path; undefined where it has nothing.
func (r *reader) read(f *run) *val {
	if m := &f.paths[r.last]; m.known {
		return &m.v
	}
	v := &f.input
	for i, slot := range r.slots {
		m := &f.paths[slot]
		if !m.known {
			m.known = true
			f.see(v, &val{k: str, s: r.names[i]}, &m.sight, &m.v)
			f.usedPaths = append(f.usedPaths, int32(slot))
		}
		v = &m.v
	}
	return v
}

// dot compiles a read of a member.
func (f *fn) dot(c *code, s *ir.DotStmt) {
	if p, ok := f.pathOf(s); ok {
		f.learn(s.Target)
		f.inputs[s.Target] = p
		f.readPath(c, p, s.Target)
		return
	}
	source, key := f.operand(s.Source), f.operand(s.Key)
	f.learn(s.Target)
	if from, name := source.is(), key.is(); from.defined() && name.defined() {
		if v := get(from, name); v.defined() {
			f.assign(c, s.Target, v)
			return
		} else if !elsewhere(from, name) {
			c.end()
			return
		}
	}
	live := f.isLive(s.Target)
	to := -1
	if live {
		to = f.local(s.Target)
	}
	f.sure[s.Target] = true
	if name := key.is(); name.k == str {
		look, name := f.sight(), &name
		if to < 0 {
			c.do(func(f *frame) signal {
				f.see(source.at(f), name, &f.sights[look], &f.spare)
				return goOn(f.spare.defined())
			})
			return
		}
		c.do(func(f *frame) signal {
			var v val // what is read may be where it goes
			f.see(source.at(f), name, &f.sights[look], &v)
			f.l[to] = v
			return goOn(v.defined())
		})
		return
	}
	c.do(func(f *frame) signal {
		from, name := source.at(f), key.at(f)
		v := f.get(from, name)
		if to >= 0 {
			f.l[to] = v
		}
		if v.defined() {
			return next
		}
		if elsewhere(*from, *name) {
			return f.fail(ErrElsewhere)
		}
		return broken
	})
}

// pathOf is the path of the input that a statement reads, where it is fixed.
func (f *fn) pathOf(s *ir.DotStmt) (path, bool) {
	local, isLocal := s.Source.Value.(*ir.Local)
	if !isLocal || f.withs > 0 {
		return "", false
	}
	at, ok := f.inputs[*local]
	key := f.operandValue(s.Key)
	if !ok || key.k != str {
		return "", false
	}
	return at.member(key.s), true
}

// readPath reads a path of the input, and ends the block where there is nothing.
func (f *fn) readPath(c *code, p path, target ir.Local) {
	r := f.reader(p)
	if !f.isLive(target) {
		c.check(func(f *frame) signal { return goOn(r.read(f.run).defined()) })
		return
	}
	to := f.local(target)
	c.do(func(f *frame) signal {
		v := r.read(f.run)
		f.l[to] = *v
		return goOn(v.defined())
	})
}

// leadsTo reports whether a statement reads a path of the input only for the
// next one to read a longer one, which then says it all.
func (f *fn) leadsTo(s *ir.DotStmt, following ir.Stmt) bool {
	longer, ok := following.(*ir.DotStmt)
	if !ok || !f.private(s.Target) {
		return false
	}
	from, isLocal := longer.Source.Value.(*ir.Local)
	p, isPath := f.pathOf(s)
	if !isLocal || *from != s.Target || !isPath || f.operandValue(longer.Key).k != str {
		return false
	}
	f.learn(s.Target)
	f.inputs[s.Target] = p
	return true
}

// ErrElsewhere says that this evaluation is for topdown to do: a number was
// looked up in an object of the bundle's data that has it as a string. Topdown
// finds it where the reference begins with data, because it reads data by
// paths of strings, and does not where a variable holds the object; the plan
// does not tell the two apart.
var ErrElsewhere = errors.New("a number was looked up among names of data")

func elsewhere(in, key val) bool {
	d, ok := in.of.(*dict)
	return ok && d.base && key.k == number && d.has(key.literal())
}
