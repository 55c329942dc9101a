package e2e_test

import (
	"context"
	"hash/fnv"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/history"
	"github.com/tidemark/tidemark/demo/stack"
)

// dailyLoad is the load of a few services: a day's rhythm and some noise, the same in the past and now.
type dailyLoad struct{ target string }

var loaded = []string{"web", "catalog", "orders", "cart", "payment", "db"}

// Series implements history.Source.
func (d dailyLoad) Series() []map[string]string {
	out := make([]map[string]string, 0, len(loaded))
	for _, s := range loaded {
		out = append(out, map[string]string{"__name__": "test_load", "job": "load", "instance": d.target, "service": s})
	}
	return out
}

// Step implements history.Source.
func (dailyLoad) Step(t time.Time, _ time.Duration) []float64 {
	out := make([]float64, 0, len(loaded))
	for _, s := range loaded {
		out = append(out, loadOf(s, t))
	}
	return out
}

func loadOf(service string, t time.Time) float64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(service + t.Truncate(5*time.Second).String()))
	noise := float64(h.Sum32()%1000)/1000 - 0.5
	return 4 + 2*math.Sin(2*math.Pi*float64(t.Unix()%86400)/86400) + 0.8*noise
}

// TestPicturesOfTheDashboards draws the dashboards, for the docs, from a real Prometheus that scrapes a Tidemark in the
// middle of an incident: `make dashboard-pictures`.
func TestPicturesOfTheDashboards(t *testing.T) {
	folder := os.Getenv("TIDEMARK_PICTURES")
	if folder == "" {
		t.Skip("TIDEMARK_PICTURES names no folder: make dashboard-pictures does")
	}
	folder, err := filepath.Abs(folder)
	require.NoError(t, err)
	target, load := exporter(t, loaded...)
	b := newBare(t, stack.BareOptions{
		Rules:          loadRules,
		EditPrometheus: func(c map[string]any) { scrape(c, "load", target) },
		EditTidemark: func(c map[string]any) {
			watchOnly(c, 5*time.Second, map[string]string{"load": "test_load"})
			runbook := c["runbooks"].([]any)[0].(map[string]any)
			runbook["matchers"] = []string{`severity="critical"`}
		},
	})
	const step = 30 * time.Second
	end := time.Now().Truncate(step)
	_, err = history.Write(t.Context(), b.Prometheus.DataDir(), dailyLoad{target}, history.Options{From: end.Add(-14 * 24 * time.Hour), To: end, Step: step, Block: 24 * time.Hour})
	require.NoError(t, err)
	trouble := map[string]float64{}
	tell := func() { // The gauges follow their rhythm whenever something is asked.
		for _, s := range loaded {
			load.WithLabelValues(s).Set(loadOf(s, time.Now()) + trouble[s])
		}
	}
	tell()
	start(t, b.Prometheus, b.Alertmanager, b.Tidemark)
	seen := func(what, query string) {
		eventually(t, later, what, func(ctx context.Context) (bool, error) {
			tell()
			found, err := b.Prometheus.Query(ctx, query)
			return len(found) > 0, err
		})
	}
	seen("two minutes of scores", `tidemark_anomaly_score offset 2m`)
	trouble["db"] = 40
	seen("the database is in an incident", `tidemark_incident_info`)
	trouble["orders"], trouble["payment"], trouble["web"] = 25, 18, 22
	seen("the incident is a minute and a half old", `tidemark_incident_info offset 90s`)
	cmd := exec.CommandContext(t.Context(), "node", "browser/dashboards.mjs", b.Prometheus.URL, folder,
		"tidemark-overview", "tidemark-incidents", "tidemark-series", "tidemark-health")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "MINUTES=4")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	t.Logf("%s", out)
}
