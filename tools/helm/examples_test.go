// Package helm_test renders the Helm chart as Helm does, and decodes what comes out and every other
// Kubernetes manifest of the examples strictly, into the types of Kubernetes and the Operator. It is
// a module of its own, so that none of those types is a dependency of Tidemark.
package helm_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

const examples = "../../examples"

// kinds are the resources that we ship, each with its type.
var kinds = map[string]func() any{
	"v1/ConfigMap":                                      func() any { return &corev1.ConfigMap{} },
	"v1/Secret":                                         func() any { return &corev1.Secret{} },
	"v1/Service":                                        func() any { return &corev1.Service{} },
	"v1/ServiceAccount":                                 func() any { return &corev1.ServiceAccount{} },
	"apps/v1/StatefulSet":                               func() any { return &appsv1.StatefulSet{} },
	"networking.k8s.io/v1/Ingress":                      func() any { return &networkingv1.Ingress{} },
	"networking.k8s.io/v1/NetworkPolicy":                func() any { return &networkingv1.NetworkPolicy{} },
	"monitoring.coreos.com/v1/ServiceMonitor":           func() any { return &monitoringv1.ServiceMonitor{} },
	"monitoring.coreos.com/v1/PrometheusRule":           func() any { return &monitoringv1.PrometheusRule{} },
	"monitoring.coreos.com/v1/Prometheus":               func() any { return &monitoringv1.Prometheus{} },
	"monitoring.coreos.com/v1alpha1/AlertmanagerConfig": func() any { return &monitoringv1alpha1.AlertmanagerConfig{} },
}

// decode reads every document of a file strictly and returns the objects by kind and name.
func decode(data []byte) (map[string]any, error) {
	objects := map[string]any{}
	docs := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Metadata   struct {
				Name string `json:"name"`
			} `json:"metadata"`
		}
		if err := sigsyaml.Unmarshal(doc, &head); err != nil {
			return nil, err
		}
		if head.Kind == "" {
			continue // Comments alone.
		}
		make, ok := kinds[head.APIVersion+"/"+head.Kind]
		if !ok {
			return nil, fmt.Errorf("no type for %s/%s", head.APIVersion, head.Kind)
		}
		object := make()
		if err := sigsyaml.UnmarshalStrict(doc, object); err != nil {
			return nil, fmt.Errorf("%s %s: %w", head.Kind, head.Metadata.Name, err)
		}
		key := head.Kind + "/" + head.Metadata.Name
		if _, twice := objects[key]; twice || head.Metadata.Name == "" {
			return nil, fmt.Errorf("%s: twice, or without a name", key)
		}
		objects[key] = object
	}
}

// flags are those of tidemark, and those that exporter-toolkit and promslog add.
func flags(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile("../../cmd/tidemark/main.go")
	if err != nil {
		t.Fatal(err)
	}
	return string(source) + `Flag("web.listen-address" Flag("web.config.file" Flag("log.level" Flag("log.format"`
}

// container checks what holds for Tidemark's container wherever it runs.
func container(t *testing.T, c corev1.Container, volumes map[string]bool) {
	t.Helper()
	known := flags(t)
	for _, arg := range c.Args {
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if !strings.Contains(known, `Flag("`+name+`"`) {
			t.Errorf("tidemark has no flag %s", arg)
		}
	}
	s := c.SecurityContext
	if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
		t.Error("the container may gain privileges or write its root file system")
	}
	if c.LivenessProbe == nil || c.LivenessProbe.HTTPGet.Path != "/-/healthy" {
		t.Error("no liveness probe")
	}
	if c.Resources.Limits.Memory().IsZero() {
		t.Error("no limit of memory")
	}
	for _, m := range c.VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("volume %s is mounted and does not exist", m.Name)
		}
	}
}

func statefulSet(t *testing.T, s *appsv1.StatefulSet) {
	t.Helper()
	volumes := map[string]bool{}
	for _, v := range s.Spec.Template.Spec.Volumes {
		volumes[v.Name] = true
	}
	for _, v := range s.Spec.VolumeClaimTemplates {
		volumes[v.Name] = true
	}
	for k, v := range s.Spec.Selector.MatchLabels {
		if s.Spec.Template.Labels[k] != v {
			t.Errorf("the selector wants %s=%s, the pods do not have it", k, v)
		}
	}
	if n := shards(s.Spec.Template.Spec.Containers[0].Args); int(*s.Spec.Replicas) != n {
		t.Errorf("there are %d replicas of %d shards", *s.Spec.Replicas, n)
	}
	container(t, s.Spec.Template.Spec.Containers[0], volumes)
}

// shards is how many Tidemarks the arguments speak of: one, or as many as share the series.
func shards(args []string) int {
	n, auto := 1, false
	for _, a := range args {
		if count, ok := strings.CutPrefix(a, "--shard.count="); ok {
			n, _ = strconv.Atoi(count)
		}
		auto = auto || a == "--shard.index=auto"
	}
	if n > 1 && !auto {
		return 1 // Each of them would be the first one.
	}
	return n
}

// check looks at what the types alone don't say.
func check(t *testing.T, objects map[string]any) {
	t.Helper()
	for name, o := range objects {
		t.Run(name, func(t *testing.T) {
			switch o := o.(type) {
			case *appsv1.StatefulSet:
				statefulSet(t, o)
			case *corev1.ConfigMap:
				for file, text := range o.Data {
					if strings.HasSuffix(file, ".json") && !json.Valid([]byte(text)) {
						t.Errorf("%s is not JSON", file)
					}
					if len(text) > 1<<20 {
						t.Errorf("%s is larger than a ConfigMap may be", file)
					}
				}
			case *monitoringv1.ServiceMonitor:
				if !o.Spec.Endpoints[0].HonorLabels || o.Spec.JobLabel == "" {
					t.Error("honorLabels and jobLabel keep the labels that the rules look for")
				}
			case *monitoringv1.PrometheusRule:
				if len(o.Spec.Groups) < 2 {
					t.Error("rules are missing")
				}
			case *monitoringv1.Prometheus:
				volumes := map[string]bool{}
				for _, v := range o.Spec.Volumes {
					volumes[v.Name] = true
				}
				container(t, o.Spec.Containers[0], volumes)
				if len(o.Spec.Alerting.Alertmanagers) != 2 {
					t.Error("fail-open sends every alert twice")
				}
			case *monitoringv1alpha1.AlertmanagerConfig:
				alertmanagerConfig(t, o)
			}
		})
	}
}

// alertmanagerConfig checks that routes lead to receivers, and that PagerDuty keeps its details.
func alertmanagerConfig(t *testing.T, c *monitoringv1alpha1.AlertmanagerConfig) {
	t.Helper()
	known := map[string]bool{}
	for _, r := range c.Spec.Receivers {
		known[r.Name] = true
		for _, pd := range r.PagerDutyConfigs {
			blank := map[string]bool{}
			for _, d := range pd.Details {
				blank[d.Key] = d.Value == ""
			}
			if !blank["firing"] || !blank["resolved"] {
				t.Errorf("receiver %s does not blank firing and resolved", r.Name)
			}
		}
	}
	routes, err := c.Spec.Route.ChildRoutes()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range append(routes, *c.Spec.Route) {
		if !known[r.Receiver] {
			t.Errorf("a route leads to receiver %q, which does not exist", r.Receiver)
		}
	}
}

func TestManifests(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(examples, "kubernetes", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no manifests", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			objects, err := decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if len(objects) == 0 {
				t.Fatal("no resource")
			}
			check(t, objects)
		})
	}
}

func TestManifestsAreDecodedStrictly(t *testing.T) {
	for name, text := range map[string]string{
		"a field in the wrong place": "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {port: 1}\n",
		"a kind without a type":      "apiVersion: v1\nkind: Servce\nmetadata: {name: a}\n",
		"no name":                    "apiVersion: v1\nkind: Service\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := decode([]byte(text)); err == nil {
				t.Fatal("it was taken")
			}
		})
	}
}

// templates renders the chart as `helm template tide` does: the text of each template by its file.
func templates(t *testing.T, values map[string]any) map[string]string {
	t.Helper()
	chart, err := loader.LoadDir(filepath.Join(examples, "helm", "tidemark"))
	if err != nil {
		t.Fatal(err)
	}
	if err := chart.Validate(); err != nil {
		t.Fatal(err)
	}
	release := chartutil.ReleaseOptions{Name: "tide", Namespace: "monitoring", IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, values, release, chartutil.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Engine{Strict: true}.Render(chart, all)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// render is the resources that the chart makes of values.
func render(t *testing.T, values map[string]any) map[string]any {
	t.Helper()
	var docs bytes.Buffer
	for name, text := range templates(t, values) {
		if strings.HasSuffix(name, "NOTES.txt") {
			if !strings.Contains(text, "/api/v1/alerts/webhook") {
				t.Error("the notes do not say where alerts go")
			}
			continue
		}
		docs.WriteString("---\n" + text + "\n")
	}
	objects, err := decode(docs.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestChart(t *testing.T) {
	type m = map[string]any
	for _, tc := range []struct {
		name         string
		values       m
		want, absent []string
	}{
		{
			"as it comes",
			m{},
			[]string{"StatefulSet/tide-tidemark", "Service/tide-tidemark", "ConfigMap/tide-tidemark", "ServiceAccount/tide-tidemark"},
			[]string{"ServiceMonitor/tide-tidemark", "PrometheusRule/tide-tidemark", "Ingress/tide-tidemark", "NetworkPolicy/tide-tidemark", "ConfigMap/tide-tidemark-overview-dashboard"},
		},
		{
			"with everything",
			m{
				"serviceMonitor":    m{"enabled": true, "additionalLabels": m{"release": "main"}},
				"prometheusRule":    m{"enabled": true, "additionalLabels": m{"release": "main"}},
				"grafana":           m{"dashboards": m{"enabled": true, "annotations": m{"grafana_folder": "Tidemark"}}},
				"networkPolicy":     m{"enabled": true, "from": []any{m{"podSelector": m{}}}},
				"ingress":           m{"enabled": true, "ingressClassName": "nginx", "annotations": m{"a": "b"}, "hosts": []any{"tidemark.example.com"}, "tls": []any{m{"secretName": "tls"}}},
				"serviceAccount":    m{"annotations": m{"a": "b"}},
				"service":           m{"annotations": m{"a": "b"}},
				"extraArgs":         m{"log.level": "debug"},
				"extraEnv":          []any{m{"name": "GOMEMLIMIT", "value": "900MiB"}},
				"extraVolumes":      []any{m{"name": "secrets", "secret": m{"secretName": "tidemark"}}},
				"extraVolumeMounts": []any{m{"name": "secrets", "mountPath": "/etc/tidemark/secrets"}},
				"podAnnotations":    m{"a": "b"}, "podLabels": m{"team": "sre"},
				"imagePullSecrets": []any{m{"name": "registry"}}, "priorityClassName": "system-cluster-critical",
				"nodeSelector": m{"kubernetes.io/os": "linux"},
				"tolerations":  []any{m{"key": "monitoring", "operator": "Exists"}},
				"affinity":     m{"nodeAffinity": m{}},
				"persistence":  m{"storageClassName": "fast", "annotations": m{"a": "b"}},
			},
			[]string{"ServiceMonitor/tide-tidemark", "PrometheusRule/tide-tidemark", "Ingress/tide-tidemark", "NetworkPolicy/tide-tidemark", "ConfigMap/tide-tidemark-overview-dashboard", "ConfigMap/tide-tidemark-health-dashboard"},
			nil,
		},
		{
			"on a claim that exists, with another name",
			m{"fullnameOverride": "tm", "persistence": m{"existingClaim": "state"}, "serviceAccount": m{"create": false}},
			[]string{"StatefulSet/tm"},
			[]string{"ServiceAccount/tm", "StatefulSet/tide-tidemark"},
		},
		{"without a disk", m{"persistence": m{"enabled": false}}, []string{"StatefulSet/tide-tidemark"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			objects := render(t, tc.values)
			for _, name := range tc.want {
				if objects[name] == nil {
					t.Errorf("%s is missing", name)
				}
			}
			for _, name := range tc.absent {
				if objects[name] != nil {
					t.Errorf("%s was not asked for", name)
				}
			}
			check(t, objects)
		})
	}
}

// TestEveryFileOfTheExamplesIsTaken: a manifest or a template that no test above reads would rot.
func TestEveryFileOfTheExamplesIsTaken(t *testing.T) {
	on := map[string]any{"enabled": true}
	made := templates(t, map[string]any{
		"serviceMonitor": on, "prometheusRule": on, "networkPolicy": on, "grafana": map[string]any{"dashboards": on},
		"ingress": map[string]any{"enabled": true, "hosts": []any{"tidemark.example.com"}},
	})
	err := filepath.WalkDir(examples, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(examples, file)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		switch inChart, ok := strings.CutPrefix(name, "helm/tidemark/"); {
		case strings.HasPrefix(name, "kubernetes/") && path.Ext(name) != ".yaml" && path.Base(name) != "README.md":
			t.Errorf("%s is taken by no test: manifests end in .yaml", name)
		case strings.HasPrefix(name, "helm/") && !ok:
			t.Errorf("%s is taken by no test: there is one chart, helm/tidemark", name)
		case strings.HasPrefix(inChart, "templates/") && !strings.HasPrefix(path.Base(inChart), "_"):
			if strings.TrimSpace(made["tidemark/"+inChart]) == "" {
				t.Errorf("%s makes nothing though everything is switched on", name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestChartShipsEveryDashboard(t *testing.T) {
	files, err := filepath.Glob("../../dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no dashboards", err)
	}
	objects := render(t, map[string]any{"grafana": map[string]any{"dashboards": map[string]any{"enabled": true}}})
	for _, f := range files {
		want, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(strings.TrimSuffix(filepath.Base(f), ".json"), "tidemark-")
		c, ok := objects["ConfigMap/tide-tidemark-"+name+"-dashboard"].(*corev1.ConfigMap)
		if !ok {
			t.Errorf("no ConfigMap of %s", f)
			continue
		}
		if strings.TrimSpace(c.Data[filepath.Base(f)]) != strings.TrimSpace(string(want)) {
			t.Errorf("the ConfigMap holds another %s", f)
		}
		if c.Labels["grafana_dashboard"] != "1" {
			t.Error("Grafana's sidecar does not find it")
		}
	}
}

func TestChartRefusesUnknownValues(t *testing.T) {
	chart, err := loader.LoadDir(filepath.Join(examples, "helm", "tidemark"))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range map[string]map[string]any{
		"a misspelt section":      {"serviceMonitr": map[string]any{"enabled": true}},
		"a misspelt value":        {"serviceMonitor": map[string]any{"enable": true}},
		"a value of another type": {"persistence": map[string]any{"enabled": "yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{}, chartutil.DefaultCapabilities); err == nil {
				t.Fatal("it was taken")
			}
		})
	}
}

// TestValuesAreUsed finds values that no template looks at.
func TestValuesAreUsed(t *testing.T) {
	chart, err := loader.LoadDir(filepath.Join(examples, "helm", "tidemark"))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range chart.Templates {
		text.Write(f.Data)
	}
	for name := range chart.Values {
		if !regexp.MustCompile(`\.Values\.` + name + `\b`).MatchString(text.String()) {
			t.Errorf("value %s is not used", name)
		}
	}
}
