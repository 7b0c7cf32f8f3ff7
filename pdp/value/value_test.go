package value

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
)

func TestKinds(t *testing.T) {
	tests := []struct {
		v    Value
		kind Kind
		name string
	}{
		{Nothing, Undefined, "undefined"},
		{NullValue(), Null, "null"},
		{Of(false), Bool, "boolean"},
		{Int(0), Number, "number"},
		{Float(0.5), Number, "number"},
		{Float(math.Inf(1)), Undefined, "undefined"},
		{Str(""), String, "string"},
		{OptStr(""), Undefined, "undefined"},
		{OptStr("s"), String, "string"},
		{List(), Array, "array"},
		{Strs(nil), Array, "array"},
		{Obj(), Map, "object"},
		{StrMap(nil), Map, "object"},
		{From(nil), Undefined, "undefined"},
	}
	for _, test := range tests {
		if test.v.Kind() != test.kind || test.v.Kind().String() != test.name {
			t.Errorf("%v, want %s", test.v.Kind(), test.name)
		}
		if test.v.Defined() != (test.kind != Undefined) {
			t.Errorf("%s: Defined() = %v", test.name, test.v.Defined())
		}
	}
}

// TestWrongKind asks every kind for what it is not: the answer is never
// anything but the zero value and false.
func TestWrongKind(t *testing.T) {
	all := []Value{Nothing, NullValue(), Of(true), Int(1), Decimal("1.5"), Str("1"), List(Of(true)), Obj(M("a", Int(1)))}
	for _, v := range all {
		if b, ok := v.Bool(); ok != (v.Kind() == Bool) || b && !ok {
			t.Errorf("%v: Bool() = %v, %v", v.Kind(), b, ok)
		}
		if s, ok := v.Str(); ok != (v.Kind() == String) || s != v.Text() || s != "" && !ok {
			t.Errorf("%v: Str() = %q, %v", v.Kind(), s, ok)
		}
		if text, ok := v.Literal(); ok != (v.Kind() == Number) || text != "" && !ok {
			t.Errorf("%v: Literal() = %q, %v", v.Kind(), text, ok)
		}
		if v.Kind() != Array && (v.Len() != 0 || v.At(0).Defined() || len(v.Items()) != 0) {
			t.Errorf("%v has items", v.Kind())
		}
		if v.Kind() != Map && (v.Get("a").Defined() || v.Path("a", "b").Defined()) {
			t.Errorf("%v has members", v.Kind())
		}
		if v.Kind() != Map {
			v.Range(func(string, Value) bool { t.Errorf("%v is visited", v.Kind()); return true })
		}
	}
	if _, ok := Decimal("1.5").Int(); ok {
		t.Error("1.5 is an integer")
	}
}

func TestNumbers(t *testing.T) {
	if n, ok := Float(-3).Int(); !ok || n != -3 {
		t.Errorf("Float(-3) = %d, %v", n, ok)
	}
	if n, ok := Decimal("-12").Int(); !ok || n != -12 {
		t.Errorf("Decimal(-12) = %d, %v", n, ok)
	}
	if _, ok := Decimal("9223372036854775808").Int(); ok {
		t.Error("2^63 fits 64 bits")
	}
	if text, _ := Int(-5).Literal(); text != "-5" {
		t.Errorf("Literal() = %s", text)
	}
}

func TestAt(t *testing.T) {
	v := Strs([]string{"a", "b"})
	if v.Len() != 2 || v.At(1).Text() != "b" || v.At(2).Defined() || v.At(-1).Defined() {
		t.Errorf("items of %v", v.Go())
	}
}

func names(o Object) []string {
	var all []string
	o.Range(func(name string, _ Value) bool { all = append(all, name); return true })
	return all
}

// Every member is found, and no other, however many there are.
func TestMembersAreFound(t *testing.T) {
	for n := range 3 * few {
		var all []Member
		for i := range n {
			all = append(all, M(fmt.Sprintf("n%02d", 2*i), Int(int64(i))))
		}
		m := NewMembers(all)
		for i := range 2*n + 1 {
			got, found := m.Get(fmt.Sprintf("n%02d", i)).Int()
			if want := i%2 == 0 && i < 2*n; found != want || found && got != int64(i/2) {
				t.Errorf("of %d members n%02d is %d, %v", n, i, got, found)
			}
		}
		if m.Get("").Defined() || m.Get("zzz").Defined() {
			t.Errorf("of %d members one is found that is not there", n)
		}
	}
}

func TestMembers(t *testing.T) {
	m := NewMembers([]Member{M("b", Int(1)), M("c", Nothing), M("a", Int(2)), M("b", Int(3)), M("d", Int(4)), M("d", Nothing)})
	if got := names(m); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("names are %v", got)
	}
	if n, _ := m.Get("b").Int(); n != 3 {
		t.Errorf("the later of two is not kept: %d", n)
	}
	for _, name := range []string{"", "c", "d", "aa", "z"} {
		if m.Get(name).Defined() {
			t.Errorf("%q is a member", name)
		}
	}
	visited := 0
	m.Range(func(string, Value) bool { visited++; return false })
	if visited != 1 {
		t.Errorf("Range went on after false: %d", visited)
	}
	v := Obj(M("a", Obj(M("b", Str("x")))))
	if v.Path("a", "b").Text() != "x" || v.Path("a", "c", "d").Defined() || !Equal(v.Path(), v) {
		t.Error("Path")
	}
}

func TestFields(t *testing.T) {
	p := &point{1, 2}
	v := pointView.Of(p)
	if n, _ := v.Get("x").Int(); n != 1 {
		t.Errorf("x = %d", n)
	}
	if v.Get("gone").Defined() || v.Get("z").Defined() {
		t.Error("members that are not there")
	}
	var seen []string
	v.Range(func(name string, _ Value) bool { seen = append(seen, name); return true })
	if !slices.Equal(seen, []string{"y", "x"}) {
		t.Errorf("Range visits %v", seen)
	}
	seen = nil
	v.Range(func(name string, _ Value) bool { seen = append(seen, name); return false })
	if len(seen) != 1 {
		t.Errorf("Range went on after false: %v", seen)
	}
	if got := pointView.Names(); !reflect.DeepEqual(got, []string{"y", "gone", "x"}) {
		t.Errorf("Names() = %v", got)
	}
	if pointView.Of(nil).Defined() {
		t.Error("nil is an object")
	}
	defer func() {
		if recover() == nil {
			t.Error("a name described twice is accepted")
		}
	}()
	NewFields(Field[point]{Name: "x"}, Field[point]{Name: "x"})
}

// lending is an object that lists its names without being asked for members.
type lending struct{ Members }

func (l lending) AppendNames(names []string) []string { return append(names, "lent") }

func TestAppendNames(t *testing.T) {
	fields := NewFields(Field[int]{"a", func(n *int) Value { return Int(int64(*n)) }}, Field[int]{"none", func(*int) Value { return Nothing }})
	n := 1
	for _, c := range []struct {
		v    Value
		want []string
	}{
		{Obj(M("b", Int(1)), M("a", Int(2))), []string{"x", "a", "b"}},
		{fields.Of(&n), []string{"x", "a"}},
		{From(lending{}), []string{"x", "lent"}},
		{Int(1), []string{"x"}},
		{Nothing, []string{"x"}},
	} {
		if got := AppendNames([]string{"x"}, c.v); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", AppendJSON(nil, c.v), got, c.want)
		}
	}
}

// A copy reads nothing of what it was made from.
func TestCopy(t *testing.T) {
	n := 1
	fields := NewFields(Field[int]{"n", func(n *int) Value { return Int(int64(*n)) }})
	items := []Value{fields.Of(&n), Str("s")}
	v := List(items...)
	copied, before := v.Copy(), string(AppendJSON(nil, v))
	n, items[1] = 2, NullValue()
	if got := string(AppendJSON(nil, copied)); got != before {
		t.Errorf("got %s, want %s", got, before)
	}
}

func TestEmptyIsAnObjectWithoutMembers(t *testing.T) {
	for _, c := range []struct {
		v    Value
		want bool
	}{
		{Obj(), true}, {Obj(M("a", NullValue())), false}, {Obj(M("a", Nothing)), true},
		{Nothing, false}, {List(), false}, {Str(""), false},
	} {
		if got := c.v.Empty(); got != c.want {
			t.Errorf("%s: %v", AppendJSON(nil, c.v), got)
		}
	}
}

// An array is no object, whatever reads it.
func TestArraysAreNoObjects(t *testing.T) {
	parsed, err := ParseJSON([]byte(`[[],["a"]]`))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []Value{List(), List(Str("a")), parsed, parsed.At(0), parsed.At(1), List(Int(1)).Copy()} {
		v.Range(func(name string, _ Value) bool { t.Errorf("a member %q", name); return false })
		if v.Kind() != Array || v.Object() != nil || v.Get("a").Defined() || v.Empty() || v.Members() != nil || AppendNames(nil, v) != nil {
			t.Errorf("%s reads as an object", AppendJSON(nil, v))
		}
	}
	for _, v := range []Value{Nothing, NullValue(), Str("a"), Obj()} {
		if v.Items() != nil || v.Len() != 0 || v.At(0).Defined() {
			t.Errorf("%s reads as an array", AppendJSON(nil, v))
		}
	}
}

// Values are copied all the time, and kept by the thousand.
func TestSize(t *testing.T) {
	if size := reflect.TypeFor[Value]().Size(); size != 48 {
		t.Errorf("a value takes %d bytes", size)
	}
}
