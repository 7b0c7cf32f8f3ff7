package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Problem is one thing that is wrong with a bundle: where, what, and what to
// do about it.
type Problem struct {
	File   string
	Line   int
	Text   string
	Remedy string
}

// Error returns the problem on one line: FILE:LINE: text (remedy).
func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		fmt.Fprintf(&b, "%s:%d: ", p.File, p.Line)
	}
	b.WriteString(p.Text)
	if p.Remedy != "" {
		fmt.Fprintf(&b, " (%s)", p.Remedy)
	}
	return b.String()
}

// Problems are everything that was found, in the order of files and lines.
type Problems []Problem

// Error returns one problem a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// err returns the problems as an error; nil where there are none.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return p
}

// at returns a problem at a place in a module.
func at(loc *ast.Location, remedy, format string, args ...any) Problem {
	p := Problem{Text: fmt.Sprintf(format, args...), Remedy: remedy}
	if loc != nil {
		p.File, p.Line = loc.File, loc.Row
	}
	return p
}

// fromOPA turns what OPA's parser and compiler report into problems.
func fromOPA(err error) (found Problems) {
	var many ast.Errors
	var one *ast.Error
	switch {
	case errors.As(err, &many):
		for _, e := range many {
			found = append(found, fromOPA(e)...)
		}
	case errors.As(err, &one):
		text := one.Message
		if one.Details != nil {
			text = strings.Join(append([]string{text}, details(one.Details.Lines(), text)...), "; ")
		}
		found = append(found, at(one.Location, remedies[one.Code], "%s", text))
	case err != nil:
		found = append(found, Problem{Text: err.Error()})
	}
	return found
}

// details are what OPA adds to a message in lines of their own, without those
// that repeat it or point at a place in the line above.
func details(lines []string, message string) (kept []string) {
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if strings.Trim(line, "^") != "" && !strings.Contains(message, line) {
			kept = append(kept, line)
		}
	}
	return kept
}

// remedies for the classes of errors OPA reports.
var remedies = map[string]string{
	ast.ParseErr: "policies are Rego v1: opa fmt and opa check say more",
	ast.TypeErr:  "the schema of input says what there is: schemas/input.json",
}
