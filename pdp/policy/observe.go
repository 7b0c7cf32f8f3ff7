package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/remit-pdp/remit/pdp"
)

// readObserve reads `data.remit.observe`: the listeners, systems and packs
// whose denials are recorded and not enforced. A pack that is not there is a
// mistake: whoever misspelt it would take what is enforced for observed, or
// the other way round.
func readObserve(s Source, compiler *ast.Compiler) (pdp.Observe, Problems) {
	whole := readingOf(s.Data)
	r := whole.member("remit").member("observe")
	places := func(name string, exists func(string) bool) map[string]bool {
		found := make(map[string]bool)
		r.member(name).each(func(item *reading) {
			place := item.str()
			if exists != nil && !exists(place) {
				item.wrong("names no pack: the bundle has no package packs.%s", place)
			}
			found[place] = true
		})
		return found
	}
	observe := pdp.Observe{
		Listeners: places("listeners", nil),
		Systems:   places("systems", nil),
		Packs:     places("packs", func(name string) bool { return packExists(compiler, name) }),
	}
	r.done()
	return observe, s.problems(whole)
}

func packExists(compiler *ast.Compiler, name string) bool {
	packs := ast.MustParseRef("data.packs").Append(ast.StringTerm(name))
	for _, m := range compiler.Modules {
		if m.Package.Path.HasPrefix(packs) {
			return true
		}
	}
	return false
}

// readWouldDeny reads what packs in observe would have denied.
func readWouldDeny(r *reading) (observed []pdp.Observed) {
	r.each(func(item *reading) {
		o := pdp.Observed{
			Place: "pack " + item.member("pack").str(),
			Class: oneOf(item.member("class"), pdp.OutOfScope, classes...),
			Reason: pdp.Reason{
				Code: item.member("code").str(), Message: item.member("message").str(), Controls: item.member("controls").strs(),
			},
		}
		item.member("retry_seconds")
		item.done()
		observed = append(observed, o)
	})
	if len(observed) > maxReasons {
		r.wrong("has more than %d items", maxReasons)
	}
	return observed
}
