package policy

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// scattered reports modules that say something below data.remit and do not lie
// with the library: a rule more in one of its packages would overrule what all
// packs say, and a file's place is what reviews go by. The library is where
// data.remit.history is, or else the first of these packages. Tests are left
// alone: nothing of them is asked.
func scattered(modules map[string]*ast.Module) (found Problems) {
	var paths []string
	folder := ""
	for _, file := range slices.Sorted(maps.Keys(modules)) {
		of := modules[file].Package.Path
		if !of.HasPrefix(libraryRoot) || isTest(of) {
			continue
		}
		if paths = append(paths, file); folder == "" || of.Equal(historyRoot) {
			folder = path.Dir(file)
		}
	}
	for _, file := range paths {
		if folder != "." && !strings.HasPrefix(file, folder+"/") {
			m := modules[file]
			found = append(found, at(m.Package.Location, "write rules of your own below data.packs",
				"%s is the library's, which is in %s", m.Package.Path, folder))
		}
	}
	return found
}

// isTest reports whether a package is of tests, by the name that opa's
// convention gives it.
func isTest(of ast.Ref) bool {
	name, _ := of[len(of)-1].Value.(ast.String)
	return strings.HasSuffix(string(name), "_test")
}
