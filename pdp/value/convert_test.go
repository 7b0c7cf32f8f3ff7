package value

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
)

type point struct{ x, y int64 }

// pointView has a member that is undefined, and its names not in order.
var pointView = NewFields(
	Field[point]{"y", func(p *point) Value { return Int(p.y) }},
	Field[point]{"gone", func(*point) Value { return Nothing }},
	Field[point]{"x", func(p *point) Value { return Int(p.x) }},
)

func TestAppendJSON(t *testing.T) {
	tests := []struct {
		v    Value
		want string
	}{
		{Nothing, `null`},
		{NullValue(), `null`},
		{Of(true), `true`},
		{Of(false), `false`},
		{Int(math.MinInt64), `-9223372036854775808`},
		{Decimal("1.50"), `1.50`},
		{Float(0.1), `0.1`},
		{Float(1e21), `1e+21`},
		{Float(math.NaN()), `null`},
		{Str("a\"\\\x00\x1f\b\f\n\r\t\x7f/<é\u2028"), `"a\"\\\u0000\u001f\b\f\n\r\t` + "\x7f/<é\u2028" + `"`},
		{Str("a\xff\xc3b\uFFFD"), "\"a\uFFFD\uFFFDb\uFFFD\""},
		{List(), `[]`},
		{List(Int(1), Nothing, Str("")), `[1,null,""]`},
		{Obj(), `{}`},
		{Obj(M("b", Int(1)), M("a\n", List(Obj())), M("u", Nothing)), `{"a\n":[{}],"b":1}`},
		{pointView.Of(&point{1, 2}), `{"y":2,"x":1}`},
	}
	for _, test := range tests {
		if got := string(AppendJSON([]byte("> "), test.v)); got != "> "+test.want {
			t.Errorf("AppendJSON = %s, want %s", got, test.want)
		}
		direct, err := test.v.MarshalJSON()
		if err != nil || string(direct) != test.want {
			t.Errorf("MarshalJSON = %s, %v, want %s", direct, err, test.want)
		}
	}
	within, err := json.Marshal(map[string]Value{"v": Obj(M("a", Int(1)))})
	if err != nil || string(within) != `{"v":{"a":1}}` {
		t.Errorf("json.Marshal = %s, %v", within, err)
	}
}

func TestFromGo(t *testing.T) {
	tests := []struct {
		x    any
		want Value
	}{
		{nil, NullValue()},
		{true, Of(true)},
		{"s", Str("s")},
		{7, Int(7)},
		{int64(math.MaxInt64), Int(math.MaxInt64)},
		{0.5, Float(0.5)},
		{json.Number("12"), Int(12)},
		{json.Number("123456789012345678901234567890"), Decimal("123456789012345678901234567890")},
		{json.Number("-1.5e400"), Decimal("-1.5e400")},
		{[]string{"a", "b"}, List(Str("a"), Str("b"))},
		{map[string]string{"b": "2", "a": "1"}, Obj(M("a", Str("1")), M("b", Str("2")))},
		{[]any{nil, []any{}}, List(NullValue(), List())},
		{map[string]any{"a": map[string]any{"b": 1}}, Obj(M("a", Obj(M("b", Int(1)))))},
		{[]any{Int(1)}, List(Int(1))},
	}
	for _, test := range tests {
		if got, err := FromGo(test.x); err != nil || !Equal(got, test.want) {
			t.Errorf("FromGo(%#v) = %s, %v", test.x, AppendJSON(nil, got), err)
		}
	}
	for _, x := range []any{
		math.NaN(), math.Inf(-1), json.Number(""), json.Number("NaN"), json.Number("1x"), json.Number("0x1"),
		json.Number("+1"), json.Number(" 1"), json.Number("01"), json.Number("1,\"a\":2"), uint(1), point{}, []int{1},
		[]any{uint8(1)}, map[string]any{"a": []any{struct{}{}}},
	} {
		if got, err := FromGo(x); err == nil || got.Defined() {
			t.Errorf("FromGo(%#v) = %s, want an error", x, AppendJSON(nil, got))
		} else if strings.Contains(err.Error(), "1") {
			t.Errorf("FromGo(%#v): the error holds the value: %v", x, err)
		}
	}
}

func TestGo(t *testing.T) {
	v := Obj(M("a", List(Int(1), Decimal("1.50"), Nothing, NullValue(), Of(true))), M("b", pointView.Of(&point{1, 2})))
	want := map[string]any{
		"a": []any{json.Number("1"), json.Number("1.50"), nil, nil, true},
		"b": map[string]any{"x": json.Number("1"), "y": json.Number("2")},
	}
	if got := v.Go(); !reflect.DeepEqual(got, want) {
		t.Errorf("Go() = %#v", got)
	}
	if Nothing.Go() != nil || Str("s").Go() != "s" {
		t.Error("Go() of undefined or a string")
	}
}

func TestEqual(t *testing.T) {
	// Everything within a line is equal, nothing across lines is.
	groups := [][]Value{
		{Nothing, List().At(0)},
		{NullValue()},
		{Of(true)},
		{Of(false)},
		{Str("")},
		{Str("1")},
		{Str("é")},
		{Str("e\u0301")},
		{Int(0), Decimal("0"), Decimal("-0"), Decimal("-0.0"), Decimal("0e99"), Decimal("0.00")},
		{Int(1), Decimal("1.0"), Decimal("1e0"), Decimal("10e-1"), Decimal("0.1E+1"), Decimal("0.001e3")},
		{Int(-1), Decimal("-1.0"), Decimal("-100e-2")},
		{Int(1200), Decimal("1.2e3"), Decimal("12e2"), Decimal("1200.00"), Decimal("0.0120e5")},
		{Decimal("12.5"), Decimal("1.25e1"), Decimal("125e-1"), Decimal("12.50")},
		{Decimal("1.25"), Float(1.25)},
		{Decimal("12.05")},
		{Decimal("12.53"), Decimal("1.253e1")},
		{Decimal("12.54"), Decimal("1.254e1")},
		{Int(1205)},
		{Int(math.MaxInt64), Decimal("9223372036854775807.0")},
		{Decimal("9223372036854775808"), Decimal("9223372036854775808.0"), Decimal("0.9223372036854775808e19")},
		{Decimal("1e999999999"), Decimal("10e999999998")},
		{Decimal("1e999999998")},
		{Decimal("1e-999999999")},
		{Decimal("1e99999999999999999999")},
		{Decimal("1e99999999999999999998")},
		{List()},
		{List(Int(1), Int(2)), List(Decimal("1.0"), Int(2))},
		{List(Int(2), Int(1))},
		{List(Int(1))},
		{List(Nothing)},
		{Obj(), From(Members(nil)), Obj(M("a", Nothing))},
		{Obj(M("a", Int(1)), M("b", Int(2))), Obj(M("b", Int(2)), M("a", Int(1)))},
		{Obj(M("a", Int(1)), M("b", NullValue()))},
		{Obj(M("a", Int(1)), M("c", Int(2)))},
		{Obj(M("a", Int(1)))},
		{Obj(M("x", Int(1)), M("y", Int(2))), pointView.Of(&point{1, 2}), pointView.Of(&point{1, 2})},
		{pointView.Of(&point{1, 3})},
	}
	for i, group := range groups {
		for j, other := range groups {
			for _, a := range group {
				for _, b := range other {
					if got := Equal(a, b); got != (i == j) {
						t.Errorf("Equal(%s, %s) = %v", AppendJSON(nil, a), AppendJSON(nil, b), got)
					}
				}
			}
		}
	}
}

func TestDecodeJSONKeepsEveryDigit(t *testing.T) {
	for _, text := range []string{`{"now_ns":1800000000123456789}`, `123456789012345678901234567890`, `[0.1,"a",null,true]`} {
		v, err := DecodeJSON([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := string(AppendJSON(nil, v)); got != text {
			t.Errorf("%s reads as %s", text, got)
		}
	}
	for _, text := range []string{``, `{`, `1 2`} {
		if v, err := DecodeJSON([]byte(text)); err == nil {
			t.Errorf("%q reads as %s", text, AppendJSON(nil, v))
		}
	}
}
