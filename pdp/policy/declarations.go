package policy

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// Defaults and bounds of what a bundle declares.
const (
	defaultTTL  = 24 * time.Hour
	maxTTL      = 30 * 24 * time.Hour
	defaultKeys = 64
	maxKeys     = 4096
	defaultRing = 16
	maxRing     = 64
	maxFacts    = 64
)

// readDeclarations reads `data.remit.memory` and `data.remit.budgets`. Every
// mistake is a problem with the file and line of the datum.
func readDeclarations(s Source) (*pdp.Declarations, Problems) {
	declared := &pdp.Declarations{Facts: map[string]*pdp.Fact{}, Budgets: map[string]*pdp.Budget{}}
	whole := readingOf(s.Data)
	remit := whole.member("remit")
	memory, budgets := remit.member("memory"), remit.member("budgets")
	memory.members(func(name string, r *reading) { declared.Facts[name] = readFact(name, r) })
	budgets.members(func(name string, r *reading) { declared.Budgets[name] = readBudget(name, r) })
	if len(declared.Facts) > maxFacts || len(declared.Budgets) > maxFacts {
		remit.wrong("declares more than %d facts or budgets", maxFacts)
	}
	return declared, s.problems(whole)
}

// problems are the mistakes in the bundle's data, with file and line.
func (s *Source) problems(r *reading) (found Problems) {
	for _, m := range r.mistakes {
		p := Problem{Text: "data." + m.String()}
		if s.Locate != nil {
			p.File, p.Line = s.Locate(m.path...)
		}
		found = append(found, p)
	}
	return found
}

func readFact(name string, r *reading) *pdp.Fact {
	f := &pdp.Fact{
		Name:   name,
		Kind:   oneOf(r.member("kind"), "", pdp.FactLast, pdp.FactRing),
		Scope:  readScope(r),
		TTL:    r.member("ttl").duration(defaultTTL, time.Second, maxTTL),
		Keys:   int(r.member("keys").integer(defaultKeys, 1, maxKeys)),
		Clear:  r.member("clear").flag(),
		Lookup: map[string][][]string{},
	}
	if ring := r.member("ring"); f.Kind == pdp.FactRing {
		f.Ring = int(ring.integer(defaultRing, 1, maxRing))
	} else if ring.of.Defined() {
		ring.wrong("is for facts of kind ring")
	}
	if !r.of.Get("kind").Defined() {
		r.wrong("has no kind")
	}
	r.member("lookup").members(func(lookup string, paths *reading) {
		f.Lookup[lookup] = readPaths(paths)
	})
	if len(f.Lookup) == 0 {
		r.wrong(`has no lookup, so that no rule could read it; lookup: {all: []} is one key for all`)
	}
	r.done()
	return f
}

// readScope reads the scope; wider ones than a partition would need a second
// partition in a decision, which touches exactly one.
func readScope(r *reading) pdp.Scope {
	return oneOf(r.member("scope"), pdp.PerSession, pdp.PerSession, pdp.PerAgent, pdp.PerPartition)
}

// readPaths reads the input paths of a lookup: "action.arguments.change_id".
func readPaths(r *reading) [][]string {
	paths := [][]string{}
	r.each(func(item *reading) {
		path := strings.Split(item.str(), ".")
		switch {
		case slices.Contains(path, ""):
			item.wrong("is not a path in input")
		case path[0] == "memory" || path[0] == "budgets" || path[0] == "attributes":
			item.wrong("may not begin with %s", path[0])
		}
		paths = append(paths, path)
	})
	if !r.of.Defined() || r.of.Kind() != value.Array {
		r.wrong("is not a list of paths in input")
	}
	return paths
}

func readBudget(name string, r *reading) *pdp.Budget {
	b := &pdp.Budget{
		Name:          name,
		Scope:         readScope(r),
		Limit:         r.member("limit").integer(0, 0, math.MaxInt32),
		Window:        r.member("window").duration(0, time.Second, maxTTL),
		Unit:          r.member("unit").str(),
		KeepOnFailure: r.member("keep_on_failure").flag(),
		Shown:         r.member("shown").flag(),
	}
	if !r.of.Get("limit").Defined() {
		r.wrong("has no limit")
	}
	r.done()
	return b
}
