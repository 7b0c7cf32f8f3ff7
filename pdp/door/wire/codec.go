package wire

import (
	"strings"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// A Message is a message as it came, for [Codec] to leave it so.
type Message struct{ Text string }

// Codec is protobuf's codec of gRPC, but for messages that are received into a
// [Message]: other services of the same server are not concerned.
type Codec struct{ encoding.CodecV2 }

// NewCodec returns the codec.
func NewCodec() Codec { return Codec{encoding.GetCodecV2(proto.Name)} }

// Unmarshal implements [encoding.CodecV2].
func (c Codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*Message)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	var text strings.Builder // one copy: the buffers are gRPC's
	text.Grow(data.Len())
	for _, piece := range data {
		text.Write(piece.ReadOnlyData())
	}
	m.Text = text.String()
	return nil
}
