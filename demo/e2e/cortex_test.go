package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/prompb"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/tidemark/tidemark/demo/stack"
)

// cortex is a real Cortex in one process, with tenants, its data in a folder of the test.
type cortex struct{ url string }

// startCortex starts the program that TIDEMARK_CORTEX names; `make e2e-cortex` builds it. Without it the test is left out.
func startCortex(t *testing.T) *cortex {
	t.Helper()
	program := os.Getenv("TIDEMARK_CORTEX")
	if program == "" {
		t.Skip("TIDEMARK_CORTEX names no program: make e2e-cortex builds and names it")
	}
	dir := t.TempDir()
	ports := freePorts(t, 2)
	in := func(name string) string { return filepath.Join(dir, name) }
	memory := map[string]any{"kvstore": map[string]any{"store": "inmemory"}}
	config, err := yaml.Marshal(map[string]any{
		"auth_enabled": true, // Every request names its tenant.
		"target":       "all",
		"server": map[string]any{
			"http_listen_address": "127.0.0.1", "http_listen_port": ports[0], "grpc_listen_address": "127.0.0.1", "grpc_listen_port": ports[1], "log_level": "warn",
		},
		"ingester": map[string]any{"lifecycler": map[string]any{
			"address": "127.0.0.1", "min_ready_duration": "0s", "final_sleep": "0s",
			"ring": map[string]any{"kvstore": map[string]any{"store": "inmemory"}, "replication_factor": 1},
		}},
		"blocks_storage": map[string]any{
			"tsdb":         map[string]any{"dir": in("tsdb"), "retention_period": "1000h"},
			"bucket_store": map[string]any{"sync_dir": in("sync")},
			"backend":      "filesystem", "filesystem": map[string]any{"dir": in("blocks")},
		},
		"alertmanager":         map[string]any{"external_url": "http://127.0.0.1/alertmanager"},
		"compactor":            map[string]any{"data_dir": in("compactor"), "sharding_ring": memory},
		"ruler":                map[string]any{"rule_path": in("rule-path")},
		"ruler_storage":        map[string]any{"backend": "local", "local": map[string]any{"directory": in("rules")}},
		"alertmanager_storage": map[string]any{"backend": "local", "local": map[string]any{"path": in("alerts")}},
		"limits":               map[string]any{"ingestion_rate": 1e6, "ingestion_burst_size": 1000000},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(in("cortex.yml"), config, 0o600))
	for _, empty := range []string{"rules", "alerts"} { // Its ruler and its Alertmanager have nothing to do, but want them.
		require.NoError(t, os.Mkdir(in(empty), 0o750))
	}
	out, err := os.Create(in("cortex.log"))
	require.NoError(t, err)
	cmd := exec.Command(program, "-config.file="+in("cortex.yml"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(in("cortex.log"))
			t.Logf("--- cortex\n%s", text[:min(len(text), 4000)])
		}
		_ = out.Close()
	})
	c := &cortex{url: fmt.Sprintf("http://127.0.0.1:%d", ports[0])}
	eventually(t, later, "Cortex is ready", func(ctx context.Context) (bool, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/ready", nil)
		if err != nil {
			return false, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, nil // It does not listen yet.
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	})
	return c
}

// freePorts are ports of loopback that nobody listens on.
func freePorts(t *testing.T, n int) (out []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { _ = l.Close() }()
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out
}

// push writes samples of test_load for a tenant, three series of it.
func (c *cortex) push(ctx context.Context, tenant string, from, to time.Time, step time.Duration, value func(shard int, at time.Time) float64) error {
	for begin := from; begin.Before(to); begin = begin.Add(500 * step) {
		var req prompb.WriteRequest
		for shard := range 3 {
			ts := prompb.TimeSeries{Labels: []prompb.Label{{Name: "__name__", Value: "test_load"}, {Name: "shard", Value: fmt.Sprint(shard)}, {Name: "team", Value: tenant}}}
			for at := begin; at.Before(begin.Add(500*step)) && at.Before(to); at = at.Add(step) {
				ts.Samples = append(ts.Samples, prompb.Sample{Timestamp: at.UnixMilli(), Value: value(shard, at)})
			}
			req.Timeseries = append(req.Timeseries, ts)
		}
		raw, err := req.Marshal()
		if err != nil {
			return err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/api/v1/push", bytes.NewReader(snappy.Encode(nil, raw)))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/x-protobuf")
		r.Header.Set("Content-Encoding", "snappy")
		r.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
		r.Header.Set("X-Scope-OrgID", tenant)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			return fmt.Errorf("push for %s: %s: %s", tenant, resp.Status, text)
		}
	}
	return nil
}

func TestOneTenantOfCortexIsLearnedAndScored(t *testing.T) {
	c := startCortex(t)
	const step = 15 * time.Second
	rhythm := func(base float64) func(int, time.Time) float64 {
		return func(shard int, at time.Time) float64 {
			return base*float64(shard+1) + base/5*math.Sin(2*math.Pi*float64(at.Unix()%86400)/86400) + base/50*math.Sin(float64(at.Unix())*1.7)
		}
	}
	mine, theirs := rhythm(100), rhythm(9000)
	now := time.Now().Truncate(step)
	from := now.Add(-3 * 24 * time.Hour)
	require.NoError(t, c.push(t.Context(), "mine", from, now, step, mine))
	require.NoError(t, c.push(t.Context(), "theirs", from, now, step, theirs))

	b := newBare(t, stack.BareOptions{EditTidemark: func(cfg map[string]any) {
		cfg["prometheus"] = map[string]any{"url": c.url + "/prometheus", "tenant": "mine"}
		cfg["baseline"] = map[string]any{"history": "3d"}
		watchOnly(cfg, step, map[string]string{"load": "test_load"})
	}})
	start(t, b.Alertmanager, b.Tidemark) // Ready: the history is learned.
	require.Positive(t, metricOf(t, b.Tidemark, `tidemark_samples_scored_total`))

	// Both tenants go on, mine as ever and then with a fault.
	at := now
	feed := func(ctx context.Context, value func(int, time.Time) float64) error {
		for until := time.Now(); at.Before(until); at = at.Add(step) {
			if err := c.push(ctx, "mine", at, at.Add(step), step, value); err != nil {
				return err
			}
			if err := c.push(ctx, "theirs", at, at.Add(step), step, theirs); err != nil {
				return err
			}
		}
		return nil
	}
	rows := map[string]stack.SeriesRow{}
	look := func(ctx context.Context) error {
		all, err := b.Tidemark.Series(ctx)
		clear(rows)
		for _, r := range all {
			rows[r.Labels] = r
		}
		return err
	}
	eventually(t, learned, "live samples of the tenant are scored", func(ctx context.Context) (bool, error) {
		if err := feed(ctx, mine); err != nil {
			return false, err
		}
		err := look(ctx)
		for _, r := range rows {
			if r.Time < now.Add(2*step).UnixMilli() {
				return false, err
			}
		}
		return len(rows) > 0, err
	})
	require.Len(t, rows, 3, "the series of one tenant")
	for labels, r := range rows {
		require.Contains(t, labels, `team="mine"`)
		require.NotNil(t, r.Value)
		require.Less(t, *r.Value, 1000.0, "the other tenant's are of 9000 and more")
		require.NotNil(t, r.Upper)
		require.Less(t, *r.Upper, 1000.0)
		require.False(t, r.Active, labels)
	}
	eventually(t, learned, "a fault of the tenant is an anomaly", func(ctx context.Context) (bool, error) {
		err := feed(ctx, func(shard int, at time.Time) float64 {
			if shard == 1 {
				return 3 * mine(shard, at)
			}
			return mine(shard, at)
		})
		if err != nil {
			return false, err
		}
		if err := look(ctx); err != nil {
			return false, err
		}
		for labels, r := range rows {
			if r.Active {
				return strings.Contains(labels, `shard="1"`), nil
			}
		}
		return false, nil
	})
	require.Zero(t, metricOf(t, b.Tidemark, `tidemark_watch_failures_total{watch="load"}`))
}
