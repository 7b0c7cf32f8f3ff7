// Package check holds what proves the chart and the recipes: Helm renders the
// former, and every manifest of both is read strictly into the types of those
// who will read it in a cluster.
package check

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	promv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
	gwv1b1 "sigs.k8s.io/gateway-api/apis/v1beta1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// The kinds that a manifest may have, each with the type that reads it.
var kinds = map[string]func() any{
	"v1 ConfigMap":                            func() any { return new(corev1.ConfigMap) },
	"v1 Service":                              func() any { return new(corev1.Service) },
	"v1 ServiceAccount":                       func() any { return new(corev1.ServiceAccount) },
	"apps/v1 StatefulSet":                     func() any { return new(appsv1.StatefulSet) },
	"networking.k8s.io/v1 NetworkPolicy":      func() any { return new(networkingv1.NetworkPolicy) },
	"policy/v1 PodDisruptionBudget":           func() any { return new(policyv1.PodDisruptionBudget) },
	"monitoring.coreos.com/v1 ServiceMonitor": func() any { return new(promv1.ServiceMonitor) },
	"monitoring.coreos.com/v1 PrometheusRule": func() any { return new(promv1.PrometheusRule) },

	"gateway.networking.k8s.io/v1 Gateway":             func() any { return new(gwv1.Gateway) },
	"gateway.networking.k8s.io/v1 GatewayClass":        func() any { return new(gwv1.GatewayClass) },
	"gateway.networking.k8s.io/v1 HTTPRoute":           func() any { return new(gwv1.HTTPRoute) },
	"gateway.networking.k8s.io/v1 BackendTLSPolicy":    func() any { return new(gwv1.BackendTLSPolicy) },
	"gateway.networking.k8s.io/v1beta1 ReferenceGrant": func() any { return new(gwv1b1.ReferenceGrant) },

	"gateway.envoyproxy.io/v1alpha1 Backend":              func() any { return new(egv1a1.Backend) },
	"gateway.envoyproxy.io/v1alpha1 BackendTrafficPolicy": func() any { return new(egv1a1.BackendTrafficPolicy) },
	"gateway.envoyproxy.io/v1alpha1 ClientTrafficPolicy":  func() any { return new(egv1a1.ClientTrafficPolicy) },
	"gateway.envoyproxy.io/v1alpha1 EnvoyPatchPolicy":     func() any { return new(egv1a1.EnvoyPatchPolicy) },
	"gateway.envoyproxy.io/v1alpha1 EnvoyProxy":           func() any { return new(egv1a1.EnvoyProxy) },
	"gateway.envoyproxy.io/v1alpha1 SecurityPolicy":       func() any { return new(egv1a1.SecurityPolicy) },

	"networking.istio.io/v1 DestinationRule":   func() any { return new(istioObject) },
	"networking.istio.io/v1 ServiceEntry":      func() any { return new(istioObject) },
	"networking.istio.io/v1 VirtualService":    func() any { return new(istioObject) },
	"networking.istio.io/v1alpha3 EnvoyFilter": func() any { return new(istioObject) },
	"security.istio.io/v1 AuthorizationPolicy": func() any { return new(istioObject) },
	"telemetry.istio.io/v1 Telemetry":          func() any { return new(istioObject) },

	"agentgateway.dev/v1alpha1 AgentgatewayPolicy":  func() any { return new(agentgatewayPolicy) },
	"agentgateway.dev/v1alpha1 AgentgatewayBackend": func() any { return new(agentgatewayBackend) },
}

// A manifest is one object of Kubernetes.
type manifest struct {
	kind  string // like "apps/v1 StatefulSet"
	name  string
	json  []byte
	typed any
}

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// values are those of a file in testdata.
func values(t *testing.T, file string) map[string]any {
	t.Helper()
	return chartValues(t, filepath.Join("testdata", file))
}

func chartValues(t *testing.T, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	read := make(map[string]any)
	if err := yaml.UnmarshalStrict(text, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

// valueFiles are the names of all files with values for the tests.
func valueFiles(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if len(names) < 3 {
		t.Fatalf("found %v: values are missing", names)
	}
	return names
}

// render does what `helm template RELEASE ..` does: it checks the values by the
// schema and fills in the templates, which it returns by their paths.
func render(t *testing.T, name string, given map[string]any) (map[string]string, error) {
	t.Helper()
	c := load(t)
	release := chartutil.ReleaseOptions{Name: name, Namespace: "remit", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(c, given, release, nil)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(c, all)
}

// manifests are those of a release that is called edge.
func manifests(t *testing.T, given map[string]any) []manifest {
	t.Helper()
	return installed(t, "edge", given)
}

// installed renders the chart and reads everything in it.
func installed(t *testing.T, name string, given map[string]any) (all []manifest) {
	t.Helper()
	rendered, err := render(t, name, given)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if strings.HasSuffix(name, ".yaml") {
			all = append(all, read(t, name, []byte(rendered[name]))...)
		}
	}
	return all
}

func readFile(t *testing.T, file string) []manifest {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, file, text)
}

// read reads a file's manifests, strictly.
func read(t *testing.T, name string, text []byte) (all []manifest) {
	t.Helper()
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m, err := decode(document)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, document)
		} else if m != nil {
			all = append(all, *m)
		}
	}
}

// decode reads one document into the type of its kind: no field that the type
// does not have, none twice, none spelt in another case. Of a document that holds
// nothing but comments it returns nil.
func decode(document []byte) (*manifest, error) {
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil || bytes.Equal(bytes.TrimSpace(text), []byte("null")) {
		return nil, err
	}
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := json.UnmarshalCaseSensitivePreserveInts(text, &head); err != nil {
		return nil, err
	}
	m := &manifest{kind: head.APIVersion + " " + head.Kind, name: head.Metadata.Name, json: text}
	fresh, known := kinds[m.kind]
	if !known {
		return nil, fmt.Errorf("nobody reads %q", m.kind)
	}
	m.typed = fresh()
	strict, err := json.UnmarshalStrict(text, m.typed)
	return m, errors.Join(append(strict, err)...)
}

// the returns the only manifest of a type.
func the[T any](t *testing.T, all []manifest) (found T) {
	t.Helper()
	number := 0
	for _, m := range all {
		if typed, is := m.typed.(T); is {
			found = typed
			number++
		}
	}
	if number != 1 {
		t.Fatalf("there are %d of %T", number, found)
	}
	return found
}
