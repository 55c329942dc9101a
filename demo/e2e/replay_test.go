package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/history"
	"github.com/tidemark/tidemark/demo/stack"
)

// tiers is web → api → db as one exporter; from a moment on the disk of db is busy, and everything waits for it.
type tiers struct {
	mu     sync.Mutex
	broken time.Time
}

var tierNames = []string{"web", "api", "db"}

func (*tiers) at(metric, service string, t time.Time, broken time.Time) float64 {
	day := math.Sin(2 * math.Pi * float64(t.Unix()%86400) / 86400)
	noise := float64(uint32(t.Unix()*2654435761)%1000)/1000 - 0.5
	fault := !broken.IsZero() && !t.Before(broken)
	switch metric {
	case "shop_disk_busy_ratio":
		if fault && service == "db" {
			return 0.98 + 0.01*noise
		}
		return 0.3 + 0.05*day + 0.05*noise
	case "shop_latency_seconds":
		if fault {
			return 0.9 + 0.05*noise
		}
		return 0.1 + 0.01*day + 0.01*noise
	}
	return 50 + 10*day + 4*noise
}

var tierMetrics = []string{"shop_disk_busy_ratio", "shop_latency_seconds", "shop_requests_per_second"}

// ServeHTTP is the page of metrics.
func (s *tiers) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, m := range tierMetrics {
		for _, service := range tierNames {
			fmt.Fprintf(w, "%s{service=%q} %g\n", m, service, s.at(m, service, now, s.broken))
		}
	}
}

// Series implements history.Source.
func (*tiers) Series() []map[string]string {
	var out []map[string]string
	for _, m := range tierMetrics {
		for _, service := range tierNames {
			out = append(out, map[string]string{"__name__": m, "service": service})
		}
	}
	return out
}

// Step implements history.Source.
func (s *tiers) Step(t time.Time, _ time.Duration) []float64 {
	var out []float64
	for _, m := range tierMetrics {
		for _, service := range tierNames {
			out = append(out, s.at(m, service, t, time.Time{}))
		}
	}
	return out
}

func (s *tiers) breakDisk() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = time.Now()
	return s.broken
}

const tierRules = `groups:
- name: tiers
  rules:
  - {alert: DiskSaturated, expr: shop_disk_busy_ratio > 0.9, for: 2s, labels: {severity: critical, team: data}, annotations: {summary: "disk of {{ $labels.service }} is busy"}}
  - {alert: HighLatency, expr: shop_latency_seconds > 0.5, for: 3s, labels: {severity: warning, team: shop}, annotations: {summary: "{{ $labels.service }} answers slowly"}}
`

const tierStep = 5 * time.Second

// brokenTiers starts all servers over three days of history and breaks the disk; it returns when Tidemark had
// learned, and when the disk broke. With external labels, Prometheus adds them to all that it sends.
func brokenTiers(t *testing.T, external map[string]any, before func(b *stack.Bare)) (b *stack.Bare, ready, broken time.Time) {
	t.Helper()
	shop := &tiers{}
	server := httptest.NewServer(shop)
	t.Cleanup(server.Close)
	b = newBare(t, stack.BareOptions{
		Rules: tierRules,
		EditPrometheus: func(c map[string]any) {
			if external != nil {
				c["global"].(map[string]any)["external_labels"] = external
			}
			c["scrape_configs"] = append(c["scrape_configs"].([]any), map[string]any{
				"job_name": "tiers", "static_configs": []any{map[string]any{"targets": []string{server.Listener.Addr().String()}}},
				"metric_relabel_configs": []any{map[string]any{"action": "labeldrop", "regex": "instance|job"}},
			})
		},
		EditTidemark: func(c map[string]any) {
			watchOnly(c, tierStep, map[string]string{"disk": tierMetrics[0], "latency": tierMetrics[1], "requests": tierMetrics[2]})
			c["baseline"] = map[string]any{"history": "4d"}
			c["topology"].(map[string]any)["edges"] = []any{map[string]any{"from": "web", "to": "api"}, map[string]any{"from": "api", "to": "db"}}
		},
	})
	end := time.Now().Truncate(time.Minute)
	_, err := history.Write(t.Context(), b.Prometheus.DataDir(), shop, history.Options{From: end.Add(-3 * 24 * time.Hour), To: end, Step: time.Minute, Block: 24 * time.Hour})
	require.NoError(t, err)
	start(t, b.Prometheus, b.Alertmanager, b.Tidemark)
	ready = time.Now()
	eventually(t, soon, "live samples are scored", func(ctx context.Context) (bool, error) {
		live, err := b.Tidemark.ScoredPoints(ctx, "disk")
		return len(live) > 0 && live[len(live)-1].Time().After(ready.Add(2*tierStep)), err
	})
	before(b)
	return b, ready, shop.breakDisk()
}

// decided is what must be the same live and in a replay: all of an incident but when it was told and what
// only Alertmanager knew.
func decided(t *testing.T, incident json.RawMessage) string {
	t.Helper()
	var x map[string]any
	require.NoError(t, json.Unmarshal(incident, &x))
	for _, told := range []string{"opened", "revision", "posts"} {
		delete(x, told)
	}
	for _, a := range x["alerts"].([]any) {
		delete(a.(map[string]any), "annotations")
		delete(a.(map[string]any), "generator_url")
	}
	out, err := json.MarshalIndent(x, "", " ")
	require.NoError(t, err)
	return string(out)
}

func TestReplayOfPrometheusDecidesWhatTheLiveProcessDecided(t *testing.T) {
	t.Parallel()
	b, ready, broken := brokenTiers(t, nil, func(*stack.Bare) {})
	// Between two looks at the metrics, and between two scored steps.
	var at time.Time
	var live []json.RawMessage
	eventually(t, later, "four alerts are one incident, and the metrics were looked at", func(ctx context.Context) (bool, error) {
		at = time.Now()
		if since := at.Sub(at.Truncate(tierStep)); at.Before(broken.Add(50*time.Second)) || since < time.Second || since > 2*time.Second {
			return false, nil
		}
		var all struct{ Data []json.RawMessage }
		err := getAPI(ctx, b.Tidemark.URL+"/api/v1/incidents", &all)
		live = all.Data
		return len(live) > 0 && at.Sub(broken) > 50*time.Second, err
	})
	require.Len(t, live, 1)
	out, err := stack.RunTool(t.Context(), filepath.Join(bin, "tidetool"), "replay", "--config", b.Tidemark.ConfigFile(),
		"--from", ready.UTC().Format(time.RFC3339Nano), "--to", at.UTC().Format(time.RFC3339Nano), "-o", "json")
	require.NoError(t, err)
	var report struct {
		Alerts        int `json:"alerts"`
		AlertPages    int `json:"alert_pages"`
		IncidentPages int `json:"incident_pages"`
		Hidden, Teams []any
		Incidents     []struct{ Detail json.RawMessage }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.Equal(t, 4, report.Alerts)
	require.Equal(t, 2, report.AlertPages)
	require.Equal(t, 1, report.IncidentPages)
	require.Empty(t, report.Hidden)
	require.Len(t, report.Teams, 2)
	require.Len(t, report.Incidents, 1)
	want := decided(t, live[0])
	require.Contains(t, want, `"disk"`, "the resource")
	require.Contains(t, want, "avg_over_time(", "evidence of metrics takes part")
	require.Contains(t, want, `"anomalies"`)
	require.Equal(t, want, decided(t, report.Incidents[0].Detail))
}

// TestEveryClaimIsReproduced: also of a Prometheus that adds labels to what it sends and does not know them in queries.
func TestEveryClaimIsReproduced(t *testing.T) {
	t.Parallel()
	b, _, _ := brokenTiers(t, map[string]any{"cluster": "eu", "replica": "a"}, func(b *stack.Bare) {
		require.NoError(t, post(t.Context(), b.Tidemark.URL+"/api/v1/changes", fmt.Sprintf(`{"time":%q,"kind":"config","labels":{"service":"db"},"text":"new disk limits"}`, time.Now().UTC().Format(time.RFC3339))))
	})
	var id string
	eventually(t, later, "an incident has evidence of metrics", func(ctx context.Context) (bool, error) {
		var all struct{ Data []json.RawMessage }
		if err := getAPI(ctx, b.Tidemark.URL+"/api/v1/incidents", &all); err != nil || len(all.Data) == 0 {
			return false, err
		}
		var x struct{ ID string }
		err := json.Unmarshal(all.Data[0], &x)
		id = x.ID
		return bytes.Contains(all.Data[0], []byte("avg_over_time(")) && bytes.Count(all.Data[0], []byte(`"status":"firing"`)) == 4 &&
			bytes.Contains(all.Data[0], []byte(`"kind":"anomaly"`)), err
	})
	kinds := verified(t, b, id)
	for _, kind := range []string{"alert", "anomaly", "change", "coverage", "resource"} {
		require.Positive(t, kinds[kind], kind)
	}
}

func getAPI(ctx context.Context, url string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(out)
}
