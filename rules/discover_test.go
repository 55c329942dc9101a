package rules_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/rules"
)

func discover(t *testing.T, groups []rulefmt.RuleGroup, metrics []string, cfg rules.DiscoverConfig, taken rules.Watches) rules.Discovery {
	t.Helper()
	d, err := rules.Discover(groups, metrics, cfg, taken)
	require.NoError(t, err)
	return d
}

func names(ws []rules.Watch) []string {
	out := make([]string, len(ws))
	for i, w := range ws {
		out[i] = w.Name
	}
	return out
}

func TestWatchesAreNamedAfterTheirAlerts(t *testing.T) {
	d := discover(t, groupOf(
		alert("DiskFillingUp", `avail < 10`), alert("DiskAlmostFull", `avail < 5`),
		alert("HighLoad", `load1 > 5`), alert("HighLoad", `load5 > 5`),
	), nil, onlyRules(), nil)
	require.Equal(t, []string{"DiskAlmostFull", "HighLoad-f5926f08", "HighLoad-f9927554"}, names(d.Watches))
	require.Equal(t, []string{"DiskAlmostFull", "DiskFillingUp"}, d.Watches[0].Alerts, "one expression, one watch")
	require.Equal(t, limit(5), d.Watches[0].Limit, "the limit of the critical rule stays")
}

func TestDiscoveryDependsOnContentAlone(t *testing.T) {
	var rs []rulefmt.Rule
	for i := range 40 {
		rs = append(rs, alert(fmt.Sprintf("Alert%d", i%15), fmt.Sprintf("metric_%d > %d", i%12, i)))
	}
	metrics := []string{"a_requests_total", "b_requests_total", "node_cpu_seconds_total", "c_errors_total"}
	want := discover(t, groupOf(rs...), metrics, rules.DefaultDiscoverConfig(), nil)
	require.NotEmpty(t, want.Watches)
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		r.Shuffle(len(rs), func(i, j int) { rs[i], rs[j] = rs[j], rs[i] })
		r.Shuffle(len(metrics), func(i, j int) { metrics[i], metrics[j] = metrics[j], metrics[i] })
		require.Equal(t, want, discover(t, groupOf(rs...), metrics, rules.DefaultDiscoverConfig(), nil))
	}
	unique := names(want.Watches)
	slices.Sort(unique)
	require.Len(t, slices.Compact(unique), len(want.Watches), "every name once")
}

func TestDiscoveryLeavesOutWhatIsConfigured(t *testing.T) {
	cfg := onlyRules()
	cfg.Exclude = []string{"Noisy.*"}
	d := discover(t, groupOf(alert("NoisyOne", `a > 1`), alert("Good", `b > 1`), alert("TidemarkSeriesAnomalous", `c > 1`), alert("Mine", `mine > 1`)),
		nil, cfg, rules.Watches{{Name: "own", Expr: "(mine)"}})
	require.Equal(t, []string{"Good"}, names(d.Watches))
}

func TestDiscoveryIsBounded(t *testing.T) {
	cfg := rules.DefaultDiscoverConfig()
	cfg.MaxWatches = 10
	var metrics []string
	for i := range 500 {
		metrics = append(metrics, fmt.Sprintf("m%03d_requests_total", i))
	}
	d := discover(t, groupOf(alert("A", `a > 1`)), metrics, cfg, nil)
	require.Len(t, d.Watches, 10)
	require.Equal(t, "A", d.Watches[0].Name, "the user's own rules come first")
	require.Equal(t, 71, d.Dropped, "forty metrics with two watches each, and the rule")
}

// TestPresetsWatchWhatExists has what well-known exporters and client libraries expose.
func TestPresetsWatchWhatExists(t *testing.T) {
	for _, tc := range []struct {
		name    string
		metrics []string
		want    []string
	}{
		{"nothing", nil, nil},
		{"only what monitors", []string{"prometheus_http_requests_total", "alertmanager_http_request_duration_seconds_sum", "alertmanager_http_request_duration_seconds_count", "promhttp_metric_handler_requests_total", "go_gc_duration_seconds_sum", "go_gc_duration_seconds_count", "tidemark_prometheus_calls_total", "ALERTS"}, nil},
		{
			"a service",
			[]string{"http_requests_total", "http_request_duration_seconds_sum", "http_request_duration_seconds_count", "http_request_duration_seconds_bucket"},
			[]string{"http_request_duration_seconds_count:rate", "http_requests_total:rate", "http_requests_total:errors", "http_request_duration_seconds:mean"},
		},
		{"a sum without its count", []string{"job_duration_seconds_sum"}, nil},
		{
			"gRPC",
			[]string{"grpc_server_handled_total", "grpc_server_handling_seconds_sum", "grpc_server_handling_seconds_count"},
			[]string{"grpc_server_handled_total:rate", "grpc_server_handled_total:errors", "grpc_server_handling_seconds:mean"},
		},
		{
			"Spring",
			[]string{"http_server_requests_seconds_count", "http_server_requests_seconds_sum"},
			[]string{"http_server_requests_seconds_count:rate", "http_server_requests_seconds_count:errors", "http_server_requests_seconds:mean"},
		},
		{
			"part of a node",
			[]string{"node_cpu_seconds_total", "node_filesystem_avail_bytes", "node_filesystem_size_bytes"},
			[]string{"node_cpu_busy", "node_cpu_iowait", "node_filesystem_used"},
		},
		{
			"Kubernetes",
			[]string{"kube_pod_status_phase", "kube_pod_container_status_restarts_total", "container_cpu_usage_seconds_total"},
			[]string{"kube_restarts", "kube_pods_not_running", "container_cpu"},
		},
		{"a service graph", []string{"traces_service_graph_request_total"}, []string{"edge_rate"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := discover(t, nil, tc.metrics, rules.DefaultDiscoverConfig(), nil)
			require.ElementsMatch(t, tc.want, names(d.Watches))
		})
	}
}

// TestEveryPresetHasItsRow walks the table: each preset is a file, each file a preset, and all that
// they can give is valid and the same on every run.
func TestEveryPresetHasItsRow(t *testing.T) {
	files, err := filepath.Glob("presets/*.yaml")
	require.NoError(t, err)
	require.Len(t, files, len(rules.PresetNames()))
	for _, name := range rules.PresetNames() {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join("presets", name+".yaml"))
			require.NoError(t, err)
			var file struct {
				Description string
				Watches     []struct {
					Needs []string
					Match string
				}
			}
			require.NoError(t, yaml.Unmarshal(b, &file))
			require.NotEmpty(t, file.Description)
			metrics := []string{"shop_requests_total", "shop_errors_total", "shop_duration_seconds_sum", "shop_duration_seconds_count", "grpc_server_handled_total"}
			for _, w := range file.Watches {
				require.True(t, len(w.Needs) > 0 || w.Match != "", "a watch says when it applies")
				for _, n := range w.Needs {
					if !strings.HasPrefix(n, "$") {
						metrics = append(metrics, n)
					}
				}
			}
			cfg := rules.DefaultDiscoverConfig()
			cfg.Presets = []string{name}
			d := discover(t, nil, metrics, cfg, nil)
			require.GreaterOrEqual(t, len(d.Watches), len(file.Watches))
			for _, w := range d.Watches {
				require.NoError(t, w.Validate(), w.Name)
				require.Equal(t, "preset "+name, w.Origin)
				require.NotContains(t, w.Expr, "$")
				require.Equal(t, model.Duration(time.Minute), w.Interval)
			}
		})
	}
}

func TestWaitOfAnAlert(t *testing.T) {
	d := rules.DurationsOf([]rulefmt.RuleGroup{
		{Rules: []rulefmt.Rule{
			{Alert: "DiskFull", For: model.Duration(30 * time.Minute), Labels: map[string]string{"severity": "warning"}},
			{Alert: "DiskFull", For: model.Duration(5 * time.Minute), Labels: map[string]string{"severity": "critical"}},
			{Alert: "Templated", For: model.Duration(time.Minute), Labels: map[string]string{"severity": `{{ if gt $value 5.0 }}critical{{ end }}`}},
			{Record: "DiskFull", For: model.Duration(time.Hour)},
		}},
		{Labels: map[string]string{"team": "a"}, Rules: []rulefmt.Rule{{Alert: "OfTeam", For: model.Duration(2 * time.Minute)}}},
	})
	require.Equal(t, 30*time.Minute, d.For("DiskFull"))
	require.Zero(t, d.For("Unknown"))
	for _, tc := range []struct {
		name  string
		alert labels.Labels
		want  time.Duration
	}{
		{"the critical rule", labels.FromStrings("alertname", "DiskFull", "severity", "critical", "instance", "a"), 5 * time.Minute},
		{"the warning", labels.FromStrings("alertname", "DiskFull", "severity", "warning"), 30 * time.Minute},
		{"relabelled past recognition", labels.FromStrings("alertname", "DiskFull", "severity", "page"), 30 * time.Minute},
		{"a template", labels.FromStrings("alertname", "Templated", "severity", "critical"), time.Minute},
		{"a label of the group", labels.FromStrings("alertname", "OfTeam", "team", "a"), 2 * time.Minute},
		{"unknown", labels.FromStrings("alertname", "Other"), 0},
	} {
		t.Run(tc.name, func(t *testing.T) { require.Equal(t, tc.want, d.ForAlert(tc.alert)) })
	}
	require.Zero(t, rules.Durations{}.For("DiskFull"))
}
