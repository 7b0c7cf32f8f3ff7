package attributes

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/remit-pdp/remit/pdp/value"
)

// wellKnown brings messages that have a JSON form of their own into it
// (protobuf.dev, "ProtoJSON Format"): times, durations, JSON itself, wrapped
// scalars and Any. google.protobuf.FieldMask stays an object.
func (r *protobufReader) wellKnown(message protoreflect.MessageDescriptor, plain value.Value) value.Value {
	name, isKnown := strings.CutPrefix(string(message.FullName()), "google.protobuf.")
	if !isKnown {
		return plain
	}
	v := plain
	switch name {
	case "Timestamp":
		v = timestamp(plain)
	case "Duration":
		v = duration(plain)
	case "Struct":
		v = plain.Get("fields")
	case "ListValue":
		v = plain.Get("values")
	case "Value":
		v = value.Nothing
		plain.Range(func(_ string, member value.Value) bool { v = member; return false })
	case "Any":
		v = r.any(plain)
	case "DoubleValue", "FloatValue", "Int64Value", "UInt64Value", "Int32Value", "UInt32Value", "BoolValue", "StringValue", "BytesValue":
		v = plain.Get("value")
	}
	if !v.Defined() {
		r.fail("a message %s has no valid content", message.FullName())
	}
	return v
}

// any reads the message within; one that no descriptor set knows is refused.
func (r *protobufReader) any(plain value.Value) value.Value {
	url := plain.Get("typeUrl").Text()
	message := r.types.message(url)
	if message == nil {
		r.fail("a google.protobuf.Any holds a message that no descriptor set knows")
		return value.Nothing
	}
	encoded, err := base64.StdEncoding.DecodeString(plain.Get("value").Text())
	if err != nil {
		r.fail("a google.protobuf.Any holds no bytes")
		return value.Nothing
	}
	inner := r.message(message, encoded)
	if inner.Kind() != value.Map || strings.HasPrefix(string(message.FullName()), "google.protobuf.") {
		return value.Obj(value.M("@type", value.Str(url)), value.M("value", inner))
	}
	members := []value.Member{value.M("@type", value.Str(url))}
	inner.Range(func(name string, v value.Value) bool {
		members = append(members, value.M(name, v))
		return true
	})
	return value.Obj(members...)
}

// timestamp is undefined outside of the years 1 to 9999.
func timestamp(plain value.Value) value.Value {
	seconds, _ := plain.Get("seconds").Int()
	nanos, _ := plain.Get("nanos").Int()
	if seconds < -62135596800 || seconds > 253402300799 || nanos < 0 || nanos > 999999999 {
		return value.Nothing
	}
	t := time.Unix(seconds, nanos).UTC()
	return value.Str(t.Format("2006-01-02T15:04:05") + fraction(nanos) + "Z")
}

// duration is undefined beyond 10,000 years, and where seconds and nanos point
// in different directions.
func duration(plain value.Value) value.Value {
	const longest = 315576000000
	seconds, _ := plain.Get("seconds").Int()
	nanos, _ := plain.Get("nanos").Int()
	if seconds < -longest || seconds > longest || nanos <= -1e9 || nanos >= 1e9 || seconds > 0 && nanos < 0 || seconds < 0 && nanos > 0 {
		return value.Nothing
	}
	sign := ""
	if seconds < 0 || nanos < 0 {
		sign, seconds, nanos = "-", -seconds, -nanos
	}
	return value.Str(fmt.Sprintf("%s%d%ss", sign, seconds, fraction(nanos)))
}

// fraction writes nanoseconds with 0, 3, 6 or 9 digits.
func fraction(nanos int64) string {
	if nanos == 0 {
		return ""
	}
	text := fmt.Sprintf(".%09d", nanos)
	text = strings.TrimSuffix(text, "000")
	return strings.TrimSuffix(text, "000")
}
