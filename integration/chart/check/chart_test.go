package check

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	promv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// What `helm lint` finds nothing wrong with, whatever the values.
func TestTheChartIsClean(t *testing.T) {
	for _, file := range valueFiles(t) {
		t.Run(file, func(t *testing.T) {
			for _, m := range lint.All("..", values(t, file), "remit", true).Messages {
				if m.Severity >= support.WarningSev {
					t.Errorf("%s: %v", m.Path, m.Err)
				}
			}
		})
	}
}

// Everything that is rendered is what Kubernetes and the Prometheus operator read.
func TestEveryManifestIsRead(t *testing.T) {
	want := map[string][]string{
		"minimal.yaml": {"NetworkPolicy", "ServiceAccount", "Service", "ConfigMap", "StatefulSet"},
		"bare.yaml":    {"ServiceAccount", "Service", "ConfigMap", "StatefulSet"},
		"full.yaml": {"NetworkPolicy", "ServiceAccount", "Service", "ConfigMap", "StatefulSet",
			"PodDisruptionBudget", "ServiceMonitor", "PrometheusRule"},
	}
	for _, file := range valueFiles(t) {
		t.Run(file, func(t *testing.T) {
			var got []string
			for _, m := range manifests(t, values(t, file)) {
				_, kind, _ := strings.Cut(m.kind, " ")
				got = append(got, kind)
			}
			slices.Sort(got)
			slices.Sort(want[file])
			if !slices.Equal(got, want[file]) {
				t.Errorf("rendered %v, want %v", got, want[file])
			}
		})
	}
}

// The pod can do nothing but its work, whatever the values.
func TestThePodIsConfined(t *testing.T) {
	for _, file := range valueFiles(t) {
		t.Run(file, func(t *testing.T) {
			pod := the[*appsv1.StatefulSet](t, manifests(t, values(t, file))).Spec.Template.Spec
			for what, good := range podRules(pod) {
				if !good {
					t.Error(what)
				}
			}
			for _, c := range pod.Containers {
				for what, good := range containerRules(c) {
					if !good {
						t.Errorf("%s: %s", c.Name, what)
					}
				}
			}
		})
	}
}

func podRules(pod corev1.PodSpec) map[string]bool {
	s := pod.SecurityContext
	return map[string]bool{
		"it may run as root":                   *s.RunAsNonRoot && *s.RunAsUser > 0 && *s.RunAsGroup > 0,
		"seccomp is not the runtime's default": s.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
		"it has a token of Kubernetes":         !*pod.AutomountServiceAccountToken,
		"services are in its environment":      !*pod.EnableServiceLinks,
		"it shares something of the node":      !pod.HostNetwork && !pod.HostPID && !pod.HostIPC && !onTheNode(pod.Volumes),
		// The kubelet opens files to the group otherwise, and remit refuses such a seed.
		"its files are opened to the group with every start": *s.FSGroupChangePolicy == corev1.FSGroupChangeOnRootMismatch,
		"there is more than one container":                   len(pod.Containers) == 1 && len(pod.InitContainers) == 0,
	}
}

func onTheNode(volumes []corev1.Volume) bool {
	return slices.ContainsFunc(volumes, func(v corev1.Volume) bool { return v.HostPath != nil })
}

func containerRules(c corev1.Container) map[string]bool {
	s := c.SecurityContext
	return map[string]bool{
		"it can write to its image":   *s.ReadOnlyRootFilesystem,
		"it can gain privileges":      !*s.AllowPrivilegeEscalation && s.Privileged == nil,
		"it has capabilities":         slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) && len(s.Capabilities.Add) == 0,
		"a port is one of the node's": !slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.HostPort != 0 }),
		"its memory has no limit":     !c.Resources.Limits.Memory().IsZero(),
		"health asks for more than that it lives": c.LivenessProbe.HTTPGet.Path == "/health" &&
			c.StartupProbe.HTTPGet.Path == "/health" && c.ReadinessProbe.HTTPGet.Path == "/ready",
	}
}

// One process has the state, and it outlives what is not meant to take it away.
func TestOneProcessHasTheState(t *testing.T) {
	for _, file := range valueFiles(t) {
		set := the[*appsv1.StatefulSet](t, manifests(t, values(t, file)))
		claim := set.Spec.VolumeClaimTemplates[0].Spec
		if *set.Spec.Replicas != 1 || !slices.Equal(claim.AccessModes, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod}) {
			t.Errorf("%s: %d replicas, %v", file, *set.Spec.Replicas, claim.AccessModes)
		}
		retained := set.Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted == appsv1.RetainPersistentVolumeClaimRetentionPolicyType
		if retained != (file != "full.yaml") {
			t.Errorf("%s: the volume is retained: %t", file, retained)
		}
	}
}

// Kubernetes waits as long as remit takes to end.
func TestThereIsTimeToEnd(t *testing.T) {
	for file, want := range map[string]int64{"minimal.yaml": 5 + 10 + 15, "full.yaml": 20 + 40 + 15} {
		set := the[*appsv1.StatefulSet](t, manifests(t, values(t, file)))
		if got := *set.Spec.Template.Spec.TerminationGracePeriodSeconds; got != want {
			t.Errorf("%s: %d s, want %d", file, got, want)
		}
	}
}

// Whoever is not named does not reach it, from outside of the cluster nobody.
func TestWhoReachesIt(t *testing.T) {
	all := manifests(t, values(t, "minimal.yaml"))
	if service := the[*corev1.Service](t, all).Spec; service.Type != corev1.ServiceTypeClusterIP || len(service.ExternalIPs) > 0 {
		t.Errorf("the service is a %s", service.Type)
	}
	policy := the[*networkingv1.NetworkPolicy](t, all).Spec
	if len(policy.PolicyTypes) != 2 || len(policy.Ingress) != 1 || len(policy.Egress) == 0 {
		t.Errorf("both ways are to be restricted, and nobody may scrape: %+v", policy)
	}
	for _, file := range []string{"minimal.yaml", "full.yaml"} {
		for _, rule := range the[*networkingv1.NetworkPolicy](t, manifests(t, values(t, file))).Spec.Ingress {
			if len(rule.From) == 0 || len(rule.Ports) == 0 {
				t.Errorf("%s: a rule lets everybody in: %+v", file, rule)
			}
		}
	}
}

// The selectors of all objects select the pod, and what the rules of the alerts
// go by is on it.
func TestWhatBelongsTogether(t *testing.T) {
	all := manifests(t, values(t, "full.yaml"))
	labels := the[*appsv1.StatefulSet](t, all).Spec.Template.Labels
	for key, value := range the[*corev1.Service](t, all).Spec.Selector {
		if labels[key] != value {
			t.Errorf("the service selects %s=%s, the pod has %q", key, value, labels[key])
		}
	}
	monitor := the[*promv1.ServiceMonitor](t, all)
	if job := the[*corev1.Service](t, all).Labels[monitor.Spec.JobLabel]; job != "remit" {
		t.Errorf("the job is %q; the alerts go by remit", job)
	}
	rules, err := json.Marshal(the[*promv1.PrometheusRule](t, all).Spec)
	if err != nil || !strings.Contains(string(rules), `job=\"remit\"`) {
		t.Errorf("%v: the rules do not go by the job: %s", err, rules)
	}
}

// A change of the configuration restarts the pod, and the same values do not.
func TestAChangeOfTheConfigurationRestarts(t *testing.T) {
	sum := func(given map[string]any) string {
		return the[*appsv1.StatefulSet](t, manifests(t, given)).Spec.Template.Annotations["checksum/config"]
	}
	before, changed := values(t, "minimal.yaml"), values(t, "minimal.yaml")
	changed["config"] = map[string]any{"log": map[string]any{"level": "debug"}}
	if sum(before) != sum(values(t, "minimal.yaml")) || sum(before) == sum(changed) {
		t.Errorf("%s, %s, %s", sum(before), sum(values(t, "minimal.yaml")), sum(changed))
	}
}
