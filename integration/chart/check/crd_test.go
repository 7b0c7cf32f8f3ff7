package check

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// Where the projects keep the definitions of their kinds, in their modules.
var definitions = map[string]string{
	"gateway.envoyproxy.io/v1alpha1":    "github.com/envoyproxy/gateway charts/gateway-helm/charts/crds/crds/generated",
	"gateway.networking.k8s.io/v1":      "sigs.k8s.io/gateway-api config/crd/standard",
	"gateway.networking.k8s.io/v1beta1": "sigs.k8s.io/gateway-api config/crd/standard",
	"networking.istio.io/v1":            "istio.io/api kubernetes",
	"networking.istio.io/v1alpha3":      "istio.io/api kubernetes",
	"security.istio.io/v1":              "istio.io/api kubernetes",
	"telemetry.istio.io/v1":             "istio.io/api kubernetes",
}

// What an API server does with the recipe: it is checked by the definitions of the
// projects themselves, their rules in CEL included.
func TestTheApiServerTakesEnvoyGatewaysRecipe(t *testing.T) {
	for _, m := range envoyGateway(t) {
		for _, problem := range checkAgainst(t, definitionOf(t, m.kind), m.json) {
			t.Errorf("%s %s: %v", m.kind, m.name, problem)
		}
	}
}

// The definitions are really asked.
func TestTheDefinitionsRefuse(t *testing.T) {
	for text, names := range map[string]string{
		`{"spec": {"targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "a"}], "extAuth": {"statusOnError": 200, "grpc": {"backendRefs": [{"name": "b"}]}}}}`: "statusOnError",
		`{"spec": {"targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "a"}], "extAuth": {}}}`:                                                               "one of grpc or http",
	} {
		problems := checkAgainst(t, definitionOf(t, "gateway.envoyproxy.io/v1alpha1 SecurityPolicy"), []byte(text))
		if !strings.Contains(fmt.Sprint(problems), names) {
			t.Errorf("%s is refused with %v", text, problems)
		}
	}
}

// definitionOf returns the schema of a kind, like "gateway.envoyproxy.io/v1alpha1 Backend".
func definitionOf(t *testing.T, kind string) *apiextensions.JSONSchemaProps {
	t.Helper()
	group, name, _ := strings.Cut(kind, " ")
	module, folder, known := strings.Cut(definitions[group], " ")
	if !known {
		t.Fatalf("nobody defines %s", kind)
	}
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), folder, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if schema := schemaIn(t, file, group, name); schema != nil {
			return schema
		}
	}
	t.Fatalf("%s does not define %s", module, kind)
	return nil
}

// schemaIn returns the schema of a kind if the file defines it.
func schemaIn(t *testing.T, file, group, name string) *apiextensions.JSONSchemaProps {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		if !bytes.Contains(document, []byte("kind: "+name+"\n")) {
			continue // reading them all takes its time
		}
		var defined apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(document, &defined); err != nil {
			t.Fatal(err)
		}
		for _, version := range defined.Spec.Versions {
			if defined.Spec.Names.Kind == name && defined.Spec.Group+"/"+version.Name == group {
				return internal(t, version.Schema.OpenAPIV3Schema)
			}
		}
	}
	return nil
}

// internal is the form of a schema that an API server works with.
func internal(t *testing.T, schema *apiextensionsv1.JSONSchemaProps) *apiextensions.JSONSchemaProps {
	t.Helper()
	converted := new(apiextensions.JSONSchemaProps)
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(schema, converted, nil); err != nil {
		t.Fatal(err)
	}
	return converted
}

// checkAgainst fills in the defaults and checks an object, as an API server does.
func checkAgainst(t *testing.T, schema *apiextensions.JSONSchemaProps, text []byte) field.ErrorList {
	t.Helper()
	structural, err := structuralschema.NewStructural(schema)
	if err != nil {
		t.Fatal(err)
	}
	validator, _, err := validation.NewSchemaValidator(schema)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.UnmarshalCaseSensitivePreserveInts(text, &object); err != nil {
		t.Fatal(err)
	}
	defaulting.Default(object, structural)
	problems := validation.ValidateCustomResource(nil, object, validator)
	track := structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	for _, unknown := range pruning.PruneWithOptions(object, structural, true, track) {
		problems = append(problems, field.Invalid(field.NewPath(unknown), nil, "is unknown"))
	}
	ruled, _ := cel.NewValidator(structural, true, celconfig.PerCallLimit).
		Validate(t.Context(), nil, structural, object, nil, celconfig.RuntimeCELCostBudget)
	return append(problems, ruled...)
}
