package integration

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"
)

// howMany rows each list in known.yaml has. Whoever takes one away, and the
// promise with it, has to say so here too.
var howMany = map[string]int{
	"the facts about Envoy that shape a decision point": 14,
	"pitfalls of security":                              43,
	"what a real Envoy 1.40 did":                        70,
	"traps, each of which cost another decision point":  25,
	"the invariants":                                    13,
}

// A row is one thing that is known, and the promises that answer it.
type row struct {
	Row      int      `yaml:"row"`
	Known    string   `yaml:"known"`
	Promises []string `yaml:"promises"`
}

// The lists are whole, every row of them is answered by a promise that there is,
// or by the reason why it does not concern remit, and no promise answers nothing.
func TestEverythingKnownIsAnswered(t *testing.T) {
	text, err := os.ReadFile("testdata/known.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var lists []struct {
		Of   string `yaml:"of"`
		Rows []row  `yaml:"rows"`
	}
	if err := yaml.UnmarshalWithOptions(text, &lists, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	answering := make(map[string]bool)
	for _, p := range readPromises(t) {
		answering[p.ID] = false
	}
	missing := maps.Clone(howMany)
	for _, list := range lists {
		if want, known := missing[list.Of]; !known || len(list.Rows) != want {
			t.Errorf("%q has %d rows, want %d", list.Of, len(list.Rows), want)
		}
		delete(missing, list.Of)
		for i, r := range list.Rows {
			if r.Row != i+1 || r.Known == "" || len(r.Promises) == 0 {
				t.Errorf("%q: row %d stands as number %d, says %q and is answered by %v", list.Of, r.Row, i+1, r.Known, r.Promises)
			}
			for _, id := range r.Promises {
				if _, is := answering[id]; !is {
					t.Errorf("%q, row %d: there is no promise %s", list.Of, r.Row, id)
				}
				answering[id] = true
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("lists are missing: %v", slices.Sorted(maps.Keys(missing)))
	}
	for id, answers := range answering {
		if !answers {
			t.Errorf("the promise %s answers nothing that is known", id)
		}
	}
}

// The files with tests that README.md names are there.
func TestTheFilesThatAreNamed(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(\\w+_test\\.go)`").FindAllStringSubmatch(string(text), -1)
	if len(named) < 20 {
		t.Fatalf("found %d names: the search is broken", len(named))
	}
	for _, m := range named {
		if _, err := os.Stat(m[1]); err != nil {
			t.Error(err)
		}
	}
}
