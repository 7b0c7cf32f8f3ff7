package compiled

import "github.com/remit-pdp/remit/pdp/value"

// loop is a compiled scan: its block is run once for each item of a composite,
// in Rego's order.
type loop struct {
	source    operand
	key, item int // places; -1 where nothing reads it
	block     []statement
}

// round runs the block for one item. In the plan's count a loop is two blocks:
// out of the round, out of the loop.
func (l *loop) round(f *frame, key, item *val) (out signal, again bool) {
	if !f.step() {
		return failed, false
	}
	if l.key >= 0 {
		f.l[l.key] = *key
	}
	if l.item >= 0 {
		f.l[l.item] = *item
	}
	switch s := runBlock(l.block, f); {
	case s == next || s == broken:
		return next, true
	case s >= done:
		return s, false
	default:
		return max(s-2, next), false
	}
}

func (l *loop) run(f *frame) (out signal) {
	again := true
	switch of := l.source.at(f).of.(type) {
	case *list:
		for i := 0; i < len(of.items) && again; i++ {
			key := ofInt(int64(i))
			out, again = l.round(f, &key, &of.items[i])
		}
	case *members:
		of.sort()
		for i := 0; i < len(of.items) && again; i++ {
			out, again = l.round(f, &of.items[i], &of.items[i])
		}
	case *dict:
		of.sort()
		for i := 0; i < len(of.keys) && again; i++ {
			out, again = l.round(f, &of.keys[i], &of.vals[i])
		}
	case value.Object:
		for _, m := range sortedView(of) {
			key, item := ofStr(m.Name), fromView(&m.Value)
			if out, again = l.round(f, &key, &item); !again {
				break
			}
		}
	}
	if again {
		return next
	}
	return out
}
