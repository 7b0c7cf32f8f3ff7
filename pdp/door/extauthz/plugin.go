package extauthz

import (
	"sync"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/remit-pdp/remit/pdp"
	"github.com/remit-pdp/remit/pdp/value"
)

// pluginForm is `input.attributes` as opa-envoy-plugin has it: the check in
// protobuf's JSON mapping. It is made of the message when a policy asks for it.
// The plugin shows no headers where Envoy sends them raw; here they are always
// there.
type pluginForm struct {
	message string
	headers pdp.Headers
	once    sync.Once
	made    value.Value
}

// Get implements [value.Object].
func (p *pluginForm) Get(name string) value.Value { return p.make().Get(name) }

// Range implements [value.Object].
func (p *pluginForm) Range(visit func(string, value.Value) bool) { p.make().Range(visit) }

func (p *pluginForm) make() value.Value {
	p.once.Do(func() {
		var check authv3.CheckRequest
		if proto.Unmarshal([]byte(p.message), &check) != nil {
			return // the object is empty: a policy that needs it is undefined, and denies
		}
		text, err := protojson.Marshal(check.GetAttributes())
		if err != nil {
			return
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
