package rules_test

import (
	"testing"

	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/rules"
)

func groupOf(rs ...rulefmt.Rule) []rulefmt.RuleGroup {
	return []rulefmt.RuleGroup{{Name: "g", Rules: rs}}
}

func alert(name, expr string) rulefmt.Rule { return rulefmt.Rule{Alert: name, Expr: expr} }

// onlyRules is a configuration without presets.
func onlyRules() rules.DiscoverConfig {
	cfg := rules.DefaultDiscoverConfig()
	cfg.Presets = nil
	return cfg
}

func limit(v float64) *float64 { return &v }

type want struct {
	expr      string
	direction rules.Direction
	limit     *float64
}

// TestExpressionsOfAlertingRules holds rules in the forms that the node, kubernetes, Prometheus
// and database mixins and the awesome collection use.
func TestExpressionsOfAlertingRules(t *testing.T) {
	for _, tc := range []struct {
		name, expr string
		want       []want
		reason     string
	}{
		{"a rate over a number", `rate(http_errors_total[5m]) > 0.5`, []want{{`rate(http_errors_total[5m])`, rules.Up, limit(0.5)}}, ""},
		{"a level under a number", `node_filesystem_avail_bytes < 1e9`, []want{{`node_filesystem_avail_bytes`, rules.Down, limit(1e9)}}, ""},
		{"number first", `10 < sum by (job) (queue_length)`, []want{{`sum by (job) (queue_length)`, rules.Up, limit(10)}}, ""},
		{"number first, downwards", `0.1 >= ratio`, []want{{`ratio`, rules.Down, limit(0.1)}}, ""},
		{"arithmetic in the threshold", `node_load1 > 2 * (4 + 4)`, []want{{`node_load1`, rules.Up, limit(16)}}, ""},
		{"a negative threshold", `clock_skew < -0.05`, []want{{`clock_skew`, rules.Down, limit(-0.05)}}, ""},
		{"a vector as the threshold", `kubelet_running_pods > on (instance) kubelet_max_pods`, []want{{`kubelet_running_pods`, rules.Up, nil}}, ""},
		{"any event", `increase(node_vmstat_oom_kill[5m]) > 0`, []want{{`increase(node_vmstat_oom_kill[5m])`, rules.Up, nil}}, ""},
		{"under zero has a limit", `free_slots < 0`, []want{{`free_slots`, rules.Down, limit(0)}}, ""},
		{"parentheses", `((node_load5) > (5))`, []want{{`node_load5`, rules.Up, limit(5)}}, ""},

		{
			"guarded by and", `node_filesystem_avail_bytes / node_filesystem_size_bytes * 100 < 3 and node_filesystem_readonly == 0`,
			[]want{{`node_filesystem_avail_bytes / node_filesystem_size_bytes * 100`, rules.Down, limit(3)}},
			"",
		},
		{
			"two guards", `kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes < 0.15 and kubelet_volume_stats_used_bytes > 0 and predict_linear(kubelet_volume_stats_available_bytes[6h], 4 * 24 * 3600) < 0 unless on (namespace) pvc_access_mode == 1`,
			[]want{{`kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes`, rules.Down, limit(0.15)}},
			"",
		},
		{
			"a level guarded on its left", `node_md_disks and rate(node_disk_io_time_seconds_total[5m]) > 0.9`,
			[]want{{`rate(node_disk_io_time_seconds_total[5m])`, rules.Up, limit(0.9)}},
			"",
		},
		{"unless", `rate(errors_total[5m]) > 1 unless on (instance) maintenance`, []want{{`rate(errors_total[5m])`, rules.Up, limit(1)}}, ""},
		{"alternatives", `cpu_seconds > 5 or memory_bytes < 7`, []want{{`cpu_seconds`, rules.Up, limit(5)}, {`memory_bytes`, rules.Down, limit(7)}}, ""},
		{"alternatives of one expression", `temperature > 80 or temperature < 10`, []want{{`temperature`, rules.Both, nil}}, ""},

		{
			"joined to add labels", `(100 - (avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[2m])) * 100) > 80) * on (instance) group_left (nodename) node_uname_info{nodename=~".+"}`,
			[]want{{`100 - (avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[2m])) * 100)`, rules.Up, limit(80)}},
			"",
		},
		{
			"joined inside", `(node_load1 * on (instance) group_left (nodename) node_uname_info) > 3`,
			[]want{{`node_load1 * on (instance) group_left (nodename) node_uname_info`, rules.Up, limit(3)}},
			"",
		},
		{"a maximum of comparisons", `max by (job) (queue_length > 100)`, []want{{`max by (job) (queue_length)`, rules.Up, limit(100)}}, ""},
		{"a sum of comparisons", `sum by (job) (queue_length > 100)`, []want{{`sum by (job) (queue_length)`, rules.Up, nil}}, ""},
		{
			"labels replaced", `label_replace(queue_length > 100, "team", "$1", "job", "(.*)")`,
			[]want{{`label_replace(queue_length, "team", "$1", "job", "(.*)")`, rules.Up, limit(100)}},
			"",
		},
		{
			"nested guards in a quotient", `rate(a_seconds_sum[5m]) / (rate(a_seconds_count[5m]) > 0) > 0.25`,
			[]want{{`rate(a_seconds_sum[5m]) / (rate(a_seconds_count[5m]) > 0)`, rules.Up, limit(0.25)}},
			"",
		},

		{
			"a linear forecast", `predict_linear(node_filesystem_avail_bytes{fstype!="tmpfs"}[6h], 24 * 3600) < 0`,
			[]want{{`node_filesystem_avail_bytes{fstype!="tmpfs"}`, rules.Down, limit(0)}},
			"",
		},
		{"a linear forecast of an expression", `predict_linear((free / size)[6h:5m], 3600) < 0.1`, []want{{`free / size`, rules.Down, limit(0.1)}}, ""},
		{"an age", `time() - backup_timestamp_seconds > 86400`, []want{{`time() - backup_timestamp_seconds`, rules.Up, limit(86400)}}, ""},
		{"an expiry", `probe_ssl_earliest_cert_expiry - time() < 86400 * 30`, []want{{`probe_ssl_earliest_cert_expiry - time()`, rules.Down, limit(2592000)}}, ""},
		{
			"a quantile", `histogram_quantile(0.99, sum by (le, job) (rate(request_duration_seconds_bucket[5m]))) > 1`,
			[]want{{`histogram_quantile(0.99, sum by (le, job) (rate(request_duration_seconds_bucket[5m])))`, rules.Up, limit(1)}},
			"",
		},
		{
			"a burn rate", `sum(rate(errors_total[1h])) / sum(rate(requests_total[1h])) > 14 * 0.001 and sum(rate(errors_total[5m])) / sum(rate(requests_total[5m])) > 14 * 0.001`,
			[]want{{`sum(rate(errors_total[1h])) / sum(rate(requests_total[1h]))`, rules.Up, limit(14 * 0.001)}},
			"",
		},
		{"a sub-query", `max_over_time(rate(errors_total[1m])[10m:1m]) > 2`, []want{{`max_over_time(rate(errors_total[1m])[10m:1m])`, rules.Up, limit(2)}}, ""},
		{"a recording rule", `job:request_errors:ratio5m{job="api"} > 0.05`, []want{{`job:request_errors:ratio5m{job="api"}`, rules.Up, limit(0.05)}}, ""},
		{"replication lag", `pg_replication_lag_seconds > 30 and on (instance) pg_replication_is_replica == 1`, []want{{`pg_replication_lag_seconds`, rules.Up, limit(30)}}, ""},
		{
			"connections against their bound", `sum by (instance) (pg_stat_activity_count) > min by (instance) (pg_settings_max_connections) * 0.8`,
			[]want{{`sum by (instance) (pg_stat_activity_count)`, rules.Up, nil}},
			"",
		},
		{
			"a moving comparison", `sum(rate(requests_total[5m])) < 0.5 * sum(rate(requests_total[5m] offset 1w))`,
			[]want{{`sum(rate(requests_total[5m]))`, rules.Down, nil}},
			"",
		},
		{"an infinite threshold", `x > Inf`, []want{{`x`, rules.Up, nil}}, ""},
		{"a vector of a number", `queue_length > vector(5)`, []want{{`queue_length`, rules.Up, limit(5)}}, ""},

		{"up", `up == 0`, nil, "it compares a state (== or !=), not a level"},
		{"versions that differ", `count by (job) (count by (job, version) (build_info)) != 1`, nil, "it compares a state (== or !=), not a level"},
		{"absence", `absent(up{job="api"})`, nil, "it tests for absence, which every watched series is tested for"},
		{"absence compared", `absent(up{job="api"}) > 0`, nil, "it tests for absence, which every watched series is tested for"},
		{"targets down", `100 * (count by (job) (up == 0) / count by (job) (up)) > 10`, nil, "it counts what is wrong, so it has values only while something is"},
		{"a count of comparisons", `count(up == 0)`, nil, "it counts what is wrong, so it has values only while something is"},
		{"a watchdog", `vector(1)`, nil, "it compares nothing"},
		{"numbers only", `vector(1) > 0`, nil, "it reads no series"},
		{"alerts about alerts", `count(ALERTS{alertstate="firing"}) > 10`, nil, "it reads alerts or Tidemark's own metrics"},
		{"our own score", `tidemark_anomaly_score > 1`, nil, "it reads alerts or Tidemark's own metrics"},
		{"a fixed moment", `x @ 1600000000 > 1`, nil, "its value is tied to another moment (@)"},
		{"a bare selector", `some_metric{job="a"}`, nil, "it compares nothing"},
		{"a comparison that only marks", `x > bool 1`, nil, "it compares nothing"},
		{"half a rule", `rate(x[5m]`, nil, `it does not parse: 1:11: parse error: unclosed left parenthesis`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, err := rules.Discover(groupOf(alert("A", tc.expr)), nil, onlyRules(), nil)
			require.NoError(t, err)
			var got []want
			for _, w := range d.Watches {
				got = append(got, want{w.Expr, w.Direction, w.Limit})
				require.NoError(t, w.Validate())
				require.Equal(t, []string{"A"}, w.Alerts)
				require.Equal(t, "rules", w.Origin)
			}
			require.ElementsMatch(t, tc.want, got)
			if tc.reason != "" {
				require.Equal(t, []rules.Skipped{{Alert: "A", Expr: tc.expr, Reason: tc.reason}}, d.Skipped)
			}
		})
	}
}
