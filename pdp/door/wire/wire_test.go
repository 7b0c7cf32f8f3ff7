package wire

import (
	"bytes"
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// field writes a field whose value has a length.
func field(number protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), slices.Concat(parts...))
}

// member is a member of a map that is field 1 of its message.
func member(name string, parts ...[]byte) []byte {
	return field(1, field(1, []byte(name)), field(2, parts...))
}

func marshal(t *testing.T, m proto.Message) string {
	t.Helper()
	message, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(message)
}

// A cursor gives up on what a plain message does not have.
func TestCursorGivesUp(t *testing.T) {
	read := func(message []byte) (texts []string, plain bool) {
		c := Cursor{Of: string(message), Repeated: 1 << 2}
		for c.Next() {
			switch c.Tag {
			case 1<<3 | AsText, 2<<3 | AsText:
				texts = append(texts, c.Text())
			case 3<<3 | AsVarint:
				c.Number()
			case 4<<3 | AsDouble:
				c.Double()
			default:
				c.Unusual = true
			}
		}
		return texts, !c.Unusual
	}
	for name, message := range map[string][]byte{
		"nothing":             {},
		"each field":          slices.Concat(field(1, []byte("a")), field(2, []byte("b")), []byte("\x18\x01\x21\x00\x00\x00\x00\x00\x00\xf8\x7f")),
		"a repeated one":      slices.Concat(field(2, []byte("a")), field(1), field(2, []byte("b"))),
		"the longest numbers": []byte("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		"a padded tag":        []byte("\x8a\x00\x01a"),
	} {
		if texts, plain := read(message); !plain {
			t.Errorf("%s: gives up after %q", name, texts)
		}
	}
	for name, message := range map[string][]byte{
		"a field twice":            slices.Concat(field(1, []byte("a")), field(1, []byte("b"))),
		"text that is not UTF-8":   field(1, []byte{0xff}),
		"another encoding":         []byte("\x08\x01"),
		"a field nobody expects":   field(5),
		"a field of a high number": field(64),
		"no field number":          {0x02, 0x00},
		"a group":                  []byte("\x0b\x0c"),
		"cut off in a tag":         {0x8a},
		"cut off in a length":      {0x0a, 0x80},
		"cut off in a text":        {0x0a, 0x02, 'a'},
		"cut off in a number":      {0x18, 0x80},
		"cut off in a double":      {0x21, 0, 0, 0},
		"a number too long":        []byte("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
		"a length too long":        []byte("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
	} {
		if texts, plain := read(message); plain {
			t.Errorf("%s: read as %q", name, texts)
		}
	}
}

// Of a map the member of a name is found, the last where there are several, and
// all the others are looked through. Of a plain one Find says the same.
func TestLookup(t *testing.T) {
	text := func(s string) []byte { return field(3, []byte(s)) }
	for name, c := range map[string]struct {
		message []byte
		want    string
		plain   bool
	}{
		"nothing":              {nil, "", true},
		"there":                {slices.Concat(member("a", text("1")), member("b", text("2"))), "1", true},
		"the longer name":      {slices.Concat(member("ab", text("2")), member("a", text("1"))), "1", true},
		"nameless":             {slices.Concat(field(1, field(2, text("2"))), member("a", text("1")), member("", text("3"))), "1", true},
		"value first":          {slices.Concat(field(1, field(2, text("1")), field(1, []byte("a"))), field(1, field(2, text("2")), field(1, []byte("b")))), "1", true},
		"a padded length":      {slices.Concat(member("b", text("2")), field(1, []byte("\x0a\x81\x00a"), field(2, text("1")))), "1", true},
		"not there":            {member("b", text("2")), "", true},
		"twice":                {slices.Concat(member("a", text("1")), member("a", text("2"))), "2", true},
		"twice, then no text":  {slices.Concat(member("a", text("1")), member("a", []byte("\x20\x01"))), "", true},
		"another is not plain": {slices.Concat(member("a", text("1")), member("b", text("\xff"))), "1", false},
		"a name not UTF-8":     {member("\xff", text("1")), "", false},
		"no value":             {field(1, field(1, []byte("a"))), "", false},
		"another field":        {field(2, text("1")), "", false},
	} {
		found, plain := Lookup(string(c.message), "a", IsValue)
		if got := TextOf(found); plain != c.plain || plain && got != c.want {
			t.Errorf("%s: %q, %v", name, got, plain)
		}
		if member, ok := Find(string(c.message), "a"); c.plain && (member != found || ok != (c.want != "" || found != "")) {
			t.Errorf("%s: Find: %q, %v", name, member, ok)
		}
	}
}

func TestStructs(t *testing.T) {
	s, err := structpb.NewStruct(map[string]any{"a": nil, "b": true, "c": 1.5, "d": "s", "e": []any{1, "x", []any{}}, "f": map[string]any{"g": map[string]any{}}})
	if err != nil {
		t.Fatal(err)
	}
	if !IsStruct(marshal(t, s)) {
		t.Error("a struct of every kind is not plain")
	}
	deep := []byte("\x20\x01")
	for range MaxNesting - 1 {
		deep = field(6, field(1, deep))
	}
	if !IsStruct(string(member("a", deep))) {
		t.Error("the deepest struct is not plain")
	}
	for name, message := range map[string][]byte{
		"deeper":               member("a", field(6, field(1, deep))),
		"two kinds":            member("a", field(3, []byte("s")), []byte("\x20\x01")),
		"not UTF-8":            member("a", field(6, field(1, field(3, []byte{0xff})))),
		"another kind":         member("a", field(7)),
		"another field inside": member("a", field(6, field(2))),
	} {
		if IsStruct(string(message)) {
			t.Errorf("%s: is plain", name)
		}
	}
}

// Two gives up on whatever is not as usual, and never says anything else than a
// cursor would.
func TestTwo(t *testing.T) {
	long := bytes.Repeat([]byte("n"), 128)
	for name, c := range map[string]struct {
		message []byte
		usual   bool
	}{
		"both":               {slices.Concat(field(1, []byte("a")), field(2, []byte("b"))), true},
		"both empty":         {slices.Concat(field(1), field(2)), true},
		"a long second":      {slices.Concat(field(1, []byte("a")), field(2, long)), true},
		"a padded length":    {slices.Concat(field(1, []byte("a")), []byte("\x12\x81\x00b")), true},
		"a long first":       {slices.Concat(field(1, long), field(2)), false},
		"nothing":            {nil, false},
		"half a tag":         {[]byte("\x0a"), false},
		"the first alone":    {field(1, []byte("a")), false},
		"the second alone":   {field(2, []byte("b")), false},
		"the other way":      {slices.Concat(field(2, []byte("b")), field(1, []byte("a"))), false},
		"another second":     {slices.Concat(field(1, []byte("a")), field(3, []byte("b"))), false},
		"a third":            {slices.Concat(field(1, []byte("a")), field(2, []byte("b")), field(2, []byte("c"))), false},
		"cut off in the 1st": {[]byte("\x0a\x02a"), false},
		"cut off in the 2nd": {[]byte("\x0a\x01a\x12\x02b"), false},
		"without a length":   {[]byte("\x0a\x01a\x12"), false},
	} {
		first, second, usual := Two(string(c.message), 2<<3|AsText)
		if usual != c.usual {
			t.Errorf("%s: %v", name, usual)
		}
		if !usual {
			continue
		}
		cursor := Cursor{Of: string(c.message)}
		cursor.Next()
		if got := cursor.Text(); got != first {
			t.Errorf("%s: first %q, not %q", name, first, got)
		}
		cursor.Next()
		if got := cursor.Message(); got != second || cursor.Next() || cursor.Unusual {
			t.Errorf("%s: then %q, not %q", name, second, got)
		}
	}
}

func TestReadPair(t *testing.T) {
	name, text, plain := ReadPair(string(slices.Concat(field(1, []byte("a")), field(2, []byte("b")))))
	if name != "a" || text != "b" || !plain {
		t.Errorf("got %q, %q, %v", name, text, plain)
	}
	if _, _, plain := ReadPair(string(field(3))); plain {
		t.Error("another field is plain")
	}
}

func TestReadAddress(t *testing.T) {
	socket := &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Protocol: corev3.SocketAddress_UDP, Address: "::1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 8080},
	}}}
	pipe := &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/run/a.sock"}}}
	for message, want := range map[string]Address{
		"":                            {},
		marshal(t, socket):            {Kind: Socket, Name: "::1", Port: 8080},
		marshal(t, pipe):              {Kind: Pipe, Name: "/run/a.sock"},
		marshal(t, pipe) + "\x0a\x00": {}, // of both kinds
		string(field(3)):              {}, // of Envoy itself
		string(field(1, field(4, []byte("a name")))): {}, // a port by name
		string(field(2, []byte("\x10\x01"))):         {}, // a pipe's mode
	} {
		a, plain := ReadAddress(message)
		if plain != (message == "" || want.Kind != 0) || plain && a != want {
			t.Errorf("%q: %+v, %v", message, a, plain)
		}
	}
}

// What is received into a Message stays as it is, everything else is protobuf's.
func TestCodec(t *testing.T) {
	wire := marshal(t, structpb.NewStringValue("a"))
	pieces := mem.BufferSlice{mem.SliceBuffer(wire[:1]), mem.SliceBuffer(wire[1:])}
	var m Message
	if err := NewCodec().Unmarshal(pieces, &m); err != nil || m.Text != wire {
		t.Errorf("%q, %v", m.Text, err)
	}
	var v structpb.Value
	if err := NewCodec().Unmarshal(pieces, &v); err != nil || v.GetStringValue() != "a" {
		t.Errorf("%v, %v", &v, err)
	}
}
