package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/remit-pdp/remit/pdp/value"
)

// reading is a strict walk over one value that a bundle gave: every member is
// asked for by name and type, and [reading.done] reports those that nobody
// asked for. A misspelt key is a mistake, never a default.
type reading struct {
	path     []string
	of       value.Value
	known    map[string]bool
	mistakes *[]mistake
}

// mistake is one thing that is wrong at a path of the value. Its text names
// types and names, never a value (invariant 7).
type mistake struct {
	path []string
	text string
}

func (m mistake) String() string {
	if len(m.path) == 0 {
		return m.text
	}
	return strings.Join(m.path, ".") + " " + m.text
}

func readingOf(v value.Value) *reading {
	return &reading{of: v, known: map[string]bool{}, mistakes: &[]mistake{}}
}

// err returns the first mistake.
func (r *reading) err() error {
	if len(*r.mistakes) == 0 {
		return nil
	}
	return fmt.Errorf("%s", (*r.mistakes)[0])
}

func (r *reading) wrong(format string, args ...any) {
	*r.mistakes = append(*r.mistakes, mistake{r.path, fmt.Sprintf(format, args...)})
}

// is checks the type; undefined is a type of its own.
func (r *reading) is(kind value.Kind) bool {
	if r.of.Kind() == kind {
		return true
	}
	if r.of.Defined() {
		r.wrong("is of type %s, want %s", r.of.Kind(), kind)
	}
	return false
}

func (r *reading) below(name string, v value.Value) *reading {
	path := append(r.path[:len(r.path):len(r.path)], name)
	return &reading{path: path, of: v, known: map[string]bool{}, mistakes: r.mistakes}
}

// member returns a member of an object; undefined where it is not there.
func (r *reading) member(name string) *reading {
	r.known[name] = true
	return r.below(name, r.of.Get(name))
}

// done reports the members that were not asked for. A value that is there and
// no object is a mistake as well.
func (r *reading) done() {
	if !r.is(value.Map) {
		return
	}
	var unknown []string
	r.of.Range(func(name string, _ value.Value) bool {
		if !r.known[name] {
			unknown = append(unknown, name)
		}
		return true
	})
	slices.Sort(unknown)
	for _, name := range unknown {
		r.below(name, value.Nothing).wrong("is not known here; known are %s", strings.Join(slices.Sorted(maps.Keys(r.known)), ", "))
	}
}

func (r *reading) str() string {
	if !r.is(value.String) {
		return ""
	}
	return r.of.Text()
}

func (r *reading) flag() bool {
	if !r.is(value.Bool) {
		return false
	}
	b, _ := r.of.Bool()
	return b
}

// integer reads a whole number between low and high; absent where it is not
// there.
func (r *reading) integer(absent, low, high int64) int64 {
	if !r.of.Defined() {
		return absent
	}
	n, whole := r.of.Int()
	if !whole || n < low || n > high {
		r.wrong("is not a whole number between %d and %d", low, high)
		return absent
	}
	return n
}

// seconds reads a number of seconds, whole or not.
func (r *reading) seconds(high time.Duration) time.Duration {
	if !r.is(value.Number) {
		return 0
	}
	text, _ := r.of.Literal()
	d, err := time.ParseDuration(text + "s")
	if err != nil || d < 0 || d > high {
		r.wrong("is not a number of seconds between 0 and %d", int64(high.Seconds()))
		return 0
	}
	return d
}

// duration reads "30m".
func (r *reading) duration(absent, low, high time.Duration) time.Duration {
	if !r.is(value.String) {
		return absent
	}
	d, err := time.ParseDuration(r.of.Text())
	if err != nil || d < low || d > high {
		r.wrong("is not a duration between %s and %s", low, high)
		return absent
	}
	return d
}

// oneOf reads a word.
func oneOf[T ~string](r *reading, absent T, words ...T) T {
	if !r.is(value.String) {
		return absent
	}
	if word := T(r.of.Text()); slices.Contains(words, word) {
		return word
	}
	r.wrong("is not one of %s", join(words))
	return absent
}

func join[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, word := range words {
		texts[i] = string(word)
	}
	return strings.Join(texts, ", ")
}

// each visits the items of an array, which also may be the set of a rule.
func (r *reading) each(visit func(*reading)) {
	if !r.is(value.Array) {
		return
	}
	for i, item := range r.of.Items() {
		visit(r.below(fmt.Sprint(i), item))
	}
}

// members visits the members of an object whose names are the bundle's own, in
// the order of names.
func (r *reading) members(visit func(name string, member *reading)) {
	if !r.is(value.Map) {
		return
	}
	var names []string
	r.of.Range(func(name string, _ value.Value) bool {
		names = append(names, name)
		return true
	})
	slices.Sort(names)
	for _, name := range names {
		visit(name, r.member(name))
	}
}

func (r *reading) strs() (list []string) {
	r.each(func(item *reading) {
		if item.of.Kind() != value.String {
			item.wrong("is of type %s, want string", item.of.Kind())
			return
		}
		list = append(list, item.of.Text())
	})
	return list
}
