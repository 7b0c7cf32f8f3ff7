package attributes

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Descriptors are gRPC services as their descriptor sets describe them.
// Immutable, safe for concurrent use; nil describes nothing.
type Descriptors struct {
	files   *protoregistry.Files
	methods map[string]protoreflect.MethodDescriptor // by "service/method"
}

// NewDescriptors reads FileDescriptorSets (google/protobuf/descriptor.proto), as
// `protoc --include_imports --descriptor_set_out` and `buf build` write them.
// Sets may share files, if they agree about them.
func NewDescriptors(sets ...[]byte) (*Descriptors, error) {
	all, err := union(sets)
	if err != nil {
		return nil, err
	}
	files, err := protodesc.NewFiles(all)
	if err != nil {
		return nil, fmt.Errorf("%w (a set must hold the files it imports: protoc --include_imports)", err)
	}
	d := &Descriptors{files: files, methods: make(map[string]protoreflect.MethodDescriptor)}
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		d.services(file)
		err = distinctNames(file.Messages())
		return err == nil
	})
	if err == nil && len(d.methods) == 0 {
		err = fmt.Errorf("no service is described")
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// union is the set of all files of sets.
func union(sets [][]byte) (*descriptorpb.FileDescriptorSet, error) {
	all, known := &descriptorpb.FileDescriptorSet{}, make(map[string]*descriptorpb.FileDescriptorProto)
	for i, set := range sets {
		var parsed descriptorpb.FileDescriptorSet
		if err := proto.Unmarshal(set, &parsed); err != nil {
			return nil, fmt.Errorf("set %d is not a FileDescriptorSet in protobuf's binary form: %w", i+1, err)
		}
		for _, file := range parsed.GetFile() {
			switch before := known[file.GetName()]; {
			case before == nil:
				known[file.GetName()] = file
				all.File = append(all.File, file)
			case !proto.Equal(before, file):
				return nil, fmt.Errorf("set %d has another %s than a set before it", i+1, file.GetName())
			}
		}
	}
	return all, nil
}

func (d *Descriptors) services(file protoreflect.FileDescriptor) {
	services := file.Services()
	for i := range services.Len() {
		methods := services.Get(i).Methods()
		for j := range methods.Len() {
			d.methods[string(services.Get(i).FullName())+"/"+string(methods.Get(j).Name())] = methods.Get(j)
		}
	}
}

// distinctNames refuses two fields of one message that have the same name in
// JSON: the policy would see one of them.
func distinctNames(messages protoreflect.MessageDescriptors) error {
	for i := range messages.Len() {
		message := messages.Get(i)
		seen := make(map[string]bool)
		for j := range message.Fields().Len() {
			name := message.Fields().Get(j).JSONName()
			if seen[name] {
				return fmt.Errorf("message %s has two fields whose name in JSON is %q", message.FullName(), name)
			}
			seen[name] = true
		}
		if err := distinctNames(message.Messages()); err != nil {
			return err
		}
	}
	return nil
}

// method returns a method by "service/method"; nil where no set describes it.
func (d *Descriptors) method(name string) protoreflect.MethodDescriptor {
	if d == nil {
		return nil
	}
	return d.methods[name]
}

// message returns the message that a type URL of google.protobuf.Any names; nil
// where no set describes it.
func (d *Descriptors) message(url string) protoreflect.MessageDescriptor {
	name := url[strings.LastIndexByte(url, '/')+1:]
	found, err := d.files.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil
	}
	message, _ := found.(protoreflect.MessageDescriptor)
	return message
}

// streaming is `input.request.rpc.streaming` of a method.
func streaming(m protoreflect.MethodDescriptor) string {
	switch {
	case m.IsStreamingClient() && m.IsStreamingServer():
		return "both"
	case m.IsStreamingClient():
		return "client"
	case m.IsStreamingServer():
		return "server"
	default:
		return "none"
	}
}
