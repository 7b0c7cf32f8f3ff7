package envoyconfig

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

type object = map[string]any

// tree is a dump to be changed.
func tree(t *testing.T, dump []byte) (whole object, sections map[string]object) {
	t.Helper()
	if err := json.Unmarshal(dump, &whole); err != nil {
		t.Fatal(err)
	}
	sections = make(map[string]object)
	for _, s := range whole["configs"].([]any) {
		kind := s.(object)["@type"].(string)
		sections[kind[strings.LastIndexByte(kind, '.')+1:]] = s.(object)
	}
	return whole, sections
}

func text(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// within follows keys and indices.
func within(v any, path ...any) any {
	for _, step := range path {
		if key, ok := step.(string); ok {
			v = v.(object)[key]
		} else {
			v = v.([]any)[step.(int)]
		}
	}
	return v
}

// fromControlPlane is envoy.yaml as a control plane would send it: the listener
// by LDS, its routes by RDS, ext_authz by ECDS, endpoints by EDS.
func fromControlPlane(t *testing.T, change func(hcm, listener object)) []byte {
	whole, sections := tree(t, dumped(t, "envoy.yaml"))
	listener := within(sections["ListenersConfigDump"], "static_listeners", 0, "listener").(object)
	hcm := within(listener, "filter_chains", 0, "filters", 0, "typed_config").(object)
	routes := hcm["route_config"].(object)
	delete(hcm, "route_config")
	hcm["rds"] = object{"route_config_name": "local", "config_source": object{"ads": object{}}}
	routes["@type"] = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
	filters := hcm["http_filters"].([]any)
	authz := filters[2].(object)
	filters[2] = object{"name": authz["name"], "config_discovery": object{"config_source": object{"ads": object{}}}}
	listener["default_filter_chain"] = within(listener, "filter_chains", 0)
	delete(listener, "filter_chains")
	state := object{"name": "agents", "active_state": object{"listener": listener}}
	if change != nil {
		change(hcm, state)
	}
	delete(sections["ListenersConfigDump"], "static_listeners")
	sections["ListenersConfigDump"]["dynamic_listeners"] = []any{state}
	authz["@type"] = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
	whole["configs"] = append(whole["configs"].([]any),
		object{"@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump", "dynamic_route_configs": []any{object{"route_config": routes}}},
		object{"@type": "type.googleapis.com/envoy.admin.v3.EcdsConfigDump", "ecds_filters": []any{object{"ecds_filter": authz}}},
		object{"@type": "type.googleapis.com/envoy.admin.v3.SecretsConfigDump"},
	)
	return text(t, whole)
}

func TestAControlPlanesConfigurationIsFollowed(t *testing.T) {
	if wrong, good := examined(t, fromControlPlane(t, nil), needs()); len(wrong) > 0 || good != 1 {
		t.Errorf("%d good, and %+v", good, wrong)
	}
	for name, c := range map[string]struct {
		change func(hcm, listener object)
		what   string
	}{
		"unknown routes":   {func(hcm, _ object) { hcm["rds"].(object)["route_config_name"] = "other" }, "route configuration other is not in the dump"},
		"a refused update": {func(_, l object) { l["error_state"] = object{"details": "no such cluster"} }, "no such cluster"},
		"a matcher": {func(hcm, _ object) {
			mcp := hcm["http_filters"].([]any)[2].(object)
			delete(mcp, "config_discovery")
			mcp["typed_config"] = object{"@type": "type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher", "extension_config": object{"name": "a", "typed_config": object{
				"@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz", "grpc_service": object{"envoy_grpc": object{"cluster_name": "remit_authz"}}}}}
		}, "inside a matcher"},
	} {
		t.Run(name, func(t *testing.T) {
			wrong, _ := examined(t, fromControlPlane(t, c.change), needs())
			for _, f := range wrong {
				if strings.Contains(f.What, c.what) {
					return
				}
			}
			t.Errorf("%+v", wrong)
		})
	}
}

// Remit on another machine, by the clusters of mtls.yaml.
func TestMutualTLS(t *testing.T) {
	n := needs()
	n.Doors[0].Address, n.Doors[0].TLS = "0.0.0.0:9191", true
	n.Outcomes.Address, n.Outcomes.TLS = "0.0.0.0:9192", true
	if wrong, good := examined(t, overTLS(t, nil), n); len(wrong) > 0 || good != 1 {
		t.Errorf("%d good, and %+v", good, wrong)
	}
	wrong, _ := examined(t, overTLS(t, func(cluster object) {
		delete(within(cluster, "transport_socket", "typed_config", "common_tls_context", "validation_context").(object), "match_typed_subject_alt_names")
	}), n)
	if len(wrong) != 2 || !strings.Contains(wrong[0].What, "every certificate") {
		t.Errorf("any name: %+v", wrong)
	}
	n.Doors[0].TLS, n.Outcomes.TLS = false, false
	if wrong, _ := examined(t, overTLS(t, nil), n); len(wrong) != 2 || !strings.Contains(wrong[0].What, "the cluster has TLS") {
		t.Errorf("TLS to what has none: %+v", wrong)
	}
}

// overTLS puts the clusters of mtls.yaml in the place of those of envoy.yaml.
func overTLS(t *testing.T, change func(cluster object)) []byte {
	file, err := os.ReadFile(filepath.Join("..", "..", "..", "integration", "envoy", "mtls.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var mtls struct {
		Static struct{ Clusters []object } `yaml:"static_resources"`
	}
	if err := yaml.Unmarshal(file, &mtls); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		for _, c := range mtls.Static.Clusters {
			change(c)
		}
	}
	whole, sections := tree(t, dumped(t, "envoy.yaml"))
	all := sections["ClustersConfigDump"]["static_clusters"].([]any)
	sections["ClustersConfigDump"]["static_clusters"] = append(all, wrapped("cluster", "envoy.config.cluster.v3.Cluster", mtls.Static.Clusters)...)
	return text(t, whole)
}

// Envoy says which endpoints it finds healthy, and which it does not ask.
func TestHealth(t *testing.T) {
	whole, _ := tree(t, dumped(t, "envoy.yaml"))
	whole["configs"] = append(whole["configs"].([]any), object{"@type": "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump", "static_endpoint_configs": []any{
		object{"endpoint_config": object{"@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", "cluster_name": "remit_authz", "endpoints": []any{
			object{"lb_endpoints": []any{object{"health_status": "UNHEALTHY", "endpoint": object{"address": object{"pipe": object{"path": "/run/remit/authz.sock"}}}}}}}}}}})
	wrong, _ := examined(t, text(t, whole), needs())
	if len(wrong) != 1 || !strings.Contains(wrong[0].What, "not healthy") {
		t.Errorf("%+v", wrong)
	}
}

func TestOldEnvoy(t *testing.T) {
	whole, sections := tree(t, dumped(t, "envoy.yaml"))
	within(sections["BootstrapConfigDump"], "bootstrap", "node", "user_agent_build_version", "version").(object)["minor_number"] = 39
	if wrong, _ := examined(t, text(t, whole), needs()); len(wrong) != 1 || !strings.Contains(wrong[0].What, "Envoy is 1.39.0") {
		t.Errorf("%+v", wrong)
	}
}
