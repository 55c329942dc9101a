package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/stack"
)

// post sends JSON; the answer must be a 2xx.
func post(ctx context.Context, url, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		said, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%s: %s", resp.Status, said)
	}
	return nil
}

func TestPrometheusCountsPushedLinesAndSpansAsTidemarkDoes(t *testing.T) {
	t.Parallel()
	b := newBare(t, stack.BareOptions{EditTidemark: func(c map[string]any) { watchOnly(c, time.Minute, map[string]string{"up": "up"}) }})
	start(t, b.Prometheus, b.Tidemark)
	// One line and one span in the middle of each second, so that none is near the end of a minute.
	pushed := map[int64]int{}
	first := time.Now().Truncate(time.Minute).Add(time.Minute)
	end := first.Add(2 * time.Minute)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1500 * time.Millisecond))) //nolint:forbidigo // The middle of a second.
	for n := 0; time.Now().Before(end.Add(2 * time.Second)); n++ {
		now := time.Now()
		require.NoError(t, post(t.Context(), b.Tidemark.URL+"/loki/api/v1/push", fmt.Sprintf(`{"streams":[{"stream":{"service":"db"},"values":[["%d","committed transaction %d"]]}]}`, now.UnixNano(), n)))
		require.NoError(t, post(t.Context(), b.Tidemark.URL+"/v1/traces", fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"db"}}]},
			"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"%016x","name":"query","kind":2,"startTimeUnixNano":"%d","endTimeUnixNano":"%d"}]}]}]}`, n+1, now.UnixNano(), now.Add(250*time.Millisecond).UnixNano())))
		pushed[now.Unix()/60]++
		<-ticker.C
	}
	lines := pushed[first.Unix()/60] + pushed[first.Unix()/60+1]
	require.Greater(t, lines, 100)
	for expr, want := range map[string]float64{
		`max(tidemark_log_lines_total{template="committed transaction <*>",service="db",service_name="",app="",namespace="",level=""} @ %[2]d) - (max(tidemark_log_lines_total{service="db"} @ %[1]d) or vector(0))`:                                                                                           float64(lines),
		`max(tidemark_spans_total{service="db",side="server",operation="query",caller=""} @ %[2]d) - (max(tidemark_spans_total{service="db"} @ %[1]d) or vector(0))`:                                                                                                                                           float64(lines),
		`avg_over_time(((sum(tidemark_span_seconds_total{service="db",side="server"}) - sum(tidemark_span_seconds_total{service="db",side="server"} offset 1m)) / (sum(tidemark_spans_total{service="db",side="server"}) - sum(tidemark_spans_total{service="db",side="server"} offset 1m)))[30s:1m] @ %[2]d)`: 0.25,
	} {
		eventually(t, soon, "the last minute is scraped", func(ctx context.Context) (bool, error) {
			got, err := b.Prometheus.Query(ctx, fmt.Sprintf(expr, first.Unix(), end.Unix()))
			return len(got) == 1 && got[0].Value > want-1e-9 && got[0].Value < want+1e-9, err
		})
	}
}
