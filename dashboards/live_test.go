package dashboards_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tidemark/tidemark/dashboards"
)

// scrapes is how often the made-up Tidemark is scraped before queries are run; rates need two.
const scrapes = 4

// exporter serves testdata/metrics.txt with counters that grow, and tells when it was scraped enough.
func exporter(t *testing.T) (address string, enough <-chan struct{}) {
	t.Helper()
	data, err := os.ReadFile("testdata/metrics.txt")
	require.NoError(t, err)
	counter := regexp.MustCompile(`(?m)^(\w+_(?:total|bucket)(?:\{.*\})?) (\S+)$`)
	done := make(chan struct{})
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		count := n.Add(1)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write(counter.ReplaceAllFunc(data, func(line []byte) []byte {
			m := counter.FindSubmatch(line)
			v, err := strconv.ParseFloat(string(m[2]), 64)
			if err != nil {
				return line
			}
			return fmt.Appendf(nil, "%s %g", m[1], v*float64(count))
		}))
		if count == scrapes+1 { // The last but one is stored by then.
			close(done)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String(), done
}

// prometheus starts the real server on the rules and the exporter, and returns its address.
func prometheus(t *testing.T, target string) string {
	t.Helper()
	dir := os.Getenv("TIDEMARK_TOOLS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		require.NoError(t, err)
		dir = filepath.Join(cache, "tidemark", "tools")
	}
	program := filepath.Join(dir, "prometheus")
	if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
		t.Skip("prometheus is not in the tools folder: run `make tools`")
	}
	rules, err := filepath.Abs("../rules")
	require.NoError(t, err)
	data := t.TempDir()
	cfg := filepath.Join(data, "prometheus.yml")
	require.NoError(t, os.WriteFile(cfg, fmt.Appendf(nil, `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ['%s/tidemark-*.yaml']
scrape_configs:
  - job_name: tidemark
    honor_labels: true
    static_configs: [{targets: ['%s']}]
`, rules, target), 0o600))

	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "--config.file="+cfg, "--storage.tsdb.path="+filepath.Join(data, "tsdb"), "--web.listen-address=127.0.0.1:0")
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // It was killed.
	})
	listening := regexp.MustCompile(`msg="Listening on".* address=(\S+)`)
	address, ready := "", false
	var said strings.Builder
	lines := bufio.NewScanner(stderr)
	for (!ready || address == "") && lines.Scan() { // Either may be said first: the listener has a goroutine of its own.
		said.WriteString(lines.Text() + "\n")
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			address = m[1]
		}
		ready = ready || strings.Contains(lines.Text(), "Server is ready to receive web requests")
	}
	require.True(t, ready && address != "", "prometheus did not start:\n%s", &said)
	go func() { _, _ = io.Copy(io.Discard, stderr) }()
	return "http://" + address
}

// ask calls Prometheus' HTTP API and decodes the data of the answer.
func ask(t *testing.T, address, path string, params url.Values, into any) {
	t.Helper()
	resp, err := http.Get(address + path + "?" + params.Encode())
	require.NoError(t, err)
	defer resp.Body.Close()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: into}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	require.Equal(t, "success", answer.Status, answer.Error)
}

// answers runs a query as a panel does, over the last window, and gives the labels of the series of the answer; what the
// panel reads of them must be there.
func answers(t *testing.T, address string, q dashboards.Target, window time.Duration) []map[string]string {
	t.Helper()
	now := time.Now()
	params, path := url.Values{"query": {q.Expr}}, "/api/v1/query"
	if !q.Instant {
		path += "_range"
		params.Set("start", strconv.FormatInt(now.Add(-window).Unix(), 10))
		params.Set("end", strconv.FormatInt(now.Unix(), 10))
		params.Set("step", strconv.FormatFloat((window/60).Seconds(), 'f', -1, 64))
	}
	var data struct{ Result []json.RawMessage }
	ask(t, address, path, params, &data)
	found := make([]map[string]string, 0, len(data.Result))
	for _, raw := range data.Result {
		var series struct{ Metric map[string]string }
		if json.Unmarshal(raw, &series) != nil {
			series.Metric = nil // A scalar's answer is no object.
		}
		found = append(found, series.Metric)
	}
	if len(found) > 0 {
		columnsAreThere(t, q, found)
	}
	return found
}

// TestEveryPanelShowsSomething runs every query against a real Prometheus that scrapes a Tidemark in
// the middle of an incident: no query may fail, and none may be empty.
func TestEveryPanelShowsSomething(t *testing.T) {
	target, enough := exporter(t)
	address := prometheus(t, target)
	<-enough

	targets, err := dashboards.Targets(map[string]string{"horizon": "0s", "__rate_interval": "10s", "__range": "30s"})
	require.NoError(t, err)
	for _, q := range targets {
		if q.DataSource != "prometheus" {
			continue
		}
		t.Run(q.Dashboard+"/"+q.Panel+"/"+q.RefID, func(t *testing.T) {
			found := answers(t, address, q, 30*time.Second)
			if strings.Contains(q.Expr, "offset 1d") || strings.Contains(q.Expr, "offset 1w") {
				return // There is no yesterday.
			}
			require.NotEmpty(t, found, q.Expr)
			if q.Panel == "Open incidents by cause" {
				require.Len(t, found, 2, "one of anomalies alone has no severity, and is shown too")
			}
		})
	}

	t.Run("rules", func(t *testing.T) {
		var data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
		ask(t, address, "/api/v1/rules", nil, &data)
		require.NotEmpty(t, data.Groups)
		for _, g := range data.Groups {
			for _, r := range g.Rules {
				require.NotEqual(t, "err", r.Health, "%s: %s", r.Name, r.LastError)
			}
		}
	})
}

// TestOnYourPrometheus runs every query against the Prometheus at TIDEMARK_PROMETHEUS_URL, which
// scrapes a Tidemark at work, such as the demo's: only panels that may be quiet may be empty. With
// TIDEMARK_PROMETHEUS_BUSY set there were an incident and a runbook's call among services that report
// who calls whom, as in the demo, so their panels may not.
func TestOnYourPrometheus(t *testing.T) {
	address := os.Getenv("TIDEMARK_PROMETHEUS_URL")
	if address == "" {
		t.Skip("TIDEMARK_PROMETHEUS_URL names no Prometheus")
	}
	targets, err := dashboards.Targets(nil)
	require.NoError(t, err)
	for _, q := range targets {
		if q.DataSource != "prometheus" {
			continue
		}
		t.Run(q.Dashboard+"/"+q.Panel+"/"+q.RefID, func(t *testing.T) {
			if found := answers(t, address, q, time.Hour); len(found) == 0 {
				require.NotEmpty(t, q.MayBeEmpty, q.Expr)
				if os.Getenv("TIDEMARK_PROMETHEUS_BUSY") != "" {
					require.NotContains(t, []string{dashboards.NoIncident, dashboards.NoCall, dashboards.NoSpans}, q.MayBeEmpty, q.Expr)
				}
				t.Log("empty, since " + q.MayBeEmpty)
			}
		})
	}
}
