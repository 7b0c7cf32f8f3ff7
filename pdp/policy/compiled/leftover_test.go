package compiled

// leaveOver puts into the run that the next evaluation is likely to get what one
// before it may have left: whatever reads a place before it has written there says
// something else than topdown then.
func leaveOver(p *Program) {
	r := p.runs.Get().(*run)
	defer p.runs.Put(r)
	left := ofStr("left over")
	if len(r.stack) == 0 {
		r.stack = make([]val, 1024)
	}
	all(r.stack, left)
	for i := range r.memo {
		r.memo[i].v = left
	}
	for i := range r.paths {
		r.paths[i].v, r.paths[i].at = left, 3
	}
	for i := range r.sights {
		r.sights[i].at = 3
	}
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
