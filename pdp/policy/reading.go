package policy

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/remit-pdp/remit/pdp/value"
)

// reading is a strict walk over one value that a bundle gave: every member is
// asked for by name and type, and [reading.done] reports those that nobody
// asked for. A misspelt key is a mistake, never a default.
//
// Every decision is read, so that a reading makes nothing before there is a
// mistake: where it is in the value is only told then.
type reading struct {
	*walk
	parent *reading
	name   string // in the parent; "" for an item of an array
	index  int
	of     value.Value
	names  []string // of the object's members, once one was asked for
	asked  uint64   // which of the first 64 of them were, a bit each
}

// walk is what the readings of one value share. Walks are pooled.
type walk struct {
	mistakes []mistake
	rooms    [][]reading
	used     int // readings
}

// roomy is how many readings are made at once, and how many rooms are kept.
const (
	roomy = 64
	kept  = 4
)

var walks = sync.Pool{New: func() any { return &walk{} }}

func readingOf(v value.Value) *reading {
	return walks.Get().(*walk).next(nil, "", 0, v)
}

// next lends a reading.
func (w *walk) next(parent *reading, name string, index int, v value.Value) *reading {
	room, i := w.used/roomy, w.used%roomy
	if room == len(w.rooms) {
		w.rooms = append(w.rooms, make([]reading, roomy))
	}
	w.used++
	r := &w.rooms[room][i]
	r.walk, r.parent, r.name, r.index, r.of, r.names, r.asked = w, parent, name, index, v, r.names[:0], 0
	return r
}

// end ends a walk: no reading of it may be used any more. What they were of is
// left where it is until other readings take their place.
func (w *walk) end() {
	w.mistakes, w.used = nil, 0
	if len(w.rooms) <= kept {
		walks.Put(w)
	}
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

// err returns the first mistake.
func (r *reading) err() error {
	if len(r.mistakes) == 0 {
		return nil
	}
	return fmt.Errorf("%s", r.mistakes[0])
}

func (r *reading) wrong(format string, args ...any) {
	r.mistakes = append(r.mistakes, mistake{r.path(), fmt.Sprintf(format, args...)})
}

// path is where the value is.
func (r *reading) path() (path []string) {
	for ; r.parent != nil; r = r.parent {
		name := r.name
		if name == "" && r.parent.of.Kind() == value.Array {
			name = strconv.Itoa(r.index)
		}
		path = append(path, name)
	}
	slices.Reverse(path)
	return path
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

// member returns a member of an object; undefined where it is not there, which
// costs no look into the object.
func (r *reading) member(name string) *reading {
	i := slices.Index(r.there(), name)
	if i < 0 {
		return r.next(r, name, 0, value.Nothing)
	}
	r.asked |= 1 << i // nothing from 64 on
	return r.next(r, name, 0, r.of.Get(name))
}

// there are the names of the members.
func (r *reading) there() []string {
	if len(r.names) == 0 {
		r.names = value.AppendNames(r.names, r.of)
	}
	return r.names
}

// done reports the members that were not asked for. A value that is there and
// no object is a mistake as well.
func (r *reading) done() {
	if !r.is(value.Map) || bits.OnesCount64(r.asked) == len(r.there()) {
		return
	}
	known := r.known()
	unknown := slices.DeleteFunc(slices.Clone(r.names), func(name string) bool { return slices.Contains(known, name) })
	slices.Sort(unknown)
	for _, name := range unknown {
		r.next(r, name, 0, value.Nothing).wrong("is not known here; known are %s", strings.Join(known, ", "))
	}
}

// known are the names that were asked for, sorted: those of the readings that
// were made of r.
func (r *reading) known() (names []string) {
	for i := range r.used {
		if of := &r.rooms[i/roomy][i%roomy]; of.parent == r {
			names = append(names, of.name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
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
		visit(r.next(r, "", i, item))
	}
}

// members visits the members of an object whose names are the bundle's own, in
// the order of names.
func (r *reading) members(visit func(name string, member *reading)) {
	if !r.is(value.Map) {
		return
	}
	names := value.AppendNames(nil, r.of)
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
