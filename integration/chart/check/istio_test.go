package check

import (
	"path/filepath"
	"reflect"
	"testing"

	_ "istio.io/api/label" // its module has the definitions of Istio's kinds
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Istio's own types pass over what they do not know; its definitions do not, and
// they are asked here.
type istioObject struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            map[string]any    `json:"spec"`
}

var istioFiles = []string{"../../istio/gateway.yaml", "../../istio/agents.yaml", "../../recipes/istio/remote.yaml"}

func TestTheApiServerTakesIstiosRecipe(t *testing.T) {
	for _, file := range istioFiles {
		for _, m := range readFile(t, file) {
			for _, problem := range checkAgainst(t, definitionOf(t, m.kind), m.json) {
				t.Errorf("%s: %s %s: %v", filepath.Base(file), m.kind, m.name, problem)
			}
		}
	}
}

// remote.yaml stands for what it takes the place of.
func TestRemoteStandsForTheServiceEntry(t *testing.T) {
	entry := func(file string) istioObject {
		for _, m := range readFile(t, file) {
			if object := m.typed.(*istioObject); object.Kind == "ServiceEntry" {
				return *object
			}
		}
		t.Fatalf("%s has no ServiceEntry", file)
		return istioObject{}
	}
	here, there := entry(istioFiles[0]), entry(istioFiles[2])
	if here.Metadata.Name != there.Metadata.Name || here.Metadata.Namespace != there.Metadata.Namespace {
		t.Errorf("%s is not %s", there.Metadata.Name, here.Metadata.Name)
	}
	for _, same := range []string{"hosts", "ports"} {
		if !reflect.DeepEqual(here.Spec[same], there.Spec[same]) {
			t.Errorf("%s are %v, and %v", same, here.Spec[same], there.Spec[same])
		}
	}
}
