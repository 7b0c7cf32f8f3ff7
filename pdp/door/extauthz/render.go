package extauthz

import (
	"slices"
	"strconv"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// reserved begins the names of headers that only remit sets; stampHeader is
// the one that carries the signed decision to the tool.
const (
	reserved    = "x-remit-"
	stampHeader = reserved + "decision"
)

// renderer turns decisions into Envoy's answers.
type renderer struct {
	denyAs DenyAs
	keys   *pdp.Keys
	now    func() time.Time
}

// rendered is an answer as it is on the wire.
type rendered []byte

// render is the only constructor of answers that leave. What protobuf cannot
// write is denied: the caller must not be left without an answer.
func (r renderer) render(d *pdp.Decision, asked pdp.Headers) rendered {
	if out, plain := r.plainAllow(d, asked); plain {
		return out
	}
	out, err := proto.Marshal(r.response(d, asked))
	if err != nil {
		return broken()
	}
	return out
}

// allows reports whether a decision lets the request through: where it is an
// allow and has an id, which says that it was recorded.
func allows(d *pdp.Decision) bool { return d.Effect == pdp.Allow && d.ID != "" }

// response renders a decision with the generated types. It begins with the
// denial and becomes an allow where the decision is one. asked are the headers of
// the request.
func (r renderer) response(d *pdp.Decision, asked pdp.Headers) *authv3.CheckResponse {
	response := &authv3.CheckResponse{
		Status:          &rpcstatus.Status{Code: int32(codes.PermissionDenied)},
		DynamicMetadata: dynamicMetadata(d),
	}
	if allows(d) {
		response.Status = &rpcstatus.Status{Code: int32(codes.OK)}
		response.HttpResponse = &authv3.CheckResponse_OkResponse{OkResponse: r.allowed(d, asked)}
		return response
	}
	a := r.denied(d)
	response.HttpResponse = &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
		Status:  &typev3.HttpStatus{Code: typev3.StatusCode(a.status)},
		Headers: options(a.headers),
		Body:    a.body,
	}}
	return response
}

// allowed changes the request that goes on to the tool. Envoy applies removals
// after additions, so that a name in both would be gone: the policy's word to
// remove a header wins, except about remit's own. What the caller says in
// remit's name is removed here too, because not every proxy is configured to.
func (r renderer) allowed(d *pdp.Decision, asked pdp.Headers) *authv3.OkHttpResponse {
	p := &d.Response
	ok := &authv3.OkHttpResponse{
		Headers:                 options(append(p.Headers[:len(p.Headers):len(p.Headers)], r.stamp(d))),
		HeadersToRemove:         append(p.RemoveHeaders[:len(p.RemoveHeaders):len(p.RemoveHeaders)], forged(asked)...),
		ResponseHeadersToAdd:    options(p.ResponseHeaders),
		QueryParametersToRemove: p.RemoveQuery,
	}
	for _, q := range p.SetQuery {
		ok.QueryParametersToSet = append(ok.QueryParametersToSet, &corev3.QueryParameter{Key: q.Name, Value: q.Value})
	}
	return ok
}

// stamp is the header that carries the decision, signed.
func (r renderer) stamp(d *pdp.Decision) pdp.Header {
	return pdp.Header{Name: stampHeader, Value: r.keys.Stamp(d, r.now())}
}

// forged are the names among a request's headers that a tool could take for
// remit's own: with underscores for dashes too, which CGI and its successors do
// not tell apart. The stamp is not among them: it is overwritten.
func forged(asked pdp.Headers) (names []string) {
	for _, h := range asked {
		if isReserved(h.Name) && h.Name != stampHeader && !slices.Contains(names, h.Name) {
			names = append(names, h.Name)
		}
	}
	return names
}

// isReserved reports whether a name begins as those that only remit sets, an
// underscore for a dash.
func isReserved(name string) bool {
	if len(name) < len(reserved) {
		return false
	}
	for i := range len(reserved) {
		if name[i] != reserved[i] && (name[i] != '_' || reserved[i] != '-') {
			return false
		}
	}
	return true
}

// options sets headers, each as [actionOf] says.
func options(headers pdp.Headers) []*corev3.HeaderValueOption {
	list := make([]*corev3.HeaderValueOption, len(headers))
	for i, h := range headers {
		list[i] = &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: h.Name, Value: h.Value},
			AppendAction: actionOf(headers, i),
		}
	}
	return list
}

// dynamicMetadata is what later filters and the access log see: what the
// policy handed on, and the decision's id, by which the outcome is found.
func dynamicMetadata(d *pdp.Decision) *structpb.Struct {
	fields := make(map[string]*structpb.Value)
	d.Metadata.Range(func(name string, v value.Value) bool {
		fields[name] = toProto(v)
		return true
	})
	if d.ID != "" {
		fields["decision_id"] = structpb.NewStringValue(d.ID)
	}
	return &structpb.Struct{Fields: fields}
}

func toProto(v value.Value) *structpb.Value {
	switch v.Kind() {
	case value.Bool:
		b, _ := v.Bool()
		return structpb.NewBoolValue(b)
	case value.Number:
		text, _ := v.Literal()
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return structpb.NewStringValue(text) // too large for a double
		}
		return structpb.NewNumberValue(n)
	case value.String:
		return structpb.NewStringValue(strings.ToValidUTF8(v.Text(), "\ufffd"))
	case value.Array:
		list := &structpb.ListValue{}
		for _, item := range v.Items() {
			list.Values = append(list.Values, toProto(item))
		}
		return structpb.NewListValue(list)
	case value.Map:
		fields := make(map[string]*structpb.Value)
		v.Range(func(name string, member value.Value) bool {
			fields[name] = toProto(member)
			return true
		})
		return structpb.NewStructValue(&structpb.Struct{Fields: fields})
	default:
		return structpb.NewNullValue()
	}
}
