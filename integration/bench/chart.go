package main

import (
	"fmt"
	"html"
	"strings"
)

// The chart: a bar for the floor, one for remit made of its parts, and one for
// each lever that is taken away, all to one scale, in floors.
const (
	chartWidth, chartLeft, chartBar, chartGap = 960.0, 260.0, 26, 12
)

func (r *report) chart() []byte {
	ratio := r.Figures["cpu_per_decision_vs_floor"]
	widest := max(1, ratio)
	for _, l := range r.Levers {
		widest = max(widest, l.Times*ratio)
	}
	scale := (chartWidth - chartLeft - 70) / widest
	var body strings.Builder
	row := 0
	line := func(name string, floors float64, draw func(y int)) {
		y := 40 + row*(chartBar+chartGap)
		fmt.Fprintf(&body, `<text x="%.0f" y="%d" text-anchor="end">%s</text>`, chartLeft-10, y+chartBar-8, html.EscapeString(name))
		draw(y)
		fmt.Fprintf(&body, `<text x="%.1f" y="%d">%.2f</text>`+"\n", chartLeft+floors*scale+8, y+chartBar-8, floors)
		row++
	}
	plain := func(floors float64, colour string) func(int) {
		return func(y int) {
			fmt.Fprintf(&body, `<rect x="%.0f" y="%d" width="%.1f" height="%d" fill="%s"/>`, chartLeft, y, floors*scale, chartBar, colour)
		}
	}
	line("floor (decides nothing)", 1, plain(1, "#9aa5b1"))
	line("remit", ratio, func(y int) { r.stack(&body, ratio*scale, y) })
	for _, l := range r.Levers {
		line("without "+l.Lever, l.Times*ratio, plain(l.Times*ratio, "#d8b4a0"))
	}
	legend := 40 + row*(chartBar+chartGap) + 20
	for i, p := range r.Parts {
		y := legend + i*18
		fmt.Fprintf(&body, `<rect x="%.0f" y="%d" width="12" height="12" fill="%s"/><text x="%.0f" y="%d">%s: %.1f µs, %.1f %%</text>`+"\n",
			chartLeft, y, colour(i), chartLeft+20, y+11, html.EscapeString(p.Name), p.Share*r.Remit, 100*p.Share)
	}
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" font-family="sans-serif" font-size="13">
<rect width="100%%" height="100%%" fill="#fff"/><text x="20" y="24" font-size="15">CPU per decision, in floors (%.1f µs of one core in this run)</text>
%s</svg>
`, chartWidth, legend+len(r.Parts)*18+10, r.Floor, body.String())
}

// stack draws the parts behind one another.
func (r *report) stack(out *strings.Builder, width float64, y int) {
	x := chartLeft
	for i, p := range r.Parts {
		fmt.Fprintf(out, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"><title>%s</title></rect>`, x, y, p.Share*width, chartBar, colour(i), html.EscapeString(p.Name))
		x += p.Share * width
	}
}

// colour is one of as many as there are parts, neighbours far apart.
func colour(i int) string { return fmt.Sprintf("hsl(%d,55%%,55%%)", i*137%360) }
