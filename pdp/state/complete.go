package state

import (
	"slices"
	"strconv"
	"strings"

	"github.com/remit-pdp/remit/pdp"
)

// factName is what a fact's memory is kept under: a fact that becomes another
// kind is another fact.
func factName(kind pdp.FactKind, name string) string { return string(kind) + "/" + name }

// signature names all of a fact's declaration that its cells were kept by:
// what was kept for a shorter time, or under other keys, is not complete.
func signature(f *pdp.Fact) string {
	name := factName(f.Kind, f.Name) + "/" + string(f.Scope) + "/" + strconv.FormatInt(int64(f.TTL), 36)
	if f.Clear {
		return name + "/clear"
	}
	return name
}

// signatures are those of the facts that one set of declarations has.
type signatures struct {
	of     *pdp.Declarations
	byFact map[*pdp.Fact]string
	sorted []string
}

// signatures returns those of d, which are made once for a generation.
func (h *History) signatures(d *pdp.Declarations) *signatures {
	if s := h.signed.Load(); s != nil && s.of == d {
		return s
	}
	s := &signatures{of: d, byFact: make(map[*pdp.Fact]string, len(d.Facts))}
	for _, fact := range d.Facts {
		s.byFact[fact] = signature(fact)
		s.sorted = append(s.sorted, s.byFact[fact])
	}
	slices.Sort(s.sorted)
	h.signed.Store(s)
	return s
}

// undeclared returns what was declared before and is not any more.
func (s *signatures) undeclared(before []Since) (list []string) {
	for _, since := range before {
		if _, still := slices.BinarySearch(s.sorted, since.Fact); !still {
			list = append(list, since.Fact)
		}
	}
	return list
}

// hashed is a generation with the hash of its name.
type hashed struct {
	of   *pdp.Generation
	hash uint64
}

// hash returns the [generationHash] of g, which is made once.
func (h *History) hash(g *pdp.Generation) uint64 {
	if known := h.hashed.Load(); known != nil && known.of == g {
		return known.hash
	}
	made := &hashed{g, generationHash(g.ID)}
	h.hashed.Store(made)
	return made.hash
}

// generationHash stands for the name of a generation, which is all that a
// partition needs to know of it.
func generationHash(name string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return h
}

func findDeclared(declared []Since, signature string) (int, bool) {
	return slices.BinarySearchFunc(declared, signature, func(s Since, signature string) int { return strings.Compare(s.Fact, signature) })
}

// declaredSince returns since when a fact has been recorded, and whether it is.
func declaredSince(declared []Since, signature string) (at int64, known bool) {
	i, known := findDeclared(declared, signature)
	if !known {
		return 0, false
	}
	return declared[i].At, true
}

// undeclare makes a hole in a fact.
func (p *Partition) undeclare(signature string) {
	if i, known := findDeclared(p.Declared, signature); known {
		p.Declared = slices.Delete(p.Declared, i, i+1)
	}
	p.Generation = 0 // so that the next decision declares what it knows
}

// completeFrom says since when a fact has been recorded without a hole for a
// scope that began at since: 0 where always.
func (t *turn) completeFrom(signature string, since int64) int64 {
	if t.state.Seq == 0 || since == 0 {
		return 0 // the scope begins with this action
	}
	declared, known := declaredSince(t.state.Declared, signature)
	switch {
	case !known:
		return t.at
	case declared <= since:
		return 0
	default:
		return declared
	}
}
