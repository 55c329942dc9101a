package e2e_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/stack"
)

// loadRules fire as soon as a gauge is seen above its limit.
const loadRules = `
groups:
  - name: load
    rules:
      - alert: LoadHigh
        expr: test_load > 10
        labels: {severity: critical}
        annotations: {summary: 'load of {{ $labels.service }} is high'}
      - alert: LoadVeryHigh
        expr: test_load > 20
        labels: {severity: critical}
`

// exporter serves one gauge for each service, 0 at first.
func exporter(t *testing.T, services ...string) (target string, load *prometheus.GaugeVec) {
	t.Helper()
	reg := prometheus.NewRegistry()
	load = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "test_load", Help: "What the rules look at."}, []string{"service"})
	reg.MustRegister(load)
	for _, s := range services {
		load.WithLabelValues(s).Set(0)
	}
	server := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), load
}

// scrape adds a target to Prometheus' configuration.
func scrape(c map[string]any, job, target string) {
	c["scrape_configs"] = append(c["scrape_configs"].([]any), map[string]any{
		"job_name": job, "static_configs": []any{map[string]any{"targets": []string{target}}},
	})
}

// heldBack says whether at least n direct copies are at Alertmanager, and all of them inhibited.
func heldBack(am *stack.Alertmanager, n int) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		direct, err := am.Alerts(ctx, `path="direct"`)
		return len(direct) >= n && !slices.ContainsFunc(direct, func(a stack.Alert) bool { return !a.Inhibited }), err
	}
}

// pagesOf counts the pages of a client; raw alerts have Alertmanager as theirs.
func pagesOf(b *stack.Bare, tidemark bool) (n int) {
	for _, e := range b.Pager.Events() {
		if e.EventAction == "trigger" && (e.Client == "Tidemark") == tidemark {
			n++
		}
	}
	return n
}

// heartbeatLife is how long the heartbeat outlives Tidemark, a fixed part of the contract with
// Alertmanager; flush is how soon the example's route notices after that.
const (
	heartbeatLife = 120 * time.Second
	flush         = 30 * time.Second
)

func TestFailsOpenWithinTheHeartbeatsLife(t *testing.T) {
	t.Parallel()
	services := []string{"api", "web", "cart", "db"}
	target, load := exporter(t, services...)
	b := newBare(t, stack.BareOptions{
		Rules:          loadRules,
		EditPrometheus: func(c map[string]any) { scrape(c, "load", target) },
		EditTidemark:   func(c map[string]any) { watchOnly(c, 15*time.Second, map[string]string{"load": "test_load"}) },
	})
	start(t, b.Prometheus, b.Alertmanager, b.Tidemark)
	eventually(t, soon, "the heartbeat is at Alertmanager", func(ctx context.Context) (bool, error) {
		alive, err := b.Alertmanager.Alerts(ctx, `alertname="TidemarkAlive"`)
		return len(alive) == 1, err
	})

	for i, s := range services {
		load.WithLabelValues(s).Set(float64(15 + 10*(i%2)))
	}
	const alerts = 6 // All four are high, two very high.
	eventually(t, soon, "the incident pages", func(context.Context) (bool, error) { return pagesOf(b, true) > 0, nil })
	eventually(t, soon, "the direct copies are held back", heldBack(b.Alertmanager, alerts))
	require.Zero(t, pagesOf(b, false), "raw alerts are silent while Tidemark lives")

	require.NoError(t, b.Tidemark.Kill())
	killed := time.Now()
	eventually(t, heartbeatLife+flush, "raw alerts page", func(context.Context) (bool, error) { return pagesOf(b, false) > 0, nil })
	blind := time.Since(killed)
	t.Logf("raw alerts paged %s after the kill", blind.Round(100*time.Millisecond))
	require.LessOrEqual(t, blind, heartbeatLife+flush)
	eventually(t, soon, "every raw alert is told", func(context.Context) (bool, error) {
		var told strings.Builder
		for _, e := range b.Pager.Events() {
			if e.Payload != nil {
				fmt.Fprint(&told, e.Payload.Summary)
			}
		}
		return strings.Contains(told.String(), "LoadHigh") && strings.Contains(told.String(), "LoadVeryHigh"), nil
	})
	require.Empty(t, b.Pager.Refused())

	start(t, b.Tidemark)
	eventually(t, soon, "raw alerts are held back again", heldBack(b.Alertmanager, alerts))
}
