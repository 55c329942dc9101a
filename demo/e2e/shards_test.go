package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/stack"
)

// manySeries is a target with a hundred gauges, ten of each service.
func manySeries(w http.ResponseWriter, _ *http.Request) {
	now := time.Now().UnixMilli()
	for i := range 100 {
		fmt.Fprintf(w, "test_load{service=\"s%d\",pod=\"p%02d\"} %d\n", i/10, i, (now/500+int64(i)*7)%97)
		fmt.Fprintf(w, "test_requests_total{service=\"s%d\",pod=\"p%02d\"} %d\n", i/10, i, now/100)
	}
}

func TestFourShardsScoreEverySeriesOnce(t *testing.T) {
	t.Parallel()
	target := httptest.NewServer(http.HandlerFunc(manySeries))
	t.Cleanup(target.Close)
	b := newBare(t, stack.BareOptions{
		Flags:          []string{"--shard.index=0", "--shard.count=4"},
		EditPrometheus: func(c map[string]any) { scrapeOnly(c, target) },
		EditTidemark: func(c map[string]any) {
			c["discover"] = map[string]any{"rules": false, "presets": []string{}}
			c["watches"] = []any{
				map[string]any{"name": "load", "expr": "test_load", "interval": "2s"},
				map[string]any{"name": "rate", "expr": "rate(test_requests_total[10s])", "interval": "2s"},
				map[string]any{"name": "grouped", "expr": "test_load", "interval": "2s", "group_by": []string{"service"}},
			}
		},
	})
	all := []*stack.Tidemark{b.Tidemark}
	for i := 1; i < 4; i++ {
		more, err := b.Another(fmt.Sprintf("--shard.index=%d", i), "--shard.count=4")
		require.NoError(t, err)
		all = append(all, more)
	}
	start(t, b.Prometheus, b.Alertmanager)
	eventually(t, soon, "there are samples", func(ctx context.Context) (bool, error) {
		samples, err := b.Prometheus.Query(ctx, "test_load")
		return len(samples) == 100, err
	})
	for _, s := range all {
		start(t, s)
	}
	shardOf := map[string]int{}
	eventually(t, later, "every series is scored", func(ctx context.Context) (bool, error) {
		clear(shardOf)
		for i, s := range all {
			rows, err := s.Series(ctx)
			if err != nil {
				return false, err
			}
			for _, r := range rows {
				key := r.Watch + " " + r.Labels
				if other, twice := shardOf[key]; twice {
					return false, fmt.Errorf("%s is scored by shards %d and %d", key, other, i)
				}
				shardOf[key] = i
			}
		}
		return len(shardOf) == 300, nil
	})
	sizes, services := map[int]int{}, map[string]map[int]bool{}
	for key, shard := range shardOf {
		sizes[shard]++
		if service, ok := strings.CutPrefix(key, "grouped "); ok {
			_, service, _ = strings.Cut(service, `service="`)
			service, _, _ = strings.Cut(service, `"`)
			if services[service] == nil {
				services[service] = map[int]bool{}
			}
			services[service][shard] = true
		}
	}
	for shard := range all {
		require.Greater(t, sizes[shard], 300/8, "shard %d has its share: %v", shard, sizes)
	}
	require.Len(t, services, 10)
	for service, shards := range services {
		require.Len(t, shards, 1, "siblings of %s are together", service)
	}
	for i, s := range all {
		resp, err := http.Post(s.URL+"/api/v1/alerts/webhook", "application/json", strings.NewReader(`{"version":"4","alerts":[]}`))
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		if i == 0 {
			require.Equal(t, http.StatusNoContent, resp.StatusCode, string(text))
			continue
		}
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
		require.Contains(t, string(text), "--shard.index=0")
		require.Zero(t, metricOf(t, s, "tidemark_heartbeat_sent_total"), "only the first shard posts")
	}
}
