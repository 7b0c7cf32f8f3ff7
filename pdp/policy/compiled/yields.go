package compiled

import (
	"math"
	"strconv"
	"strings"
)

// yields says how many bytes a builtin can make of its arguments, for those
// that make more than a few times their size.
var yields = map[string]func(args []val) float64{
	"numbers.range":      func(a []val) float64 { return size * distance(a) },
	"numbers.range_step": func(a []val) float64 { return size * distance(a) / max(1, magnitude(a[2])) },
	"bits.lsh":           func(a []val) float64 { return magnitude(a[1]) },
	"mul":                func(a []val) float64 { return float64(digits(a[0]) + digits(a[1])) },
	"sprintf":            func(a []val) float64 { return printed(a[0].s) },
	"replace":            func(a []val) float64 { return replaced(a[0].s, a[1].s, a[2].s) },
	"strings.replace_n": func(a []val) (most float64) {
		each(a[0], func(_, to val) bool { most = max(most, float64(len(to.s))); return true })
		return float64(len(a[1].s)) * most
	},
	"net.cidr_expand": func(a []val) float64 {
		_, length, _ := strings.Cut(a[0].s, "/")
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 {
			return 0 // which the builtin will find out
		}
		bits := 32
		if strings.Contains(a[0].s, ":") {
			bits = 128
		}
		return size * math.Pow(2, float64(bits-n))
	},
	"graph.reachable_paths": func(a []val) (total float64) {
		w := &walker{graph: a[0], on: make(map[string]bool), most: 1 << 20}
		each(a[1], func(_, node val) bool { return w.walk(node, 1) })
		if w.most < 0 {
			return math.Inf(1)
		}
		return size * w.items
	},
}

// walker counts the paths of a graph, as far as it is worth it.
type walker struct {
	graph val
	on    map[string]bool // nodes of the path
	most  int             // steps that are left
	items float64         // of all paths
}

func (w *walker) walk(node val, length int) (goOn bool) {
	if w.most--; w.most < 0 {
		return false
	}
	key := node.key()
	if w.on[key] {
		return true
	}
	w.on[key] = true
	w.items += float64(length)
	each(get(w.graph, node), func(_, to val) bool { return w.walk(to, length+1) })
	delete(w.on, key)
	return w.most >= 0
}

// magnitude is the size of a number, and 0 for anything else, which the builtin
// will refuse.
func magnitude(v val) float64 {
	if v.k != number {
		return 0
	}
	return math.Abs(v.float())
}

// distance is how far two numbers are apart.
func distance(a []val) float64 {
	if a[0].k != number || a[1].k != number {
		return 0
	}
	return math.Abs(a[1].float() - a[0].float())
}

// digits are those of a number.
func digits(v val) int {
	if v.whole {
		return 20
	}
	return len(v.s)
}

// replaced is the length of a text in which each old became new.
func replaced(text, old, new string) float64 {
	return float64(len(text)) + float64(strings.Count(text, old))*float64(len(new))
}

// printed is what the widths and precisions in a format amount to; a star has
// its width from an argument.
func printed(format string) (total float64) {
	const widest = 1e6 // package fmt takes no more
	for i := 0; i < len(format); i++ {
		switch c := format[i]; {
		case c == '*':
			total += widest
		case c >= '0' && c <= '9':
			end := i
			for end < len(format) && format[end] >= '0' && format[end] <= '9' {
				end++
			}
			n, err := strconv.Atoi(format[i:end])
			if err != nil || n > widest {
				n = widest
			}
			total += float64(n)
			i = end
		}
	}
	return total
}
