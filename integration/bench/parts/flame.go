package parts

import (
	"fmt"
	"hash/fnv"
	"html"
	"maps"
	"slices"
	"strings"
	"time"
)

// frame is a function that was called from another one, with all it called.
type frame struct {
	time   time.Duration
	called map[string]*frame
}

func (f *frame) add(s *Stack) {
	at := f
	at.time += s.Time
	for _, function := range slices.Backward(s.Functions) {
		if at.called == nil {
			at.called = make(map[string]*frame)
		}
		if at.called[function] == nil {
			at.called[function] = &frame{}
		}
		at = at.called[function]
		at.time += s.Time
	}
}

const (
	flameWidth = 1600.0
	flameRow   = 16
	narrowest  = 0.8 // what is not drawn any more
)

// Flame draws stacks as a flame graph, an SVG: the outermost functions at the
// top, each as wide as the time it took with all that it called.
func Flame(stacks []Stack) []byte {
	root := &frame{}
	for i := range stacks {
		root.add(&stacks[i])
	}
	var body strings.Builder
	deepest := root.draw(&body, root.time, 0, 0)
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" font-family="monospace" font-size="11">`+"\n%s</svg>\n",
		flameWidth, (deepest+1)*flameRow, body.String())
}

// draw draws what f called from x on, in the row and the rows below, and returns
// the last row.
func (f *frame) draw(out *strings.Builder, total time.Duration, x float64, row int) (deepest int) {
	deepest = row
	for _, function := range slices.Sorted(maps.Keys(f.called)) {
		c := f.called[function]
		width := flameWidth * float64(c.time) / float64(total)
		if width >= narrowest {
			box(out, function, float64(c.time)/float64(total), x, width, row)
			deepest = max(deepest, c.draw(out, total, x, row+1))
		}
		x += width
	}
	return deepest
}

func box(out *strings.Builder, function string, share, x, width float64, row int) {
	h := fnv.New32a()
	fmt.Fprint(h, function)
	hue := h.Sum32() % 60 // from red to yellow
	name := html.EscapeString(function)
	fmt.Fprintf(out, `<g><title>%s: %.1f %%</title><rect x="%.1f" y="%d" width="%.1f" height="%d" fill="hsl(%d,80%%,65%%)" stroke="#fff" stroke-width=".3"/>`,
		name, 100*share, x, row*flameRow, width, flameRow-1, hue)
	if letters := int(width / 6.8); letters > 3 {
		short := function[strings.LastIndexByte(function, '/')+1:]
		fmt.Fprintf(out, `<text x="%.1f" y="%d">%s</text>`, x+2, row*flameRow+12, html.EscapeString(short[:min(len(short), letters)]))
	}
	fmt.Fprintln(out, "</g>")
}
