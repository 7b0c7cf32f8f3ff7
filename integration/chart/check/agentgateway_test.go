package check

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// agentgateway's kinds are in no Go module that is to be had: what the recipe uses
// of them is written down here, as the definitions of 1.4.1 have it.
type agentgatewayPolicy struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            struct {
		TargetRefs []gwv1.LocalPolicyTargetReferenceWithSectionName `json:"targetRefs"`
		Traffic    struct {
			Phase   string `json:"phase"`
			ExtAuth struct {
				BackendRef  gwv1.BackendObjectReference `json:"backendRef"`
				GRPC        *struct{}                   `json:"grpc"`
				FailureMode string                      `json:"failureMode"`
				ForwardBody struct {
					MaxSize int `json:"maxSize"`
				} `json:"forwardBody"`
			} `json:"extAuth"`
		} `json:"traffic"`
	} `json:"spec"`
}

type agentgatewayBackend struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            struct {
		Static struct {
			Host string `json:"host"`
			Port int    `json:"port"`
		} `json:"static"`
		Policies struct {
			TLS struct {
				MTLSCertificateRef    []gwv1.LocalObjectReference `json:"mtlsCertificateRef"`
				CACertificateRefs     []gwv1.LocalObjectReference `json:"caCertificateRefs"`
				SNI                   string                      `json:"sni"`
				VerifySubjectAltNames []string                    `json:"verifySubjectAltNames"`
				ALPNProtocols         []string                    `json:"alpnProtocols"`
			} `json:"tls"`
			HTTP struct {
				RequestTimeout metav1.Duration `json:"requestTimeout"`
			} `json:"http"`
		} `json:"policies"`
	} `json:"spec"`
}

// What agentgateway reads when it runs on its own, as far as the recipe uses it.
type agentgatewayConfig struct {
	Gateways map[string]struct {
		Port     int               `json:"port"`
		TLS      map[string]string `json:"tls"`
		ExtAuthz struct {
			Host     string `json:"host"`
			Protocol struct {
				GRPC *struct{} `json:"grpc"`
			} `json:"protocol"`
			FailureMode struct {
				DenyWithStatus int `json:"denyWithStatus"`
			} `json:"failureMode"`
			IncludeRequestBody agentgatewayBody `json:"includeRequestBody"`
			Policies           struct {
				HTTP struct {
					RequestTimeout string `json:"requestTimeout"`
				} `json:"http"`
				BackendTLS struct {
					Cert     string   `json:"cert"`
					Key      string   `json:"key"`
					Root     string   `json:"root"`
					Hostname string   `json:"hostname"`
					ALPN     []string `json:"alpn"`
				} `json:"backendTLS"`
			} `json:"policies"`
		} `json:"extAuthz"`
	} `json:"gateways"`
	Routes []any `json:"routes"`
}

type agentgatewayBody struct {
	MaxRequestBytes     int  `json:"maxRequestBytes"`
	AllowPartialMessage bool `json:"allowPartialMessage"`
	PackAsBytes         bool `json:"packAsBytes"`
}

func TestAgentgatewayAsksAboutEverything(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(recipes, "agentgateway", "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var config agentgatewayConfig
	decodeStrictly(t, text, &config)
	auth := config.Gateways["agents"].ExtAuthz
	switch {
	case auth.Protocol.GRPC == nil || auth.Host != "remit.remit.svc:9191":
		t.Errorf("it asks somebody else: %+v", auth)
	case auth.FailureMode.DenyWithStatus != 503:
		t.Error("no answer is not 503")
	case auth.IncludeRequestBody != agentgatewayBody{MaxRequestBytes: 262144, PackAsBytes: true}:
		t.Errorf("remit does not see the body as it is: %+v", auth.IncludeRequestBody)
	case auth.Policies.HTTP.RequestTimeout != "500ms":
		t.Error("a check may take its time")
	}
	tls := auth.Policies.BackendTLS
	if tls.Cert == "" || tls.Key == "" || tls.Root == "" || tls.Hostname != "remit.remit.svc" {
		t.Errorf("neither knows who the other is: %+v", tls)
	}
}

func TestAgentgatewayInKubernetesAsksAboutEverything(t *testing.T) {
	all := readFile(t, filepath.Join(recipes, "agentgateway", "policy.yaml"))
	policy := the[*agentgatewayPolicy](t, all).Spec
	backend := the[*agentgatewayBackend](t, all)
	auth := policy.Traffic.ExtAuth
	switch {
	case policy.Traffic.Phase != "PreRouting" || policy.TargetRefs[0].Kind != "Gateway" || policy.TargetRefs[0].SectionName != nil:
		t.Errorf("it is not attached to the whole gateway: %+v", policy)
	case auth.FailureMode != "FailClosed" || auth.GRPC == nil || auth.ForwardBody.MaxSize != 262144:
		t.Errorf("no answer is an allow, or remit does not see the body: %+v", auth)
	case string(auth.BackendRef.Name) != backend.Metadata.Name || string(*auth.BackendRef.Kind) != backend.Kind:
		t.Errorf("it asks somebody else: %+v", auth.BackendRef)
	}
	tls := backend.Spec.Policies.TLS
	if len(tls.MTLSCertificateRef) != 1 || len(tls.CACertificateRefs) != 1 || !reflect.DeepEqual(tls.VerifySubjectAltNames, []string{tls.SNI}) {
		t.Errorf("neither knows who the other is: %+v", tls)
	}
}

// The ids of agentgateway's checks are the clients', and it delivers no outcomes.
func TestRemitBehindAgentgateway(t *testing.T) {
	given := chartValues(t, filepath.Join(recipes, "agentgateway", "values.yaml"))
	if id := given["listener"].(map[string]any)["request_id"]; id != "caller" {
		t.Errorf("request_id is %v", id)
	}
	if given["outcomes"].(map[string]any)["enabled"] != false {
		t.Error("outcomes are waited for")
	}
}

func decodeStrictly(t *testing.T, text []byte, into any) {
	t.Helper()
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		t.Fatal(err)
	}
	strict, err := json.UnmarshalStrict(asJSON, into)
	if err != nil || len(strict) > 0 {
		t.Fatal(err, strict)
	}
}
