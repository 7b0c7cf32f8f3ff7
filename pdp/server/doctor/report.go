package doctor

import (
	"fmt"
	"io"
	"strings"
)

// Report is what was found, in the order of the examinations.
type Report struct {
	Findings []Finding `json:"findings"`
}

// Count is how many findings of a severity there are.
func (r *Report) Count(s Severity) (n int) {
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// Print writes the report for a person, grouped by area.
func (r *Report) Print(to io.Writer) error {
	var b strings.Builder
	area := ""
	for _, f := range r.Findings {
		if f.Area != area {
			area = f.Area
			fmt.Fprintln(&b, area)
		}
		f.print(&b)
	}
	fmt.Fprintf(&b, "\n%s, %s, %d good\n", counted(r.Count(Error), "error"), counted(r.Count(Warning), "warning"), r.Count(OK))
	_, err := io.WriteString(to, b.String())
	return err
}

// print writes a finding: what is good in one line, with where it is.
func (f *Finding) print(b *strings.Builder) {
	what := indented(f.What)
	if f.Severity == OK {
		if f.Where != "" {
			what += " (" + f.Where + ")"
		}
		fmt.Fprintf(b, "  %-8s %s\n", f.Severity, what)
		return
	}
	fmt.Fprintf(b, "  %-8s %s\n", f.Severity, what)
	for _, line := range [][2]string{{"where", f.Where}, {"why", f.Why}, {"do", f.Remedy}} {
		if line[1] != "" {
			fmt.Fprintf(b, "           %-5s %s\n", line[0], indented(line[1]))
		}
	}
}

// indented keeps the lines of a text together.
func indented(text string) string { return strings.ReplaceAll(text, "\n", "\n             ") }

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
