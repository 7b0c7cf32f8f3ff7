package extauthz

import (
	"strconv"
	"strings"
	"sync"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// envelope turns a check into neutral terms. A check without HTTP is one of
// Envoy's network filter, and is about a connection.
func (s *Server) envelope(proxy string, request *authv3.CheckRequest) *pdp.Envelope {
	attributes := request.GetAttributes()
	http := attributes.GetRequest().GetHttp()
	e := &pdp.Envelope{
		Door: "ext_authz", Listener: s.settings.Listener, Proxy: proxy, Received: s.now(),
		Method: http.GetMethod(), Scheme: http.GetScheme(), Host: http.GetHost(), Path: http.GetPath(), Protocol: http.GetProtocol(),
		Network:     http == nil,
		ServerName:  attributes.GetTlsSession().GetSni(),
		BodySize:    http.GetSize(),
		HTTPID:      http.GetId(),
		TrustID:     s.settings.TrustID && isStreamID(http.GetId()),
		Source:      peer(attributes.GetSource()),
		Destination: peer(attributes.GetDestination()),
		Metadata:    metadata(attributes.GetMetadataContext()),
		Extensions:  attributes.GetContextExtensions(),
	}
	if sent := attributes.GetRequest().GetTime(); sent != nil {
		e.Sent = sent.AsTime()
	}
	e.Headers, e.HeadersJoined = headers(http)
	e.Headers, e.SessionTokens = e.Headers.Take(s.settings.SessionHeader)
	e.Body, e.BodyLossy = body(http, s.settings.BodyIsExact)
	e.Attributes = value.From(&pluginForm{attributes: attributes, headers: e.Headers})
	return e
}

// isStreamID reports whether an id can be Envoy's own, which is a decimal
// number. agentgateway sends the client's traceparent as the id, repeated with
// every request of a trace: that identifies no question, whatever is configured.
func isStreamID(id string) bool {
	_, err := strconv.ParseUint(id, 10, 64)
	return err == nil
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
func body(http *authv3.AttributeContext_HttpRequest, exact bool) (bytes []byte, lossy bool) {
	if raw := http.GetRawBody(); len(raw) > 0 {
		return raw, false
	}
	if text := http.GetBody(); text != "" {
		return []byte(text), !exact
	}
	return nil, false
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

// pluginForm is `input.attributes` as opa-envoy-plugin has it: the check in
// protobuf's JSON mapping. It is made when a policy asks for it. The plugin
// shows no headers where Envoy sends them raw; here they are always there.
type pluginForm struct {
	attributes *authv3.AttributeContext
	headers    pdp.Headers
	once       sync.Once
	made       value.Value
}

// Get implements [value.Object].
func (p *pluginForm) Get(name string) value.Value { return p.make().Get(name) }

// Range implements [value.Object].
func (p *pluginForm) Range(visit func(string, value.Value) bool) { p.make().Range(visit) }

func (p *pluginForm) make() value.Value {
	p.once.Do(func() {
		text, err := protojson.Marshal(p.attributes)
		if err != nil {
			return // the object is empty: a policy that needs it is undefined, and denies
		}
		whole, err := value.DecodeJSON(text)
		if err != nil {
			return
		}
		p.made = with(whole, p.headers.Joined(), "request", "http", "headers")
	})
	return p.made
}

// with returns object v with the member at a path set. Where the way to it is
// not there, v is returned as it is.
func with(v, member value.Value, path ...string) value.Value {
	if len(path) == 0 {
		return member
	}
	if v.Kind() != value.Map {
		return v
	}
	var members []value.Member
	v.Range(func(name string, old value.Value) bool {
		members = append(members, value.M(name, old))
		return true
	})
	return value.Obj(append(members, value.M(path[0], with(v.Get(path[0]), member, path[1:]...)))...)
}
