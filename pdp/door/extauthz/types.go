package extauthz

import (
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// fromTypes reads the check of a message by the generated types: whatever
// protobuf takes, as protobuf takes it.
func fromTypes(message string) (*pdp.Envelope, error) {
	var check authv3.CheckRequest
	if err := proto.Unmarshal([]byte(message), &check); err != nil {
		return nil, err
	}
	return envelopeOf(&check), nil
}

func envelopeOf(check *authv3.CheckRequest) *pdp.Envelope {
	attributes := check.GetAttributes()
	http := attributes.GetRequest().GetHttp()
	e := &pdp.Envelope{
		Method: http.GetMethod(), Scheme: http.GetScheme(), Host: http.GetHost(), Path: http.GetPath(), Protocol: http.GetProtocol(),
		Network:     http == nil,
		ServerName:  attributes.GetTlsSession().GetSni(),
		BodySize:    http.GetSize(),
		HTTPID:      http.GetId(),
		Source:      peer(attributes.GetSource()),
		Destination: peer(attributes.GetDestination()),
		Metadata:    metadata(attributes.GetMetadataContext()),
		Extensions:  attributes.GetContextExtensions(),
	}
	if sent := attributes.GetRequest().GetTime(); sent != nil {
		e.Sent = sent.AsTime()
	}
	e.Headers, e.HeadersJoined = headers(http)
	e.Body, e.BodyLossy = body(http)
	return e
}

// headers prefers the raw lines: the map has joined equal names and replaced
// bytes that are not UTF-8.
func headers(http *authv3.AttributeContext_HttpRequest) (lines pdp.Headers, joined bool) {
	if raw := http.GetHeaderMap().GetHeaders(); len(raw) > 0 {
		lines = make(pdp.Headers, len(raw))
		for i, h := range raw {
			v := h.GetValue()
			if len(h.GetRawValue()) > 0 {
				v = string(h.GetRawValue())
			}
			lines[i] = pdp.Header{Name: strings.ToLower(h.GetKey()), Value: v}
		}
		return lines, false
	}
	lines = make(pdp.Headers, 0, len(http.GetHeaders()))
	for name, v := range http.GetHeaders() {
		lines = append(lines, pdp.Header{Name: strings.ToLower(name), Value: v})
	}
	return lines, true
}

// body prefers the raw bytes: in the text Envoy has replaced what is not UTF-8.
func body(http *authv3.AttributeContext_HttpRequest) (text string, lossy bool) {
	if raw := http.GetRawBody(); len(raw) > 0 {
		return string(raw), false
	}
	text = http.GetBody()
	return text, text != ""
}

func peer(p *authv3.AttributeContext_Peer) pdp.Peer {
	out := pdp.Peer{Principal: p.GetPrincipal(), Certificate: p.GetCertificate()}
	switch address := p.GetAddress().GetAddress().(type) {
	case *corev3.Address_SocketAddress:
		out.Address, out.Port = address.SocketAddress.GetAddress(), address.SocketAddress.GetPortValue()
	case *corev3.Address_Pipe:
		out.Address = address.Pipe.GetPath()
	}
	return out
}

// metadata is what the proxy's filters said, by namespace.
func metadata(m *corev3.Metadata) value.Value {
	members := make([]value.Member, 0, len(m.GetFilterMetadata()))
	for namespace, object := range m.GetFilterMetadata() {
		members = append(members, value.M(namespace, fromStruct(object)))
	}
	return value.Obj(members...)
}

func fromStruct(s *structpb.Struct) value.Value {
	members := make([]value.Member, 0, len(s.GetFields()))
	for name, field := range s.GetFields() {
		members = append(members, value.M(name, fromProto(field)))
	}
	return value.Obj(members...)
}

func fromProto(v *structpb.Value) value.Value {
	switch kind := v.GetKind().(type) {
	case *structpb.Value_BoolValue:
		return value.Of(kind.BoolValue)
	case *structpb.Value_NumberValue:
		return value.Float(kind.NumberValue)
	case *structpb.Value_StringValue:
		return value.Str(kind.StringValue)
	case *structpb.Value_StructValue:
		return fromStruct(kind.StructValue)
	case *structpb.Value_ListValue:
		items := make([]value.Value, len(kind.ListValue.GetValues()))
		for i, item := range kind.ListValue.GetValues() {
			items[i] = fromProto(item)
		}
		return value.List(items...)
	default:
		return value.NullValue()
	}
}
