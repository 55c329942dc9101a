package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/demo/stack"
)

// verified runs all claims of an incident again; each must give its value. It returns how many there are of each kind.
func verified(t *testing.T, b *stack.Bare, id string) map[string]int {
	t.Helper()
	out, err := b.Tidemark.Tool(t.Context(), "verify", id, "--config", b.Tidemark.ConfigFile(), "-o", "json")
	require.NoError(t, err, out)
	var claims []struct {
		Verdict string
		Claim   struct{ Kind, Query string }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &claims))
	kinds := map[string]int{}
	for _, c := range claims {
		require.Equal(t, "reproduced", c.Verdict, c.Claim.Query)
		require.NotContains(t, c.Claim.Query, "replica", "Prometheus does not know its external labels")
		kinds[c.Claim.Kind]++
	}
	return kinds
}

// switched is an exporter of gauges that change once.
type switched struct {
	broken       atomic.Bool
	before, then string
}

func (s *switched) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	page := s.before
	if s.broken.Load() {
		page = s.then
	}
	_, _ = fmt.Fprint(w, page)
}

// scraping adds an exporter, whose labels are taken as they are, and has Tidemark scraped as often as it counts.
func scraping(t *testing.T, exporter http.Handler, tidemark time.Duration) func(map[string]any) {
	t.Helper()
	server := httptest.NewServer(exporter)
	t.Cleanup(server.Close)
	return func(c map[string]any) {
		jobs := c["scrape_configs"].([]any)
		for _, j := range jobs {
			if job := j.(map[string]any); job["job_name"] == "tidemark" {
				job["scrape_interval"], job["scrape_timeout"] = tidemark.String(), tidemark.String()
			}
		}
		c["scrape_configs"] = append(jobs, map[string]any{
			"job_name": "switched", "static_configs": []any{map[string]any{"targets": []string{server.Listener.Addr().String()}}},
			"metric_relabel_configs": []any{map[string]any{"action": "labeldrop", "regex": "instance|job"}},
		})
	}
}

// incidentWith waits for an incident of whose JSON all parts are found, and returns it.
func incidentWith(t *testing.T, b *stack.Bare, parts ...string) (id, text string) {
	t.Helper()
	eventually(t, soon, "an incident with "+strings.Join(parts, ", "), func(ctx context.Context) (bool, error) {
		var all struct{ Data []json.RawMessage }
		if err := getAPI(ctx, b.Tidemark.URL+"/api/v1/incidents", &all); err != nil {
			return false, err
		}
		for _, i := range all.Data {
			text = string(i)
			found := true
			for _, p := range parts {
				found = found && strings.Contains(text, p)
			}
			if found {
				var x struct{ ID string }
				err := json.Unmarshal(i, &x)
				id = x.ID
				return true, err
			}
		}
		return false, nil
	})
	return id, text
}

const switchedRules = `groups:
- name: switched
  rules:
  - {alert: HighErrorRate, expr: errors_ratio > 0.1, labels: {severity: critical}}
  - {alert: KubeNodeNotReady, expr: node_ready == 0, labels: {severity: critical}}
  - {alert: DNSLookupsFailing, expr: dns_failures > 0, labels: {severity: critical}}
`

// TestEveryClaimOfPushedLinesAndSpansIsReproduced: db stops to write what its requests make it write, and calls to it lose
// time on the way; only its callers have alerts.
func TestEveryClaimOfPushedLinesAndSpansIsReproduced(t *testing.T) {
	t.Parallel()
	shop := &switched{before: "errors_ratio{service=\"api\"} 0\nerrors_ratio{service=\"web\"} 0\n", then: "errors_ratio{service=\"api\"} 0.5\nerrors_ratio{service=\"web\"} 0.4\n"}
	b := newBare(t, stack.BareOptions{
		Rules: switchedRules, EditPrometheus: scraping(t, shop, 250*time.Millisecond),
		EditTidemark: func(c map[string]any) {
			watchOnly(c, 5*time.Second, map[string]string{"up": "up"})
			c["receiver"] = map[string]any{"count_every": "1s"}
			c["topology"].(map[string]any)["edges"] = []any{map[string]any{"from": "web", "to": "api"}, map[string]any{"from": "api", "to": "db"}}
		},
	})
	start(t, b.Prometheus, b.Alertmanager, b.Tidemark)
	const calm = 26 * time.Second // Three windows of a young incident, and what is left out before it.
	begin := time.Now()
	done := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() { done <- pushing(ctx, b.Tidemark.URL, begin.Add(calm)) }()
	time.Sleep(time.Until(begin.Add(calm + time.Second))) //nolint:forbidigo // The fault shows in lines and spans before it alerts.
	shop.broken.Store(true)
	id, text := incidentWith(t, b, `"log_pattern"`, `"span_gap"`, `HighErrorRate`, `"name":"web"`)
	require.Contains(t, text, "db wrote «committed transaction ")
	require.Contains(t, text, "Calls to db lose about")
	kinds := verified(t, b, id)
	for _, kind := range []string{"alert", "coverage", "silent", "log_pattern", "span_gap"} {
		require.Positive(t, kinds[kind], kind)
	}
	stop()
	require.NoError(t, <-done)
}

// pushing sends lines and spans of api and db until ctx ends; db is broken from a moment on.
func pushing(ctx context.Context, url string, broken time.Time) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for n := 0; ; n++ {
		now := time.Now()
		lost, commits := time.Millisecond, ""
		for k := range 5 {
			commits += fmt.Sprintf(`["%d","committed transaction %d"],`, now.UnixNano(), 5*n+k)
		}
		if now.After(broken) {
			lost, commits = 300*time.Millisecond, ""
		}
		lines := fmt.Sprintf(`{"streams":[{"stream":{"service":"api"},"values":[["%[1]d","GET /items/%[2]d took %[2]d ms"]]},{"stream":{"service":"db"},"values":[%[3]s["%[1]d","checked %[2]d pages"]]}]}`, now.UnixNano(), n, commits)
		if err := post(ctx, url+"/loki/api/v1/push", lines); err != nil {
			return ended(ctx, err)
		}
		span := func(id int, parent string, kind int, took time.Duration) string {
			return fmt.Sprintf(`{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"%016x",%s"name":"GET /items","kind":%d,"startTimeUnixNano":"%d","endTimeUnixNano":"%d"}`, id, parent, kind, now.Add(-took).UnixNano(), now.UnixNano())
		}
		of := func(service, spans string) string {
			return fmt.Sprintf(`{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":%q}}]},"scopeSpans":[{"spans":[%s]}]}`, service, spans)
		}
		asks, answers := 2*n+1, 2*n+2
		traces := of("api", span(asks, "", 3, 5*time.Millisecond+lost)) + "," + of("db", span(answers, fmt.Sprintf(`"parentSpanId":"%016x",`, asks), 2, 5*time.Millisecond))
		if err := post(ctx, url+"/v1/traces", `{"resourceSpans":[`+traces+`]}`); err != nil {
			return ended(ctx, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// ended is err, unless it comes of the end.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// ofEight is a metric of eight services.
func ofEight(metric string, value float64) (page string) {
	for _, service := range []string{"auth", "cart", "mail", "pay", "search", "stock", "users", "web"} {
		page += fmt.Sprintf("%s{service=%q} %g\n", metric, service, value)
	}
	return page
}

// TestEveryClaimOfACauseOutsideTheGraphIsReproduced: nothing that is watched or drawn is the cause.
func TestEveryClaimOfACauseOutsideTheGraphIsReproduced(t *testing.T) {
	for name, tc := range map[string]struct{ metrics, broken, cause string }{
		"a zone": {
			`errors_ratio{service="cart"} 0
errors_ratio{service="mail"} 0
node_ready{node="worker-1",zone="a"} 1
node_ready{node="worker-2",zone="a"} 1
node_ready{node="worker-3",zone="a"} 1
node_ready{node="worker-4",zone="b"} 1
`, `errors_ratio{service="cart"} 0.3
errors_ratio{service="mail"} 0.2
node_ready{node="worker-1",zone="a"} 0
node_ready{node="worker-2",zone="a"} 0
node_ready{node="worker-3",zone="a"} 0
node_ready{node="worker-4",zone="b"} 1
`, "zone-a",
		},
		"the names": {ofEight("dns_failures", 0) + ofEight("errors_ratio", 0), ofEight("dns_failures", 3) + ofEight("errors_ratio", 0.2), "dns"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shop := &switched{before: tc.metrics, then: tc.broken}
			b := newBare(t, stack.BareOptions{
				Rules: switchedRules, EditPrometheus: scraping(t, shop, time.Second),
				EditTidemark: func(c map[string]any) {
					watchOnly(c, 5*time.Second, map[string]string{"up": "up"})
					c["topology"].(map[string]any)["edges"] = []any{
						map[string]any{"from": "web", "to": "cart"},
						map[string]any{"from": "web", "to": "mail"},
						map[string]any{"from": "web", "to": "search"},
						map[string]any{"from": "cart", "to": "worker-1", "kind": "host"},
						map[string]any{"from": "mail", "to": "worker-2", "kind": "host"},
						map[string]any{"from": "search", "to": "worker-4", "kind": "host"},
					}
				},
			})
			start(t, b.Prometheus, b.Alertmanager, b.Tidemark)
			shop.broken.Store(true)
			id, text := incidentWith(t, b, `"causes":[{"entity":{"kind":`, `"name":"`+tc.cause+`"`, `"opened":"2`)
			var x struct {
				Causes []struct {
					Entity     struct{ Name string }
					Confidence float64
				}
			}
			require.NoError(t, json.Unmarshal([]byte(text), &x))
			require.Equal(t, tc.cause, x.Causes[0].Entity.Name, text)
			require.Greater(t, x.Causes[0].Confidence, 0.5)
			kinds := verified(t, b, id)
			require.Positive(t, kinds["coverage"])
		})
	}
}
