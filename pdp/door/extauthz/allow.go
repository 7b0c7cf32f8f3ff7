package extauthz

import (
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/remit-pdp/remit/pdp"
)

// The fields of CheckResponse.
const (
	statusField   protowire.Number = 1
	deniedField   protowire.Number = 2
	okField       protowire.Number = 3
	metadataField protowire.Number = 4
)

// plainAllow writes the usual allow as it is on the wire: some headers set, some
// removed, the decision's id for later filters. It returns false where the
// decision asks for more, or for text that protobuf refuses. The numbers are those
// of CheckResponse, OkHttpResponse, HeaderValueOption and Struct.
func (r renderer) plainAllow(d *pdp.Decision, asked pdp.Headers) (_ rendered, plain bool) {
	p := &d.Response
	if !allows(d) || d.Metadata.Defined() || len(p.SetQuery) > 0 || len(p.RemoveQuery) > 0 {
		return nil, false
	}
	set := append(p.Headers[:len(p.Headers):len(p.Headers)], r.stamp(d))
	removed := append(p.RemoveHeaders[:len(p.RemoveHeaders):len(p.RemoveHeaders)], forged(asked)...)
	if !areText(set) || !areText(p.ResponseHeaders) || !utf8.ValidString(d.ID) {
		return nil, false
	}
	var room [1 << 10]byte
	ok := appendOptions(room[:0], 2, set)
	for _, name := range removed {
		if !utf8.ValidString(name) {
			return nil, false
		}
		ok = appendText(ok, 5, name)
	}
	ok = appendOptions(ok, 6, p.ResponseHeaders)

	out := make(rendered, 0, len(ok)+len(d.ID)+64)
	out = appendOpening(out, statusField, 0) // a status of OK has no fields
	out = append(appendOpening(out, okField, len(ok)), ok...)
	return appendDecisionID(out, d.ID), true
}

// appendOptions appends fields of HeaderValueOptions, as [options] makes them.
func appendOptions(out []byte, number protowire.Number, headers pdp.Headers) []byte {
	for i, h := range headers {
		header, action := textSize(h.Name)+textSize(h.Value), actionOf(headers, i)
		out = appendOpening(out, number, 1+protowire.SizeBytes(header)+1+protowire.SizeVarint(uint64(action)))
		out = appendOpening(out, 1, header)
		out = appendText(out, 1, h.Name)
		out = appendText(out, 2, h.Value)
		out = protowire.AppendVarint(protowire.AppendTag(out, 3, protowire.VarintType), uint64(action))
	}
	return out
}

// appendDecisionID appends the dynamic metadata {"decision_id": id}.
func appendDecisionID(out []byte, id string) []byte {
	const name = "decision_id"
	v := textSize(id)
	member := textSize(name) + 1 + protowire.SizeBytes(v)
	out = appendOpening(out, metadataField, 1+protowire.SizeBytes(member))
	out = appendOpening(out, 1, member)
	out = appendText(out, 1, name)
	out = appendOpening(out, 2, v)
	return appendText(out, 3, id)
}

// appendOpening appends what stands before a message of a size. The numbers of
// all fields here are below 16: their tags are one byte.
func appendOpening(out []byte, number protowire.Number, size int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(out, number, protowire.BytesType), uint64(size))
}

func appendText(out []byte, number protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(out, number, protowire.BytesType), s)
}

// textSize is the size of what appendText appends.
func textSize(s string) int { return 1 + protowire.SizeBytes(len(s)) }

// areText reports whether headers are UTF-8, as protobuf's strings must be.
func areText(headers pdp.Headers) bool {
	for _, h := range headers {
		if !utf8.ValidString(h.Name) || !utf8.ValidString(h.Value) {
			return false
		}
	}
	return true
}

// actionOf is how header i of a list is set. The append action is always spelt
// out: what an unset one means differs between clients and versions, and where it
// means append a client's own copy of the header would stay beside this one.
// Further values of one name are added to its first.
func actionOf(headers pdp.Headers, i int) corev3.HeaderValueOption_HeaderAppendAction {
	action := corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
	for _, before := range headers[:i] {
		if before.Name == headers[i].Name {
			action = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
		}
	}
	return action
}
