package e2e_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/stack"
)

// fleet is a target with a few series that move: gauges, a counter that is reset every half minute, a series that
// comes and goes.
func fleet(w http.ResponseWriter, _ *http.Request) {
	now := float64(time.Now().UnixMilli()) / 1000
	for i := range 3 {
		fmt.Fprintf(w, "test_load{shard=\"%d\"} %g\n", i, 50+20*math.Sin(now/7+float64(i)))
		fmt.Fprintf(w, "test_requests_total{shard=\"%d\"} %g\n", i, math.Mod(now, 30)*float64(i+1))
	}
	if int(now)/10%2 == 0 {
		fmt.Fprintf(w, "test_load{shard=\"sometimes\"} %g\n", now)
	}
}

// scrapeOnly lets Prometheus scrape the target once a second, and nothing else.
func scrapeOnly(c map[string]any, target *httptest.Server) {
	c["scrape_configs"] = []any{map[string]any{
		"job_name": "fleet", "static_configs": []any{map[string]any{"targets": []string{strings.TrimPrefix(target.URL, "http://")}}},
	}}
	delete(c, "alerting")
}

// metricOf reads one sample of a page of metrics, 0 when it is not there.
func metricOf(t *testing.T, tide *stack.Tidemark, series string) float64 {
	t.Helper()
	return sampleOf(metricsPage(t, tide), series)
}

func metricsPage(t *testing.T, tide *stack.Tidemark) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tide.URL+"/metrics", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}

func sampleOf(page, series string) float64 {
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(page)
	if m == nil {
		return 0
	}
	v, _ := strconv.ParseFloat(m[1], 64)
	return v
}

func TestScoresAreTheSameByRemoteWriteAndByReading(t *testing.T) {
	for _, message := range []string{"prometheus.WriteRequest", "io.prometheus.write.v2.Request"} {
		t.Run(message, func(t *testing.T) {
			t.Parallel()
			target := httptest.NewServer(http.HandlerFunc(fleet))
			t.Cleanup(target.Close)
			watches := map[string]string{
				"load": `test_load`, "rate": `rate(test_requests_total[8s])`, "irate": `irate(test_requests_total[8s])`,
				"increase": `increase(test_requests_total{shard=~"0|1"}[5s])`, "sum": `sum(test_load)`,
			}
			b := newBare(t, stack.BareOptions{
				EditPrometheus: func(c map[string]any) { scrapeOnly(c, target) },
				EditTidemark: func(c map[string]any) {
					delete(c, "alertmanagers")
					watchOnly(c, 2*time.Second, watches)
					c["prometheus"].(map[string]any)["lookback"] = "20s"
				},
			})
			fed, err := b.Another("--web.enable-remote-write-receiver")
			require.NoError(t, err)
			require.NoError(t, b.EditPrometheus(func(c map[string]any) {
				c["remote_write"] = []any{map[string]any{"url": fed.URL + "/api/v1/write", "protobuf_message": message}}
			}))
			start(t, b.Prometheus)
			eventually(t, soon, "there are samples", func(ctx context.Context) (bool, error) {
				samples, err := b.Prometheus.Query(ctx, "test_load")
				return len(samples) > 0, err
			})
			start(t, b.Tidemark, fed)
			eventually(t, later, "steps are scored from the feed", func(context.Context) (bool, error) {
				return metricOf(t, fed, `tidemark_steps_total{from="feed"}`) > 4*40, nil
			})
			require.Zero(t, metricOf(t, b.Tidemark, `tidemark_steps_total{from="feed"}`))
			require.Positive(t, metricOf(t, fed, `tidemark_receiver_samples_total`))
			for name := range watches {
				sameScores(t, name, b.Tidemark, fed)
			}
		})
	}
}

// sameScores compares every point of a watch that both have, in every field.
func sameScores(t *testing.T, watch string, a, b *stack.Tidemark) {
	t.Helper()
	ofA, err := a.SeriesPoints(t.Context(), watch)
	require.NoError(t, err)
	ofB, err := b.SeriesPoints(t.Context(), watch)
	require.NoError(t, err)
	require.Len(t, ofB, len(ofA), "series of %s", watch)
	for labels, points := range ofA {
		at := map[int64]stack.ScoredPoint{}
		for _, p := range ofB[labels] {
			at[p.Time().UnixMilli()] = p
		}
		same := 0
		for _, p := range points {
			if q, ok := at[p.Time().UnixMilli()]; ok {
				require.Equal(t, []string{short(p.Value), short(p.Expected), short(p.Lower), short(p.Upper), short(p.Score)},
					[]string{short(q.Value), short(q.Expected), short(q.Lower), short(q.Upper), short(q.Score)}, "%s %s at %s", watch, labels, p.Time())
				same++
			}
		}
		require.Greater(t, same, 30, "points of %s %s", watch, labels)
	}
}
