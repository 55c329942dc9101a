package e2e_test

import (
	"context"
	"math"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/history"
	"github.com/tidemark/tidemark/demo/stack"
)

// calmLoad is the past of an exporter's gauge.
type calmLoad struct{ target string }

// Series implements history.Source.
func (c calmLoad) Series() []map[string]string {
	return []map[string]string{{"__name__": "test_load", "job": "load", "instance": c.target, "service": "db"}}
}

// Step implements history.Source.
func (calmLoad) Step(t time.Time, _ time.Duration) []float64 {
	return []float64{math.Sin(float64(t.Unix()))}
}

func TestDashboardsQueriesFindTheirMetrics(t *testing.T) {
	t.Parallel()
	target, load := exporter(t, "api", "db")
	b := newBare(t, stack.BareOptions{
		Rules:          loadRules,
		EditPrometheus: func(c map[string]any) { scrape(c, "load", target) },
		EditTidemark: func(c map[string]any) {
			watchOnly(c, 15*time.Second, map[string]string{"load": "test_load"})
			runbook := c["runbooks"].([]any)[0].(map[string]any)
			runbook["matchers"] = []string{`severity="critical"`}
		},
	})
	end := time.Now().Truncate(pastStep)
	_, err := history.Write(t.Context(), b.Prometheus.DataDir(), calmLoad{target}, history.Options{
		From: end.Add(-pastLength), To: end, Step: pastStep, Block: pastLength,
	})
	require.NoError(t, err)
	start(t, b.Prometheus, b.Alertmanager, b.Tidemark)
	load.WithLabelValues("db").Set(30)
	eventually(t, soon, "the incident pages", func(context.Context) (bool, error) { return pagesOf(b, true) > 0, nil })
	for _, seen := range []string{
		`tidemark_incident_info`, `tidemark_expected{watch="load"}`, `tidemark_alerts_received_total > 0`,
		`tidemark_anomaly_active{watch="load"}`, `tidemark_anomaly_score > 1`, `increase(tidemark_anomalies_total[1m]) > 0`, `rate(tidemark_notifications_total[1m]) > 0`,
	} {
		eventually(t, soon, "Prometheus has "+seen, func(ctx context.Context) (bool, error) {
			found, err := b.Prometheus.Query(ctx, seen)
			return len(found) > 0, err
		})
	}

	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-run", "TestOnYourPrometheus", "./dashboards")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "TIDEMARK_PROMETHEUS_URL="+b.Prometheus.URL, "TIDEMARK_PROMETHEUS_BUSY=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
