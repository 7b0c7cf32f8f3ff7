package attributes

import (
	"encoding/base64"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/remit-pdp/remit/pdp/value"
)

// wireOf is how values of a kind are encoded outside of a packed block.
func wireOf(kind protoreflect.Kind) protowire.Type {
	switch kind {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.GroupKind:
		return protowire.StartGroupType
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	default:
		return protowire.VarintType
	}
}

// varint reads a number, boolean or enum. One that does not fit its type is
// refused: parsers cut it to size, or do not.
func (r *protobufReader) varint(field protoreflect.FieldDescriptor, n uint64) value.Value {
	fits := true
	var v value.Value
	switch field.Kind() {
	case protoreflect.BoolKind:
		fits, v = n <= 1, value.Of(n == 1)
	case protoreflect.EnumKind:
		return r.enum(field, n)
	case protoreflect.Int32Kind:
		fits, v = int64(n) == int64(int32(n)), value.Int(int64(n))
	case protoreflect.Uint32Kind:
		fits, v = n <= math.MaxUint32, value.Int(int64(n))
	case protoreflect.Uint64Kind:
		v = unsigned(n)
	case protoreflect.Sint32Kind:
		fits, v = n <= math.MaxUint32, value.Int(protowire.DecodeZigZag(n))
	case protoreflect.Sint64Kind:
		v = value.Int(protowire.DecodeZigZag(n))
	default: // int64
		v = value.Int(int64(n))
	}
	if !fits {
		r.fail("field %s has a number that does not fit its type", field.FullName())
	}
	return v
}

// enum reads an enum as the name of its value. A number without a name is kept
// by some parsers and dropped by others.
func (r *protobufReader) enum(field protoreflect.FieldDescriptor, n uint64) value.Value {
	if int64(n) == int64(int32(n)) {
		if named := field.Enum().Values().ByNumber(protoreflect.EnumNumber(int32(n))); named != nil {
			return enumValue(named)
		}
	}
	r.fail("field %s has a value that its enum does not have", field.FullName())
	return value.Nothing
}

func enumValue(named protoreflect.EnumValueDescriptor) value.Value {
	if named.Parent().FullName() == "google.protobuf.NullValue" {
		return value.NullValue()
	}
	return value.Str(string(named.Name()))
}

// fixed reads a number of fixed width.
func (r *protobufReader) fixed(field protoreflect.FieldDescriptor, wire protowire.Type, encoded []byte) (value.Value, []byte) {
	var bits uint64
	var size int
	if wire == protowire.Fixed32Type {
		var half uint32
		half, size = protowire.ConsumeFixed32(encoded)
		bits = uint64(half)
	} else {
		bits, size = protowire.ConsumeFixed64(encoded)
	}
	if size < 0 {
		r.fail("field %s does not end", field.FullName())
		return value.Nothing, nil
	}
	v := fixedValue(field.Kind(), bits)
	if !v.Defined() {
		r.fail("field %s is not a finite number", field.FullName())
	}
	return v, encoded[size:]
}

// fixedValue is undefined where the bits are not a finite number. A float of 32
// bits reads as the shortest decimal that names it, as it does in JSON.
func fixedValue(kind protoreflect.Kind, bits uint64) value.Value {
	switch kind {
	case protoreflect.FloatKind:
		f := float64(math.Float32frombits(uint32(bits)))
		if v := value.Float(f); !v.Defined() || f == math.Trunc(f) && math.Abs(f) < 1<<24 {
			return v
		}
		return value.Decimal(strconv.FormatFloat(f, 'g', -1, 32))
	case protoreflect.DoubleKind:
		return value.Float(math.Float64frombits(bits))
	case protoreflect.Sfixed32Kind:
		return value.Int(int64(int32(bits)))
	case protoreflect.Sfixed64Kind:
		return value.Int(int64(bits))
	default:
		return unsigned(bits)
	}
}

func unsigned(n uint64) value.Value { return value.Decimal(strconv.FormatUint(n, 10)) }

// encodeBytes is bytes in JSON: base64 with padding.
func encodeBytes(b []byte) value.Value { return value.Str(base64.StdEncoding.EncodeToString(b)) }

// assemble makes the object of a message's fields.
func assemble(message protoreflect.MessageDescriptor, found map[protoreflect.FieldNumber]*record) value.Value {
	fields := message.Fields()
	members := make([]value.Member, 0, fields.Len())
	for i := range fields.Len() {
		field := fields.Get(i)
		members = append(members, value.M(field.JSONName(), fieldValue(field, found[field.Number()])))
	}
	return value.Obj(members...)
}

// fieldValue is undefined for a field that is not there and could be.
func fieldValue(field protoreflect.FieldDescriptor, have *record) value.Value {
	switch {
	case field.IsMap():
		var members []value.Member
		for i := 0; have != nil && i < len(have.values); i += 2 {
			members = append(members, value.M(have.values[i].Text(), have.values[i+1]))
		}
		return value.Obj(members...)
	case field.IsList():
		if have == nil {
			return value.List()
		}
		return value.List(have.values...)
	case have != nil:
		return have.values[0]
	case field.HasPresence():
		return value.Nothing
	default:
		return zero(field)
	}
}

// zero is what a field without presence has where the message does not say.
func zero(field protoreflect.FieldDescriptor) value.Value {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return value.Of(false)
	case protoreflect.StringKind, protoreflect.BytesKind:
		return value.Str("")
	case protoreflect.EnumKind:
		return enumValue(field.Enum().Values().Get(0))
	default:
		return value.Int(0)
	}
}
