package value

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// FromGo returns x as a Value. It takes what encoding/json makes of a text (nil,
// bool, string, float64, [json.Number], []any, map[string]any) and besides
// []string, map[string]string, int, int64 and [Value]. Anything else at any
// depth, a NaN, an infinity or a json.Number that is not a number of JSON is an
// error, which names the type and never the value. Strings and numbers are
// taken as they are: FromGo is for data the product made or has checked, not
// for what a caller sent, which is for [ParseJSON]. x must not contain itself.
func FromGo(x any) (Value, error) {
	switch x := x.(type) {
	case nil:
		return NullValue(), nil
	case Value:
		return x, nil
	case bool:
		return Of(x), nil
	case string:
		return Str(x), nil
	case []string:
		return Strs(x), nil
	case map[string]string:
		return StrMap(x), nil
	case []any:
		return fromSlice(x)
	case map[string]any:
		return fromMap(x)
	default:
		return fromNumber(x)
	}
}

func fromNumber(x any) (Value, error) {
	switch x := x.(type) {
	case int:
		return Int(int64(x)), nil
	case int64:
		return Int(x), nil
	case float64:
		if v := Float(x); v.Defined() {
			return v, nil
		}
		return Nothing, fmt.Errorf("value: %T that is not finite", x)
	case json.Number:
		if isNumber(string(x)) {
			return Decimal(string(x)), nil
		}
		return Nothing, fmt.Errorf("value: %T that is not a JSON number", x)
	default:
		return Nothing, fmt.Errorf("value: %T cannot be a value", x)
	}
}

// isNumber reports whether text is a number by RFC 8259 §6, lossy or not.
func isNumber(text string) bool {
	p := parser{text: text}
	var v Value
	ok := p.number(&v)
	return (ok || p.err.Kind == JSONLossyNumber) && p.at == len(text)
}

func fromSlice(xs []any) (Value, error) {
	items := make([]Value, len(xs))
	for i, x := range xs {
		item, err := FromGo(x)
		if err != nil {
			return Nothing, err
		}
		items[i] = item
	}
	return List(items...), nil
}

func fromMap(xs map[string]any) (Value, error) {
	all := make([]Member, 0, len(xs))
	for name, x := range xs {
		v, err := FromGo(x)
		if err != nil {
			return Nothing, err
		}
		all = append(all, Member{name, v})
	}
	return From(NewMembers(all)), nil
}

// Go returns v as encoding/json would with UseNumber: map[string]any, []any,
// [json.Number], string, bool or nil. Undefined and null are nil. The result is
// a copy and the caller's to change.
func (v Value) Go() any {
	switch v.kind {
	case Bool:
		return v.n == 1
	case Number:
		text, _ := v.Literal()
		return json.Number(text)
	case String:
		return v.s
	case Array:
		items := make([]any, v.Len())
		for i, item := range v.Items() {
			items[i] = item.Go()
		}
		return items
	case Map:
		all := v.Members()
		object := make(map[string]any, len(all))
		for _, m := range all {
			object[m.Name] = m.Value.Go()
		}
		return object
	default:
		return nil
	}
}

// DecodeJSON reads a text that [AppendJSON] or the program itself wrote. Unlike
// [ParseJSON] it takes numbers of any precision, because nobody else will read
// them differently; it is not for what a caller sent.
func DecodeJSON(text []byte) (Value, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		return Nothing, err
	}
	if decoder.More() {
		return Nothing, errors.New("value: more than one JSON value")
	}
	return FromGo(decoded)
}
