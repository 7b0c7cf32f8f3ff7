package server

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/remit-pdp/remit/pdp/attributes"
	"github.com/remit-pdp/remit/pdp/config"
)

// readerSettings says which paths speak what, and reads the descriptor sets of
// what speaks gRPC.
func readerSettings(c *config.Config) (attributes.Settings, error) {
	s := attributes.Settings{
		MCPPaths: make(map[string][]string), A2A: make(map[string]attributes.A2A),
		Network: make(map[string]bool), Descriptors: make(map[string]*attributes.Descriptors),
	}
	var problems []error
	for _, l := range c.Listeners {
		s.MCPPaths[l.Name], s.Network[l.Name] = l.MCP.Paths, l.Network
		if len(l.A2A.Paths)+len(l.A2A.HTTP) > 0 {
			s.A2A[l.Name] = attributes.A2A{Paths: l.A2A.Paths, HTTP: l.A2A.HTTP}
		}
		if len(l.GRPC.Descriptors) == 0 {
			continue
		}
		descriptors, err := readDescriptors(l.GRPC.Descriptors)
		if err != nil {
			problems = append(problems, fmt.Errorf("listener %s, grpc.descriptors: %w", l.Name, err))
		}
		s.Descriptors[l.Name] = descriptors
	}
	return s, errors.Join(problems...)
}

func readDescriptors(files []string) (*attributes.Descriptors, error) {
	sets := make([][]byte, len(files))
	for i, file := range files {
		var err error
		if sets[i], err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	descriptors, err := attributes.NewDescriptors(sets...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(files, ", "), err)
	}
	return descriptors, nil
}
