package value

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/valyala/fastjson"
)

// FuzzParseJSON compares ParseJSON with two other readers: whatever it accepts
// they accept and read the same; what it refuses for its syntax alone
// encoding/json refuses too.
func FuzzParseJSON(f *testing.F) {
	for _, text := range []string{
		toolCall, `null`, ` [true,false,null] `, `{"a":{"b":[1,-0,1.50,1e2,5e-324]},"":"\u00e9\ud834\udd1e\n"}`,
		`{"a":1,"a":2}`, `{"a":1,"A":2}`, `{"k":1,"` + "\u212a" + `":2}`, `{"x":{"nameId":1,"nameid":2}}`, `[{"aB":1,"c":2}]`, `9007199254740993`, `9007199254740991`,
		`0.1234567890123456789`, `1e999999999`, `1e-400`, `"\u0000"`, `"\ud800"`, "\"\xff\"", "\uFEFF{}", `{}{}`,
		`[1,]`, `{'a':1}`, `"\`, `"\u12`, "\"\x1f\"", strings.Repeat("[", 65), `[0e1,-0.0,1E+2,0.5e-1]`,
		`"12345678\"12345678\\"`, `{"b":1,"a":2,"c":{"z":[],"y":{}}}`, `01`, `-`, `tru`, `"é€𝄞"`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := ParseJSON(text)
		if err != nil {
			checkRefusal(t, text, v, err)
			return
		}
		checkEncodingJSON(t, text, v)
		checkFastJSON(t, text, v)
		checkRoundTrip(t, v)
		if got, want := HasCaseCollision(v), collidesPlainly(v); got != want {
			t.Fatalf("%q: names collide: %v, want %v", text, got, want)
		}
	})
}

// collidesPlainly is [HasCaseCollision] by comparing every name with every other.
func collidesPlainly(v Value) bool {
	if slices.ContainsFunc(v.Items(), collidesPlainly) {
		return true
	}
	all := v.Members()
	for i, m := range all {
		alike := func(o Member) bool { return compareFolded(m.Name, o.Name) == 0 }
		if slices.ContainsFunc(all[i+1:], alike) || collidesPlainly(m.Value) {
			return true
		}
	}
	return false
}

func checkRefusal(t *testing.T, text []byte, v Value, err error) {
	var refused *JSONError
	if !errors.As(err, &refused) || v.Defined() {
		t.Fatalf("%q: error %T, value %v", text, err, v.Kind())
	}
	if refused.Offset < 0 || refused.Offset > len(text) {
		t.Fatalf("%q: offset %d", text, refused.Offset)
	}
	grammar := []JSONErrorKind{JSONSyntax, JSONTrailing, JSONControl, JSONBOM}
	if slices.Contains(grammar, refused.Kind) && json.Valid(text) {
		t.Fatalf("%q is refused though encoding/json takes it: %v", text, err)
	}
}

func checkEncodingJSON(t *testing.T, text []byte, v Value) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var exact, loose any
	if err := d.Decode(&exact); err != nil {
		t.Fatalf("%q: encoding/json refuses it: %v", text, err)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("%q: encoding/json sees something behind it: %v", text, err)
	}
	if err := json.Unmarshal(text, &loose); err != nil {
		t.Fatalf("%q: encoding/json refuses it: %v", text, err)
	}
	for _, x := range []any{exact, loose} {
		other, err := FromGo(x)
		if err != nil || !Equal(v, other) || !Equal(other, v) {
			t.Fatalf("%q: encoding/json reads %#v (%v)", text, x, err)
		}
	}
}

func checkFastJSON(t *testing.T, text []byte, v Value) {
	var p fastjson.Parser
	read, err := p.ParseBytes(text)
	if err != nil {
		t.Fatalf("%q: fastjson refuses it: %v", text, err)
	}
	if !Equal(v, fromFastJSON(t, read)) {
		t.Fatalf("%q: fastjson reads %s", text, read)
	}
}

// fromFastJSON makes a Value of what fastjson read, without the code under test.
func fromFastJSON(t *testing.T, v *fastjson.Value) Value {
	switch v.Type() {
	case fastjson.TypeTrue, fastjson.TypeFalse:
		return Of(v.Type() == fastjson.TypeTrue)
	case fastjson.TypeNumber:
		return Decimal(v.String())
	case fastjson.TypeString:
		return Str(string(v.GetStringBytes()))
	case fastjson.TypeArray:
		items := []Value{}
		for _, item := range v.GetArray() {
			items = append(items, fromFastJSON(t, item))
		}
		return List(items...)
	case fastjson.TypeObject:
		var all []Member
		v.GetObject().Visit(func(name []byte, member *fastjson.Value) {
			all = append(all, Member{string(name), fromFastJSON(t, member)})
		})
		if object := NewMembers(slices.Clone(all)); len(object) != len(all) {
			t.Fatal("fastjson sees a name twice")
		}
		return Obj(all...)
	default:
		return NullValue()
	}
}

func checkRoundTrip(t *testing.T, v Value) {
	text := AppendJSON(nil, v)
	again, err := ParseJSON(text)
	if err != nil || !Equal(v, again) {
		t.Fatalf("%q does not round-trip: %v", text, err)
	}
	if twice := AppendJSON(nil, again); !bytes.Equal(text, twice) {
		t.Fatalf("%q is written as %q the second time", text, twice)
	}
	back, err := FromGo(v.Go())
	if err != nil || !Equal(v, back) {
		t.Fatalf("%q does not survive Go values: %v", text, err)
	}
}

// FuzzAppendJSON writes strings of any bytes: the text must be JSON and mean
// what encoding/json makes of the same string.
func FuzzAppendJSON(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t", "\x00\x1f\x7f", "é\u2028𝄞", "\xff12345678\xc3", "<a&b>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got map[string]string
		text := AppendJSON(nil, Obj(M(s, Str(s))))
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%q is written as %q: %v", s, text, err)
		}
		want := string([]rune(s)) // every invalid byte becomes one U+FFFD
		if got[want] != want {
			t.Fatalf("%q is read as %q", s, got)
		}
	})
}

// FuzzEqualNumbers compares numbers by float64, which must agree wherever
// neither of them is lossy.
func FuzzEqualNumbers(f *testing.F) {
	f.Add("1", "1.0")
	f.Add("0.001e3", "10e-1")
	f.Add("-0", "0.0")
	f.Add("12.5", "1.25")
	f.Add("100", "1e2")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, errX := ParseJSON([]byte(a))
		y, errY := ParseJSON([]byte(b))
		if errX != nil || errY != nil || x.Kind() != Number || y.Kind() != Number {
			return
		}
		floatX, _ := strconv.ParseFloat(strings.TrimSpace(a), 64)
		floatY, _ := strconv.ParseFloat(strings.TrimSpace(b), 64)
		if Equal(x, y) != (floatX == floatY) || Equal(x, y) != Equal(y, x) {
			t.Fatalf("%s and %s: Equal says %v", a, b, Equal(x, y))
		}
	})
}
