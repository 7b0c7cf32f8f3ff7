package value

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

func mustParse(t testing.TB, text string) Value {
	t.Helper()
	v, err := ParseJSON([]byte(text))
	if err != nil {
		t.Fatalf("ParseJSON(%q): %v", text, err)
	}
	return v
}

func TestParseJSONAccepts(t *testing.T) {
	tests := []struct {
		text string
		want Value
	}{
		{`null`, NullValue()},
		{" \t\r\ntrue \n", Of(true)},
		{`false`, Of(false)},
		{`""`, Str("")},
		{`"plain"`, Str("plain")},
		{`"longer than eight bytes, plain"`, Str("longer than eight bytes, plain")},
		{`"\"\\\/\b\f\n\r\t"`, Str("\"\\/\b\f\n\r\t")},
		{`"\u0041\u00e9\u20AC\uD834\uDD1E"`, Str("Aé€𝄞")},
		{`"é€𝄞` + "\u007f\u2028\uffff" + `"`, Str("é€𝄞\u007f\u2028\uffff")},
		{`"\uFEFF"`, Str("\uFEFF")},
		{`"\uFFFD"`, Str("\uFFFD")},
		{`[]`, List()},
		{`[ ]`, List()},
		{`[1, [2 ,[]],{}]`, List(Int(1), List(Int(2), List()), Obj())},
		{`{}`, Obj()},
		{`{ "b" : 1 , "a" : { "b" : null } }`, Obj(M("b", Int(1)), M("a", Obj(M("b", NullValue()))))},
		{`{"":"", "a":"", "a ":"", "A":""}`, Obj(M("", Str("")), M("a", Str("")), M("a ", Str("")), M("A", Str("")))},
		{`[{"x":1},{"x":2}]`, List(Obj(M("x", Int(1))), Obj(M("x", Int(2))))},
	}
	for _, test := range tests {
		if got := mustParse(t, test.text); !Equal(got, test.want) {
			t.Errorf("ParseJSON(%q) = %s", test.text, AppendJSON(nil, got))
		}
	}
}

func TestParseJSONRefuses(t *testing.T) {
	deep := strings.Repeat("[", MaxJSONDepth)
	tests := []struct {
		text   string
		kind   JSONErrorKind
		offset int
	}{
		{"", JSONSyntax, 0},
		{"  ", JSONSyntax, 2},
		{"\x00", JSONSyntax, 0},
		{"nul", JSONSyntax, 0},
		{"True", JSONSyntax, 0},
		{"NaN", JSONSyntax, 0},
		{"'a'", JSONSyntax, 0},
		{"// no\n1", JSONSyntax, 0},
		{"\u00a01", JSONSyntax, 0},
		{"[1,]", JSONSyntax, 3},
		{"[,1]", JSONSyntax, 1},
		{"[1 2]", JSONSyntax, 3},
		{"[1}", JSONSyntax, 2},
		{"[1", JSONSyntax, 2},
		{"[", JSONSyntax, 1},
		{"{", JSONSyntax, 1},
		{`{"a":1,}`, JSONSyntax, 7},
		{`{a:1}`, JSONSyntax, 1},
		{`{"a" 1}`, JSONSyntax, 5},
		{`{"a":}`, JSONSyntax, 5},
		{`{"a"`, JSONSyntax, 4},
		{`"abc`, JSONSyntax, 4},
		{`"abc\`, JSONSyntax, 4},
		{`"\x41"`, JSONSyntax, 1},
		{`"\u12"`, JSONSyntax, 1},
		{`"\u12g4"`, JSONSyntax, 1},
		{`"\U0041"`, JSONSyntax, 1},
		{`"\u/+:@"`, JSONSyntax, 1},
		{"-", JSONSyntax, 0},
		{"+1", JSONSyntax, 0},
		{"01", JSONSyntax, 0},
		{"-01", JSONSyntax, 0},
		{"1.", JSONSyntax, 0},
		{".5", JSONSyntax, 0},
		{"1e", JSONSyntax, 0},
		{"1e+", JSONSyntax, 0},
		{"1.e5", JSONSyntax, 0},
		{"1 2", JSONTrailing, 2},
		{"{}}", JSONTrailing, 2},
		{"0x10", JSONTrailing, 1},
		{"{}\x00", JSONTrailing, 2},
		{"nullnull", JSONTrailing, 4},
		{"\uFEFF{}", JSONBOM, 0},
		{"{}\uFEFF", JSONTrailing, 2},
		{"\xff\xfe{\x00}\x00", JSONUTF8, 0},
		{"[\"a\xc3\x28\"]", JSONUTF8, 3},
		{"\"\uFFFD\xed\xa0\x80\"", JSONUTF8, 4},
		{"\"\xc0\xaf\"", JSONUTF8, 1},
		{`"\uD834"`, JSONSurrogate, 1},
		{`"a\uDD1E"`, JSONSurrogate, 2},
		{`"\uD834\uD834"`, JSONSurrogate, 1},
		{`"\uD834\u0041"`, JSONSurrogate, 1},
		{`"\uD834x\uDD1E"`, JSONSurrogate, 1},
		{`"\uD834\uDD"`, JSONSurrogate, 1},
		{"\"a\nb\"", JSONControl, 2},
		{"\"12345678\x00\"", JSONControl, 9},
		{"{\"a\tb\":1}", JSONControl, 3},
		{`"a\u0000"`, JSONNul, 2},
		{`{"a\u0000b":1}`, JSONNul, 3},
		{`{"a":1,"a":1}`, JSONDuplicateKey, 0},
		{`{"a":1,"b":2,"\u0061":1}`, JSONDuplicateKey, 0},
		{`[{"":1, "":2}]`, JSONDuplicateKey, 1},
		{`{"x":[{"b":1,"a":{"k":0,"k":0}}]}`, JSONDuplicateKey, 17},
		{deep + "[", JSONDepth, MaxJSONDepth},
		{strings.Repeat(`{"a":`, MaxJSONDepth+1), JSONDepth, 5 * MaxJSONDepth},
	}
	for _, test := range tests {
		v, err := ParseJSON([]byte(test.text))
		var refused *JSONError
		if !errors.As(err, &refused) {
			t.Errorf("ParseJSON(%q) = %s, %v, want an error", test.text, AppendJSON(nil, v), err)
			continue
		}
		if v.Defined() {
			t.Errorf("ParseJSON(%q) returns a value beside its error", test.text)
		}
		if refused.Kind != test.kind || refused.Offset != test.offset {
			t.Errorf("ParseJSON(%q): %v, want %s at %d", test.text, err, test.kind, test.offset)
		}
	}
}

func TestParseJSONDepth(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	mustParse(t, nested(MaxJSONDepth))
	// Siblings do not add up.
	mustParse(t, "["+strings.Repeat(`[],{},[{"a":{}}],`, 100)+"0]")
	if _, err := ParseJSON([]byte(nested(1_000_000))); err == nil {
		t.Error("a million arrays inside each other are accepted")
	}
}

func TestParseJSONNumbers(t *testing.T) {
	tests := []struct {
		text  string
		whole bool
		lossy bool
	}{
		{text: "0", whole: true},
		{text: "-0", whole: true},
		{text: "-1", whole: true},
		{text: "9007199254740991", whole: true},
		{text: "-9007199254740991", whole: true},
		{text: "9007199254740992", lossy: true},
		{text: "9007199254740993", lossy: true},
		{text: "-9007199254740992", lossy: true},
		{text: "100000000000000000000", lossy: true},
		{text: "18446744073709551617", lossy: true}, // 1 modulo 2^64
		{text: strings.Repeat("9", 5000), lossy: true},
		{text: "-0.0"},
		{text: "0e5"},
		{text: "1.0"},
		{text: "1E2"},
		{text: "1e+2"},
		{text: "0.1"},
		{text: "1.10"},
		{text: "1e23"},
		{text: "1e300"},
		{text: "123456789.123456"},
		{text: "0.30000000000000004"},
		{text: "0.3000000000000000", whole: false},
		{text: "0.30000000000000000000000000000000000000000000000"},
		{text: "9007199254740992.0"},
		{text: "1.7976931348623157e308"},
		{text: "5e-324"},
		{text: "2.2250738585072014e-308"},
		{text: "0.1234567890123456789", lossy: true},
		{text: "0.30000000000000001", lossy: true},
		{text: "9007199254740993.0", lossy: true},
		{text: "9007199254740991.5", lossy: true},
		{text: "4.9e-324", lossy: true},
		{text: "1e-324", lossy: true},
		{text: "1e-400", lossy: true},
		{text: "1e309", lossy: true},
		{text: "-1e309", lossy: true},
		{text: "1e999999999", lossy: true},
		{text: "1e-99999999999999999999", lossy: true},
		{text: "0e999999999", lossy: true},
		{text: "0e400"},
		{text: "0e-400"},
		{text: "0e401", lossy: true},
		{text: "0e-401", lossy: true},
		{text: "0.0e-99999999999999999999", lossy: true},
		{text: "0." + strings.Repeat("0", 500) + "1e501", lossy: true},
	}
	for _, test := range tests {
		v, err := ParseJSON([]byte(test.text))
		if test.lossy {
			var refused *JSONError
			if !errors.As(err, &refused) || refused.Kind != JSONLossyNumber {
				t.Errorf("ParseJSON(%s) = %v, %v, want it lossy", test.text, v, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("ParseJSON(%s): %v", test.text, err)
			continue
		}
		if _, whole := v.Int(); whole != test.whole {
			t.Errorf("ParseJSON(%s) is an integer: %v", test.text, whole)
		}
		if text, _ := v.Literal(); text != test.text && test.text != "-0" {
			t.Errorf("ParseJSON(%s) reads %s", test.text, text)
		}
	}
}

// TestRoundTripsShortcut proves the claim that 15 digits need no comparison.
func TestRoundTripsShortcut(t *testing.T) {
	for _, digits := range []string{"1", "999999999999999", "900719925474099", "123456789012345", "100000000000001"} {
		for exp := -340; exp <= 340; exp++ {
			text := digits + "e" + strconv.Itoa(exp)
			f, err := strconv.ParseFloat(text, 64)
			same := err == nil && Equal(Decimal(text), Decimal(strconv.FormatFloat(f, 'e', -1, 64)))
			if got := roundTrips(text); got != same {
				t.Errorf("roundTrips(%s) = %v", text, got)
			}
		}
	}
}

// TestJSONErrorHoldsNothing refuses texts with a secret in every place that an
// error could be about.
func TestJSONErrorHoldsNothing(t *testing.T) {
	const secret = "hunter2"
	for _, text := range []string{
		`{"hunter2":1,"hunter2":2}`, `{"a":"hunter2","a":"hunter2"}`, `hunter2`, `{hunter2:1}`, `"hunter2`,
		`"hunter2\u0000"`, `"hunter2\uD800"`, "\"hunter2\x01\"", "\"hunter2\xff\"", `["hunter2"]hunter2`,
		`{"hunter2"hunter2}`, `["hunter2"hunter2]`, `"\hunter2"`, `"\uhunter2"`, `-hunter2`, `thunter2`,
	} {
		_, err := ParseJSON([]byte(text))
		if err == nil {
			t.Errorf("%q is accepted", text)
		} else if shown := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(shown, secret) {
			t.Errorf("%q: the error holds the secret: %s", text, shown)
		}
	}
	_, err := ParseJSON([]byte("98765432109876543210"))
	if err == nil || strings.Contains(err.Error(), "9876") {
		t.Errorf("the error holds the number: %v", err)
	}
}

func TestParseJSONCopiesOnce(t *testing.T) {
	text := []byte(`{"name":"a string"}`)
	v, err := ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		text[i] = 'x'
	}
	if got := v.Get("name").Text(); got != "a string" {
		t.Errorf("the value changed with the text: %q", got)
	}
	// One string, one slice of members and one interface around it.
	text = []byte(`{"first":"a string","second":"another one","third":"a third one"}`)
	if n := testing.AllocsPerRun(100, func() { _, _ = ParseJSON(text) }); n > 3 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
}

// TestParserKeepsNothing looks into the stacks a parser takes along to the
// next document.
func TestParserKeepsNothing(t *testing.T) {
	for _, text := range []string{
		`{"a":[1,"x",{"b":["y"]}],"c":"z"}`, `{"a":[1,"x",{"b":["y"`, `[1,2,3`, `{"a":1,"b":2`, `{"a":1,"b":2,"a":3}`,
		"[" + strings.Repeat("0,", 1000) + "0]", manyMembers(1000),
	} {
		p := new(parser)
		p.text = text
		p.document()
		p.release()
		for _, m := range p.members[:cap(p.members)] {
			if m.Name != "" || m.Value.Defined() {
				t.Errorf("%s: a member is kept", text)
			}
		}
		for _, item := range p.items[:cap(p.items)] {
			if item.Defined() {
				t.Errorf("%s: an item is kept", text)
			}
		}
		if cap(p.members) > keptStack || cap(p.items) > keptStack {
			t.Errorf("stacks of %d members and %d items are kept", cap(p.members), cap(p.items))
		}
		if p.text != "" || p.err != nil {
			t.Errorf("%s: the text is kept", text)
		}
	}
}

// manyMembers writes an object of n members with long names, in falling order
// but for the number of digits.
func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%s%d":%d`, strings.Repeat("k", 20), n-i, i)
	}
	return "{" + b.String()[1:] + "}"
}

func TestParseJSONManyMembers(t *testing.T) {
	text, name := manyMembers(50_000), strings.Repeat("k", 20)
	v := mustParse(t, text)
	if i, ok := v.Get(name + "50000").Int(); !ok || i != 0 || !v.Get(name+"1").Defined() {
		t.Error("members are lost")
	}
	_, err := ParseJSON([]byte(strings.TrimSuffix(text, "}") + `,"` + name + `77":0}`))
	var refused *JSONError
	if !errors.As(err, &refused) || refused.Kind != JSONDuplicateKey {
		t.Errorf("a duplicate among many: %v", err)
	}
}

// All members of a call have one room: beside that there are the text, what reads
// its objects, and its list.
func TestRoomOfACallIsMadeOnce(t *testing.T) {
	text := []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"b":1,"c":["d"],"e":true}}}`)
	if n := testing.AllocsPerRun(100, func() { _, _ = ParseJSON(text) }); n > 5 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
}
