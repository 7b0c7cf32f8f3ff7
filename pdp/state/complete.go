package state

import (
	"maps"
	"slices"

	"github.com/remit-pdp/remit/pdp"
)

// factName is what a fact's memory is kept under: a fact that becomes another
// kind is another fact.
func factName(kind pdp.FactKind, name string) string { return string(kind) + "/" + name }

func signature(f *pdp.Fact) string { return factName(f.Kind, f.Name) + "/" + string(f.Scope) }

func declares(d *pdp.Declarations) (list []string) {
	for _, name := range sortedNames(d.Facts) {
		list = append(list, signature(d.Facts[name]))
	}
	return list
}

// completeFrom says since when a fact has been recorded without a hole for a
// scope that began at since: 0 where always.
func (t *turn) completeFrom(f *pdp.Fact, since int64) int64 {
	if t.state.Seq == 0 || since == 0 {
		return 0 // the scope begins with this action
	}
	declared, known := t.state.Declared[signature(f)]
	switch {
	case !known:
		return t.at
	case declared <= since:
		return 0
	default:
		return declared
	}
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
