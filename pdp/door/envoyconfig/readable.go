package envoyconfig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/structpb"
)

// takeAs reads a part of the dump as the message that it is.
func takeAs[M any, P interface {
	*M
	proto.Message
}](text []byte, take func(P) error) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree map[string]any
	if err := decoder.Decode(&tree); err != nil {
		return err
	}
	delete(tree, "@type")
	known, err := json.Marshal(readable(tree))
	if err != nil {
		return err
	}
	dump := P(new(M))
	// A newer Envoy has settings that this remit does not know.
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(known, dump); err != nil {
		return fmt.Errorf("%s: %w", typeURL(dump), err)
	}
	return take(dump)
}

// readable puts a plain structure in the place of every extension whose type is
// not known here: reading a message needs the types of all that it holds.
func readable(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = readable(v[i])
		}
	case map[string]any:
		if url, ok := v["@type"].(string); ok {
			if _, err := protoregistry.GlobalTypes.FindMessageByURL(url); err != nil {
				return map[string]any{"@type": typeURL(&structpb.Struct{}), "value": v}
			}
		}
		for name := range v {
			v[name] = readable(v[name])
		}
	}
	return v
}

// typeURL is what an Any calls the type of a message.
func typeURL(m proto.Message) string {
	return "type.googleapis.com/" + string(m.ProtoReflect().Descriptor().FullName())
}

// addressOf is an address in the spelling of remit's configuration; "" for one
// that it does not have.
func addressOf(a *corev3.Address) string {
	if path := a.GetPipe().GetPath(); path != "" {
		return socketScheme + path
	}
	if s := a.GetSocketAddress(); s != nil {
		return net.JoinHostPort(s.GetAddress(), strconv.Itoa(int(s.GetPortValue())))
	}
	return ""
}

// bootstrap is what matters here of what Envoy was started with. It is read apart:
// it lists every extension there is, and only two things of it are needed.
type bootstrap struct {
	Node struct {
		Build struct {
			Version struct {
				Major int `json:"major_number"`
				Minor int `json:"minor_number"`
				Patch int `json:"patch"`
			} `json:"version"`
		} `json:"user_agent_build_version"`
	} `json:"node"`
	Admin struct {
		Address struct {
			Socket struct {
				Address string `json:"address"`
			} `json:"socket_address"`
		} `json:"address"`
	} `json:"admin"`
}

func (b *bootstrap) version() string {
	v := b.Node.Build.Version
	if v.Major == 0 {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}
