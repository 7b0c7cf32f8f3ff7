package attributes

import (
	"encoding/binary"
	"strings"

	"github.com/remit-pdp/remit/pdp"
)

// grpcType is how the content-type of every gRPC request begins (gRPC over
// HTTP/2, "Requests"; grpc-web likewise).
const grpcType = "application/grpc"

// isGRPC reports whether a server could take the request for a gRPC call.
// Servers ignore the case of a content-type.
func isGRPC(e *asked) bool {
	contentType, _ := e.header(headerContentType)
	return len(contentType) >= len(grpcType) && strings.EqualFold(contentType[:len(grpcType)], grpcType)
}

// protobufTypes are the content-types under which a message is in protobuf's
// binary form in a frame of its own. Of any other ("+json", grpc-web-text)
// nothing is read.
var protobufTypes = []string{"application/grpc", "application/grpc+proto", "application/grpc-web", "application/grpc-web+proto"}

// readGRPC reads a gRPC call: the method from the path, and the message from
// the body where a descriptor set describes it and the client sends only one.
// What cannot be described is unreadable, and what a client streams is unseen:
// the policy sees that. What is described and could be read in two ways is
// refused.
func (r *Reader) readGRPC(e *asked, q *pdp.Request) *pdp.Refusal {
	if e.Method != "POST" {
		return refuse(CodeGRPC, "a gRPC call is a POST")
	}
	if len(q.Segments) != 2 || !isService(q.Segments[0]) || !isIdentifier(q.Segments[1]) || q.Query.Defined() {
		return refuse(CodeGRPC, "the path is not /package.Service/Method")
	}
	rpc := &pdp.RPC{Service: q.Segments[0], Method: q.Segments[1], Name: q.Segments[0] + "/" + q.Segments[1]}
	descriptors := r.settings.Descriptors[e.Listener]
	method := descriptors.method(rpc.Name)
	if method != nil {
		rpc.Known, rpc.Streaming = true, streaming(method)
	}
	q.RPC = rpc
	if rpc.Service == a2aService {
		if refusal := grpcA2A(e, q); refusal != nil {
			return refusal
		}
	}
	switch {
	case method != nil && method.IsStreamingClient():
		q.BodyState = pdp.BodyUnseen
		return nil
	case cut(e):
		q.BodyState = pdp.BodyTruncated
		return refuse(CodeTruncated, "the proxy cut the body")
	case len(e.Body) == 0:
		q.BodyState = pdp.BodyUnseen
		if emptyBody(e) == pdp.BodyNone {
			return refuse(CodeGRPC, "the call has no message")
		}
		return nil
	case method == nil || !isProtobuf(e):
		q.BodyState = pdp.BodyUnreadable
		return nil
	}
	if rule := wholeBody(e); rule != "" {
		return refuse(CodeBody, rule)
	}
	framed, rule := oneFrame([]byte(e.Body))
	if rule != "" {
		return refuse(CodeGRPC, rule)
	}
	q.Body, rule = readMessageOf(descriptors, method.Input(), framed)
	if rule != "" {
		return refuse(CodeGRPC, rule)
	}
	rpc.Params, rpc.Arguments, q.BodyState = q.Body, q.Body, pdp.BodyComplete
	return nil
}

// isProtobuf reports whether the request says that its message is in protobuf's
// binary form. Parameters of the type change nothing in it.
func isProtobuf(e *asked) bool {
	contentType, _ := e.header(headerContentType)
	media, _, _ := strings.Cut(contentType, ";")
	for _, known := range protobufTypes {
		if strings.EqualFold(strings.TrimSpace(media), known) {
			return true
		}
	}
	return false
}

// oneFrame takes the one message out of a body (gRPC over HTTP/2,
// "Length-Prefixed-Message"): a flag of one byte, the length in four, the
// message.
func oneFrame(body []byte) (message []byte, rule string) {
	const prefix = 5
	switch {
	case len(body) < prefix:
		return nil, "the body ends within a frame's prefix"
	case body[0] == 1:
		return nil, "the message is compressed"
	case body[0] != 0:
		return nil, "the frame has a flag that gRPC does not have"
	}
	length := uint64(binary.BigEndian.Uint32(body[1:prefix]))
	switch have := uint64(len(body) - prefix); {
	case have < length:
		return nil, "the body ends within a message"
	case have > length:
		return nil, "there is more than one message in the body of a method that takes one"
	}
	return body[prefix:], ""
}

// isService reports whether name can be the full name of a service.
func isService(name string) bool {
	for part := range strings.SplitSeq(name, ".") {
		if !isIdentifier(part) {
			return false
		}
	}
	return true
}

// isIdentifier reports whether name is one in protobuf's language.
func isIdentifier(name string) bool {
	for i := range len(name) {
		letter := 'a' <= name[i]|0x20 && name[i]|0x20 <= 'z' || name[i] == '_'
		if digit := '0' <= name[i] && name[i] <= '9'; !letter && (!digit || i == 0) {
			return false
		}
	}
	return name != ""
}
