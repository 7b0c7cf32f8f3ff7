package value

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
)

func TestHasCaseCollision(t *testing.T) {
	tests := []struct {
		text string
		want bool
	}{
		{`1`, false},
		{`{}`, false},
		{`{"name":1,"names":2}`, false},
		{`{"name":1,"Name":2}`, true},
		{`{"nAME":1,"x":0,"Name":2}`, true},
		{`{"k":1,"` + "\u212a" + `":2}`, true},
		{`{"K":1,"` + "\u212a" + `":2}`, true},
		{`{"s":1,"` + "\u017f" + `":2}`, true},
		{`{"i":1,"ı":2}`, true},
		{`{"i":1,"İ":2}`, true},
		{`{"σ":1,"ς":2}`, true},
		{`{"É":1,"é":2}`, true},
		{`{"ß":1,"ẞ":2}`, true},
		{`{"ß":1,"ss":2}`, false},
		{`{"a[":1,"a{":2,"@":3,"` + "`" + `":4}`, false},
		{`{"Name":{"name":1}}`, false},
		{`{"a":[0,{"b":{"Id":1,"iD":2}}]}`, true},
		{`[[],{"x":1},{"X":1}]`, false},
		{toolCall, false},
	}
	for _, test := range tests {
		if got := HasCaseCollision(mustParse(t, test.text)); got != test.want {
			t.Errorf("HasCaseCollision(%s) = %v", test.text, got)
		}
	}
	view := NewFields(
		Field[int]{"Name", func(*int) Value { return Int(1) }},
		Field[int]{"name", func(*int) Value { return Int(2) }},
	)
	if !HasCaseCollision(view.Of(new(int))) {
		t.Error("names of a view are not compared")
	}
}

// TestFoldCoversUnicode checks that no two runes that fold alike in Unicode
// are told apart.
func TestFoldCoversUnicode(t *testing.T) {
	for r := rune(0); r < 0x20000; r++ { // no letter beyond has case
		for _, other := range []rune{unicode.SimpleFold(r), unicode.ToUpper(r), unicode.ToLower(r), unicode.ToTitle(r)} {
			if fold(r) != fold(other) {
				t.Errorf("%U and %U are told apart", r, other)
			}
		}
	}
}

// TestEncodingJSONIgnoresCase shows the reader that HasCaseCollision is for.
func TestEncodingJSONIgnoresCase(t *testing.T) {
	var call struct {
		Task string `json:"task"`
	}
	const text = `{"task":"read","tas` + "\u212a" + `":"delete"}`
	if err := json.Unmarshal([]byte(text), &call); err != nil || call.Task != "delete" {
		t.Fatalf("encoding/json reads %+v, %v", call, err)
	}
	v := mustParse(t, text)
	if v.Get("task").Text() != "read" || !HasCaseCollision(v) {
		t.Error("the collision is not seen")
	}
}

func TestHasCaseCollisionManyNames(t *testing.T) {
	var b strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&b, `"Key%d":0,`, i)
	}
	if HasCaseCollision(mustParse(t, "{"+b.String()+`"x":0}`)) {
		t.Error("distinct names collide")
	}
	if !HasCaseCollision(mustParse(t, "{"+b.String()+`"kEY7":0}`)) {
		t.Error("a collision among many is not seen")
	}
}
