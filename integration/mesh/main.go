// Command mesh is Istio's discovery server without Kubernetes: it reads Istio's
// configuration from files and gives a plain Envoy what istiod would. All of it
// is Istio's own code, its validation included; only how the files come in is
// not.
//
// It is a module of its own: Istio's dependencies stay out of remit's.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pilot/pkg/features"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/test"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:15010", "where Envoy asks for its configuration")
	settings := flag.String("mesh", "", "file of the mesh configuration")
	objects := flag.String("objects", "", "file of the Kubernetes objects there are")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: mesh --mesh FILE --objects FILE ISTIO-CONFIGURATION...")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *listen, *settings, *objects, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "mesh:", err)
		os.Exit(1)
	}
}

// serve runs the discovery server until ctx ends.
func serve(ctx context.Context, listen, settings, objects string, files []string) error {
	text, err := os.ReadFile(settings)
	if err != nil {
		return err
	}
	meshConfig, err := mesh.ApplyMeshConfigDefaults(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", settings, err)
	}
	if meshConfig, err = withoutIstiosProxy(meshConfig); err != nil {
		return err
	}
	kubernetes, err := os.ReadFile(objects)
	if err != nil {
		return err
	}
	config, err := join(files)
	if err != nil {
		return err
	}
	return test.Wrap(func(t test.Failer) {
		xds.NewFakeDiscoveryServer(t, xds.FakeOptions{
			MeshConfig:             meshConfig,
			KubernetesObjectString: string(kubernetes),
			ConfigString:           config,
			ListenerBuilder:        func() (net.Listener, error) { return net.Listen("tcp", listen) },
		})
		<-ctx.Done()
	})
}

// withoutIstiosProxy leaves out what only Istio's build of Envoy has (two
// filters) or only its agent provides (certificates). Nothing of it is about
// whether a request is allowed.
func withoutIstiosProxy(m *meshconfig.MeshConfig) (*meshconfig.MeshConfig, error) {
	features.MetadataExchange, features.ALPNFilter = false, false
	return mesh.ApplyMeshConfig("enableAutoMtls: false", m)
}

// join makes one document stream of several files.
func join(files []string) (string, error) {
	var documents []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		documents = append(documents, string(text))
	}
	return strings.Join(documents, "\n---\n"), nil
}
