package policy

import (
	"fmt"
	"testing"

	"github.com/remit-pdp/remit/pdp/value"
)

// object is an object of so many members: m0, m1, …
func object(members int) value.Value {
	var all []value.Member
	for i := range members {
		all = append(all, value.M(fmt.Sprintf("m%d", i), value.Int(int64(i))))
	}
	return value.Obj(all...)
}

// What is not asked for is reported, whatever else is there and however often
// that was asked for.
func TestReadingReportsWhatNobodyAskedFor(t *testing.T) {
	for _, c := range []struct {
		members int
		asked   []string
		want    string
	}{
		{0, nil, ""},
		{0, []string{"a"}, ""},
		{1, []string{"m0", "a"}, ""},
		{2, []string{"m1", "m0"}, ""},
		{2, []string{"m1", "m1", "a"}, "m0 is not known here; known are a, m1"},
		{1, nil, "m0 is not known here; known are "},
		{64, names(object(64)), ""},
		{64, names(object(64))[:63], "m9 is not known here"},
		{90, names(object(90)), ""},
		{90, names(object(90))[:89], "m9 is not known here"},
		{90, append(names(object(90))[:89], names(object(90))[:89]...), "m9 is not known here"},
	} {
		r := readingOf(object(c.members))
		for _, name := range c.asked {
			want := object(c.members).Get(name)
			if got := r.member(name).of; !value.Equal(got, want) {
				t.Errorf("%d members: %s is %v", c.members, name, got)
			}
		}
		r.done()
		switch err := r.err(); {
		case err == nil && c.want != "", err != nil && c.want == "":
			t.Errorf("%d members, asked for %v: %v", c.members, c.asked, err)
		case err != nil && len(r.mistakes) != 1, err != nil && err.Error()[:len(c.want)] != c.want:
			t.Errorf("%d members: %v", c.members, r.mistakes)
		}
		r.end()
	}
}

func names(v value.Value) []string { return value.AppendNames(nil, v) }

// A walk that is used again knows nothing of the values before.
func TestReadingForgetsWhatItReadBefore(t *testing.T) {
	w := &walk{}
	for i, v := range []value.Value{object(3), value.Obj(value.M("a", value.Int(1)), value.M("b", value.Int(2)), value.M("m0", value.Int(3)))} {
		r := w.next(nil, "", 0, v)
		r.member("m0")
		if i == 0 {
			r.member("m1")
			r.member("m2")
		} else if n, ok := r.member("a").of.Int(); !ok || n != 1 {
			t.Errorf("a is %v", r.member("a").of)
		}
		r.done()
		if want := i; len(r.mistakes) != want {
			t.Errorf("value %d: %v", i, r.mistakes)
		}
		w.mistakes, w.used = nil, 0
	}
}
