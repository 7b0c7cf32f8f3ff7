package check

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	egv1a1 "github.com/envoyproxy/gateway/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
	gwv1b1 "sigs.k8s.io/gateway-api/apis/v1beta1"
)

const recipes = "../../recipes"

// envoyGateway reads the manifests of Envoy Gateway's recipe.
func envoyGateway(t *testing.T) (all []manifest) {
	t.Helper()
	for _, file := range []string{"gateway.yaml", "patch.yaml", "remit.yaml"} {
		all = append(all, readFile(t, filepath.Join(recipes, "envoy-gateway", file))...)
	}
	return all
}

func TestEnvoyGatewayAsksAboutEverything(t *testing.T) {
	all := envoyGateway(t)
	policy := the[*egv1a1.SecurityPolicy](t, all).Spec
	if len(policy.TargetRefs) != 1 || policy.TargetRefs[0].Kind != "Gateway" || policy.TargetRefs[0].SectionName != nil {
		t.Errorf("it is not attached to the whole gateway: %+v", policy.TargetRefs)
	}
	auth := policy.ExtAuth
	switch {
	case auth.FailOpen == nil || *auth.FailOpen:
		t.Error("no answer is an allow")
	case auth.StatusOnError == nil || *auth.StatusOnError != 503:
		t.Error("an outage is answered as a denial")
	case auth.RecomputeRoute == nil || *auth.RecomputeRoute:
		t.Error("the route may change after the decision")
	case auth.BodyToExtAuth == nil || len(auth.HeadersToExtAuth) > 0:
		t.Error("remit does not see the whole request")
	case auth.Timeout == nil || *auth.Timeout != "500ms":
		t.Error("a check may take its time")
	case auth.GRPC.BackendSettings.Retry != nil:
		t.Error("a check is repeated")
	}
}

// What is called by several names in a recipe is one thing.
func TestEnvoyGatewayFitsTogether(t *testing.T) {
	all := envoyGateway(t)
	given := chartValues(t, filepath.Join(recipes, "envoy-gateway", "values.yaml"))
	service := the[*corev1.Service](t, installed(t, "remit", given))

	auth := the[*egv1a1.SecurityPolicy](t, all).Spec.ExtAuth.GRPC.BackendRefs[0]
	sink := the[*egv1a1.EnvoyProxy](t, all).Spec.Telemetry.AccessLog.Settings[0].Sinks[0].ALS.BackendRefs[0]
	for i, ref := range []egv1a1.BackendRef{auth, sink} {
		if string(ref.Name) != service.Name || int32(*ref.Port) != service.Spec.Ports[i].Port {
			t.Errorf("%s:%d is not the service's: %s:%d", ref.Name, *ref.Port, service.Name, service.Spec.Ports[i].Port)
		}
	}
	if name := the[*gwv1.BackendTLSPolicy](t, all).Spec.TargetRefs[0].Name; string(name) != service.Name {
		t.Errorf("TLS is for %s", name)
	}
	grant := the[*gwv1b1.ReferenceGrant](t, all).Spec
	if string(*grant.To[0].Name) != service.Name || len(grant.From) != 2 {
		t.Errorf("granted is %+v", grant)
	}
	gateway := the[*gwv1.Gateway](t, all)
	if gateway.Spec.Infrastructure.ParametersRef.Name != the[*egv1a1.EnvoyProxy](t, all).Name {
		t.Error("the gateway has other parameters")
	}
	for _, patch := range the[*egv1a1.EnvoyPatchPolicy](t, all).Spec.JSONPatches {
		listener := fmt.Sprintf("%s/%s/%s", gateway.Namespace, gateway.Name, gateway.Spec.Listeners[0].Name)
		filter := fmt.Sprintf("securitypolicy/%s/remit", gateway.Namespace)
		if patch.Name != listener || !strings.Contains(*patch.Operation.JSONPath, filter) {
			t.Errorf("%s, %s is patched", patch.Name, *patch.Operation.JSONPath)
		}
	}
}

// One spelling a path; nobody outside speaks for remit, or for somebody else.
func TestEnvoyGatewayClosesWhatItCan(t *testing.T) {
	client := the[*egv1a1.ClientTrafficPolicy](t, envoyGateway(t)).Spec
	if *client.Path.EscapedSlashesAction != egv1a1.RejectRequestAction || *client.Path.DisableMergeSlashes {
		t.Errorf("paths: %+v", client.Path)
	}
	if *client.Headers.WithUnderscoresAction != egv1a1.WithUnderscoresActionRejectRequest {
		t.Error("headers with underscores get through")
	}
	if *client.Headers.XForwardedClientCert.Mode != egv1a1.XFCCForwardModeSanitize {
		t.Error("a client says who it is")
	}
	stripped := client.Headers.EarlyRequestHeaders.RemoveOnMatch
	if !slices.ContainsFunc(stripped, func(m egv1a1.StringMatch) bool {
		return *m.Type == egv1a1.StringMatchPrefix && m.Value == "x-remit-"
	}) {
		t.Errorf("a client speaks for remit: %+v", stripped)
	}
	if proxy := the[*egv1a1.EnvoyProxy](t, envoyGateway(t)).Spec.BackendTLS; proxy.ClientCertificateRef == nil {
		t.Error("Envoy has no certificate for remit")
	}
}

// The chart's values of each recipe are rendered, and remit takes what they become.
func TestRemitTakesTheRecipes(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(recipes, "*", "values.yaml"))
	if err != nil || len(files) != 2 {
		t.Fatalf("found %v (%v)", files, err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			if out, err := remit(t, chartValues(t, file), "check"); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
