package harness

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Mesh says what Istio's discovery server (integration/mesh) is given, and with
// it what the Envoy becomes that asks it.
type Mesh struct {
	Discovery string   // the server's binary, see [BuildDiscovery]
	Settings  string   // Istio's mesh configuration
	Resources []string // Istio's resources: those a user copies, and the scene around them
	Objects   string   // what Kubernetes would know
	Bootstrap string   // Envoy's
}

// BuildDiscovery builds Istio's discovery server into root/build and returns
// its path. The first time that takes minutes.
func BuildDiscovery(ctx context.Context, root string) (string, error) {
	binary := filepath.Join(root, "build", "mesh")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, ".")
	build.Dir = filepath.Join(root, "integration", "mesh")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build Istio's discovery server: %w\n%s", err, out)
	}
	return binary, nil
}

// startMesh starts the discovery server with the files (addresses are changed,
// nothing else) and an Envoy that gets everything from it.
func (s *Stack) startMesh(ctx context.Context, envoy string) error {
	e := &Envoy{findsRemit: hasListener}
	var discovery string
	for _, address := range []*string{&e.Address, &e.Admin, &discovery} {
		free, err := FreePort()
		if err != nil {
			return err
		}
		*address = free
	}
	ports := strings.NewReplacer(
		"10000", port(e.Address), "9901", port(e.Admin), "15010", port(discovery),
		"8080", port(s.Tools.Address), "8081", port(s.API.Address),
		"9191", port(s.authz), "9192", port(s.outcomes), "8180", port(s.agents))
	m := s.Mesh
	files := append([]string{m.Bootstrap, m.Settings, m.Objects}, m.Resources...)
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		files[i] = filepath.Join(s.Dir, filepath.Base(file))
		if err := os.WriteFile(files[i], []byte(ports.Replace(string(text))), 0o600); err != nil {
			return err
		}
	}
	args := append([]string{"--listen", discovery, "--mesh", files[1], "--objects", files[2]}, files[3:]...)
	if err := s.startDiscovery(ctx, discovery, args); err != nil {
		return err
	}
	if err := e.start(ctx, envoy, files[0]); err != nil {
		return err
	}
	s.Envoy = e
	return nil
}

func (s *Stack) startDiscovery(ctx context.Context, address string, args []string) (err error) {
	s.discovery, err = start(filepath.Join(s.Dir, "discovery.log"), s.Mesh.Discovery, args...)
	if err != nil {
		return err
	}
	return poll(ctx, 30*time.Second, func() error {
		if err := s.discovery.alive(); err != nil {
			return err
		}
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// hasListener reports whether Envoy has been given its listener, which it gets
// last, after the clusters.
func hasListener(ctx context.Context, e *Envoy) error {
	listeners, err := e.get(ctx, "/listeners")
	if err == nil && !strings.Contains(listeners, ":"+port(e.Address)) {
		err = fmt.Errorf("Envoy has not got its listener from Istio yet:\n%s", tail(e.process.log))
	}
	return err
}
